"""The labs of all visitors, kept on the server between two slices of training: what the browser asks of them."""

import threading
import time
import uuid
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor

from playground import validation
from playground.data.densities import Density
from playground.labs import Diverged
from playground.ui.answers import packed
from playground.ui.lab import Dial
from playground.validation import UserError

KEPT = 100  # labs; the one that was left alone for the longest goes
SLICE = 0.08  # seconds of training between two pictures
SECONDS = 180.0  # of training in all
SPAN = 3.0  # of the picture, in both directions from 0
SHOWN, CELLS = 500, 48  # points, cells a side of a field
SCALE = 1000  # coordinates travel as whole numbers


class Lab(Protocol):
    """A training, step by step."""

    steps: int

    @property
    def limit(self) -> int:
        """Steps of the whole training."""

    def step(self) -> dict[str, float]:
        """Take one; the losses, by name."""


class Kind(NamedTuple):
    """A kind of lab, as a bench treats it.

    Attributes:
        turns: steps that are taken by hand, by name: each gives the losses that it saw.
        picture: of a lab, its last losses and the place of its dial: "planes", "caption" and "row", see
            `playground/ui/lab.js`.
    """

    turns: Mapping[str, Callable[[Any], dict[str, float]]]
    picture: Callable[[Any, Mapping[str, float], int], dict[str, Any]]


class Bench:
    """A visitor's lab, with the time it has used and its last losses; requests take turns."""

    def __init__(self, lab: Lab, kind: Kind):
        self.lab, self.kind, self.seconds, self.turn = lab, kind, 0.0, threading.Lock()
        self.losses: dict[str, float] = {}
        self.owner: Hashable = None


_benches: OrderedDict[str, Bench] = OrderedDict()
_lock = threading.Lock()


def begin(lab: Lab, kind: Kind, dial: Dial | None = None) -> dict[str, Any]:
    """Put a new lab on a bench: its id, and the first picture."""
    bench, name = Bench(lab, kind), uuid.uuid4().hex
    with _lock:
        _benches[name] = bench
        while len(_benches) > KEPT:
            _benches.popitem(last=False)
    with _explained():
        first = frame(bench, dial.at if dial else 0)
    return {"lab": name, "span": SPAN, "scale": SCALE, "limit": lab.limit, "dial": dial and dial._asdict(),
            "frame": first}  # fmt: skip


def belongs(name: str, owner: Hashable) -> None:
    """Say whose a lab is. Of each owner's the last two stay: the browser may still be asking for the one before."""
    with _lock:
        if name in _benches:
            _benches[name].owner = owner
        for old in [each for each, bench in _benches.items() if bench.owner == owner][:-2]:
            del _benches[old]


@contextmanager
def _explained() -> Iterator[None]:
    """What went wrong with a training, and what to do."""
    try:
        yield
    except Diverged:
        raise UserError("the training ran off to infinity: lower the learning rate and press Reset") from None


def train(request: Mapping[str, Any]) -> dict[str, Any]:
    """A slice of training: {"lab", "turn", "at"} -> a picture. Turns are "play", "look", and those of its kind; `at` is
    the place of the dial."""
    with _lock:
        bench = _benches.get(str(request.get("lab")))
        if bench is None:
            raise UserError("this lab was left alone for too long and is gone: press Reset")
        _benches.move_to_end(str(request["lab"]))
    turn = validation.choice("turn", request.get("turn"), ["play", "look", *bench.kind.turns])
    at = validation.integer("place of the dial", request.get("at", 0), 0, 1000)
    with bench.turn, _explained():
        start = time.monotonic()
        if turn == "play":
            _play(bench)
        elif turn != "look" and not over(bench):
            bench.losses |= bench.kind.turns[turn](bench.lab)
        bench.seconds += time.monotonic() - start
        return frame(bench, at)


def _play(bench: Bench) -> None:
    end = time.monotonic() + SLICE
    while not over(bench):
        bench.losses = bench.lab.step()
        if time.monotonic() > end:
            break


def over(bench: Bench) -> bool:
    """Whether its steps or its time are used up."""
    return bench.lab.steps >= bench.lab.limit or bench.seconds >= SECONDS


def frame(bench: Bench, at: int = 0) -> dict[str, Any]:
    """What there is to see, the dial at a place.

    Raises:
        Diverged: something is no longer a number.
    """
    return {"step": bench.lab.steps, "over": over(bench), **bench.kind.picture(bench.lab, bench.losses, at)}


# What pictures are made of.


def still(data: Density, n: int = SHOWN) -> str:
    """Some points of the data, always the same."""
    return points(data.sample(n, torch.Generator().manual_seed(0)))


def points(x: Tensor) -> str:
    """Points (N, 2) as 16-bit numbers, x and y in turn."""
    return packed((x * SCALE).clamp(-32_000, 32_000).round().to(torch.int16).numpy().astype("<i2"))


def lattice() -> Tensor:
    """The centres of the cells of a field, top row first: (CELLS^2, 2)."""
    line = (torch.arange(CELLS) + 0.5) / CELLS * 2 * SPAN - SPAN
    y, x = torch.meshgrid(-line, line, indexing="ij")
    return torch.stack([x, y], dim=-1).reshape(-1, 2)


def heat(density: Tensor) -> str:
    """A density at the cells' centres as a field, by its highest value."""
    return field(density / density.max())


def field(values: Tensor) -> str:
    """Values in 0 ... 1 at the cells' centres as bytes."""
    return packed((values * 255).round().byte().numpy())
