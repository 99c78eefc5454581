"""The normalizing flow: the likelihood against known ones, there and back, and what it draws."""

import math
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest
import torch
from torch import Tensor

from playground.families import normalizing_flow
from playground.families.normalizing_flow import Config, Model, Settings
from playground.families.normalizing_flow.layers import ActNorm, InvertibleConv1x1
from playground.families.normalizing_flow.model import logit
from playground.nn.normal import log_normal
from playground.runtime import checkpoint
from playground.runtime.rng import Noise, make_rng
from playground.runtime.run import last_frame
from playground.runtime.validation import UserError
from train import normalizing_flow as recipe

TINY = Config(size=8, steps=(2, 1), widths=(8, 8), bins=3, noise_steps=1, noise_width=8)
CHANGES = {"temperature": 0.5}
IMAGES = torch.rand(32, 1, 8, 8, generator=make_rng(0)).round() * 2 - 1


def tiny_loss(model: Model, random: torch.Generator) -> Tensor:
    return model(IMAGES, torch.randn(IMAGES.shape, generator=random)).mean()


@pytest.fixture(params=["affine", "spline"])
def model(request) -> Model:
    torch.manual_seed(0)
    made = Model(replace(TINY, coupling=request.param))
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return made.eval()


def test_what_goes_encoded_comes_back(model: Model) -> None:
    y = torch.randn(4, 1, 8, 8)
    *_, z = model.encode_steps(y)
    *_, back = model.decode_steps(z.x)
    assert (z.x - y).abs().max() > 0.1, "it does something"
    assert torch.allclose(back.x, y, atol=1e-5)
    assert torch.allclose(back.extras["log_det"], -z.extras["log_det"], atol=1e-3)


def test_both_ways_pass_through_the_same_layers(model: Model) -> None:
    encoded = list(model.encode_steps(torch.randn(2, 1, 8, 8)))
    back = list(model.decode_steps(encoded[-1].x))
    assert [frame.layer for frame in encoded[1:]] == [frame.layer for frame in reversed(back[1:])]
    for before, after in zip(encoded[:-1], reversed(back[1:]), strict=True):
        assert torch.allclose(before.x, after.x, atol=1e-5)


def test_the_log_determinant_of_all_layers_is_that_of_the_jacobian(model: Model) -> None:
    model, y = model.double(), torch.randn(1, 1, 8, 8, dtype=torch.float64)
    jacobian = torch.autograd.functional.jacobian(
        lambda y: model.encode(y.reshape(1, 1, 8, 8))[0].flatten(), y.flatten()
    )
    assert math.isclose(cast(Tensor, jacobian).det().abs().log().item(), model.encode(y)[1].item(), abs_tol=1e-6)


def test_a_uniform_image_costs_what_its_levels_do() -> None:
    """With y = logit v ~ Logistic(0, 1), every pixel is uniform over 256 levels: 8 bits. An untrained flow takes y for
    normal instead, which costs KL(Logistic || N(0, 1)) more: log sqrt(2 pi) + E[y^2] / 2 - 2, in nats."""
    model = Model(replace(TINY, noise_steps=0))
    random = make_rng(0)
    x = torch.randint(256, (4000, 1, 8, 8), generator=random) / 127.5 - 1
    with torch.no_grad():
        bits = model(x, torch.randn(x.shape, generator=random)).mean().item()
    more = math.log(2 * math.pi) / 2 + math.pi**2 / 6 - 2
    assert math.isclose(bits, 8 + more / math.log(2), abs_tol=0.01)


def test_the_dequantizing_noise_has_the_density_that_it_says(model: Model) -> None:
    model, eps = model.double(), torch.randn(1, 1, 8, 8, dtype=torch.float64)
    k = torch.randint(256, eps.shape).double()
    u, log_q = model.sample_dequantization(k, eps)
    assert u.min() > 0
    assert u.max() < 1
    slopes = jacobian(lambda eps: model.sample_dequantization(k, eps.reshape(1, 1, 8, 8))[0].flatten(), eps.flatten())
    expected = log_normal(eps) - slopes.det().abs().log()
    assert math.isclose(log_q.item(), expected.item(), abs_tol=1e-6)
    other, _ = model.sample_dequantization((k + 100) % 256, eps)
    assert not torch.allclose(u, other), "it looks at the image"


def jacobian(function, x: Tensor) -> Tensor:
    return cast(Tensor, torch.autograd.functional.jacobian(function, x))


def test_the_bits_of_images_are_by_one_draw_of_noise_that_is_always_the_same(model: Model) -> None:
    x = IMAGES[:2]
    bits = normalizing_flow.bits_per_dimension(model, x)
    torch.testing.assert_close(bits, model(x, Noise(0, 2)((1, 8, 8))))
    torch.testing.assert_close(normalizing_flow.bits_per_dimension(model, x[:1]), bits[:1])
    dequantized = normalizing_flow.dequantize(model, x)
    torch.testing.assert_close(dequantized.bits(last_frame(model.encode_steps(dequantized.y))), bits)


def test_a_picture_with_noise_is_rounded_to_the_picture() -> None:
    levels = torch.arange(256.0).view(1, 1, 16, 16)
    for u in (0.01, 0.5, 0.99):
        y, _ = logit((levels + u) / 256)
        shown = normalizing_flow.logits_to_images(y)
        assert torch.equal(((shown + 1) * 255 / 2).round(), levels)


def test_training_lowers_the_bits_and_the_checkpoint_is_measured(tmp_path: Path) -> None:
    asked = recipe.Recipe(name="flow-tiny", steps=60, batch_size=16, lr=3e-3, ema=0.9, warmup=5, config=TINY,
                          out=tmp_path / "weights", runs=tmp_path, precision="no")  # fmt: skip
    made = recipe.train(asked, IMAGES)
    assert made is not None
    assert checkpoint.read_header(made).provenance["data"] == "images given by the caller"
    start = recipe.build_model(TINY, IMAGES[:16])
    checkpoint.save(tmp_path / "start.safetensors", start, {})
    before, after = recipe.measure(tmp_path / "start.safetensors", IMAGES), recipe.measure(made, IMAGES)
    assert after["bits"] < before["bits"] - 0.3
    rng, flow = make_rng(3), checkpoint.load(made)
    bits = torch.stack([flow(IMAGES, torch.randn(IMAGES.shape, generator=rng)) for _ in range(recipe.DRAWS)]).double()
    assert after["bits"] == pytest.approx(bits.mean().item(), rel=1e-4)
    likelihoods = (2 ** (-64 * bits)).mean(0)  # of 64 pixels, the mean over the draws of the noise
    assert after["bits_tight"] == pytest.approx(-likelihoods.log2().mean().item() / 64, rel=1e-4)


@pytest.fixture
def small(model: Model, tmp_path: Path) -> Path:
    path = tmp_path / "small.safetensors"
    checkpoint.save(path, model, {})
    return path


@pytest.mark.parametrize(
    "larger", [{"widths": (12, 16)}, {"noise_width": 12}, {"steps": (4, 3)}, {"noise_steps": 3, "widths": (8, 9)}]
)
def test_a_flow_grown_from_another_begins_as_that_one_and_its_new_parts_learn(model, small, larger) -> None:
    config, eps = replace(model.config, **larger), torch.randn(IMAGES.shape, generator=make_rng(1))
    grown = recipe.build_model(config, IMAGES, small)
    as_kept = checkpoint.load(small)(IMAGES, eps)
    assert torch.allclose(grown(IMAGES, eps), as_kept, atol=1e-5)
    grown(IMAGES, eps).mean().backward()
    old = dict(model.named_parameters())
    new = {name: each.grad.clone() for name, each in grown.named_parameters() if each.requires_grad}
    for name in new.keys() & old.keys():
        new[name][tuple(map(slice, old[name].shape))] = 0
    assert any(gradient.abs().max() > 0 for gradient in new.values())


@pytest.mark.parametrize(
    ("change", "sentence"),
    [({"widths": (8, 6)}, "no room for scales.1"), ({"steps": (1, 1)}, "no room"), ({"steps": (3, 1)}, "in pairs")],
)
def test_a_flow_does_not_grow_from_one_it_has_no_room_for(model, small, change, sentence) -> None:
    with pytest.raises(UserError, match=sentence):
        recipe.build_model(replace(model.config, **change), IMAGES, small)


def test_a_linear_flow_reaches_the_likelihood_of_a_gaussian() -> None:
    """One scale without couplings' help: mixing and scaling alone turn correlated normal numbers into N(0, I)."""
    torch.manual_seed(0)
    root = torch.tensor([[1.0, 0.0], [0.8, 0.5]])
    x = torch.randn(20_000, 2) @ root.T + torch.tensor([1.0, -1.0])
    layers = torch.nn.ModuleList([ActNorm(2), InvertibleConv1x1(2)])
    optimizer = torch.optim.Adam(layers.parameters(), lr=0.02)

    def log_prob(x: Tensor) -> Tensor:
        total = torch.zeros(len(x))
        for layer in layers:
            x, log_det = layer(x)
            total = total + log_det
        return log_normal(x) + total

    for _ in range(400):
        optimizer.zero_grad()
        (-log_prob(x).mean()).backward()
        optimizer.step()
    covariance = x.T.cov()
    entropy = 0.5 * (2 * math.log(2 * math.pi) + 2 + covariance.logdet().item())
    assert math.isclose(-log_prob(x).mean().item(), entropy, abs_tol=1e-3)


def test_the_temperature_scales_the_noise(model: Model) -> None:
    cold, cool, warm = (
        list(normalizing_flow.sample(model, Settings(n=2, temperature=temperature))) for temperature in (0, 0.25, 1)
    )
    torch.testing.assert_close(cool[0].x, warm[0].x / 4)
    assert torch.equal(cold[-1].x[0], cold[-1].x[1]), "the same picture for all noise"


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [({"steps": ()}, "list of 1 to 4"), ({"steps": (1,)}, "same length"), ({"size": 6}, "multiple of 4"),
     ({"widths": (8, 0)}, "widths"), ({"coupling": "cubic"}, "one of affine, spline")],
)  # fmt: skip
def test_a_config_that_makes_no_sense_is_refused(changed: dict, sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        replace(TINY, **changed)


def test_the_flow_of_digits_is_of_a_size_to_compare_with_others() -> None:
    model = Model(recipe.RECIPES[0].config)
    assert sum(parameter.numel() for parameter in model.parameters()) <= 1_700_000
