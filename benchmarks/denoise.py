"""python -m benchmarks.denoise: the speed of our denoising network beside well-known ones, on the CPU.

All networks see the same input, 32x32 with one channel, and take turns: a slow moment of the machine hits all alike.
Each runs in float32 and in bfloat16 autocast with channels_last, and the better of the two counts.
"""

import json
import os
import platform
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
import tyro
from denoising_diffusion_pytorch import Unet
from diffusers import UNet2DModel
from torch import Tensor, nn
from tqdm import tqdm

from playground.models import ddpm
from train.ddpm import Recipe

SIZE = 32  # of the images
ROUNDS = 5  # turns of each cell
Name = Literal["ours", "lucidrains", "ddpm-cifar10", "course"]
Precision = Literal["fp32", "bf16"]


class Network(NamedTuple):
    """A network to time.

    Attributes:
        title: what the table calls it.
        build: makes it, with random weights.
        predict: calls it: (model, xt (B, 1, H, W), t (B,)) -> (B, 1, H, W).
    """

    title: str
    build: Callable[[], nn.Module]
    predict: Callable[[nn.Module, Tensor, Tensor], Tensor]


def _course() -> nn.Module:
    """The diffusion course's unit 1, "Diffusion Models from Scratch" (there for images of 28x28)."""
    return UNet2DModel(
        sample_size=SIZE,
        in_channels=1,
        out_channels=1,
        layers_per_block=2,
        block_out_channels=(32, 64, 64),
        down_block_types=("DownBlock2D", "AttnDownBlock2D", "AttnDownBlock2D"),
        up_block_types=("AttnUpBlock2D", "AttnUpBlock2D", "UpBlock2D"),
    )


def _cifar10() -> nn.Module:
    """The architecture of google/ddpm-cifar10-32, with one channel in and out instead of three."""
    return UNet2DModel(
        sample_size=SIZE,
        in_channels=1,
        out_channels=1,
        layers_per_block=2,
        block_out_channels=(128, 256, 256, 256),
        down_block_types=("DownBlock2D", "AttnDownBlock2D", "DownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "UpBlock2D", "AttnUpBlock2D", "UpBlock2D"),
        attention_head_dim=None,
        norm_eps=1e-6,
        downsample_padding=0,
        flip_sin_to_cos=False,
        freq_shift=1,
    )


NETWORKS: dict[Name, Network] = {
    "ours": Network(
        "ours, as shipped in ddpm-digits",
        lambda: ddpm.Model(Recipe().config),
        lambda model, xt, t: model(xt, t, t % 10),  # any class will do
    ),
    "lucidrains": Network(
        "denoising-diffusion-pytorch, `Unet(64, (1, 2, 4))`",
        lambda: Unet(dim=64, dim_mults=(1, 2, 4), channels=1),
        lambda model, xt, t: model(xt, t),
    ),
    "ddpm-cifar10": Network(
        "diffusers, google/ddpm-cifar10-32",
        _cifar10,
        lambda model, xt, t: model(xt, t).sample,
    ),
    "course": Network(
        "diffusers, the Hugging Face course's",
        _course,
        lambda model, xt, t: model(xt, t).sample,
    ),
}


@dataclass
class Cell:
    """One network at one task in one precision.

    Attributes:
        around: the context of a turn; what it does at its start is not timed.
        step: what is timed.
        times: seconds of each step so far.
    """

    network: Name
    precision: Precision
    around: Callable[[], AbstractContextManager[None]]
    step: Callable[[], None]
    times: list[float] = field(default_factory=list)

    def turn(self, seconds: float) -> None:
        """Step for so long, once at least."""
        with self.around():
            end = time.perf_counter() + seconds
            while (start := time.perf_counter()) < end:
                self.step()
                self.times.append(time.perf_counter() - start)


def _autocast(precision: Precision) -> AbstractContextManager[None]:
    return torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16")


def _prepare(network: Network, precision: Precision, batch: int) -> tuple[nn.Module, Tensor, Tensor]:
    """The model, x_t (B, 1, H, W) and t (B,)."""
    memory_format = torch.channels_last if precision == "bf16" else torch.contiguous_format
    model = network.build().to(memory_format=memory_format)
    xt = torch.randn(batch, 1, SIZE, SIZE).contiguous(memory_format=memory_format)
    return model, xt, torch.randint(1, 1000, (batch,))


def denoising(name: Name, precision: Precision, batch: int) -> Cell:
    """One evaluation of the network, which is what a step of a sampler costs."""
    model, xt, t = _prepare(NETWORKS[name], precision, batch)
    model.eval()

    def step() -> None:
        NETWORKS[name].predict(model, xt, t)

    @contextmanager
    def around() -> Iterator[None]:
        with torch.no_grad(), _autocast(precision):
            step()  # autocast now has its copies of the weights, which serve all steps of a sampler
            yield

    return Cell(name, precision, around, step)


def training(name: Name, precision: Precision, batch: int) -> Cell:
    """Forward, backward and a step of AdamW."""
    model, xt, t = _prepare(NETWORKS[name], precision, batch)
    target = torch.randn_like(xt)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4)

    def step() -> None:
        with _autocast(precision):
            out = NETWORKS[name].predict(model, xt, t)
        F.mse_loss(out.float(), target).backward()
        optimizer.step()
        optimizer.zero_grad()

    step()  # the optimizer now has its state
    return Cell(name, precision, nullcontext, step)


class Task(NamedTuple):
    title: str
    make: Callable[[Name, Precision, int], Cell]
    batch: int


TASKS = {
    "step1": Task("a step at batch 1", denoising, 1),
    "step16": Task("a step at batch 16", denoising, 16),
    "training": Task("training at batch 128", training, 128),
}


class Row(NamedTuple):
    """What a cell measured, in seconds a step over n steps."""

    network: Name
    task: str
    precision: Precision
    median: float
    p90: float
    n: int


class Bar(NamedTuple):
    """At a task we are to be `factor` times as fast as the fastest of `peers`."""

    task: str
    peers: Sequence[Name]
    factor: float


BARS = (
    Bar("step16", ["lucidrains"], 4.0),
    Bar("step16", ["ddpm-cifar10"], 6.0),
    Bar("step16", ["course"], 3.0),
    Bar("training", ["lucidrains", "ddpm-cifar10", "course"], 3.5),
)


def measure(task: str, names: Iterable[Name], seconds: float) -> list[Row]:
    """Let all networks take turns at a task, in both precisions, about `seconds` each."""
    _, make, batch = TASKS[task]
    cells = [make(name, precision, batch) for name in names for precision in ("fp32", "bf16")]
    for _ in tqdm(range(ROUNDS), desc=TASKS[task].title, unit="round"):
        for cell in cells:
            cell.turn(seconds / ROUNDS)
    return [
        Row(c.network, task, c.precision, float(np.median(c.times)), float(np.quantile(c.times, 0.9)), len(c.times))
        for c in cells
    ]


def best(rows: Iterable[Row], task: str) -> dict[Name, Row]:
    """For each network, its faster precision at a task."""
    found = sorted((row for row in rows if row.task == task), key=lambda row: -row.median)
    return {row.network: row for row in found}


def table(rows: Sequence[Row], parameters: dict[Name, int]) -> str:
    """Markdown: median [90th percentile] and how many times as long as ours."""
    lines = [
        "| network | parameters | step, batch 1, ms | step, batch 16, ms | training, batch 128, samples/s |",
        "|---|---|---|---|---|",
    ]
    fastest = {task: best(rows, task) for task in TASKS}
    for name, count in parameters.items():
        cells = [_cell(fastest[task][name], fastest[task]["ours"]) for task in TASKS]
        lines.append(f"| {NETWORKS[name].title} | {count / 1e6:.1f}M | {' | '.join(cells)} |")
    return "\n".join(lines)


def _cell(row: Row, ours: Row) -> str:
    """Milliseconds of a step, or samples/s of training (where the 90th percentile of the time is the slower end)."""
    batch = TASKS[row.task].batch
    median, p90 = (batch / s if row.task == "training" else 1000 * s for s in (row.median, row.p90))
    return f"{median:.3g} [{p90:.3g}] {row.precision}, {row.median / ours.median:.1f}x"


def verdicts(rows: Sequence[Row]) -> Iterator[str]:
    """A line for each bar whose peers were all measured."""
    for task, peers, factor in BARS:
        fastest = best(rows, task)
        if fastest.keys() >= set(peers):
            ratio = min(fastest[peer].median for peer in peers) / fastest["ours"].median
            word = "pass" if ratio >= factor else "FAIL"
            who = " and ".join(peers) if len(peers) == 1 else "the fastest of the others"
            yield f"{word}: {TASKS[task].title}: {ratio:.1f} times as fast as {who} (at least {factor:g})"


def machine() -> str:
    """Processor, threads, version of torch, and how busy the machine is."""
    return (
        f"{_processor()}, threads: {torch.get_num_threads()} on {os.cpu_count()} cores, "
        f"torch {torch.__version__}, load {os.getloadavg()[0]:.1f} at the start, {date.today().isoformat()}"
    )


def _processor() -> str:
    """Linux tells the name of the processor in a file of its own."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


@dataclass(frozen=True)
class Options:
    """Time the networks; print a Markdown table and whether the bars are met.

    Attributes:
        threads: of torch.
        seconds: for each network at each task in each precision; slow ones take longer, for at least 5 steps.
        only: the networks to time, beside ours.
        json: where to write all that was measured.
    """

    threads: int = torch.get_num_threads()
    seconds: float = 10.0
    only: tuple[Name, ...] = tuple(NETWORKS)
    json: Path | None = None


def main(options: Options) -> None:
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    where = machine()
    names = [name for name in NETWORKS if name == "ours" or name in options.only]
    parameters = {name: sum(p.numel() for p in NETWORKS[name].build().parameters()) for name in names}
    rows = [row for task in TASKS for row in measure(task, names, options.seconds)]
    bars = list(verdicts(rows))
    print(f"{table(rows, parameters)}\n\nmeasured on {where}\n", *bars, sep="\n")
    if options.json:
        found = {"machine": where, "parameters": parameters, "rows": [row._asdict() for row in rows], "bars": bars}
        options.json.write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main(tyro.cli(Options))
