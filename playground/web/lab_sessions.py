"""Labs of all visitors, which the server keeps between two slices of training."""

import threading
import time
import uuid
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor

from playground.datasets.densities import DRAWING_SIDE
from playground.runtime import cache, validation
from playground.runtime.labs import DivergenceError
from playground.runtime.validation import UserError
from playground.web.answers import encode_base64
from playground.web.component import Value
from playground.web.lab import Dial

MAX_SESSIONS = 100  # the least recently used is dropped
MAX_IDLE = 1800.0  # seconds without a request after which a lab is dropped
GONE = "this lab was left alone for too long and is gone: press Reset"
ACTIONS = {"play": 0.08, "slow": 0.0}  # seconds of training between two frames, of at least one step
MAX_SECONDS = 180.0  # seconds of training of a lab
SPAN = 3.0  # the plane on show goes from -SPAN to SPAN
N_POINTS, N_CELLS = 500, 48  # points of a sample, cells of a field's side
SCALE = 1000  # coordinates travel as whole numbers


class Lab(Protocol):
    """Training, step by step."""

    steps: int  # taken so far
    limit: int  # steps of the whole training

    def step(self) -> dict[str, float]:
        """Take a step and return the losses by name."""


class Sampleable(Protocol):
    """Distribution of points in the plane."""

    def sample(self, n: int, rng: torch.Generator, /) -> Tensor:
        """Return points (n, 2)."""


class LabKind(NamedTuple):
    """Kind of lab, as a session runs it."""

    # Steps that the user takes by hand, by name: each returns its losses.
    actions: Mapping[str, Callable[[Any], dict[str, float]]]
    # Function of a lab, its last losses and the position of its dial that returns a frame: "planes", "caption" and
    # "row", as `playground/web/lab/lab.js` draws them.
    picture: Callable[[Any, Mapping[str, float], int], Value]


class LabSession:
    """Visitor's lab, which is kept while there is room, with its training time so far and its last losses; `lock` lets
    in one request at a time."""

    def __init__(self, lab: Lab, kind: LabKind):
        self._lab, self.kind, self.seconds, self.lock = cache.store.keep(lab), kind, 0.0, threading.Lock()
        self.losses: dict[str, float] = {}
        self.owner: Hashable = None
        self.last_used = time.monotonic()

    @property
    def lab(self) -> Lab:
        """Return the lab, or raise UserError if it had to go."""
        if (lab := self._lab.get()) is None:
            raise UserError(GONE)
        return lab

    @property
    def is_over(self) -> bool:
        """Return whether the steps or the time are used up."""
        return self.lab.steps >= self.lab.limit or self.seconds >= MAX_SECONDS

    def step(self, action: str) -> None:
        """Take the steps of an action, one of `ACTIONS` or of the kind's; raise UserError if the training diverges."""
        start = time.monotonic()
        with _divergence_to_user_error():
            if action in ACTIONS:
                self._play(ACTIONS[action])
            elif not self.is_over:
                self.losses |= self.kind.actions[action](self.lab)
        self.seconds += time.monotonic() - start

    def render(self, position: int = 0) -> Value:
        """Return the frame, with the dial at a position; raise UserError if the training diverged."""
        with _divergence_to_user_error():
            picture = self.kind.picture(self.lab, self.losses, position)
        return {"step": self.lab.steps, "over": self.is_over, **picture}

    def _play(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while not self.is_over:
            self.losses = self.lab.step()
            if time.monotonic() > end:
                break


_sessions: OrderedDict[str, LabSession] = OrderedDict()
_lock = threading.Lock()


def start_session(lab: Lab, kind: LabKind, dial: Dial | None = None) -> Value:
    """Keep a new lab in a session; return its id and its first frame."""
    session, session_id = LabSession(lab, kind), uuid.uuid4().hex
    with _lock:
        _sessions[session_id] = session
        _drop_old_sessions()
    return {"lab": session_id, "span": SPAN, "scale": SCALE, "drawing": DRAWING_SIDE, "limit": lab.limit,
            "dial": dial and dial._asdict(), "frame": session.render(dial.at if dial else 0)}  # fmt: skip


def assign_owner(session_id: str, owner: Hashable) -> None:
    """Set the owner of a session and drop all but its last two: the browser may still ask for the one before."""
    with _lock:
        if session_id in _sessions:
            _sessions[session_id].owner = owner
        for old in [key for key, session in _sessions.items() if session.owner == owner][:-2]:
            del _sessions[old]


def train(request: Mapping[str, object]) -> Value:
    """Train a lab for a moment and return its frame.

    Args:
        request: "lab", the session's id; "action", which is "play", "slow" (one step), "show" (none) or one of the
            kind's; and "position", of the dial.

    Raises:
        UserError: The session is gone, the request is not valid, or the training diverged.
    """
    with _lock:
        _drop_old_sessions()
        session = _sessions.get(str(request.get("lab")))
        if session is None:
            raise UserError(GONE)
        session.last_used = time.monotonic()
        _sessions.move_to_end(str(request["lab"]))
    action = validation.check_choice("action", request.get("action"), [*ACTIONS, "show", *session.kind.actions])
    position = validation.check_integer("position of the dial", request.get("position", 0), 0, 1000)
    with session.lock:
        if action != "show":
            session.step(action)
        return session.render(position)


def _drop_old_sessions() -> None:
    """Drop sessions that were not used for too long, and the least recently used if there are too many."""
    now = time.monotonic()
    while _sessions and (len(_sessions) > MAX_SESSIONS or now - next(iter(_sessions.values())).last_used > MAX_IDLE):
        _sessions.popitem(last=False)


@contextmanager
def _divergence_to_user_error() -> Iterator[None]:
    try:
        yield
    except DivergenceError:
        raise UserError("the training ran off to infinity: lower the learning rate and press Reset") from None


# Parts of frames, encoded for the browser.


def encode_fixed_sample(data: Sampleable, n: int = N_POINTS) -> str:
    """Return n points of the data, always the same."""
    return encode_points(data.sample(n, torch.Generator().manual_seed(0)))


def encode_points(x: Tensor) -> str:
    """Return points (N, 2) as 16-bit integers in base64, x and y in turn."""
    return encode_base64((x * SCALE).clamp(-32_000, 32_000).round().to(torch.int16).numpy().astype("<i2"))


def cell_centres() -> Tensor:
    """Return the centres of the cells of a field, top row first: (N_CELLS^2, 2)."""
    line = (torch.arange(N_CELLS) + 0.5) / N_CELLS * 2 * SPAN - SPAN
    y, x = torch.meshgrid(-line, line, indexing="ij")
    return torch.stack([x, y], dim=-1).reshape(-1, 2)


def encode_density(density: Tensor) -> str:
    """Return a density at the cells' centres as a field, scaled by its highest value."""
    return encode_field(density / density.max())


def encode_field(values: Tensor) -> str:
    """Return values in 0 ... 1 at the cells' centres as bytes in base64."""
    return encode_base64((values * 255).round().byte().numpy())
