"""The command `python -m train`: what it explains, refuses, and how it ends."""

import errno
import re

import pytest

from playground.datasets.densities import DENSITIES
from playground.diffusion.parameterization import PREDICTIONS
from playground.diffusion.schedule import SCHEDULES
from playground.families.gan.losses import LOSSES
from playground.families.vae.model import LIKELIHOODS
from playground.families.vae.objectives import OBJECTIVES
from playground.runtime import checkpoint, validation
from playground.runtime.family import family_names
from playground.runtime.validation import UserError
from train import __main__ as command_line
from train import ddpm
from train.checks import check_config
from train.optimizers import OPTIMIZERS
from train.options import LOGGER_TYPE_TO_CLASS, experiment

NAMES = [*family_names(), "evaluate"]
RECIPES = [recipe for module in command_line._load_families().values() for recipe in module.RECIPES]


def ended(words: str, capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    """The exit status of a command, and what it wrote on both streams, in one line without the frame around it."""
    try:
        status = command_line.main(words.split())
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else 1
    out, err = (" ".join(re.sub(r"[│╭╮╰╯─|]|-{3,}", " ", text).split()) for text in capsys.readouterr())
    return status, out, err


def options(name: str, capsys: pytest.CaptureFixture[str]) -> dict[str, str]:
    """The help text of each option of a recipe."""
    status, shown, _ = ended(f"{name} --help", capsys)
    assert status == 0
    parts = re.split(r" --(?!(?:\w+\.)?no-)([a-zA-Z][\w.-]*),?", shown)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


@pytest.mark.parametrize("name", NAMES)
def test_every_option_has_a_help_text(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    texts = options(name, capsys)
    assert len(texts) >= 8
    for option, shown in texts.items():
        text = re.sub(r"\(default: .*|--[\w.]*no-[\w-]+|\b[A-Z]{3,}\b|[\[\]{}|.]", "", shown)
        assert len(text.split()) >= 2, f"--{option} {shown}"


@pytest.mark.parametrize(
    ("name", "option", "choices"),
    [("ddpm", "config.prediction", PREDICTIONS), ("ddpm", "config.schedule", SCHEDULES),
     ("latent_diffusion", "config.prediction", PREDICTIONS), ("latent_diffusion", "config.schedule", SCHEDULES),
     ("ddpm", "tracker", LOGGER_TYPE_TO_CLASS), ("ddpm", "optimizer", OPTIMIZERS),
     ("ddpm", "precision", ("bf16", "fp16", "no")), ("gan", "objective.loss", LOSSES),
     ("score_matching", "config.data", DENSITIES),
     ("score_matching", "objective", ("denoising", "sliced", "explicit")),
     ("normalizing_flow", "config.coupling", ("affine", "spline")),
     ("vae", "config.likelihood", LIKELIHOODS), ("vae", "objective.kind", OBJECTIVES)],
)  # fmt: skip
def test_the_help_text_of_a_choice_names_all_there_are(name, option, choices, capsys) -> None:
    shown = options(name, capsys)[option]
    assert not [choice for choice in choices if choice not in shown]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [("ddpm --warmup -5", "warmup must be a whole number from 0 to 1000000000, not -5"),
     ("ddpm --clip-norm -1", "clip_norm must be a number from 1e-06 to 1e+09, not -1.0"),
     ("ddpm --class-dropout 7", "class_dropout must be a number from 0 to 1, not 7.0"),
     ("text-to-image-emoji --dropout 7", "dropout must be a number from 0 to 1, not 7.0"),
     ("clip --of-two -1", "of_two must be a number from 0 to 1, not -1.0"),
     ("autoencoder --kl-weight -1", "kl_weight must be a number from 0"),
     ("vae --objective.warmup -5", "warmup must be a whole number from 0"),
     ("vae --objective.beta -1", "beta must be a number from 0"),
     ("ddpm --minutes -3", "minutes must be a number from 0.01 to 1e+06, not -3.0"),
     ("ddpm --pause-after -3", "pause_after must be a number from 0 to 1e+06, not -3.0"),
     ("ddpm --seed -1", "seed must be a whole number from 0 to 4294967295, not -1"),
     ("ddpm --betas 2 2", "betas must be a number from 0 to 0.999999, not 2.0"),
     ("ddpm --name ../../escape", "name must be letters, digits, '.', '-' and '_', since it names files"),
     ("ddpm --tracker nonsense", "tracker must be one of aim,"),
     ("ddpm --tracker tensorbord", "did you mean tensorboard?"),
     ("ddpm --config.prediction epsilon", "prediction must be one of eps, x0, v, not 'epsilon'"),
     ("score_matching --config.data rings", "config.data must be one of ring, grid, uneven,"),
     ("ddpm --optimizer adam", "'adamw', 'muon'"),
     ("ddpm --stepz 5", "Perhaps you meant: --steps"),
     ("autoencoder --config.size 32", "config.size must be 64, as in the data, not 32"),
     ("text-to-image-emoji --config.channels 3", "config.channels must be 4, as in the data, not 3"),
     ("vae-digits --config.channels 3 --data nowhere", "config.channels must be 1, as in the data, not 3"),
     ("vae-digit", "did you mean vae-digits?"),
     ("evaluate vae-digit", "did you mean vae-digits?"),
     ("evaluate --n 0", "n must be a whole number from 1"),
     ("evaluate --seeds -1", "seeds must be a whole number from 1"),
     ("evaluate --weights nowhere", "weights must be a folder, and there is no folder nowhere")],
)  # fmt: skip
def test_what_cannot_be_is_refused_with_the_exit_code_2(words, sentence, capsys) -> None:
    status, out, err = ended(words, capsys)
    assert (status, out) == (2, "")
    assert sentence in err


@pytest.mark.parametrize(
    ("words", "name"),
    [
        ("ddpm", "ddpm-digits"),
        ("vae --dataset fashion_mnist", "vae-fashion_mnist"),
        ("judge --dataset fashion_mnist", "judge-fashion_mnist"),
        ("ddpm --dataset fashion_mnist --name mine", "mine"),
        ("ddpm --data-folder my_pictures/", "ddpm-my_pictures"),
        ("ddpm --data-folder my_pictures/digits", "ddpm-digits-folder"),
        ("vae --data-folder my_pictures/emoji", "vae-emoji-folder"),
        ("vae-digits-beta4 --dataset fashion_mnist", "vae-fashion_mnist-beta4"),
        ("vae-binary-20 --dataset fashion_mnist", "vae-binary-20-fashion_mnist"),
        ("score-grid --config.data moons", "score-moons"),
        ("score-ring --config.data ring", "score-ring"),
        ("autoencoder --no-core", "autoencoder-emoji-all"),
        ("clip --no-core", "clip-emoji-all"),
        ("text-to-image-emoji --no-core", "text-to-image-emoji-all"),
        ("gan-digits-minimax --stacked", "gan-stacked-minimax"),
    ],
)
def test_another_data_set_does_not_replace_the_shipped_checkpoint(words, name, monkeypatch, capsys) -> None:
    trained = []
    for module in command_line._load_families().values():
        monkeypatch.setattr(module, "train", lambda recipe: trained.append(recipe.name))
    ended(words, capsys)
    assert trained == [name]


@pytest.mark.parametrize(
    ("words", "name"),
    [
        ("vae --dataset emoji --config.size 64 --config.channels 3", "vae-emoji"),
        ("vae --dataset shapes", "vae-shapes"),
        ("vae-shapes --dataset digits", "vae-digits"),
        ("vae --data-folder my_pictures/digits-2d", "vae-digits-2d"),
        ("score-grid --config.data ring", "score-ring"),
        ("gan --stacked", "gan-stacked-nonsaturating"),
    ],
)
def test_another_data_set_does_not_replace_the_checkpoint_of_another_recipe(words, name, monkeypatch, capsys) -> None:
    trained = []
    for module in command_line._load_families().values():
        monkeypatch.setattr(module, "train", lambda recipe: trained.append(recipe.name))
    sentence = f"{name} is the checkpoint of another recipe: run that one, or choose a --name for this one"
    assert ended(words, capsys) == (2, "", sentence)
    assert ended(f"{words} --name mine", capsys)[0] == 0
    assert trained == ["mine"]


def test_a_recipe_needs_no_folder_of_checkpoints(monkeypatch, capsys) -> None:
    def check_folder(name: str, value: object) -> None:
        raise UserError(f"{name} must be a folder, and there is no folder {value}")

    trained = []
    monkeypatch.setattr(validation, "check_folder", check_folder)
    monkeypatch.setattr(ddpm, "train", lambda recipe: trained.append(recipe.name))
    assert ended("ddpm", capsys) == (0, "", "")
    assert trained == ["ddpm-digits"]
    status, _, err = ended("evaluate", capsys)
    assert status == 2
    assert "weights must be a folder" in err


@pytest.mark.parametrize("name", checkpoint.list_checkpoints().headers)
def test_a_recipe_repeats_the_experiment_that_is_shipped(name) -> None:
    recipe = next(recipe for recipe in RECIPES if recipe.name == name)
    flags, defaults = checkpoint.read_header(checkpoint.WEIGHTS / f"{name}.safetensors").flags, experiment(recipe)
    begun_from = {"start", "narrower"}  # in several runs, as weights/README.md says
    shared = (flags.keys() & defaults.keys()) - begun_from - {"config", "precision"}  # the latter is the machine's
    assert len(shared) >= 9
    assert {key: defaults[key] for key in shared} == {key: flags[key] for key in shared}


def test_a_config_for_other_data_is_refused_with_the_exit_code_2(monkeypatch, capsys) -> None:
    monkeypatch.setattr(ddpm, "train", lambda recipe: check_config(recipe.config, size=32))
    status, _, err = ended("ddpm --config.size 28", capsys)
    assert (status, err) == (2, "config.size must be 32, as in the data, not 28")


@pytest.mark.parametrize(("words", "expected"), [("", 2), ("--help", 0), ("--steps 5", 2)])
def test_without_a_name_the_names_are_listed(words, expected, capsys) -> None:
    status, out, _ = ended(words, capsys)
    assert status == expected
    assert "vae: vae-digits, vae-digits-2d," in out
    assert "evaluate" in out


@pytest.mark.parametrize(
    ("error", "expected", "sentence"),
    [(KeyboardInterrupt(), 130, "stopped"), (KeyboardInterrupt("stopped at step 3"), 130, "stopped at step 3"),
     (OSError(errno.ENOSPC, "No space left on device", "a/b.png"), 1, "a/b.png: No space left on device"),
     (OSError("odd"), 1, "odd")],
)  # fmt: skip
def test_an_early_end_is_one_sentence(error, expected, sentence, monkeypatch, capsys) -> None:
    def train(recipe: ddpm.Recipe) -> None:
        raise error

    monkeypatch.setattr(ddpm, "train", train)
    assert ended("ddpm", capsys) == (expected, "", sentence)
