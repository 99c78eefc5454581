"""A checkpoint as an object that samples."""

from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import playground
from playground.families import ddpm, judge, vae
from playground.pipeline import Pipeline
from playground.runtime import checkpoint, run
from playground.runtime.family import get_family
from playground.runtime.validation import UserError


@pytest.fixture
def path(tmp_path: Path) -> Path:
    model = ddpm.Model(ddpm.Config(size=8, width=8, multipliers=(1,), blocks=1, emb_dim=8))
    checkpoint.save(tmp_path / "tiny.safetensors", model, {})
    return tmp_path / "tiny.safetensors"


def test_a_run_yields_the_same_frames_each_time(path: Path) -> None:
    sampled = playground.load(path).sample(n=2, steps=3, seed=5, label=4)
    assert [frame.step for frame in sampled] == [0, 1, 2, 3]
    *_, last = sampled
    assert np.array_equal(sampled.to_images(last), sampled.images())


def test_prompts_are_refused_where_they_would_be_of_no_use(path: Path) -> None:
    with pytest.raises(UserError, match="tiny takes no prompts: leave them out"):
        playground.load(path).sample(prompts=["a dog"])
    text = Pipeline(path, get_family("latent_diffusion"), playground.load(path).model)
    refused: list[dict[str, Any]] = [{"n": 2}, {"prompt": "an owl"}]
    for settings in refused:
        with pytest.raises(UserError, match="prompts say what to draw and how many: leave out n and prompt"):
            text.sample(prompts=["a dog"], **settings)
    assert text.sample(prompts=["a dog", "an owl"]).settings.n == 2


def test_the_model_is_not_shared(path: Path) -> None:
    one, other = playground.load(path), playground.load(path)
    one.model.net.stem.weight.data.zero_()
    assert other.model.net.stem.weight.abs().sum() > 0
    assert checkpoint.load(path).net.stem.weight.abs().sum() > 0


def test_the_model_can_be_fine_tuned(path: Path) -> None:
    """The gradient reaches all weights, and a run after that is one of the changed model."""
    digits = playground.load(path)
    before = digits.sample(n=2, steps=2).images()
    optimizer = torch.optim.SGD(digits.model.parameters(), lr=1.0)
    x0, y = torch.rand(4, 1, 8, 8) * 2 - 1, torch.arange(4)
    ddpm.loss(digits.model, x0, y, torch.Generator().manual_seed(0)).backward()
    assert all(parameter.grad is not None for parameter in digits.model.parameters())
    optimizer.step()
    assert not np.array_equal(digits.sample(n=2, steps=2).images(), before)
    assert np.array_equal(playground.load(path).sample(n=2, steps=2).images(), before)


def test_a_part_of_a_large_set_is_the_same_alone(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    digits = playground.load(path)
    whole, part = digits.sample(n=9, steps=2), digits.sample(n=5, steps=2, first=3)
    assert np.abs(part.images().astype(int) - whole.images()[3:8]).max() <= 2, "but for rounding"
    assert part.conditions()["labels"].tolist() == [3, 4, 5, 6, 7]
    monkeypatch.setattr(run, "BATCH", 2)
    assert np.abs(part.images().astype(int) - whole.images()[3:8]).max() <= 2


@pytest.mark.parametrize(("n", "rows"), [(2, 2), (20, 8)])
def test_a_figure_has_a_row_for_each_image_and_a_column_for_each_frame(path: Path, n: int, rows: int) -> None:
    sampled = playground.load(path).sample(n=n, steps=30)
    frames = [sampled.to_images(frame) for frame in playground.load(path).sample(n=rows, steps=30)]
    figure = np.asarray(Image.open(BytesIO(sampled._repr_png_())))[::4, ::4]
    assert figure.shape == (9 * rows - 1, 9 * 10 - 1)
    for column, step in ((0, 0), (3, 10), (9, 30)):
        assert np.array_equal(figure[9:17, 9 * column :][:, :8], frames[step][1, :, :, 0])


def test_what_cannot_be_is_one_sentence(path: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="`python -m train ddpm-digit` makes it"):
        playground.load("ddpm-digit")
    with pytest.raises(UserError, match="steps must be a whole number"):
        playground.load(path).sample(steps=0)
    with pytest.raises(UserError, match="first must be a whole number from 0"):
        playground.load(path).sample(first=-1)
    checkpoint.save(path, judge.Model(judge.Config(width=8)), {})
    with pytest.raises(UserError, match="tiny makes no pictures"):
        playground.load(path).sample()
    checkpoint.save(path, vae.Model(vae.Config(size=8, latent=2, width=8, multipliers=(1,))), {})
    with pytest.raises(UserError, match="come in one step"):
        playground.load(path).sample().save(tmp_path / "run.gif")
    with pytest.raises(UserError, match="this machine has no device cuda:99"):
        playground.load(path, device="cuda:99")
