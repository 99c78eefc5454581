"""The log of a run: a row of losses, gradient norms and speed every few steps, and the progress bar."""

import json
from types import TracebackType

from tqdm import tqdm

from playground.runtime import files
from playground.runtime.validation import UserError
from train.options import experiment
from train.run import LOG, Run, Step


class ProgressLog:
    """Progress bar, log file and experiment tracker of a run; a context manager."""

    def __init__(self, run: Run):
        self.run, self.first_step = run, run.step
        options = run.options
        if options.tracker:
            flags = {k: v if isinstance(v, (int, float, str)) else str(v) for k, v in experiment(options).items()}
            run.accelerator.init_trackers(options.name, flags)
        total, disable = None if options.minutes else options.steps, not run.accelerator.is_main_process
        self.bar = tqdm(total=total, initial=run.step, disable=disable, desc=options.name, mininterval=1)

    def __enter__(self) -> "ProgressLog":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.bar.close()

    def write(self, step: Step, validation: dict[str, float]) -> None:
        """Write a row for a step, with losses on held-out data if they were computed, or raise UserError if a loss is
        NaN."""
        losses, run = check_losses(step), self.run
        n = (run.step - self.first_step) * run.options.batch_size * run.options.accumulate
        speed = n / run.clock.session_seconds
        norms = {f"{name}_gradient": float(norm) for name, norm in step.norms.items()}
        row = {**losses, **validation, **norms, "lr": step.lr, "samples_per_second": speed}
        postfix = {name: f"{loss:.4f}" for name, loss in {**losses, **validation}.items()} | {
            "samples/s": f"{speed:.0f}"
        }
        if run.options.minutes:
            postfix["time"] = f"{min(run.progress, 1.0):.0%}"
        self.bar.set_postfix(postfix, refresh=False)
        run.accelerator.log(row, step=run.step)
        if run.accelerator.is_main_process:
            path = run.options.folder / LOG
            with files.os_errors_to_user_error(path), path.open("a") as file:
                file.write(json.dumps({"step": run.step, **row}) + "\n")


def check_losses(step: Step) -> dict[str, float]:
    """Return the losses of a step as numbers, or raise UserError if one is NaN: then its state is not worth keeping."""
    losses = {name: float(loss) for name, loss in step.losses.items()}
    if any(loss != loss for loss in losses.values()):
        raise UserError(f"the loss is not a number at step {step.index + 1}: lower --lr, or train with --precision no")
    return losses
