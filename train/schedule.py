"""The learning rate over a run, which follows the steps or the clock."""

import time

from train.options import Options

MIN_WARMUPS = 3  # the least length of a cycle, in multiples of its warm-up
MAX_WARMUP = 1 / 8  # of the run; with a third, a short run would stop before it has learned what it could


def lr_factor(step: int, options: Options) -> float:
    """Return the learning rate at a step as a multiple of `lr`: in each cycle warm-up, constant, linear decay to 0.

    A cycle is at least `MIN_WARMUPS` times as long as its warm-up, and the warm-up at most `MAX_WARMUP` of the run: a
    short run has fewer cycles, and a shorter warm-up.
    """
    cycles = max(1, min(options.cycles, options.steps // max(MIN_WARMUPS * options.warmup, 1)))
    length = options.steps / cycles
    warmup = min(options.warmup, MAX_WARMUP * options.steps)
    steps_done = step - length * min(step // length, cycles - 1)
    warmup_factor = min(1.0, (steps_done + 1) / max(warmup, 1))
    decay_factor = min(1.0, (length - steps_done) / max(options.decay * length, 1))
    return warmup_factor * decay_factor


def timed_lr_factor(step: int, progress: float, options: Options) -> float:
    """Return the learning rate as a multiple of `lr` when a fraction `progress` of the time has passed.

    One cycle of warm-up, constant and linear decay to 0. The warm-up takes `warmup` steps, or `MAX_WARMUP` of the time
    if that is shorter.
    """
    warmup_factor = min(1.0, max((step + 1) / max(options.warmup, 1), progress / MAX_WARMUP))
    decay_factor = min(1.0, max(0.0, 1 - progress) / options.decay) if options.decay else 1.0
    return warmup_factor * decay_factor


class Clock:
    """Clock of the time that a run has trained, over all of its sessions.

    Attributes:
        minutes: The time of the whole run.
        progress: Fraction of that time that had passed at the last step.
    """

    def __init__(self, minutes: float):
        self.minutes, self.progress = minutes, 0.0
        self._earlier_seconds = 0.0
        self.start()

    def start(self) -> None:
        """Start a session."""
        self._session_start = time.monotonic()

    @property
    def session_seconds(self) -> float:
        """Return the seconds since the start of the session."""
        return time.monotonic() - self._session_start

    @property
    def elapsed(self) -> float:
        """Return the fraction of the run's time that has passed by now; more than 1 if it is over."""
        return (self._earlier_seconds + self.session_seconds) / (60 * self.minutes)

    def state_dict(self) -> dict[str, float]:
        """Return the time so far, to be saved with the state of the run."""
        return {"seconds": self._earlier_seconds + self.session_seconds, "progress": self.progress}

    def load_state_dict(self, state: dict[str, float]) -> None:
        """Continue from a saved time."""
        self._earlier_seconds, self.progress = state["seconds"], state["progress"]
        self.start()
