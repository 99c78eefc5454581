"""Runs of a diffusion model, live and finished, as the scrubber shows them."""

from contextlib import suppress
from dataclasses import dataclass
from weakref import WeakKeyDictionary

import numpy as np

from playground.diffusion import formulas
from playground.diffusion.samplers import SAMPLERS
from playground.families import ddpm
from playground.runtime import pictures, validation
from playground.runtime.paths import Paths
from playground.runtime.recording import Recording, record
from playground.runtime.run import Frame
from playground.runtime.validation import UserError
from playground.tabs.ddpm import readings
from playground.tabs.ddpm.readings import UNREAD, Reading
from playground.web import formula, palette
from playground.web.checkpoint_picker import CheckpointPicker, settings_from
from playground.web.formula import format_number
from playground.web.once_per_model import OncePerModel
from playground.web.scrubber import Box, Curve, Film, Strip

CHECKPOINTS = CheckpointPicker[ddpm.Model]("ddpm", "ddpm-digits")
MAX_PICTURES, MAX_W = 64, 8  # of the page; the command line makes more


@dataclass(frozen=True)
class ViewParams(ddpm.Settings):
    """Parameters of a link: a run of a checkpoint."""

    model: str = ""

    def __post_init__(self) -> None:
        validation.check_integer("number of pictures", self.n, 1, MAX_PICTURES)
        validation.check_number("guidance w", self.w, 0, MAX_W)
        super().__post_init__()

    @property
    def settings(self) -> ddpm.Settings:
        """Return the settings of the run."""
        return settings_from(ddpm.Settings, self)


FIRST = ViewParams(seed=8)  # the first run: a seed with ten clean digits
DIAGRAM = (
    Box("x at t", "The noisy picture that goes into this step.", strip=0),
    Box("U-Net at t =", "The network: it sees the noisy picture, the time t and the class.", number="t"),
    Box("x̂0", "The estimate of the finished picture, which follows from what the network predicts.", strip=1),
    Box("ε̂", "The noise in x by that estimate: what is left of x without x̂0.", strip=2),
    Box("step to s =", "The sampler moves to an earlier time s along the estimates.", number="s"),
    Box("next x", "The picture after the step (in long runs at the next kept frame).", strip=0, ahead=1),
)


def _sample_first(paths: Paths, name: str) -> Recording:
    """Return the run `FIRST` of a model, sampled on one core: the other opens the page."""
    return record(ddpm.sample(CHECKPOINTS.load(paths, name), FIRST), FIRST.steps)


first = OncePerModel(CHECKPOINTS, _sample_first, limit=8)


def warm_up(paths: Paths) -> None:
    """Sample the first run before the first visitor asks; the page reports any error."""
    with suppress(UserError):
        first(paths, CHECKPOINTS.first_name(paths))


def strips(x: np.ndarray, x0_hat: np.ndarray, eps_hat: np.ndarray) -> list[Strip]:
    """Return the three strips of a run, each uint8 (F, N, H, W, C)."""
    return [
        Strip("x at time t", "the pictures with the noise of that time", x),
        Strip("x̂0, the predicted picture", "what the network expects the picture to become", x0_hat),
        Strip("ε̂, the predicted noise", "the noise it sees; grey is 0", eps_hat, small=True),
    ]


def captions(
    run: Recording, settings: ddpm.Settings, alpha_bar: list[float], snr: list[float], before: int
) -> list[str]:
    """Return a caption with the numbers of each frame; `before` is the time at which the last step started."""
    subset = "" if len(run.steps) > settings.steps else f" · {len(run.steps)} of {settings.steps + 1} frames kept"
    rows = zip(run.steps, run.t, alpha_bar, snr, run.eps_rms, run.x0_change, strict=True)
    return [
        f"step {step} of {settings.steps} · t = {t} · ᾱ = {format_number(a)} · "
        f"SNR = {'∞' if t == 0 else format_number(s)} · "
        f"RMS of ε̂ = {e:.2f} (unit noise: 1) · change of x̂0 = {c:.3f}{subset}"
        + (f" · formula and diagram: the step that led here, from t = {before}" if t == 0 else "")
        for step, t, a, s, e, c in rows
    ]


_readings = WeakKeyDictionary[Recording, Reading]()  # every visitor asks for that of the first run


def read_digits(paths: Paths, name: object, run: Recording) -> Reading:
    """Return what a classifier reads in a run; nothing if it does not know this data."""
    try:
        data = CHECKPOINTS.dataset(paths, name)
    except UserError:
        return UNREAD
    if run not in _readings and (classifier := readings.load_classifier(paths, data)):
        of_x, of_x0_hat = (readings.classify(classifier, images) for images in (run.x, run.x0_hat))
        sentences = readings.describe(of_x, of_x0_hat, data.classes, run.x.shape[1])
        _readings[run] = Reading(sentences, readings.find_milestones(of_x, of_x0_hat))
    return _readings.get(run, UNREAD)


def make_film(
    model: ddpm.Model, settings: ddpm.Settings, run: Recording, notice: str = "", reading: Reading = UNREAD
) -> Film:
    """Return the film of a run, whose captions begin with the sentences of a reading, if there are such."""
    schedule = model.schedule
    alpha_bar, snr = (values[run.t].tolist() for values in (schedule.alpha_bar, schedule.snr))
    times = schedule.timesteps(settings.steps)
    step = SAMPLERS[settings.sampler].formula
    numbers = captions(run, settings, alpha_bar, snr, times[-2])
    return Film(
        strips(run.x, run.x0_hat, run.eps_hat),
        ["\n".join(lines) for lines in zip(reading.sentences, numbers, strict=True)] if reading.sentences else numbers,
        (f"t = {times[0]}", "t = 0"),
        curves=(
            Curve.of("ᾱ", "Share of the signal in the power of x at t.", palette.DATA, alpha_bar),
            Curve.of("SNR", "Signal-to-noise ratio, ᾱ / (1 − ᾱ).", palette.DATA, snr, log=True),
            Curve.of("RMS of ε̂", "Root mean square of the predicted noise; 1 is unit noise.",
                     palette.NOISE, run.eps_rms),
            Curve.of("change of x̂0", "How far the estimate moved.", palette.ESTIMATE, run.x0_change),
        ),
        formula=formula.render(formulas.denoising_step(step, model.prediction, settings.w, settings.clip)),
        numbers=formulas.denoising_numbers(
            schedule, times, run.steps, run.coefficients, [settings.w] * len(run.steps)
        ),
        diagram=DIAGRAM,
        notice=notice,
        milestones=reading.milestones,
    )  # fmt: skip


def preview(frame: Frame) -> list[Strip]:
    """Return the strips of a run's newest frame."""
    x, x0_hat = pictures.to_uint8(frame.x), pictures.to_uint8(frame.x0_hat)
    return strips(x[None], x0_hat[None], pictures.noise_to_uint8(frame.eps_hat)[None])
