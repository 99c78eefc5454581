"""Projection onto a generator: the descent falls, beats its start, and finds a picture that the generator drew."""

import pytest
import torch

from playground.families import gan
from playground.families.gan import Config
from playground.runtime.rng import make_rng
from playground.runtime.run import last_frame


def stirred(classes: int = 0) -> gan.Model:
    torch.manual_seed(0)
    return gan.Model(Config(latent=4, widths=(8, 8), classes=classes)).eval()


def test_the_error_never_rises_and_ends_far_below_the_start() -> None:
    model, x = stirred(), 0.1 * torch.randn(3, 1, 16, 16, generator=make_rng(0))
    frames = list(gan.project(model, x, 60))
    losses = torch.stack([frame.extras["loss"] for frame in frames])
    assert losses.shape == (61, 3)
    assert (losses.diff(dim=0) <= 0).all()
    assert (losses[-1] < 0.98 * losses[0]).all()


def test_a_frame_holds_the_picture_of_its_code_and_its_error() -> None:
    model, x = stirred(), torch.zeros(2, 1, 16, 16)
    end = last_frame(gan.project(model, x, 5))
    drawn = model.generator(end.extras["z"]).detach()
    torch.testing.assert_close(end.x, drawn)
    torch.testing.assert_close(end.extras["loss"], (drawn - x).square().mean((1, 2, 3)))


def test_a_picture_of_the_generator_is_found_again() -> None:
    model = stirred()
    with torch.no_grad():
        x = model.generator(torch.randn(2, 4, generator=make_rng(5)))
    start, *_, end = gan.project(model, x, 200)
    assert (end.extras["loss"] < 0.05 * start.extras["loss"]).all()


def test_a_projection_depends_on_its_image_alone() -> None:
    model, x = stirred(), torch.randn(2, 1, 16, 16, generator=make_rng(1))
    together, alone = (last_frame(gan.project(model, images, 5)) for images in (x, x[1:]))
    torch.testing.assert_close(together.extras["z"][1:], alone.extras["z"])


def test_a_conditional_generator_keeps_the_classes_of_its_starts() -> None:
    start, *_, end = gan.project(stirred(classes=3), torch.zeros(1, 1, 16, 16), 10)
    assert end.extras["loss"] < start.extras["loss"]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_projection_on_a_gpu_is_that_on_the_cpu() -> None:
    model, x = stirred(classes=3), torch.zeros(2, 1, 16, 16)
    on_cpu, on_gpu = (last_frame(gan.project(model.to(device), x.to(device), 5)) for device in ("cpu", "cuda"))
    torch.testing.assert_close(on_gpu.extras["z"].cpu(), on_cpu.extras["z"], rtol=0, atol=1e-3)
