"""What the arena shows of an adversarial training: the networks at some moments of it, and what they did there.

The networks are those in training, not their moving average, which would hide what goes wrong.
"""

import io
import json
import math
from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from tqdm import tqdm

from playground import adversarial, checkpoint, pictures
from playground.data import digits
from playground.history import CURVES, History
from playground.models import gan
from playground.sampling import BATCH, generator
from train import device, loop
from train.judging import Judge, apart
from train.measures import frechet

MOMENTS = 40
SHOWN, COLUMNS = 16, 4  # pictures at a moment
PROBED = 200  # logits and slopes of a moment
JUDGED = 10_000  # samples of a moment that are read and compared, as many as in the tables of `evaluate`
POINTS = 500  # of the curves, at most


def moments(steps: int) -> list[int]:
    """Steps at about equal ratios, the first and the last among them; at least `MOMENTS` if there are as many."""
    for n in range(MOMENTS, 20 * MOMENTS):
        found = np.unique(np.geomspace(1, steps, n).round().astype(int))
        if len(found) >= MOMENTS:
            return found.tolist()
    return list(range(1, steps + 1))


def snapshots(run: loop.Run, records: Iterator[loop.Record]) -> Iterator[loop.Record]:
    """The records, while the networks are kept at each of the moments."""
    wanted = set(moments(run.options.steps))
    for record in records:
        if record.step in wanted:
            path = run.options.folder / f"moment-{record.step:07d}.safetensors"
            checkpoint.save(path, run.accelerator.unwrap_model(run.model), loop.provenance(run.options, record.step, 1))
        yield record


@torch.no_grad()
def look_back(options: Any, judge: Judge, images: Tensor, labels: Tensor) -> History:
    """What the networks did at each of the kept moments of a finished run.

    Args:
        options: of the run, a `train.gan.Recipe`.
        judge: who reads and compares the samples.
        images, labels: training digits (N, 1, 32, 32) in [-1, 1] and their classes (N,).
    """
    floor = np.mean([frechet(judge.real, judge.look(images[part])[0]) for part in apart(len(images), JUDGED)[:3]])
    steps = moments(options.steps)
    made = [
        _moment(options, step, judge, images[:PROBED], labels[torch.arange(JUDGED) % len(labels)])
        for step in tqdm(steps, desc=f"history of {options.name}")
    ]
    rows = [json.loads(line) for line in (options.folder / loop.LOG).read_text().splitlines()]
    rows = rows[:: math.ceil(len(rows) / POINTS)]

    def column(name: str) -> np.ndarray:
        return np.stack([moment[name] for moment in made])

    return History(
        steps=np.array(steps, np.int32),
        pictures=[moment["picture"] for moment in made],
        columns=COLUMNS,
        real=column("real"),
        fake=column("fake"),
        slopes=column("slopes"),
        classes=column("classes"),
        frechet=(column("frechet") / floor).astype(np.float32),
        curve_steps=np.array([row["step"] for row in rows], np.int32),
        curves=np.array([[row[name] for row in rows] for name in CURVES], np.float32),
    )


def _moment(options: Any, step: int, judge: Judge, images: Tensor, labels: Tensor) -> dict[str, Any]:
    """What is kept of a moment, by the names of `History`: of digits (PROBED, 1, 32, 32), and classes to draw."""
    model: gan.Model = device.load(options.folder / f"moment-{step:07d}.safetensors").eval()
    stage = gan.grown(options.config, (step - 1) / options.steps)
    z = torch.randn(JUDGED, options.config.latent, generator=generator(0)).to(device.DEVICE)
    y = labels.to(device.DEVICE)
    batches = zip(z.split(BATCH), y.split(BATCH), strict=True)
    samples = torch.cat([model.generator(*batch, stage).float() for batch in batches])
    features, read = judge.look(F.interpolate(samples, digits.SIZE))
    sheet = pictures.image(pictures.grid(pictures.to_uint8(samples[:SHOWN]), columns=COLUMNS))
    sheet.save(webp := io.BytesIO(), "WEBP", quality=60, method=6)
    d = partial(model.discriminator, y=y[:PROBED], stage=stage)
    return {
        "picture": webp.getvalue(),
        **_probe(d, gan.at_stage(images.to(device.DEVICE), stage), samples[:PROBED]),
        "classes": read.bincount(minlength=digits.CLASSES).numpy().astype(np.uint16),
        "frechet": frechet(judge.real, features),
    }


@torch.enable_grad()
def _probe(d: adversarial.Critic, real: Tensor, fake: Tensor) -> dict[str, np.ndarray]:
    """Logits of both, and the slope of D between them."""
    x = adversarial.between(real, fake, torch.rand(len(real), generator=generator(1))).detach().requires_grad_()
    slopes = adversarial.norm(adversarial.input_gradient(d(x), x))
    found = {"real": d(real), "fake": d(fake), "slopes": slopes}
    return {name: values.detach().cpu().numpy().astype(np.float16) for name, values in found.items()}
