"""Ways between codes."""

import pytest
import torch

from playground.interpolation import spherical, straight
from playground.sampling import generator


def test_both_go_from_end_to_end() -> None:
    a, b = torch.randn(2, 20, generator=generator(0))
    for way in (straight, spherical):
        made = way(a, b, 9)
        assert made.shape == (9, 20)
        torch.testing.assert_close(made[[0, -1]], torch.stack([a, b]))


def test_the_arc_keeps_the_norm_and_its_pace() -> None:
    a, b = torch.randn(2, 20, generator=generator(1))
    a, b = 3 * a / a.norm(), 3 * b / b.norm()
    made = spherical(a, b, 21)
    torch.testing.assert_close(made.norm(dim=1), torch.full((21,), 3.0))
    steps = made.diff(dim=0).norm(dim=1)
    torch.testing.assert_close(steps, steps[:1].expand(20))
    assert straight(a, b, 21)[10].norm() < 2.9


@pytest.mark.parametrize("factor", [1.0, 2.0, -1.0])
def test_parallel_codes_are_joined_by_the_line(factor: float) -> None:
    a = torch.tensor([1.0, 2.0])
    torch.testing.assert_close(spherical(a, factor * a, 5), straight(a, factor * a, 5))
