"""Options that every recipe shares, and the provenance of a checkpoint."""

import json
import re
from dataclasses import asdict, dataclass
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Literal

import torch
from accelerate.tracking import LOGGER_TYPE_TO_CLASS

from playground.datasets import scenes
from playground.datasets.dataset import Dataset
from playground.datasets.image_folder import read_image_folder
from playground.datasets.registry import DATASETS, get_dataset
from playground.runtime import checkpoint, validation
from playground.runtime.checkpoint import JSONObject
from playground.runtime.validation import UserError
from train.optimizers import Optimizer

Precision = Literal["bf16", "fp16", "no"]  # Accelerate's names
INTEGERS = {
    **dict.fromkeys(
        ("steps", "batch_size", "accumulate", "cycles", "save_every", "picture_every", "log_every"), (1, 10**9)
    ),
    "warmup": (0, 10**9),
    "seed": (0, validation.MAX_SEED),
}
REALS = {
    "lr": (0.0, 10.0),
    "decay": (0.0, 1.0),
    "weight_decay": (0.0, 100.0),
    "clip_norm": (1e-6, 1e9),
    "ema": (0.0, 1.0),
    "minutes": (0.01, 1e6),
    "pause_after": (0.0, 1e6),
}
BETA = (0.0, 0.999999)


@dataclass(frozen=True)
class Options:
    """Options that every recipe shares.

    Attributes:
        name: Name of the checkpoint, and of the folder of the run.
        steps: Optimizer steps of the whole run.
        batch_size: Images of a batch, over all processes.
        accumulate: Batches whose mean gradient makes a step, as one batch so many times as large would.
        lr: Largest learning rate.
        warmup: Steps over which the learning rate rises at the start of a cycle; at most an eighth of the run.
        decay: Fraction of a cycle, at its end, over which the learning rate falls to 0.
        cycles: Equal parts of the run, each with this course of the learning rate (Loshchilov 2017, "SGDR"); fewer in a
            run too short for them, see `warmup`.
        optimizer: Either adamw or muon, see `train.optimizers`.
        betas: Betas of AdamW, to which Muon leaves some of the weights.
        weight_decay: Decoupled weight decay (Loshchilov 2019).
        clip_norm: Largest norm of the gradient.
        ema: Largest decay of the moving average of the weights, which is what ships; it warms up to that.
        precision: Mixed precision by bf16 (bfloat16) or, on GPUs without it, fp16 (float16); or no, single precision.
        compile: Use torch.compile (a minute to start, then faster).
        minutes: Train to the end in so many minutes instead of `steps`: the learning rate follows the clock, in one
            cycle, and the checkpoint tells how many steps that were; by default the steps count.
        pause_after: Minutes after which to stop and save the state; the same command continues. No limit by default.
        start: Checkpoint of the same model from which to start, at its step and with its averaged weights, where there
            is no saved state; at the end of a cycle, when the learning rate is 0, little else is lost. None by default.
        seed: Seed of the initial weights, the batches and the noise.
        data: Folder of the data sets.
        out: Folder of the finished checkpoint.
        runs: Folder of unfinished runs with their states, logs and pictures.
        save_every: Steps between two saved states.
        picture_every: Steps between two pictures, and between two losses on held-out data.
        log_every: Steps between two rows of the log.
        tracker: Experiment tracker of Accelerate, to be installed: aim, clearml, comet_ml, dvclive, mlflow, swanlab,
            tensorboard, trackio or wandb; none by default.
    """

    name: str
    steps: int
    batch_size: int = 128
    accumulate: int = 1
    lr: float = 4e-4
    warmup: int = 500
    decay: float = 0.3
    cycles: int = 1
    optimizer: Optimizer = "adamw"
    betas: tuple[float, float] = (0.9, 0.999)
    weight_decay: float = 0.01
    clip_norm: float = 1.0
    ema: float = 0.999
    precision: Precision = "bf16"
    compile: bool = False
    minutes: float | None = None
    pause_after: float | None = None
    start: Path | None = None
    seed: int = 0
    data: Path = Path("data")
    out: Path = checkpoint.WEIGHTS
    runs: Path = Path("runs")
    save_every: int = 500
    picture_every: int = 1000
    log_every: int = 20
    tracker: str | None = None

    def __post_init__(self) -> None:
        if not re.fullmatch(r"\w[\w.-]*", self.name):
            raise UserError(f"name must be letters, digits, '.', '-' and '_', since it names files, not {self.name!r}")
        validation.check_bounds(self, INTEGERS, REALS)
        for beta in self.betas:
            validation.check_number("betas", beta, *BETA)
        if self.tracker is not None:
            validation.check_choice("tracker", self.tracker, LOGGER_TYPE_TO_CLASS)

    @property
    def data_description(self) -> str:
        """Return a description of the data for the header of the checkpoint."""
        raise NotImplementedError

    @property
    def data_name(self) -> str:
        """Return the name of the data, for the name of the checkpoint; "" where a recipe has no choice of data."""
        return ""

    @property
    def class_names(self) -> tuple[str, ...]:
        """Return the names of the classes of the data for the header of the checkpoint."""
        return ()

    @property
    def folder(self) -> Path:
        """Return the folder of the run."""
        return self.runs / self.name


@dataclass(frozen=True)
class DatasetOptions(Options):
    """Options of the recipes that train on a data set of choice.

    Attributes:
        dataset: Name of a data set, such as digits or fashion_mnist.
    """

    dataset: str = "digits"

    @property
    def data_name(self) -> str:
        return self.dataset

    @cached_property
    def training_data(self) -> Dataset:
        """Return the data set, or raise UserError if there is none or it cannot be used."""
        return get_dataset(self.dataset)

    @property
    def data_description(self) -> str:
        return self.training_data.description

    @property
    def class_names(self) -> tuple[str, ...]:
        return self.training_data.classes


@dataclass(frozen=True)
class ImageOptions(DatasetOptions):
    """Options of the recipes that train on a data set or on a folder of images.

    Attributes:
        data_folder: Folder of your own images, optionally with a subfolder for each class, in place of a data set; they
            are scaled and cropped to `config.size` pixels.
    """

    data_folder: Path | None = None

    @property
    def image_shape(self) -> tuple[int, int]:
        """Return the channels and the size in pixels of the model's images."""
        raise NotImplementedError

    @property
    def data_name(self) -> str:
        """Return the name of the data set or the folder; that of a folder is never one of a data set."""
        if self.data_folder is None:
            return self.dataset
        name = re.sub(r"[^\w.-]+", "-", self.data_folder.resolve().name)
        return f"{name}-folder" if name in DATASETS else name

    @cached_property
    def training_data(self) -> Dataset:
        """Return the data set or the folder of images, or raise UserError if it cannot be used."""
        if self.data_folder is None:
            return get_dataset(self.dataset)
        channels, size = self.image_shape
        return read_image_folder(self.data_folder, size, channels)


@dataclass(frozen=True)
class SceneOptions(Options):
    """Options of the recipes that train on scenes of emoji.

    Attributes:
        core: Learn only the emoji of `emoji.CORE` rather than all of the font.
    """

    core: bool = True

    @property
    def data_name(self) -> str:
        return "emoji" if self.core else "emoji-all"

    @property
    def data_description(self) -> str:
        return scenes.DESCRIPTION


# Flags of folders, pauses and reports, which do not change the result.
NON_EXPERIMENT_FLAGS = {
    "data",
    "out",
    "runs",
    "judge",
    "parts",
    "pause_after",
    "compile",
    "tracker",
    "save_every",
    "picture_every",
    "log_every",
}


def experiment(options: Options) -> JSONObject:
    """Return the flags that decide the result, as JSON; of paths only the names, since folders differ by machine."""
    flags = {k: v for k, v in asdict(options).items() if k not in NON_EXPERIMENT_FLAGS}
    return json.loads(json.dumps(flags, default=lambda path: path.resolve().name))


def provenance(options: Options, step: int, processes: int, caller_data: bool = False) -> JSONObject:
    """Return the provenance for the header of a checkpoint, where data of the caller's have no name."""
    flags, data, classes = experiment(options), options.data_description, options.class_names
    if caller_data:
        flags = {name: value for name, value in flags.items() if name not in ("dataset", "data_folder")}
        data, classes = "images given by the caller", ()
    return {
        "recipe": type(options).__module__.rpartition(".")[2],
        "flags": flags,
        "seed": options.seed,
        "steps": step,
        "processes": processes,
        "data": data,
        "classes": classes,
        "date": date.today().isoformat(),
        "torch": torch.__version__,
    }
