"""The training loop, which a recipe iterates over: `for step in fit(run): step.minimize(loss)`."""

import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from playground.runtime import files
from playground.runtime.rng import make_rng
from train.log import ProgressLog, check_losses
from train.run import Run, Step

N_VALIDATION = 256  # held-out items whose loss is logged


def fit(
    run: Run,
    picture: Callable[[Any], Image.Image] | None = None,
    loss: Callable[..., Tensor] | None = None,
    test: Sequence[Tensor] = (),
) -> Iterator[Step]:
    """Yield the steps of a run until it is finished or paused; progress bar, log, pictures and state are kept here.

    The recipe minimizes the losses of a step, which is yielded once for each batch that it accumulates; then the
    learning rate and the moving average are updated.

    Args:
        picture: Draws a picture of the averaged model.
        loss: Computes the loss for validation, `loss(model, *batch, rng)`, with the same random numbers each time.
        test: Held-out data, each (N, ...); the averaged model's loss on their first items is logged now and then.

    Raises:
        UserError: A loss is NaN, or a file cannot be written.
        KeyboardInterrupt: After Ctrl-C, once the state is saved.
    """
    options, pause = run.options, False
    run.clock.start()
    with _interruptible() as interrupted, ProgressLog(run) as log:
        while not (run.is_finished or pause):
            for step in run.batches():  # the last one is logged
                yield step
            run.finish_step()
            log.bar.update()
            validation = _examine(run, picture, loss, test)
            if run.step % options.log_every == 0 or run.is_finished or validation:
                log.write(step, validation)
            pause = _should_pause(run, interrupted)
            if pause or run.step % options.save_every == 0 or run.is_finished:
                check_losses(step)
                run.save()
    run.accelerator.end_training()
    if not run.is_finished:
        if interrupted.is_set():
            raise KeyboardInterrupt(run.pause_message)
        run.accelerator.print(run.pause_message)


def publish(run: Run, finalize: Callable[[Path], None] | None = None) -> Path | None:
    """Publish the checkpoint of a finished run, in its main process, once `finalize` has added what is measured after
    training; return its path, or None if the run is paused."""
    if not (run.is_finished and run.accelerator.is_main_process):
        return None
    if finalize:
        finalize(run.checkpoint_path)
    return run.publish()


@torch.no_grad()
def _examine(
    run: Run, picture: Callable[[Any], Image.Image] | None, loss: Callable[..., Tensor] | None, test: Sequence[Tensor]
) -> dict[str, float]:
    """Save a picture of the averaged model, and return its loss on held-out data by the name in the log, when due."""
    options, is_due = run.options, run.step % run.options.picture_every == 0
    if picture and is_due and run.accelerator.is_main_process:
        with files.atomic_write(options.folder / f"picture-{run.step:07d}.png") as file:
            picture(run.ema.module).save(file, "PNG")
    if loss is None or len(test) == 0 or not (is_due or run.is_finished):
        return {}
    batch = (part[:N_VALIDATION].to(run.accelerator.device) for part in test)
    return {"validation_loss": float(loss(run.ema.module, *batch, make_rng(options.seed)))}


def _should_pause(run: Run, interrupted: threading.Event) -> bool:
    """Return true if it is time to pause, or Ctrl-C was pressed.

    Several processes decide together, at the steps of the log: otherwise some would wait for the others for ever.
    """
    options, accelerator, is_due = run.options, run.accelerator, run.step % run.options.log_every == 0
    is_time_up = options.pause_after is not None and run.clock.session_seconds > 60 * options.pause_after
    pause = (is_due and is_time_up) or interrupted.is_set()
    if accelerator.num_processes == 1:
        return pause
    return is_due and bool(accelerator.reduce(torch.tensor(float(pause), device=accelerator.device), "sum"))


@contextmanager
def _interruptible() -> Iterator[threading.Event]:
    """Let Ctrl-C set an event, so that the step is finished and its state saved; a second one interrupts at once."""
    interrupted = threading.Event()

    def on_interrupt(signal_number: int, frame: FrameType | None) -> None:
        interrupted.set()
        signal.signal(signal.SIGINT, signal.default_int_handler)

    before = signal.signal(signal.SIGINT, on_interrupt)
    try:
        yield interrupted
    finally:
        # A loop that a recipe left early ends when it is garbage-collected: another may have its handler by then.
        if signal.getsignal(signal.SIGINT) is on_interrupt or interrupted.is_set():
            signal.signal(signal.SIGINT, before)
