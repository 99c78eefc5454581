"""The training loop: a generator of records, on whatever Accelerate finds (CPU, one GPU, several processes).

Every random number of a step comes from a generator made of (seed, step, process), and the batch from
(seed, step): a run that was stopped and resumed is the run that was not.
"""

import json
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Any, Literal, NamedTuple, cast

import torch
from accelerate import Accelerator, PartialState
from accelerate.utils import set_seed
from torch import Tensor, nn
from torch.optim.lr_scheduler import LambdaLR
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from tqdm import tqdm

from playground import checkpoint, validation
from playground.sampling import generator
from playground.validation import UserError
from train.optimizers import OPTIMIZERS, Optimizer

Precision = Literal["bf16", "no"]  # Accelerate's names


@dataclass(frozen=True)
class Options:
    """What every recipe lets one choose.

    Attributes:
        name: of the checkpoint, and of the folder of the run.
        steps: optimiser steps of the whole run.
        batch_size: over all processes.
        lr, warmup, decay: the learning rate rises over the first `warmup` steps and falls to 0 over the last
            share `decay` of a cycle.
        cycles: equal parts of the run, each with this course of the learning rate (Loshchilov 2017, "SGDR").
        optimizer: one of `train.optimizers`.
        betas: of AdamW, which Muon leaves some of the weights to.
        weight_decay: decoupled (Loshchilov 2019).
        clip_norm: largest norm of the gradient.
        ema: decay of the moving average of the weights, which is what ships.
        precision: mixed with bfloat16, or single.
        compile: use torch.compile (a minute to start, then faster).
        minutes: stop after so long, keep the state, and continue when called again.
        start: where a run has no state, a checkpoint of the same model to go on from, at its step and with its averaged
            weights: at the end of a cycle, when the rate is 0, little else is lost.
        seed: of the initial weights, the batches and the noise.
        data: the folder of the data sets.
        out: the folder of the finished checkpoint.
        runs: the folder of unfinished runs: state, log, pictures.
        save_every, picture_every, log_every: in steps.
        tracker: one of Accelerate's trackers, such as trackio or tensorboard (to be installed).
    """

    name: str
    steps: int
    batch_size: int = 128
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
        whole = ("steps", "batch_size", "cycles", "save_every", "picture_every", "log_every")
        real = {"lr": (0.0, 10.0), "decay": (0.0, 1.0), "ema": (0.0, 1.0)}
        validation.bound(self, dict.fromkeys(whole, (1, 10**9)), real)

    @property
    def learns_from(self) -> str:
        """The data, in words, for the header of the checkpoint."""
        raise NotImplementedError

    @property
    def folder(self) -> Path:
        return self.runs / self.name


class Record(NamedTuple):
    """One step: its number from 1 on, the losses and gradient norms of its turns, by name, and its rate.

    Losses and norms are tensors, so that a GPU need not wait.
    """

    step: int
    losses: dict[str, Tensor]
    norms: dict[str, Tensor]
    lr: float


Loss = Callable[[nn.Module, int, torch.Generator], Tensor]  # of the model, the step, the generator for it


LOG = "log.jsonl"  # in a run's folder: a row each `log_every` steps


def fetched(load: Callable[[], Any]) -> Any:
    """What `load` gives; where there are several processes, the first one downloads before the others look."""
    with PartialState().main_process_first():
        return load()


class Run:
    """A model in training: prepared for its devices, with its average, and resumed if it was stopped before."""

    def __init__(self, options: Options, build: Callable[[], nn.Module]):
        self.options = options
        self.accelerator = Accelerator(
            mixed_precision=options.precision, log_with=options.tracker, project_dir=options.folder
        )
        if options.tracker and not self.accelerator.log_with:
            raise UserError(f"there is no tracker {options.tracker} here: pip install {options.tracker}")
        set_seed(options.seed)
        model, saved = build(), sorted(options.folder.glob("step-*"))
        begun = started_from(options, model) if options.start and not saved else 0
        if options.precision != "no":
            model = model.to(memory_format=torch.channels_last)
        model = model.to(self.accelerator.device)
        self.ema = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(options.ema)).eval()
        if options.compile:
            model.compile()
        optimizer = OPTIMIZERS[options.optimizer](model, options)
        for group in optimizer.param_groups:
            group["initial_lr"] = group["lr"]  # LambdaLR asks for it where the step is not 0
        self.scheduler = LambdaLR(optimizer, lambda step: rate(step, options), begun - 1)
        self.model, self.optimizer = self.accelerator.prepare(model, optimizer)
        self.accelerator.register_for_checkpointing(self.scheduler, self.ema)
        started = experiment(options) | {"processes": self.accelerator.num_processes}
        if saved:
            continues(started, options.folder)
            self.accelerator.load_state(str(saved[-1]))
        elif self.accelerator.is_main_process:
            options.folder.mkdir(parents=True, exist_ok=True)
            (options.folder / "experiment.json").write_text(json.dumps(started))
        if self.accelerator.is_main_process:
            _forget(options.folder / LOG, self.step)

    @property
    def step(self) -> int:
        """Optimiser steps taken so far."""
        return self.scheduler.last_epoch

    @property
    def exported(self) -> Path:
        """The averaged model as a checkpoint, as of the last `save`."""
        return self.options.folder / f"{self.options.name}.safetensors"

    def publish(self) -> Path:
        """Put the checkpoint where checkpoints are read from; never half a file."""
        path = self.options.out / self.exported.name
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = shutil.copyfile(self.exported, path.with_suffix(".partial"))
        return partial.replace(path)

    def save(self) -> None:
        """Keep the whole state on disk; a kill at any moment leaves this one or the one before."""
        folder = self.options.folder
        partial = folder / "partial"
        self.accelerator.save_state(str(partial))
        self.accelerator.wait_for_everyone()  # each process writes a part of it
        if self.accelerator.is_main_process:
            checkpoint.save(
                self.exported, self.ema.module, provenance(self.options, self.step, self.accelerator.num_processes)
            )
            older = sorted(folder.glob("step-*"))
            partial.replace(folder / f"step-{self.step:07d}")
            for path in older:
                shutil.rmtree(path)
        self.accelerator.wait_for_everyone()

    def batch(self, n: int, step: int) -> Tensor:
        """The items of n that this process sees at a step, on its device."""
        options, accelerator = self.options, self.accelerator
        part = accelerator.process_index, accelerator.num_processes
        return shuffled(n, options.batch_size, step, options.seed, *part).to(accelerator.device)

    def train(self, **turns: Loss) -> Iterator[Record]:
        """Yield a record after each step until the last.

        Args:
            turns: losses by name. A step takes them in this order, an optimiser step on each; one that should leave
                some weights as they are leaves them without a gradient.
        """
        process = self.accelerator.process_index
        self.model.train()
        for step in range(self.step, self.options.steps):
            # Dropout draws from the global generator, on each process its own.
            torch.manual_seed(generator(self.options.seed, step, process, 1).initial_seed())
            noise, lr = generator(self.options.seed, step, process), float(self.scheduler.get_last_lr()[0])
            taken = {name: self._turn(loss(self.model, step, noise)) for name, loss in turns.items()}
            self.scheduler.step()
            self.ema.update_parameters(self.accelerator.unwrap_model(self.model))
            losses, norms = ({name: both[i] for name, both in taken.items()} for i in (0, 1))
            yield Record(step + 1, losses, norms, lr)

    def after_turn(self, change: Callable[[nn.Module], None]) -> None:
        """Have the weights changed after every step of the optimiser."""
        model = self.accelerator.unwrap_model(self.model)
        self.optimizer.optimizer.register_step_post_hook(lambda *_: change(model))

    def _turn(self, loss: Tensor) -> tuple[Tensor, Tensor]:
        """Descend one step; the mean loss of all processes, and the norm of the gradient."""
        self.accelerator.backward(loss)
        norm = self.accelerator.clip_grad_norm_(self.model.parameters(), self.options.clip_norm)
        self.optimizer.step()
        self.optimizer.zero_grad()
        return self.accelerator.reduce(loss.detach(), "mean"), norm


def started_from(options: Options, model: nn.Module) -> int:
    """Give a model the weights of the checkpoint `start`; the steps these have taken.

    Raises:
        UserError: it is of another config, or has taken all steps.
    """
    path = cast(Path, options.start)
    kept, taken = cast(Any, checkpoint.load(path)), checkpoint.header(path).provenance["steps"]
    if _but_for_files(asdict(kept.config)) != _but_for_files(asdict(cast(Any, model).config)):
        raise UserError(f"{path} was made with another config than this run's: choose another --start, or none")
    if taken >= options.steps:
        raise UserError(f"{path} has already taken {taken} steps: ask for more --steps")
    model.load_state_dict(kept.state_dict())
    return taken


def _but_for_files(config: dict[str, Any]) -> dict[str, Any]:
    """A config without the fingerprints of the files it stands on: a run may go on with others of the same names."""
    return {name: value for name, value in config.items() if not name.endswith("_sha256")}


def rate(step: int, options: Options) -> float:
    """The learning rate at a step, as a multiple of `lr`: in each cycle warm-up, constant, linear decay to 0."""
    length = options.steps / options.cycles
    cycle = min(step // length, options.cycles - 1)
    done = step - length * cycle
    warm = min(1.0, (done + 1) / max(options.warmup, 1))
    left = min(1.0, (length - done) / max(options.decay * length, 1))
    return warm * left


def shuffled(n: int, batch_size: int, step: int, seed: int, process: int = 0, processes: int = 1) -> Tensor:
    """The items of n that a process sees at a step: every epoch is a permutation, made of (seed, epoch)."""
    per_epoch = n // batch_size
    if per_epoch == 0:
        raise UserError(f"a batch of {batch_size} is more than the {n} items there are")
    epoch, index = divmod(step, per_epoch)
    order = torch.randperm(n, generator=generator(seed, epoch))
    return order[index * batch_size : (index + 1) * batch_size][process::processes]


# Flags that say where, in what parts, and how watched, but not what is learned.
CIRCUMSTANCES = {
    "data",
    "out",
    "runs",
    "judge",
    "parts",
    "minutes",
    "compile",
    "tracker",
    "save_every",
    "picture_every",
    "log_every",
}


def experiment(options: Options) -> dict[str, Any]:
    """The flags that decide the result, as JSON; of files the names, since folders are the machine's."""
    flags = {k: v for k, v in asdict(options).items() if k not in CIRCUMSTANCES}
    return json.loads(json.dumps(flags, default=lambda path: path.name))


def continues(now: dict[str, Any], folder: Path) -> None:
    """Refuse to continue a run with other flags, or in another number of processes, than it was started with."""
    started = folder / "experiment.json"
    before = json.loads(started.read_text()) if started.exists() else {}
    changed = [name for name, value in now.items() if before.get(name, value) != value]
    if changed:
        was = ", ".join(f"{name} {before[name]}" for name in changed)
        raise UserError(f"the run in {folder} was started with {was}: delete it, or choose another --name")


def provenance(options: Options, step: int, processes: int) -> dict[str, Any]:
    """What the header of a checkpoint tells of its making."""
    return {
        "recipe": type(options).__module__.rpartition(".")[2],
        "flags": experiment(options),
        "seed": options.seed,
        "steps": step,
        "processes": processes,
        "data": options.learns_from,
        "date": date.today().isoformat(),
        "torch": torch.__version__,
    }


def follow(
    run: Run,
    records: Iterator[Record],
    picture: Callable[[Any, Path], None] | None = None,
    complete: Callable[[Path], None] | None = None,
) -> Path | None:
    """Drive a run to its end or its time: progress bar, log, pictures, state. The checkpoint's path when finished.

    Args:
        picture: draws a picture of the averaged model into a file.
        complete: adds to a finished checkpoint what is measured after training, before it is published.
    """
    options, main = run.options, run.accelerator.is_main_process
    if options.tracker:
        flags = {k: v if isinstance(v, (int, float, str)) else str(v) for k, v in experiment(options).items()}
        run.accelerator.init_trackers(options.name, flags)
    start, first = time.monotonic(), run.step
    bar = tqdm(total=options.steps, initial=first, disable=not main, desc=options.name, mininterval=1)
    for record in records:
        bar.update()
        if record.step % options.log_every == 0 or record.step == options.steps:
            speed = (record.step - first) * options.batch_size / (time.monotonic() - start)
            _log(run, record, speed, bar)
        if main and picture and record.step % options.picture_every == 0:
            picture(run.ema.module, options.folder / f"picture-{record.step:07d}.png")
        late = options.minutes is not None and record.step % options.log_every == 0 and _late(run, start)
        if late or record.step % options.save_every == 0 or record.step == options.steps:
            _numbers(record)
            run.save()
        if late:
            break
    bar.close()
    run.accelerator.end_training()
    if run.step < options.steps:
        run.accelerator.print(f"stopped at step {run.step} of {options.steps}; the same command continues it")
        return None
    if not main:
        return None
    if complete:
        complete(run.exported)
    return run.publish()


def _late(run: Run, start: float) -> bool:
    """Whether the minutes are over; the processes decide together, or some would wait for the others for ever."""
    over = time.monotonic() - start > 60 * (run.options.minutes or 0)
    return bool(run.accelerator.reduce(torch.tensor(float(over), device=run.accelerator.device), "sum"))


def _numbers(record: Record) -> dict[str, float]:
    """The losses, if they are numbers: a state without them is not worth keeping."""
    losses = {name: float(loss) for name, loss in record.losses.items()}
    if any(loss != loss for loss in losses.values()):
        raise UserError(f"the loss is not a number at step {record.step}: lower --lr, or train with --precision no")
    return losses


def _log(run: Run, record: Record, samples_per_second: float, bar: Any) -> None:
    losses = _numbers(record)
    norms = {f"{name}_gradient": float(norm) for name, norm in record.norms.items()}
    row = {**losses, **norms, "lr": record.lr, "samples_per_second": samples_per_second}
    shown = {name: f"{loss:.4f}" for name, loss in losses.items()}
    bar.set_postfix(shown | {"samples/s": f"{samples_per_second:.0f}"}, refresh=False)
    run.accelerator.log(row, step=record.step)
    if run.accelerator.is_main_process:
        with (run.options.folder / LOG).open("a") as file:
            file.write(json.dumps({"step": record.step, **row}) + "\n")


def _forget(log: Path, step: int) -> None:
    """Drop the rows of a log after a step, which are to come again."""
    rows = log.read_text().splitlines(keepends=True) if log.exists() else []
    whole = [row for row in rows if row.endswith("}\n")]  # a run that was killed may leave a part of one
    partial = log.with_suffix(".partial")
    partial.write_text("".join(row for row in whole if json.loads(row)["step"] <= step))
    partial.replace(log)
