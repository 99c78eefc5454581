"""Paths between codes."""

import re

import pytest
import torch

from playground.nn.interpolation import lerp, path_formulas, path_numbers, slerp
from playground.runtime.rng import make_rng


def test_both_go_from_end_to_end() -> None:
    a, b = torch.randn(2, 20, generator=make_rng(0))
    for interpolate in (lerp, slerp):
        path = interpolate(a, b, 9)
        assert path.shape == (9, 20)
        torch.testing.assert_close(path[[0, -1]], torch.stack([a, b]))


def test_the_arc_keeps_the_norm_and_its_pace() -> None:
    a, b = torch.randn(2, 20, generator=make_rng(1))
    a, b = 3 * a / a.norm(), 3 * b / b.norm()
    path = slerp(a, b, 21)
    torch.testing.assert_close(path.norm(dim=1), torch.full((21,), 3.0))
    steps = path.diff(dim=0).norm(dim=1)
    torch.testing.assert_close(steps, steps[:1].expand(20))
    assert lerp(a, b, 21)[10].norm() < 2.9


@pytest.mark.parametrize("factor", [1.0, 2.0, -1.0])
def test_parallel_codes_are_joined_by_the_line(factor: float) -> None:
    a = torch.tensor([1.0, 2.0])
    torch.testing.assert_close(slerp(a, factor * a, 5), lerp(a, factor * a, 5))


def test_the_formulas_have_the_weights_of_both_paths() -> None:
    numbers = path_numbers(torch.eye(2), 3)
    assert numbers == {
        "less": ["1.00", "0.50", "0.00"],
        "share": ["0.00", "0.50", "1.00"],
        "on_first": ["1.00", "0.71", "0.00"],
        "on_second": ["0.00", "0.71", "1.00"],
    }
    text = " ".join(formula.numbers for formula in path_formulas("line", "arc", "codes"))
    assert set(re.findall(r"{(\w+)}", text)) == numbers.keys()
