"""Checkpoints as objects that sample: what the command line does, for scripts and notebooks."""

import io
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn
from tqdm import tqdm

from playground.export import media
from playground.runtime import checkpoint, inference, pictures, validation
from playground.runtime.family import Family, get_family
from playground.runtime.recording import record_images, subsample
from playground.runtime.run import BATCH, Frame, sample_batches
from playground.runtime.validation import UserError

SUFFIXES = (".png", ".npz", ".gif")
MAX_FIRST = 10**9  # index of the first image
ROWS, COLUMNS = 8, 10  # images and frames in the figure of a run


@dataclass(frozen=True)
class Pipeline:
    """Checkpoint of a generative model, ready to sample.

    Attributes:
        path: File of the checkpoint.
        family: Family of the model.
        model: The model in evaluation mode, which nothing else shares; it may be fine-tuned.
    """

    path: Path
    family: Family
    model: nn.Module

    def sample(self, first: int = 0, prompts: Sequence[str] = (), **settings: object) -> "Run":
        """Return a run; it computes nothing before its frames or images are needed.

        Args:
            first: Index of the first image; image i depends on (seed, i) alone.
            prompts: Prompts, one for each image, in families that take them.
            settings: Fields of the family's `Settings`, which are the flags of the command line.

        Raises:
            UserError: The family makes no pictures or takes no prompts, a setting is not valid, or a prompt is not
                understood.
        """
        if self.family.sample is None or self.family.Settings is None:
            raise UserError(f"{self.path.stem} makes no pictures")
        if prompts and self.family.read_prompts is None:
            raise UserError(f"{self.path.stem} takes no prompts: leave them out")
        if isinstance(prompts, str):  # whose letters would be prompts
            raise UserError('prompts must be a list of texts, such as ["a dog", "an owl"]')
        if prompts and settings.keys() & {"n", "prompt"}:
            raise UserError("prompts say what to draw and how many: leave out n and prompt")
        number = {"n": len(prompts)} if prompts else {}
        checked = self.family.Settings(**settings, **number)
        read, known_prompts = read_prompts(self.path, self.family, checked, prompts)
        return Run(self, read, validation.check_integer("first", first, 0, MAX_FIRST), known_prompts)


def load(name: str | Path, device: str = "cpu") -> Pipeline:
    """Load a checkpoint.

    Args:
        name: Name of a checkpoint in the folder of the weights, or path of a file that ends in .safetensors.
        device: Device of the model, such as cpu or cuda.

    Raises:
        UserError: There is no such device.
        CheckpointError: Missing, damaged, or its tensors do not fit its config or are not finite.
    """
    inference.check_device(device)
    path = Path(name) if Path(name).suffix == ".safetensors" else checkpoint.WEIGHTS / f"{name}.safetensors"
    family = get_family(checkpoint.read_header(path).family)
    return Pipeline(path, family, checkpoint.load(path, device=device).requires_grad_(True))


def read_prompts(path: Path, family: Family, settings: Any, prompts: Sequence[str]) -> tuple[Any, list[str]]:
    """Return settings and prompts in the words that the model of a checkpoint knows, and print how they were read.

    Raises:
        UserError: A prompt is not understood.
    """
    if family.read_prompts is None:
        return settings, list(prompts)
    provenance = checkpoint.read_header(path).provenance
    settings, sentence = family.read_prompts(settings, provenance)
    if not prompts:
        print(sentence, file=sys.stderr)  # a command's standard output names the file
    clean_prompts = []
    for prompt in prompts:
        read, sentence = family.read_prompts(replace(settings, prompt=prompt), provenance)
        clean_prompts.append(read.prompt)
        if read.prompt != prompt:
            print(f"{prompt}: {sentence}", file=sys.stderr)
    return settings, clean_prompts


@dataclass(frozen=True)
class Run:
    """Run of a sampler. Iterating over it yields its frames, the same ones each time.

    Attributes:
        pipeline: Checkpoint that is sampled.
        settings: `Settings` of its family.
        first: Index of the first image.
        prompts: Prompts, one for each image; none if all have the one in the settings.
    """

    pipeline: Pipeline
    settings: Any
    first: int = 0
    prompts: Sequence[str] = ()

    def __iter__(self) -> Iterator[Frame]:
        return self._frames(self.settings, self.first)

    def _frames(self, settings: Any, first: int) -> Iterator[Frame]:
        """Yield the frames of the images first ... first + settings.n - 1."""
        assert self.pipeline.family.sample, "checked before a run is made"
        start = first - self.first
        prompts = {"prompts": self.prompts[start : start + settings.n]} if self.prompts else {}
        return self.pipeline.family.sample(self.pipeline.model, settings, first, **prompts)

    def to_images(self, frame: Frame) -> np.ndarray:
        """Return a frame as images, uint8 (N, H, W, C)."""
        return pictures.to_uint8(self.pipeline.family.to_images(self.pipeline.model, frame))

    def images(self) -> np.ndarray:
        """Sample all images in batches, under a progress bar, uint8 (N, H, W, C)."""
        to_images, parts = partial(self.pipeline.family.to_images, self.pipeline.model), []
        with tqdm(total=self.settings.n, unit="picture") as bar:
            for x in sample_batches(self._frames, self.settings, to_images, self.first):
                parts.append(pictures.to_uint8(x))
                bar.update(len(x))
        return np.concatenate(parts)

    def conditions(self) -> dict[str, np.ndarray]:
        """Return the "prompts" or the "labels" of the images by that name, if there are any."""
        family, model = self.pipeline.family, self.pipeline.model
        if self.prompts:
            return {"prompts": np.asarray(self.prompts)}
        labels = family.labels(model, self.settings, self.first) if family.labels else None
        return {} if labels is None else {"labels": labels.numpy()}

    def save(self, out: str | Path) -> None:
        """Sample, and write a grid (.png), the images with their conditions (.npz), or the frames (.gif).

        Raises:
            UserError: The file cannot hold such a run, or cannot be written.
        """
        path, family = Path(out), self.pipeline.family
        check_out(path, family, self.settings.n)
        if path.suffix.lower() == ".gif":
            to_images, frames = partial(family.to_images, self.pipeline.model), tqdm(self, unit="frame")
            self.write(path, record_images(frames, self.settings.steps, to_images))
        else:
            self.write(path, self.images())

    def write(self, path: Path, images: np.ndarray) -> dict[str, str]:
        """Write what was sampled, and return the metadata of the file.

        Args:
            path: File: .png for a grid, .npz for arrays, .gif for an animation.
            images: Images uint8 (N, H, W, C), or the frames (F, N, H, W, C), of which an .npz has "images" too.

        Raises:
            UserError: The file cannot be written.
        """
        metadata = media.build_metadata(self.pipeline.path, self.settings, path.name, self.prompts, self.first)
        frames = {"frames": images} if images.ndim == 5 else {}
        last = images[-1] if frames else images
        if path.suffix.lower() == ".gif":
            media.write_gif(path, images, metadata)
        elif path.suffix.lower() == ".png":
            media.write_png(path, pictures.make_grid(last), metadata)
        else:
            media.write_npz(path, {"images": last, **frames, **self.conditions()}, metadata)
        return metadata

    def _repr_png_(self) -> bytes:
        """Draw a run in a notebook: a row for each of the first images, from the first frame to the last."""
        few = replace(self.settings, n=min(self.settings.n, ROWS))
        frames = subsample([self.to_images(frame) for frame in self._frames(few, self.first)], COLUMNS)
        cells = np.stack(frames, axis=1).reshape(-1, *frames[0].shape[1:])  # (N F, H, W, C)
        image = pictures.to_pil(pictures.magnify(pictures.make_grid(cells, len(frames), gap=1)))
        image.save(content := io.BytesIO(), "PNG")
        return content.getvalue()


def check_out(out: Path, family: Family, n: int) -> None:
    """Check that a file can hold n images of a family, or raise UserError."""
    suffix = out.suffix.lower()
    if suffix not in SUFFIXES:
        raise UserError(f"--out must end in {', '.join(SUFFIXES)}, not {out.name!r}")
    if out.is_dir():
        raise UserError(f"--out must be a file, but {out} is a folder")
    if suffix == ".gif" and not family.has_steps:
        raise UserError("the pictures of this family come in one step: choose .png or .npz")
    if suffix == ".gif" and n > BATCH:
        raise UserError(f"an animation has at most {BATCH} pictures; more fit into .npz or .png")
