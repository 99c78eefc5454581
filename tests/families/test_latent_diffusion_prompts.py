"""Prompts from a file, the command line and Python, read in the words of a checkpoint."""

import json
import shlex
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from test_latent_diffusion import PROMPTS, make_random_model, sampled

import playground
from playground import __main__ as command_line
from playground.export import media
from playground.families import latent_diffusion
from playground.families.latent_diffusion import Model, Settings
from playground.runtime import checkpoint, pictures
from playground.runtime.validation import UserError


@pytest.fixture
def model() -> Model:
    return make_random_model()


def test_prompts_of_a_file_are_drawn_in_order(model: Model, tmp_path: Path, monkeypatch, capsys) -> None:
    monkeypatch.setattr(latent_diffusion.Model, "parts", model.components())
    checkpoint.save(tmp_path / "tiny.safetensors", model, {})
    asked, out = tmp_path / "prompts.txt", tmp_path / "out.npz"
    asked.write_text("\n".join([*PROMPTS, ""]) + "\n", encoding="utf-8-sig")
    flags = ["sample", "tiny", "--steps", "2", "--weights", str(tmp_path), "--out", str(out), "--prompts", str(asked)]
    assert command_line.main(flags) == 0
    made = np.load(out)
    assert made["prompts"].tolist() == [*PROMPTS, ""]
    one = Settings(n=1, prompt=PROMPTS[1], steps=2)
    alone = sampled(model, one, first=1)
    assert np.abs(made["images"][1:2].astype(int) - pictures.to_uint8(alone)).max() <= 2, "but for rounding"
    asked.write_text(f"{PROMPTS[1]}\n", encoding="utf-8")
    assert command_line.main([*flags, "--first", "1"]) == 0, "the prompts of a file are those of its part of the set"
    assert np.abs(np.load(out)["images"].astype(int) - made["images"][1:2]).max() <= 2
    asked.write_bytes(b"\xff\xfe")
    assert command_line.main(flags) == 2
    assert "must be text in UTF-8" in capsys.readouterr().err
    asked.unlink()
    assert command_line.main(flags) == 2
    assert capsys.readouterr().err == f"{asked} cannot be read: No such file or directory\n"


def test_a_file_of_prompts_says_them_all(model: Model, tmp_path: Path, monkeypatch) -> None:
    """Its command makes the same pictures of the same prompts, without the file; its settings name no other prompt."""
    monkeypatch.setattr(latent_diffusion.Model, "parts", model.components())
    checkpoint.save(tmp_path / "tiny.safetensors", model, {})
    asked, out = tmp_path / "prompts.txt", tmp_path / "out.npz"
    prompts = ["a DOG, blue background", "-a cat", ""]
    asked.write_text("\n".join(prompts) + "\n", encoding="utf-8")
    flags = ["sample", "tiny", "--steps", "2", "--weights", str(tmp_path)]
    assert command_line.main([*flags, "--out", str(out), "--prompts", str(asked)]) == 0
    about = json.loads(str(np.load(out)["metadata"]))
    settings = json.loads(about["settings"])
    assert (settings["prompts"], settings["n"]) == (prompts, 3)
    assert "prompt" not in settings
    asked.unlink()
    words = shlex.split(about["command"])
    assert words[-7:] == ["--line", "a DOG, blue background", "--line=-a cat", "--line", "", "--out", "out.npz"]
    assert command_line.main([*words[3:-1], str(tmp_path / "again.npz")]) == 0
    assert np.array_equal(np.load(out)["images"], np.load(tmp_path / "again.npz")["images"])


def test_a_command_says_how_it_reads_its_prompts(model: Model, tmp_path: Path, monkeypatch, capsys) -> None:
    monkeypatch.setattr(latent_diffusion.Model, "parts", model.components())
    checkpoint.save(tmp_path / "tiny.safetensors", model, {})
    out, asked = tmp_path / "out.npz", tmp_path / "prompts.txt"
    flags = ["sample", "tiny", "--steps", "1", "--weights", str(tmp_path), "--out", str(out)]
    assert command_line.main([*flags, "--n", "1", "--prompt", "two stawberries", "--negative", "gray"]) == 0
    said = capsys.readouterr()
    assert said.out == f"{out}\n"
    assert "Read as a strawberry, on any background; *stawberries* is read as *strawberry*; *two* is left" in said.err
    assert "The negative prompt: Read as any emoji, on a grey background; *gray* is read as *grey*." in said.err
    settings = json.loads(json.loads(str(np.load(out)["metadata"]))["settings"])
    assert (settings["prompt"], settings["negative"]) == ("a strawberry", "a grey background")
    asked.write_text("an owl\nun chien\n", encoding="utf-8")
    assert command_line.main([*flags, "--prompts", str(asked)]) == 0
    assert np.load(out)["prompts"].tolist() == ["an owl", "a dog"]
    said = capsys.readouterr()
    assert "un chien: Read as a dog face, on any background; *chien* is read as *dog* (French).\n" in said.err
    assert "an owl" not in said.err
    out.unlink()
    assert command_line.main([*flags, "--prompt", "zeppelin"]) == 2
    assert "No word of “zeppelin” names an emoji or a background" in capsys.readouterr().err
    assert not out.exists()


def test_a_pipeline_reads_prompts_in_the_words_of_its_checkpoint(model: Model, tmp_path: Path, capsys) -> None:
    for name, core in (("few", True), ("all", False)):
        checkpoint.save(tmp_path / f"{name}.safetensors", model, {"flags": {"core": core}})
    few, all_emoji = (playground.load(tmp_path / f"{name}.safetensors") for name in ("few", "all"))
    assert all_emoji.sample(prompt="a worm and a dog").settings.prompt == "a worm to the left of a dog"
    assert "*and* is read as *to the left of*" in capsys.readouterr().err
    assert few.sample(prompt="a worm and a dog").settings.prompt == "a dog"
    assert few.sample(prompts=["a cat & a dog", "an owl"]).prompts == ["a cat to the left of a dog", "an owl"]
    with pytest.raises(UserError, match="No word of “a worm”"):
        few.sample(prompt="a worm")
    with pytest.raises(UserError, match="prompts must be a list of texts"):
        few.sample(prompts="an owl")


@pytest.mark.parametrize("more", [["--n", "3"], ["--prompt", "a cat"], ["--line", "a cat"]])
def test_a_file_of_prompts_stands_alone(model: Model, tmp_path: Path, more: list[str], capsys) -> None:
    checkpoint.save(tmp_path / "tiny.safetensors", model, {})
    flags = ["--prompts", "prompts.txt", "--out", "a.png", "--weights", str(tmp_path)]
    assert command_line.main(["sample", "tiny", *flags, *more]) == 2
    assert "leave out the other, --n and --prompt" in capsys.readouterr().err


def test_an_animation_shows_what_the_latents_decode_to(model: Model, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(latent_diffusion.Model, "parts", model.components())
    checkpoint.save(tmp_path / "tiny.safetensors", model, {})
    out = tmp_path / "run.gif"
    flags = ["--n", "2", "--steps", "3", "--weights", str(tmp_path), "--out", str(out)]
    assert command_line.main(["sample", "tiny", *flags]) == 0
    with Image.open(out) as animation:
        assert animation.n_frames == 4
    written: list[np.ndarray] = []
    monkeypatch.setattr(media, "write_gif", lambda path, images, about: written.append(images))
    assert command_line.main(["sample", "tiny", *flags]) == 0
    x = pictures.to_uint8(sampled(model, Settings(n=2, steps=3)))
    assert np.abs(written[0][-1].astype(int) - x).max() <= 2, "pictures, not the latents themselves"
