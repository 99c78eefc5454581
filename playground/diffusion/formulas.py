"""Formulas of denoising: guidance, the estimate of x0 and the step of each sampler, as the papers write them.

The numbers in a sampler's step are the `coefficients` of the frame that the step starts from.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import sqrt

from playground.diffusion.parameterization import Prediction
from playground.diffusion.schedule import NoiseSchedule
from playground.runtime.formula import Formula

DDIM = Formula(
    "x_s = √ᾱ_s x̂_0 + √(1 − ᾱ_s − σ_step²) ε̂ + σ_step ε",
    "x_{s} = {on_x0} x̂_0 + {on_eps} ε̂ + {on_noise} ε",
    "Song 2021, eq. 12; σ_step is η times eq. 16",
    "ε: fresh unit noise · σ_step: how much of it the step adds, none at η = 0",
)
DDPM = Formula(
    "x_s = (√ᾱ_s β / (1 − ᾱ_t)) x̂_0 + (√(1 − β) (1 − ᾱ_s) / (1 − ᾱ_t)) x_t + σ_step ε",
    "x_{s} = {on_x0} x̂_0 + {on_x} x_t + {on_noise} ε",
    "Ho 2020, algorithm 2; σ_step² is the posterior's variance, eq. 7",
    "β = 1 − ᾱ_t / ᾱ_s: variance of the noise between s and t · ε: fresh unit noise · σ_step: how much of it the step "
    "adds",
)
DDPM_LARGE = replace(DDPM, source="Ho 2020, algorithm 2; σ_step² is β")
DPM_SOLVER = Formula(
    "x_s = √((1 − ᾱ_s) / (1 − ᾱ_t)) x_t − √ᾱ_s (e^(−h) − 1) D, D = x̂_0 + (h / 2h′) (x̂_0 − x̂_0′)",
    "x_{s} = {on_x} x_t + {on_x0} x̂_0 − {on_last_x0} x̂_0′",
    "Lu 2022, DPM-Solver++, algorithm 2",
    "h: growth of log(SNR) / 2 in the step · h′, x̂_0′: those of the step before · D: x̂_0, extrapolated linearly",
)
HEUN = Formula(
    "x′ = √ᾱ_s x̂_0 + √(1 − ᾱ_s) ε̂, x_s = x′ − √ᾱ_s (σ_t − σ_s) (ε̂′ − ε̂) / 2",
    "x′ = {on_x0} x̂_0 + {on_eps} ε̂, x_{s} = x′ − {on_change} (ε̂′ − ε̂)",
    "Karras 2022, algorithm 1, for x / √ᾱ",
    "x′: Euler's step · ε̂′: the noise in x′ by a second evaluation, at time s; where its factor is 0, there is none · "
    "σ² = 1 / ᾱ − 1",
)
FORWARD = (
    Formula(
        "x_t = √ᾱ_t x_0 + √(1 − ᾱ_t) ε",
        "",
        "Ho 2020, eq. 4",
        "x_0: the picture · ε: unit noise · ᾱ: the signal's share in the power of x, 1 is clean and 0 is noise",
    ),
    Formula("cosine: {cosine_signal} x_0 + {cosine_sigma} ε"),
    Formula("linear: {linear_signal} x_0 + {linear_sigma} ε"),
)

_WHERE = (
    "t: time, s: the next, earlier one · ᾱ: the signal's share in the power of x, 1 is clean and 0 is noise · "
    "x̂_0: the estimate of the picture; ε̂ = (x_t − √ᾱ_t x̂_0) / √(1 − ᾱ_t): the noise in x_t by that estimate"
)
_IN_LATENTS = {
    "x̂_0": "ẑ_0",
    "x_": "z_",
    "x′": "z′",
    "x / √ᾱ": "z / √ᾱ",
    "power of x": "power of z",
    "estimate of the picture": "estimate of the latent",
}


def denoising_step(
    step: Formula,
    prediction: Prediction,
    w: float | None = 1.0,
    clip: bool = True,
    condition: str = "class",
    uncond: str = "without the class",
) -> list[Formula]:
    """Return the formulas of one step: guidance, if there is any, the estimate of x0, and the sampler's step.

    Args:
        step: The formula of the sampler.
        w: Guidance weight; None if it changes from frame to frame.
        clip: Whether the estimate is clipped to the range of images.
        condition: The condition of the network, in a word.
        uncond: What the output without it is, in words.
    """
    return [
        *([] if w == 1 else [_guidance(prediction.symbol, w, condition, uncond)]),
        _x0_hat(prediction, clip),
        step,
    ]


def latent_denoising_step(step: Formula, prediction: Prediction, negative: str) -> list[Formula]:
    """Return `denoising_step` for latents z, guided by a prompt, and away from a negative prompt if there is one."""
    uncond = "with the negative prompt" if negative else "without the prompt"
    return [_in_latents(f) for f in denoising_step(step, prediction, None, False, "prompt", uncond)]


def _guidance(output: str, w: float | None, condition: str, uncond: str) -> Formula:
    out, cond = f"{output}_∅", f"{output}_{condition}"
    return Formula(
        f"{output} = {out} + w ({cond} − {out})",
        f"= {out}" if w == 0 else f"= {out} + {{w}} ({cond} − {out})",
        f"guidance, Ho and Salimans 2022, eq. 6; ∅: {uncond}",
    )


def _x0_hat(prediction: Prediction, clip: bool) -> Formula:
    symbols = prediction.formula.format(a="√ᾱ_t", s="√(1 − ᾱ_t)")
    numbers = prediction.formula.format(a="{signal}", s="{sigma}")
    return Formula(
        f"x̂_0 = {symbols}",
        f"= {numbers}" if numbers != symbols else "",
        "from the network's output" + (", clipped to −1 … 1" if clip else ""),
        " · ".join(filter(None, (_WHERE, prediction.where))),
    )


def _in_latents(formula: Formula) -> Formula:
    texts = [formula.symbols, formula.numbers, formula.source, formula.where]
    for image, latent in _IN_LATENTS.items():
        texts = [text.replace(image, latent) for text in texts]
    return Formula(*texts)


def denoising_numbers(
    schedule: NoiseSchedule,
    times: Sequence[int],
    steps: Sequence[int],
    coefficients: Sequence[Mapping[str, float]],
    w: Sequence[float],
) -> dict[str, list[str]]:
    """Return the numbers of `denoising_step` for some frames of a run; the last frame has those of the last step.

    Args:
        times: All times of the run (N + 1,).
        steps: Numbers of the frames, 0 to N: (F,).
        coefficients: Of each frame (F,), see `Frame`.
        w: Guidance weight of each frame (F,).
    """
    t, s = ([times[min(k, len(times) - 2) + i] for k in steps] for i in (0, 1))
    alpha_bar = schedule.alpha_bar[t].tolist()
    numbers = {name: [row[name] for row in coefficients] for name in coefficients[0]}
    numbers |= {"signal": [sqrt(a) for a in alpha_bar], "sigma": [sqrt(1 - a) for a in alpha_bar], "w": list(w)}
    texts = {name: [f"{value:.3g}" for value in values] for name, values in numbers.items()}
    return texts | {"t": [str(time) for time in t], "s": [str(time) for time in s]}
