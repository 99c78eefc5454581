"""The samplers that follow a score, as one table: titles, formulas of their steps, and how many steps they take."""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from torch import Tensor

from playground.families.score_matching import langevin
from playground.families.score_matching.langevin import Score, geometric_sigmas
from playground.runtime.formula import Formula
from playground.runtime.rng import Noise
from playground.runtime.run import Frame

STEPS_PER_LEVEL = 5  # of annealed Langevin dynamics
CORRECTOR_SNR = 0.16  # see `predictor_corrector`


class ScoreSampler(NamedTuple):
    """Sampler of a score."""

    title: str  # name on the page
    formula: Formula  # its step, with the `numbers` of a frame
    steps: Callable[[int], int] = lambda evaluations: evaluations  # number of steps for so many evaluations
    at_one_level: bool = False  # stays at one noise level instead of going from high noise to low


_WHERE = "s: score · σ: noise level · ε: unit noise"
_SIZE, _NEXT = f"{_WHERE} · h: step size", f"{_WHERE} · σ′: the next level"
_REVERSE = "x ← x + (σ² − σ′²) s(x, σ) + √(σ² − σ′²) ε"
SAMPLERS = {
    "langevin": ScoreSampler("Langevin", Formula(
        "x ← x + h s(x, σ) + √(2 h T) ε", "h = {h}, T = {temperature}, σ = {sigma}",
        "Welling 2011, eq. 3", f"{_SIZE} · T: temperature",
    ), at_one_level=True),
    "mala": ScoreSampler("Metropolis-adjusted", Formula(
        "x′ = x + h s(x, σ) + √(2 h) ε, taken with probability min(1, p(x′) q(x | x′) / (p(x) q(x′ | x)))",
        "h = {h}, σ = {sigma}", "Roberts 1996, section 1.4.2", f"{_SIZE} · p: density · q(x′ | x): that of the step",
    ), at_one_level=True),
    "annealed": ScoreSampler("Annealed", Formula(
        "x ← x + h σ² s(x, σ) + √(2 h) σ ε, several times at each level; at last x + σ² s(x, σ)",
        "h = {h}, σ = {sigma}", "Song 2019, algorithm 1", _SIZE,
    ), lambda evaluations: STEPS_PER_LEVEL * max(2, evaluations // STEPS_PER_LEVEL)),
    "predictor-corrector": ScoreSampler("Predictor-corrector", Formula(
        f"{_REVERSE}; a step of Langevin there; at last, to σ′ = 0, without ε",
        "σ = {sigma}", "Song 2021, algorithms 2 and 4", _NEXT,
    ), lambda evaluations: 2 * max(2, evaluations // 2) - 1),
    "reverse diffusion": ScoreSampler("Reverse diffusion", Formula(
        f"{_REVERSE}; to σ′ = 0 without ε", "σ = {sigma}", "Song 2021, algorithm 2", _NEXT,
    )),
    "probability flow": ScoreSampler("Probability flow", Formula(
        "dx = −σ s(x, σ) dσ, by Heun's steps from level to level, without any noise",
        "σ = {sigma}", "Song 2021, eq. 13", "s: score · σ: noise level",
    ), lambda evaluations: evaluations // 2),
}  # fmt: skip
LABELS = {"n": "number of particles or pictures", "step_size": "step size", "low": "least noise", "high": "most noise"}
PLAIN = [name for name, sampler in SAMPLERS.items() if sampler.at_one_level]
FROM_NOISE = [name for name in SAMPLERS if name not in PLAIN]  # those that go from high noise to low


def numbers(sigmas: Sequence[float], step_size: float, temperature: float = 1.0) -> dict[str, list[str]]:
    """Return the numbers of the formulas at frames of these noise levels, with the h and the T of all."""
    constants = {"h": f"{step_size:.3g}", "temperature": f"{temperature:g}"}
    return {"sigma": [f"{sigma:.3g}" for sigma in sigmas]} | {k: [v] * len(sigmas) for k, v in constants.items()}


def sample(
    score: Score,
    x: Tensor,
    sampler: str,
    sigma_range: tuple[float, float],
    evaluations: int,
    step_size: float,
    noise: Noise,
) -> Iterator[Frame]:
    """Sample with one of `FROM_NOISE`, from high noise to low.

    Args:
        x: Samples (B, ...) of N(0, sigma^2 I) at the highest noise level.
        sigma_range: Lowest and highest noise level.
        evaluations: Number of score evaluations, at least 10; annealed Langevin dynamics and the probability flow take
            one more.
        step_size: Size of a step of annealed Langevin dynamics in units of the level's variance.
    """
    steps = SAMPLERS[sampler].steps(evaluations)
    if sampler == "annealed":
        sigmas = geometric_sigmas(*sigma_range, steps // STEPS_PER_LEVEL)
        return langevin.annealed(score, x, sigmas, STEPS_PER_LEVEL, step_size, noise)
    if sampler == "probability flow":
        return langevin.probability_flow(score, x, geometric_sigmas(*sigma_range, 1 + steps))
    corrector_steps = int(sampler == "predictor-corrector")
    sigmas = geometric_sigmas(*sigma_range, (steps + corrector_steps) // (1 + corrector_steps))
    return langevin.predictor_corrector(score, x, sigmas, corrector_steps, CORRECTOR_SNR, noise)
