"""Frame scrubber: synchronised strips of frames, with curves, formula and diagram that follow the selected frame.

`build` makes the component; `pack` makes its value from a finished run, a `Film`, and `pack_preview` from a run under
way. The frames travel once, as sprite sheets; scrubbing happens in the browser and asks the server for nothing.
"""

import json
import math
import time
import uuid
from collections.abc import Sequence
from dataclasses import asdict

import gradio as gr
import numpy as np

from playground.runtime import pictures
from playground.web import component, palette
from playground.web.answers import encode_base64
from playground.web.component import Value
from playground.web.scrubber import sheets
from playground.web.scrubber.parts import Box, Counts, Curve, Film, Histogram, Series, Strip, Words
from playground.web.scrubber.sheets import data_url


def build(label: str, elem_id: str, empty: str = "", in_rows: bool = False) -> gr.HTML:
    """Build the component; `empty` says what is under way, or what to press, while there is nothing to show. The strips
    lie side by side, or in rows, each with its hint beside it."""
    # Words of the HTML, not properties: Gradio 6.31 loses the properties of a component that is updated before it is
    # first shown.
    words = {"LAYOUT": "rows" if in_rows else "", "LABEL": label, "EMPTY": empty}
    return component.build("scrubber", words, elem_id=elem_id)


def pack(film: Film) -> Value:
    """Return the value of a finished run."""
    followers = {
        "captions": list(film.captions),
        "curves": [_pack_curve(curve) for curve in film.curves],
        "formula": film.formula,
        "numbers": dict(film.numbers),
        "diagram": [asdict(box) for box in film.diagram],
        "words": film.words and _pack_words(film.words),
        "milestones": list(film.milestones),
        "below": [{"notes": list(strip.notes), "plots": [_pack_histogram(plot) for plot in strip.plots]}
                  for strip in film.strips],
    }  # fmt: skip
    # The followers are one string: Gradio's page copies values number by number, several times.
    return {**_pack_strips(film.strips), "run": uuid.uuid4().hex, "following": json.dumps(followers),
            "ends": list(film.ends), "start": film.start, "keep": film.keep, "path_hint": film.path_hint,
            "notice": film.notice}  # fmt: skip


# Further values of a finished run name it by the "run" in its first value: the page drops those of a run that is no
# longer on show.


def pack_again(film: Film, run: str) -> Value:
    """Return the value of a finished run with other strips, at the frame on show."""
    return {**pack(film), "run": run, "of": run, "keep": True}


def pack_words(words: Words, run: str) -> Value:
    """Return the value that shows other maps of the words of a finished run."""
    return _pack_part({"words": _pack_words(words)}, run)


def pack_path(path: np.ndarray, run: str) -> Value:
    """Return the value that shows a path over the first strip of a finished run: a place for each frame, (F, 2), as
    fractions of the width from the left and of the height from the top."""
    return _pack_part({"path": path.round(4).tolist()}, run)


def pack_preview(strips: Sequence[Strip], index: int, frames: int, caption: str, started: float) -> Value:
    """Return the value of a run under way, which `started` by `time.monotonic`: strips of one frame each, the index of
    the frame, and a caption."""
    grids = [pictures.make_grid(strip.frames[0], gap=sheets.gap_of(strips[0])) for strip in strips]
    strip_values = [
        {"name": strip.name, "hint": strip.hint, "small": strip.small, "sheets": [data_url(grid)]}
        for strip, grid in zip(strips, grids, strict=True)
    ]
    height, width = grids[0].shape[:2]
    return {"live": True, "id": uuid.uuid4().hex, "strips": strip_values, "width": width, "height": height,
            "columns": 1, "per_sheet": 1, "started": started, "vacant": sheets.vacant_boxes(strips[0]),
            "index": index, "frames": frames, "caption": caption}  # fmt: skip


def pack_address(address: Value, started: float) -> Value:
    """Return the value of a run that begins, which `started` by `time.monotonic`: the parameters of its address, so
    that a reload of the page goes on with it."""
    return {"id": uuid.uuid4().hex, "address": address, "started": started}


def pack_place(caption: str, started: float) -> Value:
    """Return the value of a run that waits for others, which `started` by `time.monotonic`: a caption."""
    return {"id": uuid.uuid4().hex, "waiting": caption, "started": started}


def mark_stopped() -> Value:
    """Return the value after Stop: previews on their way are dropped, and the run before is shown, unless these are
    fields of the value of what the stopped run has made."""
    return {"stopped": True, "id": uuid.uuid4().hex, "at": time.monotonic()}


def frame_index_js(stage: gr.HTML, position: int = 0) -> str:
    """Return JavaScript that puts the selected frame of a scrubber among the inputs of its event, at a position; -1
    while a run is under way."""
    return f"""(...values) => {{
      const {{live, index}} = document.querySelector('#{stage.elem_id} [data-live]')?.dataset ?? {{}};
      return values.with({position}, live === 'true' ? -1 : Number(index ?? 0));
    }}"""


def _pack_strips(strips: Sequence[Strip]) -> Value:
    """Return the frames of some strips as sheets, and their layout."""
    first = strips[0]
    gap = sheets.gap_of(first)
    grids = [sheets.make_grids(strip, gap) for strip in strips]
    layout = sheets.layout_of(grids[0])
    return {
        "id": uuid.uuid4().hex,  # the page ignores a value equal to the one before
        "frames": len(grids[0]),
        **layout._asdict(),
        "vacant": sheets.vacant_boxes(first),
        "tile": [first.frames.shape[3], first.frames.shape[2]],
        "gap": gap,
        "strips": [
            {"name": strip.name, "hint": strip.hint, "small": strip.small, "sheets": sheets.write_sheets(grid, layout)}
            for strip, grid in zip(strips, grids, strict=True)
        ],
    }


def _pack_part(part: Value, run: str) -> Value:
    return {"id": uuid.uuid4().hex, "of": run, "following": json.dumps({"part": part})}


def _pack_words(words: Words) -> Value:
    colours = [palette.CLASSES[i % len(palette.CLASSES)] for i in range(len(words.tokens))]
    return {"tokens": list(words.tokens), "colours": colours, "maps": encode_base64(words.maps),
            "moments": list(words.moments), "size": words.maps.shape[-1], "pictures": words.maps.shape[2],
            "smooth": words.smooth}  # fmt: skip


def _pack_curve(curve: Curve) -> Value:
    """Return a curve as JSON, which has no infinity: None stands for it."""
    value = asdict(curve)
    for series in value["series"]:
        series["values"] = [float(v) if math.isfinite(v) else None for v in series["values"]]
    return value


def _pack_histogram(plot: Histogram) -> Value:
    """Return a histogram as JSON, with heights from 0 to 100."""
    highest = np.maximum(1e-9, np.max([counts.values.max(axis=1) for counts in plot.counts], axis=0))  # (F,)
    heights = [(100 * counts.values / highest[:, None]).round().astype(int).tolist() for counts in plot.counts]
    bars = [
        {"name": counts.name, "colour": counts.colour, "heights": rows}
        for counts, rows in zip(plot.counts, heights, strict=True)
    ]
    return {"name": plot.name, "ends": plot.ends, "counts": bars, "lines": [asdict(line) for line in plot.lines],
            "mark": plot.mark}  # fmt: skip
