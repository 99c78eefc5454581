"""The command that the page shows, read by the rules of POSIX shells and by those of Windows."""

import dataclasses
import re
import shlex

import pytest

from playground import __main__ as command_line
from playground.export import media
from playground.families import ddpm, latent_diffusion
from playground.runtime.checkpoint import WEIGHTS

TEXT = WEIGHTS / "text-to-image-emoji.safetensors"
START = ["python", "-m", "playground", "sample", "text-to-image-emoji"]


def split_windows(line: str) -> list[str]:
    """Split a line as cmd passes it on and Microsoft's C runtime reads it; single quotes mean nothing to either.

    Source: "Parsing C command-line arguments", Microsoft Learn.
    """
    outside = "".join(line.split('"')[::2])  # cmd knows quotes, and no escape of them
    assert not re.search(r"[&|<>^\n]", outside), "cmd would take this for an operator"
    assert not re.search(r"%\w+%", line), "cmd would take this for a variable"
    words, word, quoted, position = [], "", False, 0
    pattern = re.compile(r'(\\*)"|(\s+)|(\\+|[^\\"\s]+)')
    started = False
    while position < len(line):
        match = pattern.match(line, position)
        assert match
        position = match.end()
        backslashes, space, plain = match.groups()
        if space and not quoted:
            words += [word] * started
            word, started = "", False
            continue
        started = True
        if backslashes is None:
            word += space or plain
        else:
            word += "\\" * (len(backslashes) // 2) + '"' * (len(backslashes) % 2)
            quoted ^= len(backslashes) % 2 == 0
    return [*words, word] if started else words


@pytest.mark.parametrize("text", [
    "a dog", "it's a dog", "-a dog", 'a "big" dog', "cats & dogs | <b> ^", "100% wool", "what a dog! yes!", "a=b;c,d",
    "50% red, 50% blue", "(a) *dog*? [x] {y}", "#1 ~ two", "\N{DOG FACE} élan",
])  # fmt: skip
@pytest.mark.parametrize("name", ["prompt", "negative"])
def test_both_shells_read_the_words_of_any_prompt(name: str, text: str) -> None:
    settings = latent_diffusion.Settings(**{name: text})
    command = media.build_command(TEXT, settings, "my picture.png")
    words = shlex.split(command)
    assert split_windows(command) == words
    flag = [f"--{name}={text}"] if text.startswith("-") else [f"--{name}", text]
    assert words == [*START, *flag, "--out", "my picture.png"]


@pytest.mark.parametrize("text", ["a $5 dog", "a `dog`", "a\\dog", "a !dog", '"cats" & dogs', "two\nlines",
                                  "a %PATH% dog"])  # fmt: skip
def test_words_that_no_quotes_pass_through_both_shells_are_right_in_posix(text: str) -> None:
    assert shlex.split(media.quote(text)) == [text]
    assert media.quote(text).startswith("'")


def test_an_empty_prompt_is_a_word_in_both_shells() -> None:
    command = media.build_command(TEXT, latent_diffusion.Settings(prompt=""), "a.png")
    assert split_windows(command) == shlex.split(command) == [*START, "--prompt", "", "--out", "a.png"]


def test_defaults_are_left_out() -> None:
    assert media.build_command(TEXT, latent_diffusion.Settings(), "a.png") == " ".join([*START, "--out a.png"])
    assert "--weights" not in media.build_command(TEXT, latent_diffusion.Settings(seed=3), "a.png")


CHANGED = {"n": 3, "label": 7, "sampler": "dpm-solver++", "steps": 4, "eta": 0.5, "w": 2.5, "clip": False, "seed": 9}


@pytest.mark.parametrize("name", CHANGED)
def test_any_setting_that_is_changed_comes_back_from_the_command(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command line is parsed up to the run, which is not made."""
    settings = ddpm.Settings(**{name: CHANGED[name]})
    runs = list[object]()
    monkeypatch.setattr(command_line, "sample_to_file", lambda path, out, run, device: runs.append(run.keywords))
    command = media.build_command(WEIGHTS / "ddpm-digits.safetensors", settings, "a.png", first=2)
    assert command_line.main(shlex.split(command)[3:]) == 0
    assert runs == [{"settings": settings, "first": 2, "prompts": []}]


def test_every_setting_has_such_a_change() -> None:
    assert CHANGED.keys() == {field.name for field in dataclasses.fields(ddpm.Settings)}


def test_both_shells_read_any_prompts() -> None:
    prompts = ["it's a dog", "-a cat", "", "cats & dogs"]
    command = media.build_command(TEXT, latent_diffusion.Settings(n=4, prompt="no other"), "a.png", prompts)
    lines = ["--line", "it's a dog", "--line=-a cat", "--line", "", "--line", "cats & dogs"]
    assert split_windows(command) == shlex.split(command) == [*START, *lines, "--out", "a.png"]


def test_the_help_names_the_checkpoints_that_make_pictures(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        command_line.main(["sample", "--help"])
    names = capsys.readouterr().out.splitlines()[0].partition("one of: ")[2].split(", ")
    assert {"ddpm-digits", "text-to-image-emoji"} <= {*names}
    assert not {"judge-digits", "clip-emoji", "score-grid"} & {*names}
