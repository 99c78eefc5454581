"""Text to image: the U-Net between the autoencoder and the text encoder, its guidance and what is watched of it."""

import copy
import json
import shlex
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import open_clip
import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from safetensors.torch import save_file
from torch import Tensor, nn

import playground
from playground import __main__ as command_line
from playground.datasets import captions, scenes
from playground.datasets.emoji import Glyphs
from playground.export import media
from playground.families import autoencoder, clip, latent_diffusion
from playground.families.latent_diffusion import Components, Config, Model, Settings
from playground.families.latent_diffusion.editing import align_tokens
from playground.nn.attention import Context
from playground.runtime import checkpoint, pictures
from playground.runtime.rng import make_rng
from playground.runtime.run import Frame, last_frame
from playground.runtime.validation import UserError
from train import latent_diffusion as recipe

TINY = Config(size=4, context_dim=32, width=8, blocks=1, emb_dim=16, T=40)
TINY_SETTINGS = {"steps": 4, "w": 2.0}
PROMPTS = ["a small pizza on a blue background", "an owl"]
TOKENS = clip.vocabulary_of(PROMPTS)


def complete(model: Model) -> None:
    """Attach tiny parts, for tests/families/test_contract.py."""
    torch.manual_seed(1)
    encoder = clip.Model(clip.Config(len(TOKENS), 12, 16, 8, 16, 32, 1, 32, 1)).eval()
    encoder.tokens.copy_(TOKENS)
    model.parts = Components(autoencoder.Model(autoencoder.Config(size=16, width=8, blocks=1)).eval(), encoder)


def build(config: Config) -> Model:
    model = Model(config)
    complete(model)
    return model


def tiny_loss(model: nn.Module, generator: torch.Generator) -> Tensor:
    """The loss on one batch, for tests/families/test_contract.py."""
    ramp = torch.linspace(-1, 1, 4)
    z = torch.stack([ramp.expand(4, 4, 4), ramp[:, None].expand(4, 4, 4)])
    states = torch.sin(torch.arange(2 * 3 * 32.0)).view(2, 3, 32)
    empty = Context(torch.zeros(1, 3, 32), torch.tensor([[True, True, False]]))
    return latent_diffusion.loss(model, z, Context(states, torch.ones(2, 3, dtype=torch.bool)), empty, generator)


def make_random_model() -> Model:
    """Return a tiny model whose layers that begin at zero do not."""
    torch.manual_seed(0)
    made = build(TINY)
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return made.eval()


@pytest.fixture
def model() -> Model:
    return make_random_model()


def test_the_shipped_network_has_at_most_five_and_a_half_million_parameters() -> None:
    with torch.device("meta"):
        made = Model(Config())
    assert sum(parameter.numel() for parameter in made.parameters()) <= 5_500_000
    assert autoencoder.Config().latent_shape == (Config().channels, Config().size, Config().size)
    assert clip.Config().text_width == Config().context_dim


def test_the_parts_are_not_among_the_weights(model: Model) -> None:
    assert not any("encoder" in name for name in model.state_dict())
    bare = Model(TINY)
    with pytest.raises(UserError, match="set its parts"):
        bare.encode_text(["an owl"])


def test_a_loaded_model_finds_its_parts_and_refuses_others(model: Model, tmp_path: Path) -> None:
    parts, paths = model.components(), {}
    for name, part in (("autoencoder", parts.autoencoder), ("clip", parts.encoder)):
        paths[name] = tmp_path / f"{name}-tiny.safetensors"
        checkpoint.save(paths[name], cast(nn.Module, part), {})
    digests = {name: checkpoint.digest(path) for name, path in paths.items()}
    model.config = replace(TINY, autoencoder="autoencoder-tiny", encoder="clip-tiny",
                           autoencoder_digest=digests["autoencoder"], encoder_digest=digests["clip"])  # fmt: skip
    path = tmp_path / "text-to-image-tiny.safetensors"
    checkpoint.save(path, model, {})
    loaded = cast(Model, checkpoint.load(path, family="latent_diffusion"))
    settings = Settings(n=1, prompt=PROMPTS[0], steps=3)
    x, again = sampled(model, settings), sampled(loaded, settings)
    torch.testing.assert_close(x, again, rtol=0, atol=0.05)
    for path_of_part in paths.values():
        checkpoint.save(path_of_part, checkpoint.load(path_of_part), {"date": "another"})
    once_more = sampled(loaded, settings)
    torch.testing.assert_close(once_more, again, rtol=0, atol=0)
    model.config = replace(model.config, encoder_digest="0" * 64)
    checkpoint.save(path, model, {})
    with pytest.raises(UserError, match="trained with another clip-tiny"):
        sampled(cast(Model, checkpoint.load(path)), Settings(n=1, steps=3))


def test_a_part_that_changed_is_noticed_when_it_is_next_asked_for(tiny: recipe.Recipe, tmp_path: Path) -> None:
    config, parts = recipe.load_components(tiny)
    checkpoint.save(path := tmp_path / "text-to-image-tiny.safetensors", Model(config), {})
    loaded = cast(Model, checkpoint.load(path))
    assert loaded.components().autoencoder.config == parts.autoencoder.config
    elsewhere = copy.deepcopy(loaded).to("meta")
    assert elsewhere.components() == elsewhere.components(), "what is copied to a device is copied once"
    assert {next(part.parameters()).device.type for part in cast(Any, elsewhere.components())} == {"meta"}
    checkpoint.save(tmp_path / "autoencoder-emoji.safetensors", autoencoder.Model(parts.autoencoder.config), {})
    with pytest.raises(UserError, match="trained with another autoencoder-emoji"):
        loaded.components()


def test_the_loss_is_that_of_the_velocity_and_hides_the_share_asked_for(model: Model) -> None:
    z, said, empty = (
        torch.randn(200, 4, 4, 4, generator=make_rng(0)),
        model.encode_text(["an owl"] * 200),
        model.encode_text([""]),
    )
    seen: list[Context] = []

    class Spy(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.module = model  # as one wrapped for several processes

        def forward(self, zt: Tensor, t: Tensor, context: Context) -> Tensor:
            seen.append(context)
            alpha_bar = model.schedule.alpha_bar[t][:, None, None, None].float()
            eps = (zt - alpha_bar.sqrt() * z) / (1 - alpha_bar).sqrt()
            return alpha_bar.sqrt() * eps - (1 - alpha_bar).sqrt() * z  # v of Salimans and Ho 2022

    assert latent_diffusion.loss(Spy(), z, said, empty, make_rng(1), dropout=0.3).item() == pytest.approx(0, abs=1e-8)
    hidden = (seen[0].states == empty.states).all(2).all(1)
    assert hidden.float().mean().item() == pytest.approx(0.3, abs=0.13)
    assert torch.equal(seen[0].mask, torch.where(hidden[:, None], empty.mask, said.mask))


def test_a_run_is_guided_between_its_two_estimates(model: Model) -> None:
    frames = list(latent_diffusion.sample(model, Settings(n=2, prompt=PROMPTS[0], steps=4, w=3.0)))
    assert [frame.step for frame in frames] == [0, 1, 2, 3, 4]
    for frame in frames[:-1]:
        uncond, cond = frame.estimates["x0_uncond"], frame.estimates["x0_cond"]
        torch.testing.assert_close(frame.x0_hat, uncond + 3 * (cond - uncond))
    assert not torch.allclose(uncond, cond, atol=1e-3)
    torch.testing.assert_close(latent_diffusion.decode_frame(model, frames[-1]), model.decode(frames[-1].x0_hat))


@pytest.mark.parametrize(("w", "kind"), [(0.0, "x0_uncond"), (1.0, "x0_cond")])
def test_guidance_0_and_1_are_the_two_models(model: Model, w: float, kind: str) -> None:
    frame = next(iter(latent_diffusion.sample(model, Settings(n=1, steps=3, w=w))))
    torch.testing.assert_close(frame.x0_hat, frame.estimates[kind])


def test_an_empty_prompt_is_unconditional(model: Model) -> None:
    frame = next(iter(latent_diffusion.sample(model, Settings(n=1, prompt="", steps=3))))
    torch.testing.assert_close(frame.estimates["x0_uncond"], frame.estimates["x0_cond"])


def test_a_negative_prompt_stands_where_nothing_stood(model: Model) -> None:
    one = next(iter(latent_diffusion.sample(model, Settings(n=1, prompt=PROMPTS[0], negative=PROMPTS[1], steps=3))))
    other = next(iter(latent_diffusion.sample(model, Settings(n=1, prompt=PROMPTS[1], steps=3))))
    torch.testing.assert_close(one.estimates["x0_uncond"], other.estimates["x0_cond"])


@pytest.mark.parametrize("guidance", latent_diffusion.GUIDANCE_SCHEDULES)
def test_curves_of_guidance_keep_their_mean(guidance: str) -> None:
    settings = Settings(w=5.0, guidance=guidance)
    weights = torch.tensor([settings.weight(share) for share in torch.linspace(0, 1, 2001).tolist()])
    expected = 1 + 4 * 0.6 if guidance == "interval" else 5.0
    assert weights.mean().item() == pytest.approx(expected, rel=2e-3)
    assert weights.min() >= 1


def test_attention_is_of_the_prompt_and_sums_to_one(model: Model) -> None:
    frame = next(iter(latent_diffusion.sample(model, Settings(n=2, prompt=PROMPTS[1], steps=3))))
    assert len(frame.attention) == 6
    assert frame.attention[0].shape == (2, 4, 16, 12)
    length = int(model.encode_text([PROMPTS[1]]).mask.sum())
    for attention in frame.attention:
        torch.testing.assert_close(attention.float().sum(3), torch.ones(attention.shape[:3]), rtol=0, atol=5e-3)
        assert (attention[..., length:] == 0).all()


def test_a_prompt_changes_the_picture(model: Model) -> None:
    x = [sampled(model, Settings(n=1, prompt=prompt, steps=4)) for prompt in PROMPTS]
    assert F.mse_loss(x[0], x[1]) > 1e-6


@pytest.mark.parametrize("wrong", [{"prompt": "x" * 301}, {"prompt": None}, {"negative": 3}, {"w": 13}, {"steps": 0},
                                   {"guidance": "wild"}, {"sampler": "euler"}, {"n": 0}])  # fmt: skip
def test_absurd_settings_are_refused(wrong: dict) -> None:
    with pytest.raises(UserError, match=next(iter(wrong)) if "n" not in wrong else "number of pictures"):
        replace(Settings(), **wrong)


# --- the training ---------------------------------------------------------------------------------

GLYPHS = Glyphs(["pizza", "owl", "rocket", "anchor"], torch.rand(4, 4, 64, 64, generator=make_rng(0)), "")


@pytest.fixture
def tiny(tmp_path: Path) -> recipe.Recipe:
    """A recipe whose parts are there."""
    torch.manual_seed(2)
    tokens = clip.vocabulary_of(list(captions.vocabulary_texts(captions.list_synonyms(GLYPHS.names))))
    encoder = clip.Model(clip.Config(len(tokens), 24, 16, 8, 16, 32, 1, 32, 1))
    encoder.tokens.copy_(tokens)
    checkpoint.save(tmp_path / "clip-emoji.safetensors", encoder, {})
    tiny_autoencoder = autoencoder.Model(autoencoder.Config(width=8, blocks=1))
    checkpoint.save(tmp_path / "autoencoder-emoji.safetensors", tiny_autoencoder, {})
    return recipe.Recipe(name="text-to-image-tiny", steps=4, batch_size=4, precision="no", log_every=1, save_every=2,
                         picture_every=2, config=replace(TINY, size=16), scenes=30, parts=tmp_path, out=tmp_path,
                         runs=tmp_path / "runs")  # fmt: skip


def test_a_training_leaves_a_model_that_finds_its_parts(tiny: recipe.Recipe, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recipe, "PROMPTS", ("an owl", "a pizza"))
    path = recipe.train(tiny, GLYPHS)
    assert path is not None
    assert checkpoint.read_header(path).provenance["data"] == "images given by the caller"
    model = cast(Model, checkpoint.load(path, family="latent_diffusion"))
    x = sampled(model, Settings(n=2, prompt="an owl on blue", steps=2))
    assert x.shape == (2, 3, 64, 64)
    assert (tiny.folder / "picture-0000004.png").exists()


def test_a_training_goes_on_with_an_encoder_that_was_trained_on(tiny: recipe.Recipe, tmp_path: Path) -> None:
    before = recipe.train(replace(tiny, picture_every=100), GLYPHS)
    path = tmp_path / "clip-emoji.safetensors"
    checkpoint.save(path, checkpoint.load(path), {"steps": 2})
    after = recipe.train(replace(tiny, name="text-to-image-on", steps=6, start=before, picture_every=100), GLYPHS)
    assert after is not None
    about = checkpoint.read_header(after)
    assert about.provenance["steps"] == 6
    assert about.config["encoder_digest"] == checkpoint.digest(path)


def test_latents_are_those_of_the_scenes_and_computed_once(tiny: recipe.Recipe) -> None:
    config, parts = recipe.load_components(tiny)
    made = replace(tiny, config=config)
    drawn = scenes.sample_mixed(tiny.scenes, make_rng(0), scenes.training_combinations(GLYPHS.names))
    latents = recipe.encode_scenes(made, parts, GLYPHS, drawn, batch=7)
    some = scenes.Scenes(*(part[20:22] for part in drawn))
    with torch.no_grad():
        expected = parts.autoencoder.encode(scenes.render(some, GLYPHS))
    error = torch.from_numpy(latents[20:22].copy()).float() - expected  # of bfloat16, where it is faster
    assert error.square().mean() < (0.01 * expected.std()) ** 2
    before = next(made.folder.glob("latents-*.npy")).stat().st_mtime_ns
    recipe.encode_scenes(made, parts, GLYPHS, drawn)
    assert next(made.folder.glob("latents-*.npy")).stat().st_mtime_ns == before


def test_the_dropout_of_the_recipe_reaches_the_loss(tiny: recipe.Recipe, monkeypatch: pytest.MonkeyPatch) -> None:
    loss, dropouts = latent_diffusion.loss, list[float]()
    monkeypatch.setattr(latent_diffusion, "loss", lambda *args: dropouts.append(args[-1]) or loss(*args))
    recipe.train(replace(tiny, dropout=0.37, steps=1), GLYPHS)
    assert dropouts == [0.37]


def test_a_pretrained_encoder_takes_the_place_of_ours(tiny: recipe.Recipe, tmp_path: Path) -> None:
    path = tmp_path / "whole.safetensors"
    save_file(open_clip.create_model("ViT-B-32").state_dict(), path)
    (tmp_path / "open_clip_config.json").write_text('{"model_cfg": {}}')
    asked = replace(tiny, name="text-to-image-vit", steps=1, clip="ViT-B-32", clip_weights=str(path))
    made = recipe.train(asked, GLYPHS)
    assert made is not None
    config = checkpoint.load(made).config
    assert (config.encoder, config.context_dim) == (f"ViT-B-32/{path}", 512)
    assert sampled(cast(Model, checkpoint.load(made)), Settings(n=1, steps=1)).shape == (1, 3, 64, 64)


def test_prompts_of_a_file_are_drawn_in_order(model: Model, tmp_path: Path, monkeypatch, capsys) -> None:
    monkeypatch.setattr(latent_diffusion.Model, "parts", model.components())
    checkpoint.save(tmp_path / "tiny.safetensors", model, {})
    asked, out = tmp_path / "prompts.txt", tmp_path / "out.npz"
    asked.write_text("\n".join([*PROMPTS, ""]) + "\n", encoding="utf-8")
    flags = ["sample", "tiny", "--steps", "2", "--weights", str(tmp_path), "--out", str(out), "--prompts", str(asked)]
    assert command_line.main(flags) == 0
    made = np.load(out)
    assert made["prompts"].tolist() == [*PROMPTS, ""]
    one = Settings(n=1, prompt=PROMPTS[1], steps=2)
    alone = sampled(model, one, first=1)
    assert np.abs(made["images"][1:2].astype(int) - pictures.to_uint8(alone)).max() <= 2, "but for rounding"
    asked.write_text(f"{PROMPTS[1]}\n", encoding="utf-8")
    assert command_line.main([*flags, "--first", "1"]) == 0, "the prompts of a file are those of its part of the set"
    assert np.abs(np.load(out)["images"].astype(int) - made["images"][1:2]).max() <= 2
    asked.write_bytes(b"\xff\xfe")
    assert command_line.main(flags) == 2
    assert "must be text in UTF-8" in capsys.readouterr().err
    asked.unlink()
    assert command_line.main(flags) == 2
    assert capsys.readouterr().err == f"{asked} cannot be read: No such file or directory\n"


def test_a_file_of_prompts_says_them_all(model: Model, tmp_path: Path, monkeypatch) -> None:
    """Its command makes the same pictures of the same prompts, without the file; its settings name no other prompt."""
    monkeypatch.setattr(latent_diffusion.Model, "parts", model.components())
    checkpoint.save(tmp_path / "tiny.safetensors", model, {})
    asked, out = tmp_path / "prompts.txt", tmp_path / "out.npz"
    prompts = ["a DOG, blue background", "-a cat", ""]
    asked.write_text("\n".join(prompts) + "\n", encoding="utf-8")
    flags = ["sample", "tiny", "--steps", "2", "--weights", str(tmp_path)]
    assert command_line.main([*flags, "--out", str(out), "--prompts", str(asked)]) == 0
    about = json.loads(str(np.load(out)["metadata"]))
    settings = json.loads(about["settings"])
    assert (settings["prompts"], settings["n"]) == (prompts, 3)
    assert "prompt" not in settings
    asked.unlink()
    words = shlex.split(about["command"])
    assert words[-7:] == ["--line", "a DOG, blue background", "--line=-a cat", "--line", "", "--out", "out.npz"]
    assert command_line.main([*words[3:-1], str(tmp_path / "again.npz")]) == 0
    assert np.array_equal(np.load(out)["images"], np.load(tmp_path / "again.npz")["images"])


def test_a_command_says_how_it_reads_its_prompts(model: Model, tmp_path: Path, monkeypatch, capsys) -> None:
    monkeypatch.setattr(latent_diffusion.Model, "parts", model.components())
    checkpoint.save(tmp_path / "tiny.safetensors", model, {})
    out, asked = tmp_path / "out.npz", tmp_path / "prompts.txt"
    flags = ["sample", "tiny", "--steps", "1", "--weights", str(tmp_path), "--out", str(out)]
    assert command_line.main([*flags, "--n", "1", "--prompt", "two stawberries", "--negative", "gray"]) == 0
    said = capsys.readouterr()
    assert said.out == f"{out}\n"
    assert "Read as a strawberry, on any background; *stawberries* is read as *strawberry*; *two* is left" in said.err
    assert "The negative prompt: Read as any emoji, on a grey background; *gray* is read as *grey*." in said.err
    settings = json.loads(json.loads(str(np.load(out)["metadata"]))["settings"])
    assert (settings["prompt"], settings["negative"]) == ("a strawberry", "a grey background")
    asked.write_text("an owl\nun chien\n", encoding="utf-8")
    assert command_line.main([*flags, "--prompts", str(asked)]) == 0
    assert np.load(out)["prompts"].tolist() == ["an owl", "a dog"]
    said = capsys.readouterr()
    assert "un chien: Read as a dog face, on any background; *chien* is read as *dog* (French).\n" in said.err
    assert "an owl" not in said.err
    out.unlink()
    assert command_line.main([*flags, "--prompt", "zeppelin"]) == 2
    assert "No word of “zeppelin” names an emoji or a background" in capsys.readouterr().err
    assert not out.exists()


def test_a_pipeline_reads_prompts_in_the_words_of_its_checkpoint(model: Model, tmp_path: Path, capsys) -> None:
    for name, core in (("few", True), ("all", False)):
        checkpoint.save(tmp_path / f"{name}.safetensors", model, {"flags": {"core": core}})
    few, all_emoji = (playground.load(tmp_path / f"{name}.safetensors") for name in ("few", "all"))
    assert all_emoji.sample(prompt="a worm and a dog").settings.prompt == "a worm to the left of a dog"
    assert "*and* is read as *to the left of*" in capsys.readouterr().err
    assert few.sample(prompt="a worm and a dog").settings.prompt == "a dog"
    assert few.sample(prompts=["a cat & a dog", "an owl"]).prompts == ["a cat to the left of a dog", "an owl"]
    with pytest.raises(UserError, match="No word of “a worm”"):
        few.sample(prompt="a worm")


@pytest.mark.parametrize("more", [["--n", "3"], ["--prompt", "a cat"], ["--line", "a cat"]])
def test_a_file_of_prompts_stands_alone(model: Model, tmp_path: Path, more: list[str], capsys) -> None:
    checkpoint.save(tmp_path / "tiny.safetensors", model, {})
    flags = ["--prompts", "prompts.txt", "--out", "a.png", "--weights", str(tmp_path)]
    assert command_line.main(["sample", "tiny", *flags, *more]) == 2
    assert "leave out the other, --n and --prompt" in capsys.readouterr().err


def test_an_animation_shows_what_the_latents_decode_to(model: Model, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(latent_diffusion.Model, "parts", model.components())
    checkpoint.save(tmp_path / "tiny.safetensors", model, {})
    out = tmp_path / "run.gif"
    flags = ["--n", "2", "--steps", "3", "--weights", str(tmp_path), "--out", str(out)]
    assert command_line.main(["sample", "tiny", *flags]) == 0
    with Image.open(out) as animation:
        assert animation.n_frames == 4
    written: list[np.ndarray] = []
    monkeypatch.setattr(media, "write_gif", lambda path, images, about: written.append(images))
    assert command_line.main(["sample", "tiny", *flags]) == 0
    x = pictures.to_uint8(sampled(model, Settings(n=2, steps=3)))
    assert np.abs(written[0][-1].astype(int) - x).max() <= 2, "pictures, not the latents themselves"


def sampled(model: Model, settings: Settings, first: int = 0) -> Tensor:
    return latent_diffusion.decode_frame(model, last_frame(latent_diffusion.sample(model, settings, first)))


def final(frames: Iterator[Frame]) -> Tensor:
    return last_frame(frames).x


def test_two_prompts_from_the_same_noise(model: Model) -> None:
    """With nothing kept, each half is the run of its own prompt; the same prompt twice is the same picture twice."""
    settings = Settings(n=1, prompt=PROMPTS[0], **TINY_SETTINGS)
    first, second = final(latent_diffusion.prompt_to_prompt(model, settings, PROMPTS[1], shared_fraction=0.0)).chunk(2)
    torch.testing.assert_close(first, final(latent_diffusion.sample(model, settings)))
    torch.testing.assert_close(second, final(latent_diffusion.sample(model, replace(settings, prompt=PROMPTS[1]))))
    first, second = final(latent_diffusion.prompt_to_prompt(model, settings, PROMPTS[0], shared_fraction=1.0)).chunk(2)
    torch.testing.assert_close(first, second)


def test_the_other_prompt_looks_as_the_first_at_the_words_they_share(model: Model) -> None:
    settings = Settings(n=1, prompt="a small pizza on a blue background", **TINY_SETTINGS)
    run = latent_diffusion.prompt_to_prompt(model, settings, "a small owl on a blue background", shared_fraction=1.0)
    frame = next(run)
    for layer in frame.attention:
        first, second = layer.float().chunk(2)
        torch.testing.assert_close(second.sum(-1), torch.ones_like(second.sum(-1)), atol=2e-3, rtol=0)
        share = second[..., [1, 2, 4, 5, 6]] / first[..., [1, 2, 4, 5, 6]]  # the owl stands in the pizza's place
        torch.testing.assert_close(share, share[..., :1].expand_as(share), atol=0, rtol=2e-2)


def test_shared_words_are_found_in_order() -> None:
    assert align_tokens([9, 1, 2, 3, 8], [9, 1, 5, 6, 3, 8]).tolist() == [0, 1, -1, -1, 3, 4]
    assert align_tokens([9, 8], [9, 8]).tolist() == [0, 1]


def test_a_weak_variation_stays_near_its_picture(model: Model) -> None:
    settings = Settings(n=2, prompt=PROMPTS[0], steps=20)
    z0 = torch.randn(1, 4, 4, 4, generator=make_rng(5))
    weak, strong = (final(latent_diffusion.sdedit(model, settings, z0, strength)) for strength in (0.05, 1.0))
    assert (weak - z0).square().mean() < 0.1 * (strong - z0).square().mean()
    assert len(list(latent_diffusion.sdedit(model, settings, z0, 0.5))) == 11


@pytest.mark.parametrize("guidance", latent_diffusion.GUIDANCE_SCHEDULES)
@pytest.mark.parametrize("w", [0.0, 1.0])
def test_no_guidance_is_none_at_any_time(guidance: str, w: float) -> None:
    assert {Settings(w=w, guidance=guidance).weight(share / 10) for share in range(11)} == {w}


def test_half_a_character_is_refused() -> None:
    with pytest.raises(UserError, match="prompt must be text"):
        Settings(prompt="\ud800 dog")


def test_an_architecture_without_weights_is_refused() -> None:
    with pytest.raises(UserError, match="cannot be loaded"):
        clip.load_pretrained("ViT-B-32/")
