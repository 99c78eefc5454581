"""What the reverse view shows: runs of the model, live and finished, as values of the scrubber."""

import threading
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from playground import checkpoint, formulas, pictures
from playground.models import ddpm
from playground.recording import Recording, record
from playground.sampling import Frame
from playground.tabs import Places
from playground.ui import palette, scrubber
from playground.ui.scrubber import Box, Curve, Series, Strip
from playground.validation import UserError

NAME = "ddpm-digits"
FIRST = ddpm.Settings(seed=8)  # the run that greets: ten clean digits, which not every seed gives
DIAGRAM = (
    Box("x at t", "The noisy picture that goes into this step.", strip=0),
    Box("U-Net at t =", "The network: from the noisy picture, the time t and the class it predicts v.", number="t"),
    Box("x̂0", "The estimate of the finished picture, from x and v by the formula above.", strip=1),
    Box("ε̂", "The noise in x by that estimate: what is left of x without x̂0.", strip=2),
    Box("step to s =", "The sampler moves to an earlier time s along the estimates, by the formula above.", number="s"),
    Box("next x", "The picture after the step (in long runs at the next kept frame).", strip=0, ahead=1),
)


def path(places: Places) -> Path:
    """The checkpoint of this tab."""
    return places.weights / f"{NAME}.safetensors"


def provenance(places: Places) -> dict[str, Any]:
    """Of that checkpoint."""
    return checkpoint.header(path(places)).provenance


def load_model(places: Places) -> ddpm.Model:
    """The model of this tab."""
    return checkpoint.load(path(places), expect="ddpm")  # type: ignore[return-value]


_sampling_first = threading.Lock()  # two visitors at once wait for one run


@lru_cache(maxsize=2)
def _first_run(places: Places, modified_ns: int) -> Recording:
    # On one core, unlike `live`: the other opens the page.
    return record(ddpm.sample(load_model(places), FIRST), FIRST.steps)


def first(places: Places) -> Recording:
    """The run `FIRST`: sampled at start-up, and kept to greet every visitor."""
    load_model(places)  # says what is wrong, if something is
    with _sampling_first:
        return _first_run(places, path(places).stat().st_mtime_ns)


def warm_up(places: Places) -> None:
    """Make the first run before the first visitor asks; what is wrong, the page will say."""
    with suppress(UserError):
        first(places)


def strips(x: np.ndarray, x0_hat: np.ndarray, eps_hat: np.ndarray) -> list[Strip]:
    """The three strips of a run, each uint8 (F, N, H, W, C)."""
    return [
        Strip("x at time t", "the noisy pictures", x),
        Strip("x̂0, the predicted picture", "what the network expects in the end", x0_hat),
        Strip("ε̂, the predicted noise", "what it would take away; grey is 0", eps_hat),
    ]


def captions(
    run: Recording, settings: ddpm.Settings, alpha_bar: list[float], snr: list[float], before: int
) -> list[str]:
    """The numbers of each frame, in words; `before` is the time from which the last step was made."""
    kept = "" if len(run.steps) > settings.steps else f" · {len(run.steps)} of {settings.steps + 1} frames kept"
    rows = zip(run.steps, run.t, alpha_bar, snr, run.eps_rms, run.x0_change, strict=True)
    return [
        f"step {step} of {settings.steps} · t = {t} · ᾱ = {a:.3g} · SNR = {'∞' if t == 0 else f'{s:.3g}'} · "
        f"RMS of ε̂ = {e:.2f} (unit noise: 1) · change of x̂0 = {c:.3f}{kept}"
        + (f" · formula and diagram: the step that led here, from t = {before}" if t == 0 else "")
        for step, t, a, s, e, c in rows
    ]


def describe(model: ddpm.Model, settings: ddpm.Settings, run: Recording, notice: str = "") -> dict[str, Any]:
    """The scrubber's value for a finished run."""
    alpha_bar, snr = (values[run.t].tolist() for values in (model.schedule.alpha_bar, model.schedule.snr))
    times = model.schedule.steps(settings.steps)
    curves = (
        Curve("ᾱ", "Share of the signal in the power of x at t.", [Series("", palette.DATA, alpha_bar)]),
        Curve("SNR", "Signal-to-noise ratio, ᾱ / (1 − ᾱ).", [Series("", palette.DATA, snr)], log=True),
        Curve(
            "RMS of ε̂",
            "Root mean square of the predicted noise; 1 is unit noise.",
            [Series("", palette.NOISE, run.eps_rms)],
        ),
        Curve("change of x̂0", "How far the estimate moved.", [Series("", palette.ESTIMATE, run.x0_change)]),
    )
    return scrubber.pack(
        strips(run.x, run.x0_hat, run.eps_hat),
        captions(run, settings, alpha_bar, snr, times[-2]),
        (f"t = {times[0]}", "t = 0"),
        curves=curves,
        formula=formulas.reverse_step(settings.sampler, model.config.prediction, settings.w, settings.clip),
        numbers=formulas.reverse_numbers(settings.sampler, model.schedule, times, run.steps, settings.eta),
        diagram=DIAGRAM,
        notice=notice,
    )


def preview(frame: Frame) -> list[Strip]:
    """The strips of a run's newest frame."""
    x, x0_hat = pictures.to_uint8(frame.x), pictures.to_uint8(frame.x0_hat)
    return strips(x[None], x0_hat[None], pictures.noise_to_uint8(frame.eps_hat)[None])
