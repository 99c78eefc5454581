"""The step of each sampler as its paper writes it, and with the numbers of a moment in it.

The symbols are HTML; `<b data-number="NAME">` is where a number goes. A test holds the numbers against the frames.
"""

from collections.abc import Callable, Sequence
from math import expm1, log, sqrt
from typing import NamedTuple

from playground.prediction import PREDICTIONS
from playground.schedule import NoiseSchedule

X0, Z0, EPS, SIGMA = "x̂<sub>0</sub>", "ẑ<sub>0</sub>", "ε̂", "σ<sub>step</sub>"


class Formula(NamedTuple):
    """A sampler's step from time t to time s, in symbols, in numbers, and where it comes from.

    Attributes:
        where: what the symbols mean that are this step's own.
        coefficients: of (alpha_bar_t, alpha_bar_s, eta, alpha_bar of the step before or None) -> name: number.
    """

    symbols: str
    numbers: str
    source: str
    where: str
    coefficients: Callable[[float, float, float, float | None], dict[str, float]]


def minus(numbers: str) -> str:
    """Text with numbers, their hyphens as minus signs."""
    return numbers.replace("-", "−")


def _number(name: str) -> str:
    return f'<b data-number="{name}"></b>'


def _ddim(alpha_bar_t: float, alpha_bar_s: float, eta: float, _: float | None) -> dict[str, float]:
    sigma = eta * sqrt((1 - alpha_bar_s) / (1 - alpha_bar_t) * (1 - alpha_bar_t / alpha_bar_s))
    return {"on_x0": sqrt(alpha_bar_s), "on_eps": sqrt(max(1 - alpha_bar_s - sigma**2, 0)), "on_noise": sigma}


def _ddpm(large: bool) -> Callable[[float, float, float, float | None], dict[str, float]]:
    def coefficients(alpha_bar_t: float, alpha_bar_s: float, eta: float, _: float | None) -> dict[str, float]:
        beta = 1 - alpha_bar_t / alpha_bar_s
        variance = beta if large else (1 - alpha_bar_s) / (1 - alpha_bar_t) * beta
        return {
            "on_x0": sqrt(alpha_bar_s) * beta / (1 - alpha_bar_t),
            "on_x": sqrt(1 - beta) * (1 - alpha_bar_s) / (1 - alpha_bar_t),
            "on_noise": sqrt(variance) if alpha_bar_s < 1 else 0.0,
        }

    return coefficients


def _dpm_solver(alpha_bar_t: float, alpha_bar_s: float, _: float, before: float | None) -> dict[str, float]:
    if alpha_bar_s == 1:
        return {"on_x": 0.0, "on_x0": 1.0, "less_x0_before": 0.0}
    half_log_snr = lambda alpha_bar: log(alpha_bar / (1 - alpha_bar)) / 2  # noqa: E731
    h = half_log_snr(alpha_bar_s) - half_log_snr(alpha_bar_t)
    share = 0.0 if before is None else h / (2 * (half_log_snr(alpha_bar_t) - half_log_snr(before)))
    on_d = -sqrt(alpha_bar_s) * expm1(-h)
    return {
        "on_x": sqrt((1 - alpha_bar_s) / (1 - alpha_bar_t)),
        "on_x0": on_d * (1 + share),
        "less_x0_before": on_d * share,
    }


_ANCESTRAL = (
    f"x<sub>s</sub> = (√ᾱ<sub>s</sub> β / (1 − ᾱ<sub>t</sub>)) {X0} + "
    f"(√(1 − β) (1 − ᾱ<sub>s</sub>) / (1 − ᾱ<sub>t</sub>)) x<sub>t</sub> + {SIGMA} ε"
)
_FRESH = "ε: fresh noise, its deviation 1"
_ANCESTRAL_NUMBERS = f"{_number('on_x0')} {X0} + {_number('on_x')} x<sub>t</sub> + {_number('on_noise')} ε"
_ANCESTRAL_WHERE = (
    f"β = 1 − ᾱ<sub>t</sub> / ᾱ<sub>s</sub>: the noise that the step takes away · {_FRESH} · {SIGMA}: how much of it "
    "comes back"
)

FORMULAS = {
    "ddim": Formula(
        f"x<sub>s</sub> = √ᾱ<sub>s</sub> {X0} + √(1 − ᾱ<sub>s</sub> − {SIGMA}²) {EPS} + {SIGMA} ε",
        f"{_number('on_x0')} {X0} + {_number('on_eps')} {EPS} + {_number('on_noise')} ε",
        f"Song 2021, eq. 12; {SIGMA} is η times eq. 16",
        f"{_FRESH} · {SIGMA}: how much of it the step adds, none at η = 0",
        _ddim,
    ),
    "ddpm": Formula(
        _ANCESTRAL,
        _ANCESTRAL_NUMBERS,
        f"Ho 2020, algorithm 2; {SIGMA}² is the posterior's variance, eq. 7",
        _ANCESTRAL_WHERE,
        _ddpm(large=False),
    ),
    "ddpm-large": Formula(
        _ANCESTRAL,
        _ANCESTRAL_NUMBERS,
        f"Ho 2020, algorithm 2; {SIGMA}² is β",
        _ANCESTRAL_WHERE,
        _ddpm(large=True),
    ),
    "dpm-solver++": Formula(
        "x<sub>s</sub> = √((1 − ᾱ<sub>s</sub>) / (1 − ᾱ<sub>t</sub>)) x<sub>t</sub> − √ᾱ<sub>s</sub> "
        f"(e<sup>−h</sup> − 1) D, D = {X0} + (h / 2h′) ({X0} − {X0}′)",
        f"{_number('on_x')} x<sub>t</sub> + {_number('on_x0')} {X0} − {_number('less_x0_before')} {X0}′",
        "Lu 2022, DPM-Solver++, algorithm 2",
        f"h: growth of log(SNR) / 2 in the step · h′, {X0}′: those of the step before · D: {X0} carried on in a line",
        _dpm_solver,
    ),
}


_WHERE = (
    "<i class=where>t: time, s: the next, earlier one · ᾱ: the signal's share in the power of x, 1 is clean and 0 is "
    f"noise · {X0}: the estimate of the picture; {EPS} = (x<sub>t</sub> − √ᾱ<sub>t</sub> {X0}) / √(1 − ᾱ<sub>t</sub>): "
    "what is noise by that estimate · "
)


def reverse_step(
    sampler: str,
    prediction: str,
    w: float | None = 1.0,
    clip: bool = True,
    told: str = "class",
    against: str = "without the class",
) -> str:
    """HTML of a sampler's step, symbols above numbers, with the estimate of x0 that goes into it, and all symbols.

    Args:
        w, clip: how that estimate is guided (None: by the number `w` of each frame), and whether it is kept in the
            range of images.
        told, against: what it is guided by, and away from what.
    """
    formula, estimate = FORMULAS[sampler], PREDICTIONS[prediction]
    kept = ", kept from −1 to 1" if clip else ""
    return (
        f"{_guided(estimate.symbol, w, told, against)}"
        f"{X0} = {estimate.formula.format(a='√ᾱ<sub>t</sub>', s='√(1 − ᾱ<sub>t</sub>)')} "
        f"= {estimate.formula.format(a=_number('signal'), s=_number('sigma'))} "
        f"<i>from the network's output{kept}</i><br>{formula.symbols}<br>"
        f"x<sub>{_number('s')}</sub> = {formula.numbers} <i>{formula.source}</i><br>"
        f"{_WHERE}{estimate.where}{formula.where}</i>"
    )


def latent_step(sampler: str, prediction: str, negative: str) -> str:
    """`reverse_step` of latents z, guided by a prompt, and away from a negative one if there is any."""
    against = "with the negative prompt" if negative else "without the prompt"
    letters = {
        X0: Z0,
        "x<sub>": "z<sub>",
        "power of x": "power of z",
        "estimate of the picture": "estimate of the latent",
    }
    shown = reverse_step(sampler, prediction, None, clip=False, told="prompt", against=against)
    for before, after in letters.items():
        shown = shown.replace(before, after)
    return shown


def _guided(output: str, w: float | None, told: str, against: str) -> str:
    """The network's output as guidance makes it; nothing where the network is evaluated once."""
    if w == 1:
        return ""
    without, given = f"{output}<sub>∅</sub>", f"{output}<sub>{told}</sub>"
    of_w = f"{without} + w ({given} − {without})"
    weight = _number("w") if w is None else f"<b>{w:g}</b>"
    numbers = without if w == 0 else f"{without} + {weight} ({given} − {without})"
    return f"{output} = {of_w} = {numbers} <i>guidance, Ho and Salimans 2022, eq. 6; ∅: {against}</i><br>"


def reverse_numbers(
    sampler: str, schedule: NoiseSchedule, times: Sequence[int], steps: Sequence[int], eta: float
) -> dict[str, list[str]]:
    """The numbers of `reverse_step` for some of a run's steps; the last frame shows those of the step that led to it.

    Args:
        times: all times of the run, N + 1 of them; steps: the numbers, 0 to N, of the frames shown.
    """
    alpha_bar = [schedule.alpha_bar[t].item() for t in times]
    rows = [_numbers(sampler, alpha_bar, times, min(k, len(times) - 2), eta) for k in steps]
    return {name: [row[name] for row in rows] for name in rows[0]}


def _numbers(sampler: str, alpha_bar: Sequence[float], times: Sequence[int], k: int, eta: float) -> dict[str, str]:
    """The numbers of step k; alpha_bar at each of the run's times."""
    shown = {"signal": sqrt(alpha_bar[k]), "sigma": sqrt(1 - alpha_bar[k])}
    before = alpha_bar[k - 1] if k > 0 else None
    shown |= FORMULAS[sampler].coefficients(alpha_bar[k], alpha_bar[k + 1], eta, before)
    return {name: f"{value:.3g}" for name, value in shown.items()} | {"t": str(times[k]), "s": str(times[k + 1])}


ARC = "(sin (1 − α)Ω / sin Ω) z<sub>0</sub> + (sin αΩ / sin Ω) z<sub>1</sub>"  # Shoemake 1985
SHARE = f"α = {_number('share')} <i>Shoemake 1985</i>"


def ways(straight: str, arc: str, codes: str) -> str:
    """Both ways from z_0 to z_1, by their names, in symbols and in numbers; `codes` says what the two are."""
    return (
        f"{straight}: z = (1 − α) z<sub>0</sub> + α z<sub>1</sub> = {_number('less')} z<sub>0</sub> + "
        f"{_number('share')} z<sub>1</sub><br>{arc}: z = {ARC} = {_number('on_first')} z<sub>0</sub> + "
        f"{_number('on_second')} z<sub>1</sub> <i>Shoemake 1985</i><br><i class=where>z<sub>0</sub>, z<sub>1</sub>: "
        f"{codes} · α: share of the way · Ω: angle between them</i>"
    )


def ways_numbers(on_first: Sequence[float], on_second: Sequence[float]) -> dict[str, list[str]]:
    """Those in `ways`, of the weights along the arc."""
    share = [k / (len(on_first) - 1) for k in range(len(on_first))]
    numbers = {"less": share[::-1], "share": share, "on_first": on_first, "on_second": on_second}
    return {name: [f"{value:.2f}" for value in values] for name, values in numbers.items()}


FORWARD_STEP = (
    "x<sub>t</sub> = √ᾱ<sub>t</sub> x<sub>0</sub> + √(1 − ᾱ<sub>t</sub>) ε <i>Ho 2020, eq. 4</i><br>"
    f"cosine: {_number('cosine_signal')} x<sub>0</sub> + {_number('cosine_sigma')} ε<br>"
    f"linear: {_number('linear_signal')} x<sub>0</sub> + {_number('linear_sigma')} ε<br>"
    "<i class=where>x<sub>0</sub>: the picture · ε: noise, its deviation 1 · ᾱ: the signal's share in the power of x, "
    "1 is clean and 0 is noise</i>"
)
