"""Formulas as data: plain text that `playground.web.formula` draws."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Formula:
    """Formula in symbols and in the numbers of a frame.

    In the first four texts `_` begins a subscript of letters and digits, `^(...)` is a superscript, and `{name}` stands
    for a number of the frame on show.
    """

    symbols: str  # the formula as its paper writes it
    numbers: str = ""  # the formula with numbers; begins with "=" where it continues the line of the symbols
    source: str = ""  # author, year and equation
    where: str = ""  # meaning of the symbols
    name: str = ""  # text in front of the formula, shown as it is
