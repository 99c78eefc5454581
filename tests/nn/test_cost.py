"""The cost of an evaluation is that of the shapes."""

from torch import nn

from playground.nn.cost import measure_cost


def test_costs_are_those_of_the_shapes() -> None:
    conv = nn.Conv2d(4, 8, 3, padding=1)
    cost = measure_cost(conv, conv, (4, 4, 4))
    assert cost.shape == (4, 4, 4)
    assert cost.operations == 2 * conv.weight.numel() * 4 * 4, "a multiplication and an addition each"
    assert cost.numbers == 8 * 4 * 4
    assert cost.seconds > 0
    assert measure_cost(conv, conv, (4, 8, 8)).operations == 4 * cost.operations
    assert not conv._forward_hooks, "nothing counts afterwards"
