"""How likely each family that has a likelihood finds pictures of several kinds, digits and none."""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import torch
from torch import Tensor

from playground.datasets import fashion_mnist, mnist, variations
from playground.families import normalizing_flow, vae
from playground.families.score_matching.likelihood import LOW, estimate_bits
from playground.runtime import pictures
from playground.runtime.paths import Paths
from playground.runtime.rng import Noise, make_rng
from playground.runtime.validation import UserError
from playground.tabs.compare.digits import Models, score_of

DIGITS, INVERTED, BLURRED, SHIFTED, NOISE, BLANK, CLOTHES = (
    "test digits", "inverted", "blurred", "shifted", "noise", "a blank page", "Fashion-MNIST"
)  # fmt: skip
VAE, FLOW, SCORE, COMPRESSOR = FAMILIES = ("VAE", "Flow", "Score", "zlib")
ELBO_SAMPLES = 100
SHIFT = 4  # pixels
BLACK = -0.99  # the brightest that counts as black

Kinds = dict[str, Tensor]  # pictures (n, 1, 28, 28) by their kind
Bits = dict[str, dict[str, Tensor]]  # bits per dimension (n,) by family and kind


class Measurement(NamedTuple):
    """Bits per dimension of all pictures by a family, and whether the estimate is complete."""

    family: str
    bits: dict[str, Tensor]
    is_complete: bool = True


def make_kinds(paths: Paths, n: int, seed: int) -> Kinds:
    """Return the first n test digits, what simple changes make of them, and pictures that are none; clothes if their
    files were fetched before."""
    x = mnist.crop(mnist.load(paths.data, "test", subset=slice(n))[0])
    kinds = {
        DIGITS: x,
        INVERTED: variations.invert(x),
        BLURRED: variations.blur(x),
        SHIFTED: variations.shift(x, SHIFT),
        NOISE: variations.white_noise(x.shape, seed),
        BLANK: variations.blank(x.shape),
    }
    try:
        return kinds | {CLOTHES: mnist.crop(fashion_mnist.DATASET.load(paths.data, "test", subset=slice(n))[0])}
    except UserError:
        return kinds


@torch.no_grad()
def measure(models: Models, kinds: Kinds, evaluations: int, seed: int) -> Iterator[Measurement]:
    """Yield the bits per dimension of all kinds by each family in turn, by the score's after each of its steps."""
    x, sizes = torch.cat([*kinds.values()]), [*map(len, kinds.values())]

    def split(bits: Tensor) -> dict[str, Tensor]:
        return dict(zip(kinds, bits.split(sizes), strict=True))

    yield Measurement(COMPRESSOR, split(pictures.compressed_bits(x)))
    yield Measurement(VAE, split(vae.bits_by_elbo(models.vae, x, ELBO_SAMPLES, make_rng(seed))))
    yield Measurement(FLOW, split(normalizing_flow.bits_per_dimension(models.flow, x)))
    score, noise = score_of(models.ddpm, len(x)), Noise(seed, len(x))
    for estimate in estimate_bits(score, mnist.pad(x), evaluations, noise):
        yield Measurement(SCORE, split(estimate.bits), estimate.is_complete)


def explain(kinds: Kinds, bits: Bits) -> list[str]:
    """Return what the numbers of the families say, in a few sentences."""
    means = {family: {kind: values.mean().item() for kind, values in row.items()} for family, row in bits.items()}
    models = [family for family in means if family != COMPRESSOR]
    if not models:
        return []
    likeliest = {family: min(means[family], key=means[family].__getitem__) for family in models}
    sentences = [
        "Likeliest to "
        + "; to ".join(
            f"the {family}: {likeliest[family]}, {means[family][likeliest[family]]:.2f} bits per dimension, test "
            f"digits {means[family][DIGITS]:.2f}"
            for family in models
        )
        + "."
    ]
    black, row = (kinds[DIGITS] < BLACK).float().mean().item(), means[COMPRESSOR]
    simpler = [kind for kind in row if kind != DIGITS and row[kind] < row[DIGITS]]
    fooled = [family for family in models if likeliest[family] != DIGITS]
    if fooled:
        sentences.append(
            f"A likelihood adds up how easy each pixel is to predict, and {black:.0%} of the pixels of these digits "
            f"are black background; what has less to predict can be likelier without being a digit. zlib, which knows "
            f"no digits, needs {row[DIGITS]:.2f} bits per dimension for them, fewer for: "
            f"{', '.join(simpler) or 'none'}."
        )
    sentences.append(
        "Compare within a row only: the VAE's bits are of pixels as fractions of white, the flow's of 256 grey levels, "
        f"the score's of pictures with a border and noise of σ = {LOW:g}, on the scale of grey levels."
    )
    return sentences


def average(bits: Mapping[str, Mapping[str, Tensor]], kind: str) -> str:
    """Return the mean bits of a kind by each family in words."""
    return " · ".join(f"{family} {row[kind].mean().item():.2f}" for family, row in bits.items())
