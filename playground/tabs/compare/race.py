"""A race of samplers on one machine: each computes alone, in turns, and has a clock that counts its own turns only.

The next turn, a step, is that of the one whose clock shows least. So the clocks run together, as if each sampler had
the machine to itself.
"""

import time
from collections import Counter, deque
from collections.abc import Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor, nn

from playground.runtime import checkpoint
from playground.runtime.run import Frame
from playground.tabs.compare.participants import Participant, Request

WARM_UP = 2  # frames that are computed before the clock starts, since a network's first evaluation takes longer


@dataclass(frozen=True)
class Standing:
    """State of a participant at a moment of the race.

    Attributes:
        progress: Share of the steps that it has taken, 0 to 1.
        seconds: What its clock shows.
        is_done: True if its pictures are finished.
        images: Pictures so far, uint8 (N, H, W, C), None before the first.
        evaluations: How often its network was evaluated so far, for each picture.
        parameters: Number of parameters of the network that samples.
        size: Bytes of its checkpoint.
        has_classes: True if it can be asked for a class.
    """

    progress: float
    seconds: float
    is_done: bool
    images: np.ndarray | None
    evaluations: float
    parameters: int
    size: int
    has_classes: bool


@dataclass(eq=False)
class Runner:
    """Participant that is under way."""

    participant: Participant
    model: nn.Module  # a copy of its own, whose layers count their evaluations
    settings: Any
    request: Request
    path: Path
    frames: Iterator[Frame]
    items: Counter[str]  # pictures that went through each layer
    frame: Frame | None = None
    seconds: float = 0.0
    is_done: bool = False

    @property
    def network(self) -> nn.Module:
        """Return the part of the model that samples."""
        return self.model.get_submodule(self.participant.part)

    @property
    def steps(self) -> int:
        """Return the number of steps of its run."""
        return self.participant.steps(self.model, self.settings)

    def advance(self) -> None:
        """Take a step, by the clock."""
        start = time.perf_counter()
        frame = next(self.frames, None)
        self.seconds += time.perf_counter() - start
        self.frame, self.is_done = frame or self.frame, frame is None

    def standing(self) -> Standing:
        """Return what is known now; the pictures are drawn beside the clock."""
        step = self.frame.step if self.frame else 0
        return Standing(
            progress=1.0 if self.is_done else step / max(self.steps, 1),
            seconds=self.seconds,
            is_done=self.is_done,
            images=self.participant.draw(self.model, self.settings, self.frame) if self.frame else None,
            evaluations=max(self.items.values(), default=0) / self.request.n,
            parameters=sum(parameter.numel() for parameter in self.network.parameters()),
            size=self.path.stat().st_size,
            has_classes=bool(getattr(self.model.config, "classes", 0)),
        )


def prepare(participant: Participant, weights: Path, request: Request) -> Runner:
    """Load a participant's model, warm it up, and return it at the start; raise UserError if that is not possible."""
    path = weights / f"{participant.checkpoint}.safetensors"
    model = deepcopy(checkpoint.load_shared(path, family=participant.family.name))
    settings = participant.settings(model, request)
    deque(islice(participant.sample(model, settings), WARM_UP), maxlen=0)
    frames, items = participant.sample(model, settings), count_items(model)
    return Runner(participant, model, settings, request, path, frames, items)


def count_items(model: nn.Module) -> Counter[str]:
    """Return a counter of the items that go through each layer of a model from now on.

    The layers, and not the model, count: most families sample with a part of theirs.
    """
    items = Counter[str]()

    def count(name: str) -> None:
        def add(_: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
            items[name] += len(inputs[0])

        model.get_submodule(name).register_forward_hook(add)

    for name, module in model.named_modules():
        if not any(True for _ in module.children()) and any(True for _ in module.parameters()):
            count(name)
    return items


def race(runners: Mapping[str, Runner]) -> Iterator[str]:
    """Run the participants to their ends; yield the name of each that has taken a step."""
    under_way = dict(runners)
    while under_way:
        name = min(under_way, key=lambda name: under_way[name].seconds)
        under_way[name].advance()
        if under_way[name].is_done:
            del under_way[name]
        yield name
