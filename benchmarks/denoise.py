"""python -m benchmarks.denoise: compare the speed of denoising networks on the CPU.

All networks get the same input, 32x32 with one channel, and are timed alternately, so that a slow moment of the machine
affects all alike. Each runs in float32 and in bfloat16 autocast with channels_last, and the faster of the two counts.
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
from torch import Tensor, nn
from tqdm import tqdm

from benchmarks.networks import NETWORKS, SIZE, Name, Network

ROUNDS = 5  # number of times each cell is run
Precision = Literal["fp32", "bf16"]


@dataclass
class Cell:
    """One network at one task in one precision."""

    network: Name  # name of the network
    precision: Precision  # precision of its forward pass
    # Function that returns the context of a round; its setup is not timed.
    context: Callable[[], AbstractContextManager[None]]
    step: Callable[[], None]  # function to time
    times: list[float] = field(default_factory=list)  # duration of each step so far, in seconds

    def run(self, seconds: float) -> None:
        """Time steps until a number of seconds has passed, at least one."""
        with self.context():
            end = time.perf_counter() + seconds
            while (start := time.perf_counter()) < end:
                self.step()
                self.times.append(time.perf_counter() - start)


def _autocast(precision: Precision) -> AbstractContextManager[None]:
    return torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16")


def _prepare(network: Network, precision: Precision, batch: int) -> tuple[nn.Module, Tensor, Tensor]:
    """Return the model, x_t (B, 1, H, W) and t (B,)."""
    memory_format = torch.channels_last if precision == "bf16" else torch.contiguous_format
    model = network.build().to(memory_format=memory_format)
    xt = torch.randn(batch, 1, SIZE, SIZE).contiguous(memory_format=memory_format)
    return model, xt, torch.randint(1, 1000, (batch,))


def denoising(name: Name, precision: Precision, batch: int) -> Cell:
    """Return the cell of one evaluation of the network, the cost of a step of a sampler."""
    model, xt, t = _prepare(NETWORKS[name], precision, batch)
    model.eval()

    def step() -> None:
        NETWORKS[name].predict(model, xt, t)

    @contextmanager
    def context() -> Iterator[None]:
        with torch.no_grad(), _autocast(precision):
            step()  # autocast caches its copies of the weights here, as in the first step of a sampler
            yield

    return Cell(name, precision, context, step)


def training(name: Name, precision: Precision, batch: int) -> Cell:
    """Return the cell of a training step: forward, backward and AdamW."""
    model, xt, t = _prepare(NETWORKS[name], precision, batch)
    target = torch.randn_like(xt)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4)

    def step() -> None:
        with _autocast(precision):
            out = NETWORKS[name].predict(model, xt, t)
        F.mse_loss(out.float(), target).backward()
        optimizer.step()
        optimizer.zero_grad()

    step()  # initializes the state of the optimizer
    return Cell(name, precision, nullcontext, step)


class Task(NamedTuple):
    """Task to time."""

    title: str  # name in the table
    # Function that returns the cell of a network in a precision at a batch size.
    make: Callable[[Name, Precision, int], Cell]
    batch: int  # batch size


TASKS = {
    "step1": Task("a step at batch 1", denoising, 1),
    "step16": Task("a step at batch 16", denoising, 16),
    "training": Task("training at batch 128", training, 128),
}


class Row(NamedTuple):
    """Result of a cell: median and 90th percentile of the duration of n steps, in seconds."""

    network: Name
    task: str
    precision: Precision
    median: float
    p90: float
    n: int


class Bar(NamedTuple):
    """Requirement that at a task our network is `factor` times as fast as the fastest of `peers`."""

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
    """Time all networks alternately at a task, in both precisions, for about `seconds` each."""
    _, make, batch = TASKS[task]
    cells = [make(name, precision, batch) for name in names for precision in ("fp32", "bf16")]
    for _ in tqdm(range(ROUNDS), desc=TASKS[task].title, unit="round"):
        for cell in cells:
            cell.run(seconds / ROUNDS)
    return [
        Row(c.network, task, c.precision, float(np.median(c.times)), float(np.quantile(c.times, 0.9)), len(c.times))
        for c in cells
    ]


def best(rows: Iterable[Row], task: str) -> dict[Name, Row]:
    """Return the result of each network at a task, in its faster precision."""
    slowest_first = sorted((row for row in rows if row.task == task), key=lambda row: -row.median)
    return {row.network: row for row in slowest_first}


def table(rows: Sequence[Row], parameters: dict[Name, int]) -> str:
    """Format the results as a Markdown table: median [90th percentile] and ratio to our network's time."""
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
    """Format the milliseconds of a step, or the samples per second of training, by percentiles of the time."""
    batch = TASKS[row.task].batch
    median, p90 = (batch / s if row.task == "training" else 1000 * s for s in (row.median, row.p90))
    return f"{median:.3g} [{p90:.3g}] {row.precision}, {row.median / ours.median:.1f}x"


def compare_to_bars(rows: Sequence[Row]) -> Iterator[str]:
    """Yield a line of pass or fail for each bar whose peers were all measured."""
    for task, peers, factor in BARS:
        fastest = best(rows, task)
        if fastest.keys() >= set(peers):
            ratio = min(fastest[peer].median for peer in peers) / fastest["ours"].median
            result = "pass" if ratio >= factor else "FAIL"
            rival = peers[0] if len(peers) == 1 else "the fastest of the others"
            yield f"{result}: {TASKS[task].title}: {ratio:.1f} times as fast as {rival} (at least {factor:g})"


def machine() -> str:
    """Describe the machine: processor, threads, version of torch, and load."""
    return (
        f"{_processor()}, threads: {torch.get_num_threads()} on {os.cpu_count()} cores, "
        f"torch {torch.__version__}, load {os.getloadavg()[0]:.1f} at the start, {date.today().isoformat()}"
    )


def _processor() -> str:
    """Return the name of the processor; Linux lists it in /proc/cpuinfo."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


@dataclass(frozen=True)
class Options:
    """Time the networks; print a Markdown table and a line of pass or fail for each bar.

    Attributes:
        threads: Number of torch's threads.
        seconds: Time for each network at each task in each precision; slow networks take longer, for 5 steps at least.
        only: Networks to time besides ours.
        json: File to write all measurements to.
    """

    threads: int = torch.get_num_threads()
    seconds: float = 10.0
    only: tuple[Name, ...] = tuple(NETWORKS)
    json: Path | None = None


def main(options: Options) -> None:
    """Run the benchmark."""
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    description = machine()
    names = [name for name in NETWORKS if name == "ours" or name in options.only]
    parameters = {name: sum(p.numel() for p in NETWORKS[name].build().parameters()) for name in names}
    rows = [row for task in TASKS for row in measure(task, names, options.seconds)]
    bars = list(compare_to_bars(rows))
    print(f"{table(rows, parameters)}\n\nmeasured on {description}\n", *bars, sep="\n")
    if options.json:
        measurements = [row._asdict() for row in rows]
        report = {"machine": description, "parameters": parameters, "rows": measurements, "bars": bars}
        options.json.write_text(json.dumps(report, indent=2) + "\n")


if __name__ == "__main__":
    main(tyro.cli(Options))
