"""Plots of plotly that follow the page's theme, light or dark, and images as HTML."""

import html
from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go
from plotly.basedatatypes import BasePlotlyType

from playground.web.scrubber import data_url

INK = "#808b9b"  # colour of what page.css does not colour by the theme


def figure(x: str, y: str, *traces: BasePlotlyType, height: int = 300) -> go.Figure:
    """Return a figure of traces with axes named x and y on a transparent background."""
    fig = restyle(go.Figure(list(traces)), height)
    fig.update_xaxes(title_text=x)
    fig.update_yaxes(title_text=y)
    return fig


def restyle(fig: go.Figure, height: int) -> go.Figure:
    """Let a figure follow the page's theme, and return it."""
    fig.update_layout(
        paper_bgcolor="rgba(0,0,0,0)", plot_bgcolor="rgba(0,0,0,0)", height=height,
        font={"color": INK, "size": 13, "family": "var(--font)"}, margin={"l": 56, "r": 12, "t": 36, "b": 48},
        legend={"orientation": "h", "y": 1.16}, dragmode=False,
    )  # fmt: skip
    axis = {"gridcolor": "rgba(128,139,155,0.25)", "zeroline": False, "fixedrange": True, "title_font_size": 13}
    fig.update_xaxes(**axis, ticks="outside", ticklen=6, tickcolor="rgba(0,0,0,0)")  # labels below those of the y axis
    fig.update_yaxes(**axis)
    return fig


def bars(title: str, rows: Sequence[tuple[str, float, str]], text: str) -> str:
    """Return bars as HTML.

    Args:
        rows: Name, value and colour of each bar; the greatest value fills the width.
        text: Format of a value, such as "{:.1f} ms".
    """
    greatest = max(value for _, value, _ in rows)
    lines = "".join(
        f"<span>{name}</span><div><i style='width:{100 * value / greatest:.1f}%;background:{colour}'></i></div>"
        f"<b>{text.format(value)}</b>"
        for name, value, colour in rows
    )
    return f"<figure class='bars'><figcaption>{title}</figcaption>{lines}</figure>"


def image_tag(image: np.ndarray, alt: str, width: int) -> str:
    """Return an image uint8 (H, W, C) as an <img> of a width in CSS pixels."""
    return (
        f'<img src="{data_url(image)}" alt="{html.escape(alt)}" '
        f'style="width:{width}px;image-rendering:pixelated;border-radius:4px;display:inline-block">'
    )


def paragraph(text: str) -> str:
    """Return text, by anyone, as HTML."""
    return f"<p>{html.escape(text)}</p>"
