"""The state of a run, on the devices that Accelerate finds (CPU, one GPU, several processes).

Every random number of a batch comes from a generator seeded by (seed, batch, process), its items from (seed, batch): a
run that was paused and resumed gives the same weights as one that was not.
"""

import json
import shutil
import textwrap
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from accelerate import Accelerator
from accelerate.utils import broadcast, set_seed
from safetensors import SafetensorError
from torch import Tensor, nn
from torch.optim.lr_scheduler import LambdaLR

from playground.runtime import checkpoint, files
from playground.runtime.averaging import ema
from playground.runtime.rng import make_rng
from playground.runtime.validation import UsageError, UserError
from train import processes
from train.batches import batch_indices
from train.checks import check_resumable, load_start_weights
from train.optimizers import OPTIMIZERS
from train.options import Options, experiment, provenance
from train.schedule import Clock, lr_factor, timed_lr_factor

LOG = "log.jsonl"  # in the folder of a run: a row every `log_every` steps


class Run:
    """Model in training with its optimizers and its moving average, resumed if it was paused before.

    Args:
        options: The recipe.
        build: Builds the model.
        players: Names of submodules with losses and optimizers of their own; by default, the model has one of each.
        caller_data: The data are the caller's, not those that the recipe names.

    Attributes:
        model: The model, prepared for its devices.
        ema: The moving average of its weights.
        optimizers: By the name of the loss: "loss", or the players'.
    """

    def __init__(
        self, options: Options, build: Callable[[], nn.Module], players: tuple[str, ...] = (), caller_data: bool = False
    ):
        self.options, self.caller_data = options, caller_data
        self.accelerator = _prepare_accelerator(options)
        model, saved = build(), sorted(options.folder.glob("step-*"))
        steps_taken = load_start_weights(options.start, options, model) if options.start and not saved else 0
        if options.precision != "no":
            model = model.to(memory_format=torch.channels_last)
        model = model.to(self.accelerator.device)
        self.ema = ema(model, options.ema).eval()
        self.ema.n_averaged.fill_(steps_taken)
        if options.compile:
            model.compile()
        self.clock = Clock(options.minutes or 1)
        modules = {name: model.get_submodule(name) for name in players} or {"loss": model}
        self._parameters = {name: list(module.parameters()) for name, module in modules.items()}
        optimizers = [OPTIMIZERS[options.optimizer](module, options) for module in modules.values()]
        self.schedulers = [self._schedule(optimizer, steps_taken) for optimizer in optimizers]
        self.model, *optimizers = self.accelerator.prepare(model, *optimizers)
        self.optimizers = dict(zip(modules, optimizers, strict=True))
        self.accelerator.register_for_checkpointing(*self.schedulers, self.ema, *[self.clock] * bool(options.minutes))
        self._resume(saved)

    def _schedule(self, optimizer: torch.optim.Optimizer, steps_taken: int) -> LambdaLR:
        def factor(step: int) -> float:
            if self.options.minutes:
                return timed_lr_factor(step, self.clock.progress, self.options)
            return lr_factor(step, self.options)

        for group in optimizer.param_groups:
            group["initial_lr"] = group["lr"]  # LambdaLR asks for it where the step is not 0
        return LambdaLR(optimizer, factor, steps_taken - 1)

    def _resume(self, saved: list[Path]) -> None:
        """Load the newest saved state if there is one, and start or continue the files of the run."""
        options, accelerator = self.options, self.accelerator
        current_experiment = experiment(options) | {"processes": accelerator.num_processes}
        if saved:
            check_resumable(current_experiment, options.folder)
            accelerator.load_state(str(saved[-1]))
        elif accelerator.is_main_process:
            with files.atomic_write(options.folder / "experiment.json") as file:
                file.write(json.dumps(current_experiment).encode())
        if accelerator.is_main_process:
            truncate_log(options.folder / LOG, self.step)

    @property
    def step(self) -> int:
        """Return the number of steps taken so far."""
        return self.schedulers[0].last_epoch

    @property
    def progress(self) -> float:
        """Return the fraction of the run that is done: of its steps, or of its minutes."""
        return self.clock.progress if self.options.minutes else self.step / self.options.steps

    @property
    def is_finished(self) -> bool:
        """Return true after the last step."""
        return self.progress >= 1

    @property
    def pause_message(self) -> str:
        """Return the sentence that reports a pause."""
        options = self.options
        total = (
            f", after {self.progress:.0%} of {options.minutes:g} minutes" if options.minutes else f" of {options.steps}"
        )
        return f"stopped at step {self.step}{total}; the same command continues it"

    def indices(self, n: int, batch: int) -> Tensor:
        """Return the indices, among n items, of the part of a batch that this process sees, on the CPU."""
        rank = self.accelerator.process_index, self.accelerator.num_processes
        return batch_indices(n, self.options.batch_size, batch, self.options.seed, *rank)

    def batches(self) -> Iterator["Step"]:
        """Yield the next step once for each of the batches whose gradients it accumulates."""
        options, process = self.options, self.accelerator.process_index
        self.model.train()
        for batch in range(self.step * options.accumulate, (self.step + 1) * options.accumulate):
            # Dropout draws from the global generator, on each process its own.
            torch.manual_seed(make_rng(options.seed, batch, process, 1).initial_seed())
            with self.accelerator.accumulate(self.model):
                yield Step(self, batch, make_rng(options.seed, batch, process))

    def minimize(self, loss: Tensor, name: str) -> tuple[Tensor, Tensor]:
        """Add to the gradient of one optimizer, which takes a step after the last batch of the step; return the mean
        loss of all processes and the norm of the gradient, 0 before the last batch."""
        self.accelerator.backward(loss)  # divides by the number of batches
        norm = torch.zeros(())
        if self.accelerator.sync_gradients:
            norm = self.accelerator.clip_grad_norm_(self._parameters[name], self.options.clip_norm)
        self.optimizers[name].step()
        self.optimizers[name].zero_grad()
        return self.accelerator.reduce(loss.detach(), "mean"), norm

    def finish_step(self) -> None:
        """Update the clock, the learning rates and the moving average."""
        if self.options.minutes:
            self.clock.progress = self._broadcast(self.clock.elapsed)
        for scheduler in self.schedulers:
            scheduler.step()
        self.ema.update_parameters(self.accelerator.unwrap_model(self.model))

    def _broadcast(self, value: float) -> float:
        """Return the value of the main process, so that all follow its clock."""
        if self.accelerator.num_processes == 1:
            return value
        return float(broadcast(torch.tensor(value, device=self.accelerator.device)))

    def after_update(self, change: Callable[[nn.Module], None]) -> None:
        """Have the weights changed after every step of an optimizer."""
        model = self.accelerator.unwrap_model(self.model)
        for optimizer in self.optimizers.values():
            optimizer.optimizer.register_step_post_hook(lambda *_: change(model))

    @property
    def checkpoint_path(self) -> Path:
        """Return the path of the averaged model as a checkpoint, as of the last `save`."""
        return self.options.folder / f"{self.options.name}.safetensors"

    def publish(self) -> Path:
        """Copy the checkpoint atomically to the folder from which checkpoints are read, and return its path."""
        path = self.options.out / self.checkpoint_path.name
        with files.atomic_write(path) as target, self.checkpoint_path.open("rb") as source:
            shutil.copyfileobj(source, target)
        return path

    def save(self) -> None:
        """Save the whole state; a kill at any moment leaves this state or the one before."""
        folder = self.options.folder
        partial_folder = folder / "partial"
        with _writing(partial_folder):
            self.accelerator.save_state(str(partial_folder))
        self.accelerator.wait_for_everyone()  # each process writes a part of it
        if self.accelerator.is_main_process:
            about = provenance(self.options, self.step, self.accelerator.num_processes, self.caller_data)
            with _writing(partial_folder):
                checkpoint.save(self.checkpoint_path, self.ema.module, about)
            older = sorted(folder.glob("step-*"))
            partial_folder.replace(folder / f"step-{self.step:07d}")
            for path in older:
                shutil.rmtree(path)
        self.accelerator.wait_for_everyone()


class Step:
    """Step of a run on a batch, which the recipe takes by minimizing its losses.

    Attributes:
        index: Number of the steps before it.
        batch_index: Number of the batches before it, `accumulate` for each step.
        rng: Random generator on the CPU, seeded by (seed, batch, process).
        lr: Learning rate.
        losses, norms: Losses and norms of their gradients by name; tensors, so that a GPU need not wait.
    """

    def __init__(self, run: Run, batch_index: int, rng: torch.Generator):
        self.run, self.index, self.batch_index, self.rng = run, run.step, batch_index, rng
        self.lr = float(run.schedulers[0].get_last_lr()[0])
        self.losses, self.norms = dict[str, Tensor](), dict[str, Tensor]()

    def indices(self, n: int) -> Tensor:
        """Return the indices, among n items, of the batch of this process, on the CPU."""
        return self.run.indices(n, self.batch_index)

    def batch(self, *data: Tensor) -> tuple[Tensor, ...]:
        """Return the batch of data (N, ...), which may be larger than the memory of the device to which it moves."""
        index = self.indices(len(data[0]))
        return tuple(part[index].to(self.run.accelerator.device, non_blocking=True) for part in data)

    def minimize(self, loss: Tensor, name: str = "loss") -> None:
        """Take an optimizer step on a scalar loss; players minimize theirs by name."""
        self.losses[name], self.norms[name] = self.run.minimize(loss, name)


def _prepare_accelerator(options: Options) -> Accelerator:
    """Return the accelerator of a run.

    Raises:
        UserError: Precision fp16 without a GPU, a tracker that is not installed, or a folder that cannot be written.
    """
    if options.precision == "fp16" and processes.state().device.type != "cuda":
        raise UsageError("precision fp16 needs a GPU, and there is none: choose bf16 or no")
    accelerator = Accelerator(
        mixed_precision=options.precision,
        gradient_accumulation_steps=options.accumulate,
        log_with=options.tracker,
        project_dir=options.folder,
    )
    if options.tracker and not accelerator.log_with:
        raise UserError(f"there is no tracker {options.tracker} here: pip install {options.tracker}")
    if accelerator.is_main_process:
        files.check_writable(options.folder)
        files.check_writable(options.out)
    set_seed(options.seed)
    return accelerator


@contextmanager
def _writing(folder: Path) -> Iterator[None]:
    """Turn an error of writing a state to a folder into one sentence, and delete what takes up space.

    Raises:
        UserError: The disk is full ...; torch and safetensors have errors of their own for that.
    """
    try:
        with files.os_errors_to_user_error(folder):
            yield
    except (UserError, RuntimeError, SafetensorError) as error:
        shutil.rmtree(folder, ignore_errors=True)
        if isinstance(error, UserError):
            raise
        reason = textwrap.shorten(str(error), 160, placeholder=" ...")
        raise UserError(f"{folder} cannot be written, perhaps for want of space: {reason}") from error


def truncate_log(path: Path, step: int) -> None:
    """Drop the rows of a log after a step, which will be written again."""
    rows = path.read_text().splitlines(keepends=True) if path.exists() else []
    complete_rows = [row for row in rows if row.endswith("}\n")]  # a run that was killed may leave a part of one
    with files.atomic_write(path) as file:
        file.write("".join(row for row in complete_rows if json.loads(row)["step"] <= step).encode())
