"""Exported files and the command line, which reproduce each other."""

import dataclasses
import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from playground import __main__ as command_line
from playground.diffusion.samplers import SAMPLERS
from playground.export import media
from playground.families import ddpm, gan, judge, vae
from playground.pipeline import SUFFIXES
from playground.runtime import checkpoint, run
from playground.runtime.family import get_family

SETTINGS = ddpm.Settings(n=3, label=7, sampler="dpm-solver++", steps=4, w=2.5, clip=False, seed=9)


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    """Save tiny checkpoints of random weights, and return their folder."""
    model = ddpm.Model(ddpm.Config(size=8, width=8, multipliers=(1,), blocks=1, emb_dim=8))
    checkpoint.save(tmp_path / "weights" / "ddpm-tiny.safetensors", model, {"recipe": "none"})
    autoencoder = vae.Model(vae.Config(size=8, latent=2, width=8, multipliers=(1,)))
    checkpoint.save(tmp_path / "weights" / "vae-tiny.safetensors", autoencoder, {"recipe": "none"})
    for name, classes in (("gan-tiny", 0), ("gan-classes", 10)):
        gan_model = gan.Model(gan.Config(latent=4, widths=(8,), classes=classes))
        checkpoint.save(tmp_path / "weights" / f"{name}.safetensors", gan_model, {"recipe": "none"})
    checkpoint.save(tmp_path / "weights" / "judge-tiny.safetensors", judge.Model(judge.Config(width=8)), {})
    return tmp_path / "weights"


def test_the_command_in_the_metadata_makes_the_same_pictures(weights: Path, tmp_path: Path) -> None:
    """The command gives the pictures of its settings, and the PNG holds settings and command."""
    out = tmp_path / "grid.png"
    words = shlex.split(media.build_command(weights / "ddpm-tiny.safetensors", SETTINGS, str(out)))
    assert words[:5] == ["python", "-m", "playground", "sample", "ddpm-tiny"]
    assert command_line.main(words[3:]) == 0
    picture = Image.open(out)
    metadata = json.loads(picture.text["settings"])
    assert ddpm.Settings(**metadata) == SETTINGS
    assert picture.text["checkpoint"] == "ddpm-tiny"
    assert f"--weights {weights}" in picture.text["command"], "a folder other than the default"

    npz_path = tmp_path / "grid.npz"
    assert command_line.main([*words[3:-1], str(npz_path)]) == 0
    arrays = np.load(npz_path)
    assert arrays["images"].shape == (3, 8, 8, 1)
    assert arrays["labels"].tolist() == [7, 7, 7]
    assert np.array_equal(np.asarray(picture)[:32:4, :32:4], arrays["images"][0, :, :, 0])


@pytest.mark.parametrize(("name", "labels"), [("vae-tiny", None), ("gan-tiny", None), ("gan-classes", [0, 1, 2])])
def test_the_arrays_hold_the_labels_of_a_conditional_model(
    weights: Path, tmp_path: Path, name: str, labels: list[int] | None
) -> None:
    flags = ["--n", "3", "--weights", str(weights), "--out", str(tmp_path / "some.npz")]
    assert command_line.main(["sample", name, *flags]) == 0
    arrays = np.load(tmp_path / "some.npz")
    assert len(arrays["images"]) == 3
    assert (arrays["labels"].tolist() if "labels" in arrays else None) == labels


def test_the_batch_size_does_not_change_the_pictures(
    weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pictures sampled in batches of two equal those of one batch, and the classes come in turn."""
    flags = ["sample", "ddpm-tiny", "--n", "5", "--steps", "3", "--weights", str(weights), "--out"]
    assert command_line.main([*flags, str(tmp_path / "once.npz")]) == 0
    monkeypatch.setattr(run, "BATCH", 2)
    assert command_line.main([*flags, str(tmp_path / "parts.npz")]) == 0
    one_batch, batches = np.load(tmp_path / "once.npz"), np.load(tmp_path / "parts.npz")
    assert np.abs(one_batch["images"].astype(int) - batches["images"]).max() <= 2, "but for rounding"
    assert one_batch["labels"].tolist() == [0, 1, 2, 3, 4]


def test_parts_of_a_set_are_those_of_the_whole(weights: Path, tmp_path: Path) -> None:
    """The second half alone, and by the command in its metadata, equals that of the whole set, but for
    rounding."""
    flags = ["sample", "ddpm-tiny", "--steps", "3", "--weights", str(weights)]
    assert command_line.main([*flags, "--n", "3", "--out", str(tmp_path / "whole.npz")]) == 0
    assert command_line.main([*flags, "--n", "2", "--first", "1", "--out", str(tmp_path / "part.npz")]) == 0
    whole, part = np.load(tmp_path / "whole.npz"), np.load(tmp_path / "part.npz")
    words = shlex.split(json.loads(str(part["metadata"]))["command"])[3:-1]
    assert command_line.main([*words, str(tmp_path / "again.npz")]) == 0
    again = np.load(tmp_path / "again.npz")
    assert np.array_equal(part["images"], again["images"])
    assert part["labels"].tolist() == again["labels"].tolist() == [1, 2]
    assert np.abs(part["images"].astype(int) - whole["images"][1:]).max() <= 1


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_device_that_is_not_there_is_refused(weights: Path, capsys: pytest.CaptureFixture[str]) -> None:
    flags = ["--weights", str(weights), "--out", "a.png", "--device", "cuda"]
    assert command_line.main(["sample", "ddpm-tiny", *flags]) == 2
    assert capsys.readouterr().err == "this machine has no device cuda that torch can use: choose cpu\n"


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_gpu_makes_the_pictures_of_the_cpu(weights: Path, tmp_path: Path) -> None:
    flags = ["sample", "ddpm-tiny", "--n", "3", "--steps", "3", "--weights", str(weights)]
    for device in ("cpu", "cuda"):
        assert command_line.main([*flags, "--device", device, "--out", str(tmp_path / f"{device}.npz")]) == 0
    on_cpu, on_gpu = (np.load(tmp_path / f"{device}.npz")["images"].astype(int) for device in ("cpu", "cuda"))
    assert np.abs(on_gpu - on_cpu).max() <= 2, "but for rounding"


def test_an_animation_has_a_frame_a_step(weights: Path, tmp_path: Path) -> None:
    out = tmp_path / "run.gif"
    flags = ["--n", "2", "--steps", "3", "--weights", str(weights), "--out", str(out)]
    assert command_line.main(["sample", "ddpm-tiny", *flags]) == 0
    with Image.open(out) as animation:
        assert animation.n_frames == 4
        assert json.loads(animation.info["comment"])["checkpoint"] == "ddpm-tiny"


@pytest.mark.parametrize("channels", [1, 3])
def test_frame_k_of_an_animation_is_step_k_though_frames_are_equal(tmp_path: Path, channels: int) -> None:
    levels = np.array([0, 80, 80, 200, 255, 255, 255], np.uint8)
    frames = np.broadcast_to(levels.reshape(-1, 1, 1, 1, 1), (7, 1, 8, 8, channels))
    media.write_gif(tmp_path / "run.gif", frames, {"seed": "1"}, seconds=0.7)
    with Image.open(tmp_path / "run.gif") as animation:
        assert animation.n_frames == 7
        for k, level in enumerate(levels):
            animation.seek(k)
            assert animation.info["duration"] == (100 if k < 6 else media.FINAL_PAUSE)
            assert (np.asarray(animation.convert("L")) == level).all()


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ([], "the command must be one of list, sample, not empty"),
        (["smaple"], "not 'smaple': did you mean sample?"),
        (["list", "--weights", "nowhere"], "--weights must be a folder, and there is no folder nowhere"),
        (["sample"], "NAME must be one of ddpm-tiny, gan-classes, gan-tiny, judge-tiny, vae-tiny, not '--weights'"),
        (["sample", "nope", "--out", "a.png"], "NAME must be one of ddpm-tiny, gan-classes, gan-tiny,"),
        (["sample", "dppm-tiny", "--out", "a.png"], "not 'dppm-tiny': did you mean ddpm-tiny?"),
        (["sample", "ddpm-tiny", "--out", "a.png", "--weights", "nowhere"], "there is no folder nowhere"),
        (["sample", "ddpm-tiny", "--out", "a.bmp"], "--out must end in .png, .npz, .gif, not 'a.bmp'"),
        (["sample", "ddpm-tiny", "--out", "{folder}"], "is a folder"),
        (["sample", "ddpm-tiny", "--n", "300", "--out", "a.gif"], "at most 250 pictures"),
        (["sample", "vae-tiny", "--out", "a.gif"], "come in one step"),
        (["sample", "judge-tiny", "--out", "a.png"], "judge-tiny makes no pictures"),
        (["sample", "ddpm-tiny", "--out", "a.png", "--first", "-1"], "--first must be a whole number from 0"),
    ],
)
def test_invalid_arguments_are_refused_in_one_sentence(
    weights: Path, tmp_path: Path, words: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "folder.png").mkdir()
    words = [word.format(folder=tmp_path / "folder.png") for word in words]
    weights_flag = ["--weights", str(weights)] if words[:1] == ["sample"] and "--weights" not in words else []
    assert command_line.main([*words, *weights_flag]) == 2
    message = capsys.readouterr().err.strip()
    assert sentence in message
    assert len(message.splitlines()) == 1


@pytest.mark.parametrize("kind", SUFFIXES)
def test_a_run_that_is_not_finite_writes_no_file(
    weights: Path, tmp_path: Path, kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = weights / "ddpm-tiny.safetensors"
    model = ddpm.Model(ddpm.Config(size=8, width=8, multipliers=(1,), blocks=1, emb_dim=8))
    for name, parameter in model.named_parameters():
        parameter.data.fill_(3e38 if name.endswith("bias") else 100)  # finite, but their products are not
    checkpoint.save(path, model, {})
    out = tmp_path / f"some{kind}"
    flags = ["sample", "ddpm-tiny", "--n", "2", "--steps", "3", "--weights", str(weights), "--out", str(out)]
    assert command_line.main(flags) == 1
    message = capsys.readouterr().err.splitlines()[-1]
    assert "ddpm-tiny: the numbers of step 0 are not finite" in message
    model.net.stem.weight.data.fill_(float("nan"))
    checkpoint.save(path, model, {})
    assert command_line.main(flags) == 1
    assert "ddpm-tiny.safetensors is damaged: net.stem.weight holds numbers" in capsys.readouterr().err
    assert not list(tmp_path.glob("some*"))


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--samplr", "ddim"], ["Unrecognized", f"--sampler {{{','.join(SAMPLERS)}}}"]),
        (["--sampler", "euler"], ["'euler'", *(f"'{name}'" for name in SAMPLERS)]),
        (["--n", "0"], ["number of pictures"]),
        (["--seed", "-1"], ["seed must be"]),
    ],
)
def test_unknown_flags_and_values_are_refused(
    weights: Path, flags: list[str], words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as exit_info:
        command_line.main(["sample", "ddpm-tiny", *flags, "--weights", str(weights), "--out", "a.png"])
    assert exit_info.value.code == 2
    message = capsys.readouterr().err
    assert all(word in message for word in words)


def test_a_damaged_checkpoint_exits_with_1(weights: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (weights / "ddpm-tiny.safetensors").write_bytes(b"")
    assert command_line.main(["sample", "ddpm-tiny", "--weights", str(weights), "--out", "a.png"]) == 1
    assert "ddpm-tiny.safetensors is damaged" in capsys.readouterr().err


def test_flags_may_come_before_the_name(weights: Path, tmp_path: Path) -> None:
    out = tmp_path / "some.npz"
    flags = ["--n", "2", "--steps", "2", "--weights", str(weights), "ddpm-tiny", "--out", str(out)]
    assert command_line.main(["sample", *flags]) == 0
    assert len(np.load(out)["images"]) == 2


@pytest.mark.parametrize("name", ["some.PNG", "some.NPZ", "some.Gif"])
def test_the_ending_of_a_file_may_be_in_capitals(weights: Path, tmp_path: Path, name: str) -> None:
    out = tmp_path / "out" / name
    flags = ["--n", "2", "--steps", "2", "--weights", str(weights), "--out", str(out)]
    assert command_line.main(["sample", "ddpm-tiny", *flags]) == 0
    assert list(out.parent.iterdir()) == [out]


@pytest.mark.parametrize("family", ["ddpm", "normalizing_flow", "gan", "latent_diffusion", "vae"])
def test_every_option_has_a_help_text_with_its_choices(
    weights: Path, family: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(checkpoint, "read_header", lambda path: checkpoint.Header(family, {}, {}))
    monkeypatch.setenv("COLUMNS", "300")  # an option a line
    with pytest.raises(SystemExit) as exit_info:
        command_line.main(["sample", "ddpm-tiny", "--weights", str(weights), "--help"])
    assert exit_info.value.code == 0
    options = re.findall(r"^\W (--\w.*?) *\W?$", capsys.readouterr().out, flags=re.MULTILINE)
    assert len(options) == len(dataclasses.fields(get_family(family).Settings)) + 4 + 2 * (family == "latent_diffusion")
    for option in options:
        flag, _, text = option.partition("  ")
        assert not text.strip().startswith("("), f"{flag} has no help text"
        assert "STR" not in flag or flag in ("--prompt STR", "--negative STR", "--line STR"), f"{flag} has no choices"


def test_an_interrupted_run_leaves_no_file(
    weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupt(*_: object) -> Iterator[Any]:
        raise KeyboardInterrupt
        yield

    monkeypatch.setattr(ddpm, "FAMILY", dataclasses.replace(ddpm.FAMILY, sample=interrupt))
    out = tmp_path / "out" / "some.png"
    assert command_line.main(["sample", "ddpm-tiny", "--weights", str(weights), "--out", str(out)]) == 130
    assert "Traceback" not in capsys.readouterr().err
    assert not list(out.parent.iterdir())


def test_a_file_that_cannot_be_written_is_noticed_before_sampling(
    weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    sample = lambda *_: pytest.fail("sampled before the check")  # noqa: E731
    monkeypatch.setattr(ddpm, "FAMILY", dataclasses.replace(ddpm.FAMILY, sample=sample))
    (tmp_path / "file").touch()
    out = tmp_path / "file" / "some.png"
    assert command_line.main(["sample", "ddpm-tiny", "--weights", str(weights), "--out", str(out)]) == 1
    assert capsys.readouterr().err.startswith(f"{tmp_path / 'file'} cannot be written: ")


def test_list_shows_provenance(weights: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command_line.main(["list", "--weights", str(weights)]) == 0
    assert "ddpm-tiny  ddpm" in capsys.readouterr().out


def test_a_picture_is_drawn_like_another_but_for_what_is_said(
    weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    paths = [str(tmp_path / f"{name}.png") for name in "abc"]
    flags = ["ddpm-tiny", "--n", "2", "--steps", "3", "--seed", "5", "--weights", str(weights), "--out", paths[0]]
    assert command_line.main(["sample", *flags]) == 0
    assert command_line.main(["sample", "--like", paths[0], "--out", paths[1]]) == 0
    assert command_line.main(["sample", "--out", paths[2], "--like", paths[0], "--seed", "6"]) == 0
    first, again, other = map(Image.open, paths)
    assert np.array_equal(np.asarray(first), np.asarray(again))
    assert first.text["settings"] == again.text["settings"]
    assert json.loads(other.text["settings"]) == json.loads(first.text["settings"]) | {"seed": 6}
    assert command_line.main(["sample", "--like", str(weights / "ddpm-tiny.safetensors"), "--out", paths[1]]) == 2
    assert "holds no settings of this app" in capsys.readouterr().err
    for edited in ('python -m playground sample x --label "', "python -m playground sample ddpm-tiny --n 2"):
        media.write_png(paths[2], np.zeros((8, 8, 1), np.uint8), {"settings": "{}", "command": edited})
        assert command_line.main(["sample", "--like", paths[2], "--out", paths[1]]) == 2
        assert capsys.readouterr().err.startswith("no command makes c.png again: drop it on the page")
