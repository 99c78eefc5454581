"""Plots of plotly that follow the page's theme, light or dark, and pictures as HTML."""

import html
from typing import Any

import numpy as np
import plotly.graph_objects as go

from playground.ui.scrubber import data_url

INK = "#808b9b"  # of what page.css does not colour by the theme


def figure(x: str, y: str, *traces: Any, height: int = 300) -> go.Figure:
    """A figure with named axes on a transparent ground."""
    made = go.Figure(list(traces))
    made.update_layout(
        paper_bgcolor="rgba(0,0,0,0)", plot_bgcolor="rgba(0,0,0,0)", font={"color": INK, "size": 13}, height=height,
        margin={"l": 56, "r": 12, "t": 36, "b": 48}, legend={"orientation": "h", "y": 1.16}, dragmode=False,
    )  # fmt: skip
    axis = {"gridcolor": "rgba(128,139,155,0.25)", "zeroline": False, "fixedrange": True}
    made.update_xaxes(title=x, **axis)
    made.update_yaxes(title=y, **axis)
    return made


def picture(image: np.ndarray, about: str, width: int) -> str:
    """uint8 (H, W, C) as an <img> of so many CSS pixels."""
    return (
        f'<img src="{data_url(image)}" alt="{html.escape(about)}" title="{html.escape(about)}" '
        f'style="width:{width}px;image-rendering:pixelated;border-radius:4px;display:inline-block">'
    )


def paragraph(text: str) -> str:
    """Text, of anyone, as HTML."""
    return f"<p>{html.escape(text)}</p>"
