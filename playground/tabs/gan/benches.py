"""The labs of all visitors, kept on the server between two slices of training: what the browser asks of them."""

import threading
import time
import uuid
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any, TypeGuard

import torch
from torch import Tensor

from playground import adversarial, validation
from playground.data import densities
from playground.data.densities import Coverage, Density, Mixture
from playground.lab import Diverged, Lab, Settings
from playground.ui.answers import packed
from playground.validation import UserError

KEPT = 32  # labs; the one that was left alone for the longest goes
SLICE = 0.08  # seconds of training between two pictures
SECONDS = 180.0  # of training in all
SPAN = 3.0  # of the picture, in both directions from 0
SHOWN, ARROWS, JUDGED, CELLS = 500, 60, 2_000, 48  # points, arrows, points that are counted, cells a side of the heat
SCALE = 1000  # coordinates travel as whole numbers


class Bench:
    """A visitor's lab, with the time it has used and the last loss of each network; requests take turns."""

    def __init__(self, data: Density, settings: Settings):
        self.lab, self.seconds, self.turn = Lab(data, settings), 0.0, threading.Lock()
        self.losses: dict[str, float] = {}


_benches: OrderedDict[str, Bench] = OrderedDict()
_lock = threading.Lock()


def begin(data: Density, settings: Settings) -> dict[str, Any]:
    """A new lab: its id, some real points, and the first picture."""
    bench, name = Bench(data, settings), uuid.uuid4().hex
    with _lock:
        _benches[name] = bench
        while len(_benches) > KEPT:
            _benches.popitem(last=False)
    real = data.sample(SHOWN, torch.Generator().manual_seed(0))
    modes = len(data.centres) if _countable(data) else 0
    return {"lab": name, "real": points(real), "span": SPAN, "scale": SCALE, "limit": settings.steps, "modes": modes,
            "frame": frame(bench)}  # fmt: skip


def train(request: Mapping[str, Any]) -> dict[str, Any]:
    """A slice of training: {"lab", "turn"} -> a picture. Turns are "play", a step of "D", or one of "G"."""
    with _lock:
        bench = _benches.get(str(request.get("lab")))
        if bench is None:
            raise UserError("this lab was left alone for too long and is gone: press Reset")
        _benches.move_to_end(str(request["lab"]))
    turn = validation.choice("turn", request.get("turn"), TURNS)
    with bench.turn:
        start = time.monotonic()
        try:
            TURNS[turn](bench)
            bench.seconds += time.monotonic() - start
            return frame(bench)
        except Diverged:
            raise UserError(
                "the training ran off to infinity: lower the learning rates or hold D back, and press Reset"
            ) from None


def _play(bench: Bench) -> None:
    end = time.monotonic() + SLICE
    while not over(bench):
        bench.losses["D"], bench.losses["G"] = bench.lab.step()
        if time.monotonic() > end:
            break


def _step_d(bench: Bench) -> None:
    if not over(bench):
        bench.losses["D"] = bench.lab.step_d()


def _step_g(bench: Bench) -> None:
    if not over(bench):
        bench.losses["G"] = bench.lab.step_g()


TURNS = {"play": _play, "D": _step_d, "G": _step_g}


def over(bench: Bench) -> bool:
    """Whether its steps or its time are used up."""
    return bench.lab.steps >= bench.lab.settings.steps or bench.seconds >= SECONDS


def frame(bench: Bench) -> dict[str, Any]:
    """What there is to see: fake points, D's verdict everywhere, where it pulls the fakes, and what is covered.

    Raises:
        Diverged: something is no longer a number.
    """
    trained = bench.lab
    fake = trained.sample(JUDGED)
    trained.d.eval()  # what spectral normalisation keeps stays as it is
    verdict, arrows = heat(trained), pull(trained, fake)
    trained.d.train()
    if not all(part.isfinite().all() for part in (fake, verdict, arrows)):
        raise Diverged("a point is no longer finite")
    covered = coverage(fake, trained.data)
    return {
        "step": trained.steps,
        "over": over(bench),
        "losses": dict(bench.losses),
        "fake": points(fake[:SHOWN]),
        "heat": packed((verdict * 255).round().byte().numpy()),
        "cells": CELLS,
        "arrows": points(arrows),
        "modes": covered.modes if covered else None,
        "quality": covered.quality if covered else None,
    }


def coverage(x: Tensor, data: Density) -> Coverage | None:
    """Of points (N, 2), if the modes of the data can be counted."""
    return densities.coverage(x, data) if _countable(data) else None


def _countable(data: Density) -> TypeGuard[Mixture]:
    return isinstance(data, Mixture) and data.apart


def points(x: Tensor) -> str:
    """Points (N, 2) as 16-bit numbers, x and y in turn."""
    return packed((x * SCALE).clamp(-32_000, 32_000).round().to(torch.int16).numpy().astype("<i2"))


@torch.no_grad()
def heat(trained: Lab) -> Tensor:
    """D's verdict at the centres of the cells, from 0 at its lowest to 1 at its highest: (CELLS, CELLS), top first."""
    line = (torch.arange(CELLS) + 0.5) / CELLS * 2 * SPAN - SPAN
    y, x = torch.meshgrid(-line, line, indexing="ij")
    order = torch.randperm(CELLS**2, generator=torch.Generator().manual_seed(0))
    places = torch.stack([x, y], dim=-1).reshape(-1, 2)[order]
    # In scattered batches of the size that it knows, since D may compare the points of one.
    logits = torch.cat([trained.d(part) for part in places.split(trained.settings.batch)])
    low, high = logits.aminmax()
    return ((logits - low) / (high - low).clamp(min=1e-9))[order.argsort()].reshape(CELLS, CELLS)


def pull(trained: Lab, fake: Tensor) -> Tensor:
    """Minus the gradient of G's loss at the first of its points (M, 2), the longest 0.5 long: (N, 2)."""
    settings, random = trained.settings, torch.Generator().manual_seed(0)
    x_fake = fake[: settings.batch].detach().requires_grad_()  # a batch of the size that D knows
    x, u = trained.data.sample(len(x_fake), random), torch.rand(len(x_fake), generator=random)
    with adversarial.frozen(trained.d):
        loss = adversarial.generator_loss(trained.d, x, x_fake, settings.objective, u)
        gradient = torch.autograd.grad(loss, x_fake)[0][:ARROWS]
    return -0.5 * gradient / gradient.norm(dim=1).max().clamp(min=1e-12)
