"""Text to image: the U-Net between the autoencoder and the text encoder, its guidance and what is watched of it."""

import math
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from playground.families import autoencoder, clip, latent_diffusion
from playground.families.latent_diffusion import Components, Config, Model, Settings
from playground.nn.attention import Context
from playground.runtime import checkpoint, inference
from playground.runtime.rng import make_rng
from playground.runtime.run import last_frame
from playground.runtime.validation import UserError

TINY = Config(size=4, context_dim=32, width=8, blocks=1, emb_dim=16, T=40)
TINY_SETTINGS = {"steps": 4, "w": 2.0}
CHANGES = {"prompt": "an owl", "negative": "an owl", "sampler": "dpm-solver++", "steps": 5, "eta": 1.0, "w": 6.0,
           "guidance": "linear"}  # fmt: skip
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


def test_the_precision_is_chosen_by_the_batch_that_the_network_gets(model: Model, monkeypatch) -> None:
    chosen, given, fast_mode = list[int](), list[int](), inference.fast_mode
    monkeypatch.setattr(inference, "fast_mode", lambda x: chosen.append(len(x)) or fast_mode(x))
    model.register_forward_pre_hook(lambda _, arguments: given.append(len(arguments[0])))
    last_frame(latent_diffusion.sample(model, Settings(n=3, steps=2)))
    assert chosen == given == [6, 6]


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
    settings = Settings(n=2, prompt=PROMPTS[0], steps=4, w=3.0, guidance="linear")
    frames = list(latent_diffusion.sample(model, settings))
    assert [frame.step for frame in frames] == [0, 1, 2, 3, 4]
    for frame, w in zip(frames, (1, 2, 3, 4), strict=False):
        uncond, cond = frame.estimates["x0_uncond"], frame.estimates["x0_cond"]
        torch.testing.assert_close(frame.x0_hat, uncond + w * (cond - uncond))
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


@pytest.mark.parametrize(
    ("guidance", "weights"),
    [("constant", [5, 5, 5, 5, 5]), ("linear", [1, 3, 5, 7, 9]),
     ("cosine", [1, 5 - 4 / math.sqrt(2), 5, 5 + 4 / math.sqrt(2), 9]), ("interval", [1, 5, 5, 5, 1])],
)  # fmt: skip
def test_guidance_from_the_noise_to_the_picture(guidance: str, weights: list[float]) -> None:
    settings = Settings(w=5.0, guidance=guidance)
    assert [settings.weight(time) for time in (1, 0.75, 0.5, 0.25, 0)] == pytest.approx(weights)
    assert settings.weight(0.81) != 5 or guidance == "constant"


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


def sampled(model: Model, settings: Settings, first: int = 0) -> Tensor:
    return latent_diffusion.decode_frame(model, last_frame(latent_diffusion.sample(model, settings, first)))


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
