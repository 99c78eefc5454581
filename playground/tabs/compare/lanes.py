"""Lanes of the race as HTML: a participant each, with its pictures, how far it is, and what was measured."""

from collections.abc import Mapping
from dataclasses import dataclass
from html import escape

import numpy as np

from playground.runtime import pictures
from playground.runtime.validation import UserError
from playground.tabs.compare.participants import PARTICIPANTS, Participant
from playground.tabs.compare.race import Standing
from playground.web import plots

COLUMNS = 10  # pictures in a line of a lane
SCALE = 2  # CSS pixels of a pixel
NO_CLASSES = "It learned no classes, so it draws any digit."
SORTS: dict[str, str] = {
    "tab": "as listed",
    "seconds": "time",
    "evaluations": "evaluations",
    "parameters": "parameters",
    "size": "size of the file",
}


@dataclass(frozen=True)
class Lane:
    """Lane of a participant.

    Attributes:
        participant: Who runs in it.
        standing: What is known of it, None before it starts.
        reading: What a classifier reads in its pictures, "" while they are not finished.
        error: Why it takes no part, "" if it does.
    """

    participant: Participant
    standing: Standing | None = None
    reading: str = ""
    error: str = ""

    @property
    def is_done(self) -> bool:
        """Return whether its pictures are finished."""
        return bool(self.standing and self.standing.is_done)


Lanes = Mapping[str, Lane]


def sort_lanes(lanes: Lanes, sort: str) -> list[str]:
    """Return the names in the order of a measurement, those that are not done last; or as `PARTICIPANTS` has them."""
    names = [name for name in PARTICIPANTS if name in lanes]
    if sort == "tab":
        return names

    def rank(name: str) -> tuple[bool, float]:
        standing = lanes[name].standing
        return not lanes[name].is_done, getattr(standing, sort) if standing and standing.is_done else 0.0

    return sorted(names, key=rank)


def place(lanes: Lanes, name: str) -> int | None:
    """Return the place of a participant, 1 for the first; None while another may still be done before it."""
    standing = lanes[name].standing
    if not standing or not standing.is_done:
        return None
    rivals = [lane.standing for key, lane in lanes.items() if key != name and lane.standing]
    if any(not rival.is_done and rival.seconds < standing.seconds for rival in rivals):
        return None
    return 1 + sum(rival.is_done and rival.seconds < standing.seconds for rival in rivals)


def ordinal(rank: int) -> str:
    """Return a rank below 11 as text."""
    return f"{rank}" + {1: "st", 2: "nd", 3: "rd"}.get(rank, "th")


def describe_time(seconds: float) -> str:
    """Return a duration with three digits and its unit."""
    return f"{seconds:.3g} s" if seconds >= 1 else f"{1000 * seconds:.3g} ms"


def render(lanes: Lanes, sort: str, asks_class: bool, note: str, live: bool = False) -> str:
    """Return the lanes as HTML, in order, below a note on the whole race.

    Args:
        asks_class: True if all are asked for one class, which some cannot.
        live: True while the race is under way, so that nothing of it can be saved or linked.
    """
    body = "".join(_render_lane(lanes, name, asks_class) for name in sort_lanes(lanes, sort))
    title = f'<p class="caption" aria-live=polite>{escape(note)}</p>'
    return f'{title}<div class="lanes" data-ready data-live="{str(live).lower()}">{body}</div>'


def _render_lane(lanes: Lanes, name: str, asks_class: bool) -> str:
    lane = lanes[name]
    participant, standing = lane.participant, lane.standing
    title, hint = escape(participant.title), escape(participant.about)
    about = f'<a href="{participant.address}">{title}</a> <small>{hint}</small>'
    result = "".join(f"<p>{escape(text)}</p>" for text in (lane.reading, lane.error) if text)
    if standing is None:
        result = result or "<p>Not started.</p>"
        return f'<section data-lane="{name}"><div>{about}</div><div>{result}</div></section>'
    if asks_class and not standing.has_classes:
        result += f"<p>{NO_CLASSES}</p>"
    images = "" if standing.images is None else _image(participant, standing.images)
    bar = f'<progress value="{standing.progress:.3f}" aria-label="Steps of {title}"></progress>'
    medal = f'<b class="place">{ordinal(rank)}</b>' if (rank := place(lanes, name)) else ""
    attribute = " data-done" if standing.is_done else ""
    figures = _figures(standing)
    return (
        f'<section data-lane="{name}"{attribute}><div>{about}{medal}{figures}</div>'
        f"<div>{images}{bar}{result}</div></section>"
    )


def _figures(standing: Standing) -> str:
    """Return what was measured as HTML, a line each."""
    n = 1 if standing.images is None else len(standing.images)
    so_far = {
        "a picture": describe_time(standing.seconds / n),
        "evaluation" if standing.evaluations == 1 else "evaluations": f"{standing.evaluations:g}",
    }
    lines = {
        **(so_far if standing.seconds else {}),
        "million parameters": f"{standing.parameters / 1e6:.3g}",
        "MiB file": f"{standing.size / 2**20:.3g}",
    }
    return "<ul>" + "".join(f"<li><b>{number}</b> {unit}</li>" for unit, number in lines.items()) + "</ul>"


def _image(participant: Participant, images: np.ndarray) -> str:
    sheet = pictures.make_grid(images, COLUMNS if len(images) > COLUMNS else len(images), gap=1)
    return plots.image_tag(sheet, f"Digits of {participant.title}", SCALE * sheet.shape[1])


def sheet(lanes: Lanes, sort: str) -> np.ndarray:
    """Return the pictures of all lanes in their order, a line each, uint8 (H, W, C)."""
    standings = [lanes[name].standing for name in sort_lanes(lanes, sort)]
    grids = [standing.images for standing in standings if standing and standing.images is not None]
    if not grids:
        raise UserError("there are no pictures to save: press Sample first")
    return pictures.make_grid(np.concatenate(grids), columns=len(grids[0]), gap=2)
