"""Formulas as HTML."""

import html
import re
from collections.abc import Sequence

from playground.runtime.formula import Formula

_NUMBER = r"\{(\w+)\}"
_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
_NOTATION = re.compile(rf"{_NUMBER}|_{_NUMBER}|_([0-9A-Za-z∅]+)|\^\(([^)]*)\)")


def use_minus_signs(text: str) -> str:
    """Return text with the hyphens of its numbers as minus signs."""
    return text.replace("-", "−")


def format_number(value: float, digits: int = 3) -> str:
    """Return a number with so many significant digits, a very small or large one as in print: 2.43 × 10⁻⁹."""
    mantissa, _, exponent = f"{float(f'{value:.{digits}g}'):,.12g}".partition("e")
    power = f" × 10{str(int(exponent)).translate(_SUPERSCRIPTS)}" if exponent else ""
    return use_minus_signs(mantissa) + power


def to_html(text: str) -> str:
    """Return the HTML of a text in the notation of `Formula`; the page fills each `<b data-number="NAME">`."""
    return _NOTATION.sub(_to_element, html.escape(text, quote=False))


def _to_element(match: re.Match[str]) -> str:
    number, number_below, subscript, superscript = match.groups()
    if superscript:
        return f"<sup>{superscript}</sup>"
    if subscript:
        return f"<sub>{subscript}</sub>"
    element = f'<b data-number="{number or number_below}"></b>'
    return f"<sub>{element}</sub>" if number_below else element


def render(formulas: Sequence[Formula]) -> str:
    """Return the HTML of some formulas, one below the other, and below them the meaning of their symbols."""
    where = " · ".join(formula.where for formula in formulas if formula.where)
    meaning = [f"<i class=where>{to_html(where)}</i>"] if where else []
    return "<br>".join([*map(_render_lines, formulas), *meaning])


def _render_lines(formula: Formula) -> str:
    separator = " " if formula.numbers.startswith("=") else "<br>"
    lines = separator.join(to_html(text) for text in (formula.symbols, formula.numbers) if text)
    name = f"{html.escape(formula.name)}: " if formula.name else ""
    return f"{name}{lines}" + (f" <i>{to_html(formula.source)}</i>" if formula.source else "")
