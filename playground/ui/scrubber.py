"""The frame scrubber: synchronised strips of frames, with curves, formula and diagram that follow the frame shown.

`build` makes the component; `pack` makes its value from a finished run, `live` from a run under way. The frames travel
once, as sprite sheets; scrubbing happens in the browser and asks the server for nothing.
"""

import base64
import io
import json
import math
import time
import uuid
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import gradio as gr
import numpy as np
from gradio.data_classes import FileData

from playground import pictures
from playground.ui import component, download
from playground.ui.answers import packed

MAX_SIDE = 4096  # pixels of a sheet's side: what phones' canvases hold
LOSSLESS = 2_000_000  # numbers of a strip up to which PNG is quick and small enough


@dataclass(frozen=True)
class Series:
    """One line of a curve: a value a frame (infinite ones are left out)."""

    name: str
    colour: str
    values: Sequence[float]


@dataclass(frozen=True)
class Counts:
    """What a histogram counts: a number for each frame and each of its bars, (F, K)."""

    name: str
    colour: str
    values: np.ndarray


@dataclass(frozen=True)
class Histogram:
    """A small plot under a strip that follows the frame; its highest bar is as high as the plot.

    Attributes:
        ends: what the left and the right end of its axis are, at each frame, or once if they stay.
        lines: what stays, each on a scale of its own that holds 0: values at equal steps of the axis.
        mark: a place on the axis, from 0 to 1, and what it is.
    """

    name: str
    ends: Sequence[tuple[str, str]]
    counts: Sequence[Counts]
    lines: Sequence[Series] = ()
    mark: tuple[float, str] | None = None


@dataclass(frozen=True)
class Strip:
    """One strip.

    Attributes:
        hint: in plain words.
        frames: uint8 (F, N, H, W, C).
        notes: what is said under it, one a frame; plots: what is drawn there.
    """

    name: str
    hint: str
    frames: np.ndarray
    notes: Sequence[str] = ()
    plots: Sequence[Histogram] = ()


@dataclass(frozen=True)
class Curve:
    """A small plot over the frames, whose marker follows the scrubber and can be dragged."""

    name: str
    hint: str
    series: Sequence[Series]
    log: bool = False


@dataclass(frozen=True)
class Box:
    """A box of the diagram.

    Attributes:
        about: what it says when touched.
        strip: the strip (by its place) whose first picture it shows, at this frame or `ahead` frames on; in a diagram
            where that is negative for a box, of the step just taken.
        number: a name in `numbers`, whose value it shows.
    """

    name: str
    about: str
    strip: int | None = None
    ahead: int = 0
    number: str | None = None


@dataclass(frozen=True)
class Words:
    """The tokens of a prompt, and how much attention each gets where.

    Attributes:
        tokens: what each says, and what there is to note of it.
        maps: uint8 (K, L, N, S, S), of K moments, L tokens and N pictures.
        kept: which of the K moments each frame shows, (F,).
    """

    tokens: Sequence[tuple[str, str]]
    maps: np.ndarray
    kept: Sequence[int]


def build(label: str, elem_id: str, empty: str = "") -> gr.HTML:
    """The component; `empty` says what to press while there is nothing to show."""
    # Words of the HTML, not properties: Gradio 6.31 loses those of one that is updated before it is first shown.
    words = {"LABEL": label, "EMPTY": empty}
    return component.build("scrubber", ["elements", "diagram", "words", "followers"], words, elem_id=elem_id)


def pack(
    strips: Sequence[Strip],
    captions: Sequence[str],
    ends: tuple[str, str],
    *,
    curves: Sequence[Curve] = (),
    formula: str = "",
    numbers: dict[str, list[str]] | None = None,
    diagram: Sequence[Box] = (),
    words: Words | None = None,
    start: int = -1,
    keep: bool = False,
    notice: str = "",
) -> dict[str, Any]:
    """The value of a finished run of F frames.

    Args:
        captions: one a frame; ends: what the left and the right end of the curves are.
        formula: HTML in which `<b data-number="NAME">` shows `numbers[NAME]` of the frame shown.
        start: the frame to show first; negative counts from the end.
        keep: show the frame that the run before showed instead, if it had as many.
        notice: said until another frame is shown.
    """
    gap = _gap(strips[0])
    grids = [np.stack([pictures.grid(frame, gap=gap) for frame in strip.frames]) for strip in strips]
    n, height, width = grids[0].shape[:3]
    columns = max(1, min(MAX_SIDE // width, math.ceil(math.sqrt(n))))
    per_sheet = columns * max(1, MAX_SIDE // height)
    following = {
        "captions": list(captions),
        "curves": [_finite(asdict(curve)) for curve in curves],
        "formula": formula,
        "numbers": numbers or {},
        "diagram": [asdict(box) for box in diagram],
        "words": _spoken(words),
        "below": [{"notes": list(strip.notes), "plots": [_bars(plot) for plot in strip.plots]} for strip in strips],
    }
    return {
        "id": uuid.uuid4().hex,  # an equal value would not be noticed
        "frames": n,
        "width": width,
        "height": height,
        "vacant": _vacant(strips[0]),
        "tile": [strips[0].frames.shape[3], strips[0].frames.shape[2]],
        "gap": gap,
        "columns": columns,
        "per_sheet": per_sheet,
        "strips": [
            {"name": strip.name, "hint": strip.hint, "sheets": [_file(s) for s in _sheets(grid, columns, per_sheet)]}
            for strip, grid in zip(strips, grids, strict=True)
        ],
        # As one string: Gradio's page copies values number by number, several times.
        "following": json.dumps(following),
        "ends": list(ends),
        "start": start,
        "keep": keep,
        "notice": notice,
    }


def spoken(words: Words) -> dict[str, Any]:
    """The value that shows other maps of the words of the run on show."""
    return {"id": uuid.uuid4().hex, "following": json.dumps({"words": _spoken(words)})}


def live(strips: Sequence[Strip], index: int, frames: int, caption: str, started: float) -> dict[str, Any]:
    """The value while a run is under way: strips of one frame each, the position, and what to say of it.

    Args:
        started: when the run did, by `time.monotonic`.
    """
    grids = [pictures.grid(strip.frames[0], gap=_gap(strips[0])) for strip in strips]
    shown = [
        {"name": s.name, "hint": s.hint, "sheets": [data_url(grid)]} for s, grid in zip(strips, grids, strict=True)
    ]
    height, width = grids[0].shape[:2]
    return {"live": True, "id": uuid.uuid4().hex, "strips": shown, "width": width, "height": height, "started": started,
            "vacant": _vacant(strips[0]), "index": index, "frames": frames, "caption": caption}  # fmt: skip


def stopped() -> dict[str, Any]:
    """The value after Stop: back to the run before; previews that are still on their way are dropped."""
    return {"stopped": True, "id": uuid.uuid4().hex, "at": time.monotonic()}


def at_frame(elem_id: str, place: int = 0) -> str:
    """JavaScript that puts the frame on show in a scrubber among the inputs of its event, at this place."""
    frame = f"Number(document.querySelector('#{elem_id} [data-index]')?.dataset.index ?? 0)"
    return f"(...values) => values.with({place}, {frame})"


def data_url(image: np.ndarray) -> str:
    """uint8 (H, W, C) as a data: URL."""
    return "data:image/jpeg;base64," + base64.b64encode(_encode(image, lossless=False)).decode()


def _spoken(words: Words | None) -> dict[str, Any] | None:
    if words is None:
        return None
    return {"tokens": list(words.tokens), "maps": packed(words.maps), "kept": list(words.kept),
            "size": words.maps.shape[-1], "pictures": words.maps.shape[2]}  # fmt: skip


def _gap(strip: Strip) -> int:
    """Pixels between pictures: those in colour would look like one."""
    return int(strip.frames.shape[-1] == 3)


def _vacant(strip: Strip) -> list[list[int]]:
    """Where a frame's grid has no picture, between them and in its last row: x, y, width, height in pixels."""
    n, h, w = strip.frames.shape[1:4]
    gap = _gap(strip)
    columns = math.ceil(math.sqrt(n))
    rows = math.ceil(n / columns)
    filled = n - (rows - 1) * columns
    width, height = columns * (w + gap), rows * (h + gap)
    between = [[i * (w + gap) - gap, 0, gap, height] for i in range(1, columns)]
    below = [[0, i * (h + gap) - gap, width, gap] for i in range(1, rows)]
    return [*between, *below, [filled * (w + gap), height - h - gap, width, h + gap]]


def _sheets(frames: np.ndarray, columns: int, per_sheet: int) -> list[tuple[bytes, str]]:
    """Frames (F, h, w, C) as encoded sheets of at most `per_sheet` frames."""
    lossless = frames.size <= LOSSLESS
    chunks = [frames[i : i + per_sheet] for i in range(0, len(frames), per_sheet)]
    return [
        (_encode(pictures.grid(chunk, columns=columns), lossless), "png" if lossless else "jpg") for chunk in chunks
    ]


def _encode(image: np.ndarray, lossless: bool) -> bytes:
    buffer = io.BytesIO()
    picture = pictures.image(image)
    if lossless:
        picture.save(buffer, "PNG", compress_level=1)
    else:
        picture.save(buffer, "JPEG", quality=90, subsampling=0)  # halved colour would ruin coloured noise
    return buffer.getvalue()


def _file(encoded: tuple[bytes, str]) -> dict[str, Any]:
    """Put a sheet where the browser can fetch it; Gradio adds the URL."""
    data, kind = encoded
    path = download.path(f"frames.{kind}")
    path.write_bytes(data)
    return FileData(path=str(path)).model_dump()


def _finite(curve: dict[str, Any]) -> dict[str, Any]:
    """JSON has no infinity: leave such values out."""
    for series in curve["series"]:
        series["values"] = [float(v) if math.isfinite(v) else None for v in series["values"]]
    return curve


def _bars(plot: Histogram) -> dict[str, Any]:
    """A histogram as JSON: heights from 0 to 100."""
    highest = np.maximum(1e-9, np.max([counts.values.max(axis=1) for counts in plot.counts], axis=0))  # (F,)
    heights = [(100 * counts.values / highest[:, None]).round().astype(int).tolist() for counts in plot.counts]
    counts = [
        {"name": counts.name, "colour": counts.colour, "heights": rows}
        for counts, rows in zip(plot.counts, heights, strict=True)
    ]
    return {"name": plot.name, "ends": plot.ends, "counts": counts, "lines": [asdict(line) for line in plot.lines],
            "mark": plot.mark}  # fmt: skip
