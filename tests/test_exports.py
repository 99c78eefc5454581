"""Exports hold what reproduces them."""

import json
import shlex
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from playground import __main__ as command_line
from playground import checkpoint, exports, sampling
from playground.models import ddpm, gan, judge, text_to_image, vae

SETTINGS = ddpm.Settings(n=3, label=7, sampler="dpm-solver++", steps=4, w=2.5, clip=False, seed=9)


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    """A folder with tiny checkpoints of random weights."""
    model = ddpm.Model(ddpm.Config(size=8, width=8, multipliers=(1,), blocks=1, emb_dim=8))
    checkpoint.save(tmp_path / "weights" / "ddpm-tiny.safetensors", model, {"recipe": "none"})
    coder = vae.Model(vae.Config(size=8, latent=2, width=8, multipliers=(1,)))
    checkpoint.save(tmp_path / "weights" / "vae-tiny.safetensors", coder, {"recipe": "none"})
    for name, classes in (("gan-tiny", 0), ("gan-classes", 10)):
        pair = gan.Model(gan.Config(latent=4, widths=(8,), classes=classes))
        checkpoint.save(tmp_path / "weights" / f"{name}.safetensors", pair, {"recipe": "none"})
    checkpoint.save(tmp_path / "weights" / "judge-tiny.safetensors", judge.Model(judge.Config(width=8)), {})
    return tmp_path / "weights"


def test_the_command_line_makes_the_same_pictures(weights: Path, tmp_path: Path) -> None:
    """What `command_line` says, run, gives the pictures of those settings; the PNG holds settings and command."""
    out = tmp_path / "grid.png"
    words = shlex.split(exports.command_line("ddpm-tiny", SETTINGS, str(out)))
    assert words[:4] == ["python", "-m", "playground", "sample"]
    assert command_line.main([*words[3:], "--weights", str(weights)]) == 0
    picture = Image.open(out)
    about = json.loads(picture.text["settings"])
    assert ddpm.Settings(**about) == SETTINGS
    assert picture.text["checkpoint"] == "ddpm-tiny"

    arrays = tmp_path / "grid.npz"
    assert command_line.main([*words[3:-1], str(arrays), "--weights", str(weights)]) == 0
    made = np.load(arrays)
    assert made["images"].shape == (3, 8, 8, 1)
    assert made["labels"].tolist() == [7, 7, 7]
    assert np.array_equal(np.asarray(picture)[:32:4, :32:4], made["images"][0, :, :, 0])


@pytest.mark.parametrize(("name", "told"), [("vae-tiny", None), ("gan-tiny", None), ("gan-classes", [0, 1, 2])])
def test_the_classes_of_pictures_are_told_where_there_are_any(
    weights: Path, tmp_path: Path, name: str, told: list[int] | None
) -> None:
    flags = ["--n", "3", "--weights", str(weights), "--out", str(tmp_path / "some.npz")]
    assert command_line.main(["sample", name, *flags]) == 0
    made = np.load(tmp_path / "some.npz")
    assert len(made["images"]) == 3
    assert (made["labels"].tolist() if "labels" in made else None) == told


def test_batches_do_not_show(weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pictures made in batches of two are those made at once, and the classes come in turn."""
    flags = ["sample", "ddpm-tiny", "--n", "5", "--steps", "3", "--weights", str(weights), "--out"]
    assert command_line.main([*flags, str(tmp_path / "once.npz")]) == 0
    monkeypatch.setattr(sampling, "BATCH", 2)
    assert command_line.main([*flags, str(tmp_path / "parts.npz")]) == 0
    once, parts = np.load(tmp_path / "once.npz"), np.load(tmp_path / "parts.npz")
    assert np.abs(once["images"].astype(int) - parts["images"]).max() <= 2, "but for rounding"
    assert once["labels"].tolist() == [0, 1, 2, 3, 4]


def test_an_animation_has_a_frame_a_step(weights: Path, tmp_path: Path) -> None:
    out = tmp_path / "run.gif"
    flags = ["--n", "2", "--steps", "3", "--weights", str(weights), "--out", str(out)]
    assert command_line.main(["sample", "ddpm-tiny", *flags]) == 0
    with Image.open(out) as animation:
        assert animation.n_frames == 4
        assert json.loads(animation.info["comment"])["checkpoint"] == "ddpm-tiny"


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["sample", "ddpm-none", "--out", "a.png"], "is missing"),
        (["sample", "ddpm-tiny", "--out", "a.bmp"], "must end in"),
        (["sample", "ddpm-tiny", "--n", "300", "--out", "a.gif"], "at most 250 pictures"),
        (["sample", "vae-tiny", "--out", "a.gif"], "come in one step"),
        (["sample", "judge-tiny", "--out", "a.png"], "judge-tiny makes no pictures"),
    ],
)
def test_mistakes_get_one_sentence(
    weights: Path, words: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command_line.main([*words, "--weights", str(weights)]) == 1
    said = capsys.readouterr().err.strip()
    assert sentence in said
    assert len(said.splitlines()) == 1


def test_list_shows_provenance(weights: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command_line.main(["list", "--weights", str(weights)]) == 0
    assert "ddpm-tiny  ddpm" in capsys.readouterr().out


def test_the_command_line_holds_a_prompt_that_begins_with_a_dash() -> None:
    words = shlex.split(exports.command_line("text-to-image-emoji", text_to_image.Settings(prompt="-a dog"), "a.png"))
    assert "--prompt=-a dog" in words
