"""Changed pictures are what they are called."""

import torch

from playground.datasets import variations
from playground.runtime.rng import make_rng

X = torch.rand(2, 1, 10, 10, generator=make_rng(0)) * 2 - 1


def test_the_negative_stays_black_in_the_border() -> None:
    x = torch.nn.functional.pad(X, [2] * 4, value=-1.0)
    inverted = variations.invert(x, border=2)
    assert torch.equal(inverted[..., 2:-2, 2:-2], -X)
    assert torch.equal(inverted - variations.invert(x), -2 * (inverted == x)), "without a border, that is inverted too"
    assert torch.equal(variations.invert(X), -X)


def test_a_blurred_pixel_is_the_mean_of_its_neighbourhood() -> None:
    blurred = variations.blur(X)
    torch.testing.assert_close(blurred[..., 4, 6], X[..., 3:6, 5:8].mean((-1, -2)))
    torch.testing.assert_close(blurred[..., 0, 0], (X[..., :2, :2].sum((-1, -2)) - 5) / 9, msg="black beyond the edge")


def test_a_shifted_picture_moves_to_the_right() -> None:
    assert torch.equal(variations.shift(X, 4)[..., 4:], X[..., :-4])


def test_noise_is_uniform_over_the_grey_levels() -> None:
    noise = variations.white_noise((50, 1, 28, 28), 3)
    levels = ((noise + 1) * 127.5).double()
    assert torch.equal(levels.round().unique(), torch.arange(256).double())
    assert (levels - levels.round()).abs().max() < 1e-4
    assert abs(noise.mean()) < 0.01
    assert abs(noise.var() - 1 / 3) < 0.01, "the variance of a uniform density from -1 to 1"
    assert torch.equal(variations.white_noise((2, 1, 28, 28), 3), noise[:2]), "each picture is the same among fewer"
    assert not torch.equal(variations.white_noise((2, 1, 28, 28), 4), noise[:2])


def test_a_blank_page_is_black() -> None:
    assert torch.equal(variations.blank((1, 1, 3, 2)), -torch.ones(1, 1, 3, 2))
