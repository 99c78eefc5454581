"""Table of figures: a press on a heading asks to sort by it, a press on a row picks it."""

import uuid
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import gradio as gr

from playground.web import component
from playground.web.component import Value


@dataclass(frozen=True)
class Column:
    """Column of a table; its name is how links call it."""

    name: str
    title: str
    hint: str
    descending: bool = False  # the first press puts the largest on top


@dataclass(frozen=True)
class Cell:
    """Cell of a table: its text, and the value by which it is sorted, None if there is none."""

    text: str
    value: float | str | None


@dataclass(frozen=True)
class Row:
    """Row of a table, with a key by which it is picked; the first cell is its heading."""

    key: str
    cells: Sequence[Cell]


def build(label: str, elem_id: str) -> gr.HTML:
    """Build the component, whose label names it for screen readers.

    Its event `select` follows a press; its value then holds what is chosen, the `sort`, `descending` and `picked` of
    `pack`.
    """
    return component.build("table", {"LABEL": label}, elem_id=elem_id, padding=False)


def pack(columns: Sequence[Column], rows: Sequence[Row], sort: str, descending: bool, picked: str) -> Value:
    """Return the value that shows rows, sorted by the column `sort`, with the one of the key `picked` marked."""
    return {
        "id": uuid.uuid4().hex,
        "columns": [asdict(column) for column in columns],
        "rows": [asdict(row) for row in sort_rows(columns, rows, sort, descending)],
        "sort": sort,
        "descending": descending,
        "picked": picked,
    }


def sort_rows(columns: Sequence[Column], rows: Sequence[Row], sort: str, descending: bool) -> list[Row]:
    """Return rows in the order of a column's values; those without a value come last either way."""
    index = [column.name for column in columns].index(sort)

    def value(row: Row) -> float | str | None:
        return row.cells[index].value

    ranked = sorted((row for row in rows if value(row) is not None), key=value, reverse=descending)  # type: ignore[arg-type]
    return [*ranked, *(row for row in rows if value(row) is None)]
