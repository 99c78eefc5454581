"""Formulas as HTML."""

from playground.runtime.formula import Formula
from playground.web import formula


def test_the_notation_becomes_html() -> None:
    assert formula.to_html("x̂_0 = e^(−h) {on_x} z_∅ < 1") == (
        'x̂<sub>0</sub> = e<sup>−h</sup> <b data-number="on_x"></b> z<sub>∅</sub> &lt; 1'
    )
    assert formula.to_html("x_{s}") == 'x<sub><b data-number="s"></b></sub>'
    assert formula.to_html("σ_step² ẑ_0′") == "σ<sub>step</sub>² ẑ<sub>0</sub>′"


def test_numbers_continue_the_line_or_begin_one_and_meanings_come_last() -> None:
    first = Formula("y = a x", "= {y}", "Author 2020", "a: slope")
    second = Formula("v = 2", "v = {v}", where="v: speed")
    assert formula.render([first, second, Formula("w")]) == (
        'y = a x = <b data-number="y"></b> <i>Author 2020</i><br>v = 2<br>v = <b data-number="v"></b><br>w<br>'
        "<i class=where>a: slope · v: speed</i>"
    )
    assert formula.render([Formula("w")]) == "w"
    assert formula.render([Formula("w_1", name="my_net <2>")]) == "my_net &lt;2&gt;: w<sub>1</sub>"


def test_hyphens_become_minus_signs() -> None:
    assert formula.use_minus_signs("-1.5") == "−1.5"


def test_a_number_has_significant_digits_and_powers_of_ten_as_in_print() -> None:
    numbers = [0.0, 0.5, -1.2345, 1219.7, 123456.0, 2.4283e-9, -3e-5]
    assert [formula.format_number(x) for x in numbers] == [
        "0", "0.5", "−1.23", "1,220", "123,000", "2.43 × 10⁻⁹", "−3 × 10⁻⁵",
    ]  # fmt: skip
    assert formula.format_number(1234.5, digits=2) == "1,200"
