"""The history of an adversarial training: the networks at some steps of it, their samples, logits and slopes.

The networks are those in training rather than their moving average, which would hide failures.
"""

import io
import json
import math
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from tqdm import tqdm

from playground.datasets import mnist
from playground.families import gan
from playground.families.gan import losses
from playground.families.gan.history import CURVES, History
from playground.runtime import checkpoint, pictures
from playground.runtime.rng import make_rng
from playground.runtime.run import BATCH
from train import device
from train.evaluation.metrics import frechet
from train.evaluation.sample_quality import Judge, disjoint_parts
from train.options import Options, provenance
from train.run import LOG, Run, Step

N_MOMENTS = 40
N_PICTURES, COLUMNS = 16, 4  # samples to show at a step
N_PROBES = 200  # logits and slopes at a step
N_JUDGED = 10_000  # samples of a step for the Frechet distance, as many as in the tables of `evaluate`
POINTS = 500  # the most points of a curve


@lru_cache(maxsize=1)
def moments(steps: int) -> list[int]:
    """Return at least `N_MOMENTS` steps, if there are as many, at about equal ratios from the first to the last."""
    for n in range(N_MOMENTS, 20 * N_MOMENTS):
        geometric_steps = np.unique(np.geomspace(1, steps, n).round().astype(int))
        if len(geometric_steps) >= N_MOMENTS:
            return geometric_steps.tolist()
    return list(range(1, steps + 1))


def save_snapshot(run: Run, step: Step) -> None:
    """Save the networks after a step, if it is one of the moments."""
    n = step.index + 1
    if n in moments(run.options.steps):
        about = provenance(run.options, n, 1) | {"progress": run.progress}
        checkpoint.save(_snapshot_path(run.options, n), run.accelerator.unwrap_model(run.model), about)


def _snapshot_path(options: Options, step: int) -> Path:
    return options.folder / f"moment-{step:07d}.safetensors"


@torch.no_grad()
def build_history(options: Options, n_steps: int, judge: Judge, images: Tensor, labels: Tensor) -> History:
    """Build the history of a finished run from the networks saved along the way.

    Args:
        options: The options of the run.
        n_steps: Steps that the run has taken.
        judge: The classifier that judges the samples.
        images, labels: Training digits (N, 1, 32, 32) in [-1, 1] and their classes (N,).
    """
    floor = np.mean(
        [frechet(judge.real, judge.classify(images[part])[0]) for part in disjoint_parts(len(images), N_JUDGED)[:3]]
    )
    steps = [step for step in moments(options.steps) if step <= n_steps and _snapshot_path(options, step).exists()]
    columns = [
        _moment(_snapshot_path(options, step), judge, images[:N_PROBES], labels[torch.arange(N_JUDGED) % len(labels)])
        for step in tqdm(steps, desc=f"history of {options.name}")
    ]
    rows = [json.loads(line) for line in (options.folder / LOG).read_text().splitlines()]
    rows = rows[:: math.ceil(len(rows) / POINTS)]

    def column(name: str) -> np.ndarray:
        return np.stack([moment[name] for moment in columns])

    return History(
        steps=np.array(steps, np.int32),
        pictures=[moment["picture"] for moment in columns],
        columns=COLUMNS,
        real=column("real"),
        fake=column("fake"),
        slopes=column("slopes"),
        classes=column("classes"),
        frechet=(column("frechet") / floor).astype(np.float32),
        curve_steps=np.array([row["step"] for row in rows], np.int32),
        curves=np.array([[row[name] for row in rows] for name in CURVES], np.float32),
    )


def _moment(path: Path, judge: Judge, images: Tensor, labels: Tensor) -> dict[str, Any]:
    """Return the fields of `History` at the step of a snapshot.

    Args:
        images: Real digits (N_PROBES, 1, 32, 32).
        labels: Classes of the samples (N_JUDGED,).
    """
    model: gan.Model = device.load(path).eval()
    stage = gan.growth_stage(model.config, checkpoint.read_header(path).provenance["progress"])
    z = torch.randn(N_JUDGED, model.config.latent, generator=make_rng(0)).to(device.DEVICE)
    y = labels.to(device.DEVICE)
    batches = zip(z.split(BATCH), y.split(BATCH), strict=True)
    samples = torch.cat([model.generator(*batch, stage).float() for batch in batches])
    features, predictions = judge.classify(F.interpolate(samples, mnist.SIZE))
    grid_image = pictures.to_pil(pictures.make_grid(pictures.to_uint8(samples[:N_PICTURES]), columns=COLUMNS))
    grid_image.save(webp := io.BytesIO(), "WEBP", quality=60, method=6)
    d = partial(model.discriminator, y=y[:N_PROBES], stage=stage)
    return {
        "picture": webp.getvalue(),
        **_probe(d, gan.resize_to_stage(images.to(device.DEVICE), stage), samples[:N_PROBES]),
        "classes": judge.count(predictions).numpy().astype(np.uint16),
        "frechet": frechet(judge.real, features),
    }


@torch.enable_grad()
def _probe(d: losses.Critic, real: Tensor, fake: Tensor) -> dict[str, np.ndarray]:
    """Return the logits of real and fake images, and the slopes of the discriminator between them."""
    x = losses.lerp_images(real, fake, torch.rand(len(real), generator=make_rng(1))).detach().requires_grad_()
    slopes = losses.gradient_norm(losses.input_gradient(d(x), x))
    probes = {"real": d(real), "fake": d(fake), "slopes": slopes}
    return {name: values.detach().cpu().numpy().astype(np.float16) for name, values in probes.items()}
