"""What views show of a run while it is under way."""

import time
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from playground import compute
from playground.ui import scrubber
from playground.ui.scrubber import Strip

PAUSE = 0.4  # seconds between previews
Moment = TypeVar("Moment")


def live(
    moments: Iterator[Moment], steps: int, keep: Callable[[Moment], None], images: Callable[[Moment], list[Strip]]
) -> Iterator[dict[str, Any]]:
    """Drain a run of so many steps; values that show it while it is under way, at most one every `PAUSE`.

    Args:
        keep: is given every moment; images: makes the strips of one.
    """
    start = shown = time.monotonic()
    for made, moment in enumerate(compute.one_by_one(moments)):
        keep(moment)
        now = time.monotonic()
        if made == 1 or (now - shown > PAUSE and made < steps):
            left = (now - start) / max(made, 1) * (steps - made)
            value = images(moment)
            shown = time.monotonic()
            caption = f"step {made} of {steps}" + (f" · about {left:.0f} s left" if left >= 1 else "")
            yield scrubber.live(value, made, steps + 1, caption, start)
