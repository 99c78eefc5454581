"""Finished run as the scrubber shows it, a film, and its parts: strips of frames, and what follows the selected one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np


@dataclass(frozen=True)
class Series:
    """Line of a curve: one value per frame (infinite values are left out)."""

    name: str
    colour: str
    values: Sequence[float]


@dataclass(frozen=True)
class Counts:
    """Bars of a histogram: heights (F, K) of its K bars at F frames."""

    name: str
    colour: str
    values: np.ndarray


@dataclass(frozen=True)
class Histogram:
    """Small plot under a strip that follows the frame; its highest bar is as high as the plot."""

    name: str
    # Labels of the left and the right end of the axis, for each frame, or once if they stay the same.
    ends: Sequence[tuple[str, str]]
    counts: Sequence[Counts]
    # Lines that stay the same, each on a scale of its own that includes 0: values at equal steps of the axis.
    lines: Sequence[Series] = ()
    mark: tuple[float, str] | None = None  # place on the axis, from 0 to 1, and its label


@dataclass(frozen=True)
class Strip:
    """Strip of frames."""

    name: str
    hint: str  # explanation in plain words
    frames: np.ndarray  # uint8 (F, N, H, W, C)
    notes: Sequence[str] = ()  # texts under the strip, one per frame
    plots: Sequence[Histogram] = ()  # histograms under the strip
    small: bool = False  # show it at half the size of the others


@dataclass(frozen=True)
class Curve:
    """Small plot over the frames, whose marker follows the scrubber and can be dragged."""

    name: str
    hint: str
    series: Sequence[Series]
    log: bool = False

    @classmethod
    def of(cls, name: str, hint: str, colour: str, values: Sequence[float], log: bool = False) -> "Curve":
        """Return a curve of a single line."""
        return cls(name, hint, [Series("", colour, values)], log)


@dataclass(frozen=True)
class Box:
    """Box of the diagram."""

    name: str
    about: str  # explanation, shown when the box is pressed
    # Index of the strip whose first picture the box shows, at this frame or `ahead` frames later; where `ahead` is
    # negative for a box of the diagram, of the step just taken.
    strip: int | None = None
    ahead: int = 0
    number: str | None = None  # key of `numbers` whose value the box shows


@dataclass(frozen=True)
class Words:
    """Tokens of a prompt, and the attention that each gets at each place of the pictures."""

    tokens: Sequence[tuple[str, str]]  # text of each token, and a note about it
    maps: np.ndarray  # uint8 (K + 1, L, N, S, S) for K moments and their mean, L tokens and N pictures
    moments: Sequence[int]  # index of the moment that each frame shows, (F,)
    smooth: bool = True  # over the pictures, show the maps smoothed


@dataclass(frozen=True)
class Film:
    """Finished run of F frames."""

    strips: Sequence[Strip]
    captions: Sequence[str]  # one per frame
    ends: tuple[str, str]  # labels of the left and the right end of the curves
    curves: Sequence[Curve] = ()
    formula: str = ""  # HTML in which `<b data-number="NAME">` shows `numbers[NAME]` of the selected frame
    numbers: Mapping[str, Sequence[str]] = field(default_factory=dict)
    diagram: Sequence[Box] = ()
    words: Words | None = None
    start: int = -1  # frame to show first; a negative one counts from the end
    keep: bool = False  # show the frame selected in the run before instead, if that has as many frames
    path_hint: str = ""  # what a click into the first strip does, which sends the event `select`, if it does anything
    notice: str = ""  # text shown above the caption of every frame
    milestones: Sequence[tuple[int, str]] = ()  # frames worth going to, in order, and what is seen there
