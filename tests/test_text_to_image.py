"""Text to image: the U-Net between the autoencoder and the text encoder, its guidance and what is watched of it."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import cast

import numpy as np
import open_clip
import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from safetensors.torch import save_file
from torch import Tensor, nn

from playground import __main__ as command_line
from playground import checkpoint, pictures
from playground.data import captions, scenes
from playground.data.emoji import Glyphs
from playground.models import autoencoder, clip, text_to_image
from playground.models.text_to_image import Config, Model, Parts, Settings
from playground.nets import Context
from playground.sampling import generator, last
from playground.validation import UserError
from train import text_to_image as recipe

TINY = Config(size=4, context_dim=32, width=8, blocks=1, emb_dim=16, T=40)
TINY_SETTINGS = {"steps": 4, "w": 2.0}
PROMPTS = ["a small pizza on a blue background", "an owl"]
TOKENS = clip.occurring(PROMPTS)


def complete(model: Model) -> None:
    """Attach tiny parts, for tests/test_contract.py."""
    torch.manual_seed(1)
    encoder = clip.Model(clip.Config(len(TOKENS), 12, 16, 8, 16, 32, 1, 32, 1)).eval()
    encoder.tokens.copy_(TOKENS)
    model.parts = Parts(autoencoder.Model(autoencoder.Config(size=16, width=8, blocks=1)).eval(), encoder)


def build(config: Config) -> Model:
    model = Model(config)
    complete(model)
    return model


def tiny_loss(model: nn.Module, generator: torch.Generator) -> Tensor:
    """The loss on one batch, for tests/test_contract.py."""
    ramp = torch.linspace(-1, 1, 4)
    z = torch.stack([ramp.expand(4, 4, 4), ramp[:, None].expand(4, 4, 4)])
    states = torch.sin(torch.arange(2 * 3 * 32.0)).view(2, 3, 32)
    empty = Context(torch.zeros(1, 3, 32), torch.tensor([[True, True, False]]))
    return text_to_image.loss(model, z, Context(states, torch.ones(2, 3, dtype=torch.bool)), empty, generator)


@pytest.fixture
def model() -> Model:
    torch.manual_seed(0)
    made = build(TINY)
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return made.eval()


def test_the_shipped_network_has_at_most_five_and_a_half_million_parameters() -> None:
    with torch.device("meta"):
        made = Model(Config())
    assert sum(parameter.numel() for parameter in made.parameters()) <= 5_500_000
    assert autoencoder.Config().shape == (Config().channels, Config().size, Config().size)
    assert clip.Config().text_width == Config().context_dim


def test_the_parts_are_not_among_the_weights(model: Model) -> None:
    assert not any("encoder" in name for name in model.state_dict())
    bare = Model(TINY)
    with pytest.raises(UserError, match="attach"):
        bare.said(["an owl"])


def test_a_loaded_model_finds_its_parts_and_refuses_others(model: Model, tmp_path: Path) -> None:
    parts, paths = model.attached(), {}
    for name, part in (("autoencoder", parts.autoencoder), ("clip", parts.encoder)):
        paths[name] = tmp_path / f"{name}-tiny.safetensors"
        checkpoint.save(paths[name], cast(nn.Module, part), {})
    digests = {name: checkpoint.sha256(path) for name, path in paths.items()}
    model.config = replace(TINY, autoencoder="autoencoder-tiny", encoder="clip-tiny",
                           autoencoder_sha256=digests["autoencoder"], encoder_sha256=digests["clip"])  # fmt: skip
    path = tmp_path / "text-to-image-tiny.safetensors"
    checkpoint.save(path, model, {})
    loaded = cast(Model, checkpoint.load(path, expect="text_to_image"))
    x, again = (last(text_to_image.sample(m, Settings(n=1, prompt=PROMPTS[0], steps=3))).x for m in (model, loaded))
    torch.testing.assert_close(x, again, rtol=0, atol=0.05)
    model.config = replace(model.config, encoder_sha256="0" * 64)
    checkpoint.save(path, model, {})
    with pytest.raises(UserError, match="trained with another clip-tiny"):
        last(text_to_image.sample(cast(Model, checkpoint.load(path)), Settings(n=1, steps=3)))


def test_the_loss_is_that_of_the_velocity_and_hides_the_share_asked_for(model: Model) -> None:
    z, said, empty = torch.randn(200, 4, 4, 4, generator=generator(0)), model.said(["an owl"] * 200), model.said([""])
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

    assert text_to_image.loss(Spy(), z, said, empty, generator(1), dropout=0.3).item() == pytest.approx(0, abs=1e-8)
    hidden = (seen[0].states == empty.states).all(2).all(1)
    assert hidden.float().mean().item() == pytest.approx(0.3, abs=0.13)
    assert torch.equal(seen[0].there, torch.where(hidden[:, None], empty.there, said.there))


def test_a_run_is_guided_between_its_two_estimates(model: Model) -> None:
    moments = list(text_to_image.sample(model, Settings(n=2, prompt=PROMPTS[0], steps=4, w=3.0)))
    assert [moment.step for moment in moments] == [0, 1, 2, 3, 4]
    for moment in moments[:-1]:
        torch.testing.assert_close(moment.z0_hat, moment.without + 3 * (moment.given - moment.without))
        assert moment.x is None
    assert not torch.allclose(moments[0].without, moments[0].given, atol=1e-3)
    x = moments[-1].x
    assert x is not None
    torch.testing.assert_close(x, model.decode(moments[-1].z))


@pytest.mark.parametrize(("w", "kind"), [(0.0, "without"), (1.0, "given")])
def test_guidance_0_and_1_are_the_two_models(model: Model, w: float, kind: str) -> None:
    moment = next(iter(text_to_image.sample(model, Settings(n=1, steps=3, w=w))))
    torch.testing.assert_close(moment.z0_hat, getattr(moment, kind))


def test_an_empty_prompt_is_unconditional(model: Model) -> None:
    moment = next(iter(text_to_image.sample(model, Settings(n=1, prompt="", steps=3))))
    torch.testing.assert_close(moment.without, moment.given)


def test_a_negative_prompt_stands_where_nothing_stood(model: Model) -> None:
    one = next(iter(text_to_image.sample(model, Settings(n=1, prompt=PROMPTS[0], negative=PROMPTS[1], steps=3))))
    other = next(iter(text_to_image.sample(model, Settings(n=1, prompt=PROMPTS[1], steps=3))))
    torch.testing.assert_close(one.without, other.given)


@pytest.mark.parametrize("guidance", text_to_image.GUIDANCE)
def test_curves_of_guidance_keep_their_mean(guidance: str) -> None:
    settings = Settings(w=5.0, guidance=guidance)
    weights = torch.tensor([settings.weight(share) for share in torch.linspace(0, 1, 2001).tolist()])
    expected = 1 + 4 * 0.6 if guidance == "interval" else 5.0
    assert weights.mean().item() == pytest.approx(expected, rel=2e-3)
    assert weights.min() >= 1


def test_attention_is_of_the_prompt_and_sums_to_one(model: Model) -> None:
    moment = next(iter(text_to_image.sample(model, Settings(n=2, prompt=PROMPTS[1], steps=3))))
    assert len(moment.attention) == 6
    assert moment.attention[0].shape == (2, 4, 16, 12)
    length = int(model.said([PROMPTS[1]]).there.sum())
    for attention in moment.attention:
        torch.testing.assert_close(attention.float().sum(3), torch.ones(attention.shape[:3]), rtol=0, atol=5e-3)
        assert (attention[..., length:] == 0).all()


def test_a_prompt_changes_the_picture(model: Model) -> None:
    x = [last(text_to_image.sample(model, Settings(n=1, prompt=prompt, steps=4))).x for prompt in PROMPTS]
    assert F.mse_loss(x[0], x[1]) > 1e-6


@pytest.mark.parametrize("wrong", [{"prompt": "x" * 301}, {"prompt": None}, {"negative": 3}, {"w": 13}, {"steps": 0},
                                   {"guidance": "wild"}, {"sampler": "euler"}, {"n": 0}])  # fmt: skip
def test_absurd_settings_are_refused(wrong: dict) -> None:
    with pytest.raises(UserError, match=next(iter(wrong)) if "n" not in wrong else "number of pictures"):
        replace(Settings(), **wrong)


# --- the training ---------------------------------------------------------------------------------

GLYPHS = Glyphs(["pizza", "owl", "rocket", "anchor"], torch.rand(4, 4, 64, 64, generator=generator(0)), "")


@pytest.fixture
def tiny(tmp_path: Path) -> recipe.Recipe:
    """A recipe whose parts are there."""
    torch.manual_seed(2)
    tokens = clip.occurring(list(captions.corpus(captions.words(GLYPHS.names))))
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
    model = cast(Model, checkpoint.load(path, expect="text_to_image"))
    x = last(text_to_image.sample(model, Settings(n=2, prompt="an owl on blue", steps=2))).x
    assert x is not None
    assert x.shape == (2, 3, 64, 64)
    assert (tiny.folder / "picture-0000004.png").exists()


def test_a_training_goes_on_with_an_encoder_that_was_trained_on(tiny: recipe.Recipe, tmp_path: Path) -> None:
    before = recipe.train(replace(tiny, picture_every=100), GLYPHS)
    path = tmp_path / "clip-emoji.safetensors"
    checkpoint.save(path, checkpoint.load(path), {"steps": 2})
    after = recipe.train(replace(tiny, name="text-to-image-on", steps=6, start=before, picture_every=100), GLYPHS)
    assert after is not None
    about = checkpoint.header(after)
    assert about.provenance["steps"] == 6
    assert about.config["encoder_sha256"] == checkpoint.sha256(path)


def test_latents_are_those_of_the_scenes_and_computed_once(tiny: recipe.Recipe) -> None:
    config, parts = recipe.stood_on(tiny)
    made = replace(tiny, config=config)
    drawn = scenes.sample_both(tiny.scenes, generator(0), scenes.for_training(GLYPHS.names))
    latents = recipe.encoded(made, parts, GLYPHS, drawn, batch=7)
    some = scenes.Scenes(*(part[20:22] for part in drawn))
    with torch.no_grad():
        expected = parts.autoencoder.encode(scenes.draw(some, GLYPHS))
    error = torch.from_numpy(latents[20:22].copy()).float() - expected  # of bfloat16, where it is faster
    assert error.square().mean() < (0.01 * expected.std()) ** 2
    before = next(made.folder.glob("latents-*.npy")).stat().st_mtime_ns
    recipe.encoded(made, parts, GLYPHS, drawn)
    assert next(made.folder.glob("latents-*.npy")).stat().st_mtime_ns == before


def test_a_pretrained_encoder_takes_the_place_of_ours(tiny: recipe.Recipe, tmp_path: Path) -> None:
    path = tmp_path / "whole.safetensors"
    save_file(open_clip.create_model("ViT-B-32").state_dict(), path)
    asked = replace(tiny, name="text-to-image-vit", steps=1, clip="ViT-B-32", clip_weights=str(path))
    made = recipe.train(asked, GLYPHS)
    assert made is not None
    config = checkpoint.load(made).config
    assert (config.encoder, config.context_dim) == (f"ViT-B-32/{path}", 512)
    assert last(text_to_image.sample(cast(Model, checkpoint.load(made)), Settings(n=1, steps=1))).x is not None


def test_prompts_of_a_file_are_drawn_in_order(model: Model, tmp_path: Path, monkeypatch, capsys) -> None:
    monkeypatch.setattr(text_to_image.Model, "parts", model.attached())
    checkpoint.save(tmp_path / "tiny.safetensors", model, {})
    asked, out = tmp_path / "prompts.txt", tmp_path / "out.npz"
    asked.write_text("\n".join([*PROMPTS, ""]) + "\n", encoding="utf-8")
    flags = ["sample", "tiny", "--steps", "2", "--weights", str(tmp_path), "--out", str(out), "--prompts", str(asked)]
    assert command_line.main(flags) == 0
    made = np.load(out)
    assert made["prompts"].tolist() == [*PROMPTS, ""]
    one = Settings(n=1, prompt=PROMPTS[1], steps=2)
    alone = cast(Tensor, last(text_to_image.sample(model, one, first=1)).x)
    assert np.abs(made["images"][1:2].astype(int) - pictures.to_uint8(alone)).max() <= 2, "but for rounding"
    asked.write_bytes(b"\xff\xfe")
    assert command_line.main(flags) == 1
    assert "must be text in UTF-8" in capsys.readouterr().err


def test_an_animation_shows_what_the_latents_decode_to(model: Model, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(text_to_image.Model, "parts", model.attached())
    checkpoint.save(tmp_path / "tiny.safetensors", model, {})
    out = tmp_path / "run.gif"
    flags = ["--n", "2", "--steps", "3", "--weights", str(tmp_path), "--out", str(out)]
    assert command_line.main(["sample", "tiny", *flags]) == 0
    with Image.open(out) as animation:
        assert animation.n_frames == 4
    *_, end = text_to_image.sample(model, Settings(n=2, steps=3))
    assert torch.equal(text_to_image.shown(model, end), cast(Tensor, end.x)), "not the latents themselves"


def final(moments: Iterator[text_to_image.Moment]) -> Tensor:
    return last(moments).z


def test_two_prompts_from_the_same_noise(model: Model) -> None:
    """With nothing kept, each half is the run of its own prompt; the same prompt twice is the same picture twice."""
    settings = Settings(n=1, prompt=PROMPTS[0], **TINY_SETTINGS)
    first, second = final(text_to_image.edited(model, settings, PROMPTS[1], kept=0.0)).chunk(2)
    torch.testing.assert_close(first, final(text_to_image.sample(model, settings)))
    torch.testing.assert_close(second, final(text_to_image.sample(model, replace(settings, prompt=PROMPTS[1]))))
    first, second = final(text_to_image.edited(model, settings, PROMPTS[0], kept=1.0)).chunk(2)
    torch.testing.assert_close(first, second)


def test_the_other_prompt_looks_as_the_first_at_the_words_they_share(model: Model) -> None:
    settings = Settings(n=1, prompt="a small pizza on a blue background", **TINY_SETTINGS)
    moment = next(text_to_image.edited(model, settings, "a small owl on a blue background", kept=1.0))
    for layer in moment.attention:
        first, second = layer.float().chunk(2)
        torch.testing.assert_close(second.sum(-1), torch.ones_like(second.sum(-1)), atol=2e-3, rtol=0)
        share = second[..., [1, 2, 4, 5, 6]] / first[..., [1, 2, 4, 5, 6]]  # the owl stands in the pizza's place
        torch.testing.assert_close(share, share[..., :1].expand_as(share), atol=0, rtol=2e-2)


def test_shared_words_are_found_in_order() -> None:
    assert text_to_image.shared([9, 1, 2, 3, 8], [9, 1, 5, 6, 3, 8]).tolist() == [0, 1, -1, -1, 3, 4]
    assert text_to_image.shared([9, 8], [9, 8]).tolist() == [0, 1]


def test_a_weak_variation_stays_near_its_picture(model: Model) -> None:
    settings = Settings(n=2, prompt=PROMPTS[0], steps=20)
    z0 = torch.randn(1, 4, 4, 4, generator=generator(5))
    weak, strong = (final(text_to_image.varied(model, settings, z0, strength)) for strength in (0.05, 1.0))
    assert (weak - z0).square().mean() < 0.1 * (strong - z0).square().mean()
    assert len(list(text_to_image.varied(model, settings, z0, 0.5))) == 11


@pytest.mark.parametrize("guidance", text_to_image.GUIDANCE)
@pytest.mark.parametrize("w", [0.0, 1.0])
def test_no_guidance_is_none_at_any_time(guidance: str, w: float) -> None:
    assert {Settings(w=w, guidance=guidance).weight(share / 10) for share in range(11)} == {w}


def test_half_a_character_is_refused() -> None:
    with pytest.raises(UserError, match="prompt must be text"):
        Settings(prompt="\ud800 dog")


def test_an_architecture_without_weights_is_refused() -> None:
    with pytest.raises(UserError, match="cannot be loaded"):
        clip.pretrained("ViT-B-32/")
