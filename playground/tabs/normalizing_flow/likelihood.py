"""How likely the flow of digits finds a picture, and where that falls among pictures of other kinds."""

import math
from typing import NamedTuple

import torch
from torch import Tensor

from playground.datasets import mnist, variations
from playground.families import normalizing_flow
from playground.runtime import inference
from playground.runtime.paths import Paths
from playground.web import palette
from playground.web.checkpoint_picker import CheckpointPicker
from playground.web.once_per_model import OncePerModel

CHECKPOINTS = CheckpointPicker[normalizing_flow.Model]("normalizing_flow", "flow-digits")
REAL = "test digits"  # what the others are measured against
COMPARED, BATCH = 100, 25  # as many test digits as come with the page
N_NOISE = 20  # pictures of noise
MEASURING = "Comparing it with digits, inverted digits, noise and a blank page: a few seconds, once …"
STACKED = "grid-template-columns:minmax(0,1fr);gap:4px"
LEAST = 1e-3  # bits that the axis can show
COLOURS = (palette.DATA, palette.COMPARISON, palette.NOISE, palette.LINES[7])
Groups = dict[str, Tensor]  # bits per dimension of several pictures, by what they show


def _measure(paths: Paths, name: str) -> Groups:
    """Return bits per dimension of test digits, the same inverted, noise and a blank page."""
    model = CHECKPOINTS.load(paths, name)
    x = mnist.crop(mnist.load(paths.data, "test", subset=slice(COMPARED))[0])
    images = {REAL: x, "the same, inverted": variations.invert(x),
              "noise": variations.white_noise((N_NOISE, *x.shape[1:]), seed=0),
              "a blank page": variations.blank((1, *x.shape[1:]))}  # fmt: skip
    batches = torch.cat([*images.values()]).split(BATCH)
    bits = (normalizing_flow.bits_per_dimension(model, batch) for batch in batches)
    values = torch.cat([*inference.in_worker_thread(bits, len(batches))])
    return dict(zip(images, values.split([*map(len, images.values())]), strict=True))


groups = OncePerModel(CHECKPOINTS, _measure, limit=4)


def table(groups: Groups, own: float) -> str:
    """Return HTML: where a picture of so many bits falls among those of `groups`, a line for each kind."""
    scale = Scale.of(torch.cat([*groups.values(), torch.tensor([own])]))
    rows = [
        f"<div><b>{name}</b> {describe_position(values, groups[REAL])}</div>{scale.line(values, own, colour)}"
        for (name, values), colour in zip(groups.items(), COLOURS, strict=True)
    ]
    return (
        f"<p><b>This picture:</b> {describe_position(torch.tensor([own]), groups[REAL])} (▼).</p>"
        f'<div class="verdicts" style="{STACKED}">'
        f"{''.join(rows)}{scale.ends()}</div>"
    )


def describe_position(values: Tensor, real: Tensor) -> str:
    """Return the bits of some pictures in words, against those of real ones."""
    if len(values) == 1:
        return (
            f"{values.item():.2f} bits per dimension, likelier than {(real > values).float().mean():.0%} of the {REAL}"
        )
    text = f"{values.mean():.2f} bits per dimension on average"
    if values is real:
        return text
    return f"{text}; {(values < real.median()).float().mean():.0%} of them are likelier than the median of the {REAL}"


class Scale(NamedTuple):
    """A logarithmic axis of bits, by the logarithms of its ends."""

    low: float
    high: float

    @classmethod
    def of(cls, values: Tensor) -> "Scale":
        """Return one that holds all of some values."""
        low, high = (end.item() for end in values.clamp(min=LEAST).log().aminmax())
        return cls(low, max(high, low + 1e-6))

    def at(self, value: float) -> str:
        """Return the place of a value in CSS."""
        return f"{1 + 97 * (math.log(max(value, LEAST)) - self.low) / (self.high - self.low):.1f}%"

    def line(self, values: Tensor, own: float, colour: str) -> str:
        """Return HTML: a tick for each value, and a mark for the own one."""
        ticks = (f'<i style="left:{self.at(v)};top:8px;background:{colour}"></i>' for v in values.tolist())
        return f'<div class="line" style="height:24px">{"".join(ticks)}<u style="left:{self.at(own)}">▼</u></div>'

    def ends(self) -> str:
        """Return HTML: what the ends are."""
        low, high = (f"{math.exp(end):.2g}" for end in self)
        return (
            f'<span style="display:flex;justify-content:space-between"><span>{low}</span>'
            f"<span>bits per dimension, logarithmic; left is likelier</span><span>{high}</span></span>"
        )
