"""How likely the flow of digits finds a picture, and where that falls among pictures of other kinds."""

import math
import threading
from collections.abc import Iterator
from typing import NamedTuple, cast

import torch
from torch import Tensor

from playground import checkpoint, compute
from playground.data import digits
from playground.models import flow
from playground.models.flow import LEVELS
from playground.sampling import Noise, generator, last
from playground.tabs import Places
from playground.ui import palette
from playground.validation import UserError

NAME = "flow-digits"
REAL, DRAWN = "test digits", "samples of the model"  # what the others are measured against
COMPARED, BATCH = 200, 25
OTHERS = (20, 1)  # pictures of noise, blank pages
MEASURING = "Comparing it with digits, inverted digits, noise and a blank page: some seconds, once …"
UNFETCHED = (
    "The test digits are not here yet, so samples of the model stand for them: choose a test image to fetch them."
)
STACKED = "grid-template-columns:minmax(0,1fr);gap:4px"
LEAST = 1e-3  # bits that the axis can show
COLOURS = (palette.DATA, palette.COMPARED, palette.NOISE, palette.LINES[7])
Groups = dict[str, Tensor]  # bits per dimension of several pictures, by what they show
KEPT = 4  # measurements, of a checkpoint each
_measured: dict[tuple[Places, int, bool], Groups] = {}
_lock = threading.Lock()  # two first visitors measure once


def load_model(places: Places) -> flow.Model:
    """The flow of this tab."""
    return cast(flow.Model, checkpoint.load(places.weights / f"{NAME}.safetensors", expect="flow"))


def numbers(model: flow.Model, x: Tensor) -> flow.Numbers:
    """Pictures x (B, C, H, W) in [-1, 1] with a draw of u, always the same for the same place in a batch."""
    return model.numbers(x, _eps(x))


def bits(model: flow.Model, x: Tensor) -> Tensor:
    """Bits per dimension (B,) of pictures x, by the draw of u that `numbers` makes."""
    return model(x, _eps(x))


def _eps(x: Tensor) -> Tensor:
    return Noise(0, len(x))(x.shape[1:]).to(x)


# Pictures of other kinds.


def is_measured(places: Places) -> bool:
    """Whether `groups` answers at once."""
    return _key(places) in _measured


def groups(places: Places) -> Groups:
    """Bits per dimension of real digits (or of samples, as long as there are none), the same inverted, noise and a
    blank page; measured once for each checkpoint."""
    with _lock:
        key = _key(places)
        if key not in _measured:
            if len(_measured) >= KEPT:
                _measured.clear()
            _measured[key] = _measure(load_model(places), _real(places))
        return _measured[key]


def _key(places: Places) -> tuple[Places, int, bool]:
    modified = (places.weights / f"{NAME}.safetensors").stat().st_mtime_ns
    return places, modified, _real(places) is not None


def _real(places: Places) -> Tensor | None:
    """Test digits, if they were fetched before: nobody waits for them here."""
    try:
        return digits.crop(digits.load(places.data, "test")[0][:COMPARED])
    except UserError:
        return None


def _measure(model: flow.Model, real: Tensor | None) -> Groups:
    x = last(compute.one_by_one(flow.sample(model, flow.Settings(n=COMPARED)))).x if real is None else real
    noise, blank = OTHERS
    k = torch.floor(LEVELS * torch.rand(noise, *x.shape[1:], generator=generator(0)))
    shown = {DRAWN if real is None else REAL: x, "the same, inverted": -x, "noise": 2 * k / (LEVELS - 1) - 1,
             "a blank page": -torch.ones(blank, *x.shape[1:])}  # fmt: skip

    def parts() -> Iterator[Tensor]:
        for part in torch.cat(list(shown.values())).split(BATCH):
            yield bits(model, part)

    found = torch.cat(list(compute.one_by_one(parts())))
    return dict(zip(shown, found.split([len(x) for x in shown.values()]), strict=True))


def table(found: Groups, own: float) -> str:
    """HTML: where a picture of so many bits falls among those of `groups`, a line for each kind."""
    first = next(iter(found))
    scale = Scale.of(torch.cat([*found.values(), torch.tensor([own])]))
    rows = [
        f"<div><b>{name}</b> {said(values, found[first], first)}</div>{scale.line(values, own, colour)}"
        for (name, values), colour in zip(found.items(), COLOURS, strict=True)
    ]
    return (
        f"<p><b>This picture:</b> {said(torch.tensor([own]), found[first], first)} (▼). "
        f'{"" if first == REAL else UNFETCHED}</p><div class="verdicts" style="{STACKED}">'
        f"{''.join(rows)}{scale.ends()}</div>"
    )


def said(values: Tensor, real: Tensor, name: str) -> str:
    """The bits of some pictures in words, against those of real ones, of this name."""
    if len(values) == 1:
        return (
            f"{values.item():.2f} bits per dimension, likelier than {(real > values).float().mean():.0%} of the {name}"
        )
    text = f"{values.mean():.2f} bits per dimension on average"
    if values is real:
        return text
    return f"{text}; {(values < real.median()).float().mean():.0%} of them are likelier than the median of the {name}"


class Scale(NamedTuple):
    """A logarithmic axis of bits, by the logarithms of its ends."""

    low: float
    high: float

    @classmethod
    def of(cls, values: Tensor) -> "Scale":
        """One that holds all of some values."""
        low, high = (end.item() for end in values.clamp(min=LEAST).log().aminmax())
        return cls(low, max(high, low + 1e-6))

    def at(self, value: float) -> str:
        """The place of a value in CSS."""
        return f"{1 + 97 * (math.log(max(value, LEAST)) - self.low) / (self.high - self.low):.1f}%"

    def line(self, values: Tensor, own: float, colour: str) -> str:
        """HTML: a tick for each value, and a mark for the own one."""
        ticks = (f'<i style="left:{self.at(v)};top:8px;background:{colour}"></i>' for v in values.tolist())
        return f'<div class="line" style="height:24px">{"".join(ticks)}<u style="left:{self.at(own)}">▼</u></div>'

    def ends(self) -> str:
        """HTML: what the ends are."""
        low, high = (f"{math.exp(end):.2g}" for end in self)
        return (
            f'<span style="display:flex;justify-content:space-between"><span>{low}</span>'
            f"<span>bits per dimension, logarithmic; left is likelier</span><span>{high}</span></span>"
        )
