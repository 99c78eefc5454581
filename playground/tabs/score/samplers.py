"""The samplers that follow a score, by their names on the page."""

from collections.abc import Iterator

from torch import Tensor

from playground import langevin
from playground.langevin import Moment, Score, ladder
from playground.sampling import Noise

FORMULAS = {
    "langevin": "x ← x + h s(x) + √(2 h T) ε",
    "mala": "x′ = x + h s(x) + √(2 h) ε, taken with probability min(1, p(x′) q(x | x′) / p(x) q(x′ | x))",
    "annealed": "x ← x + h σ² s(x, σ) + √(2 h) σ ε, from σ to σ",
    "predictor-corrector": "x ← x + (σ² − σ′²) s(x, σ) + √(σ² − σ′²) ε, and a step of Langevin at σ′",
    "reverse diffusion": "x ← x + (σ² − σ′²) s(x, σ) + √(σ² − σ′²) ε",
    "probability flow": "dx = −σ s(x, σ) dσ, without any noise",
}
SAMPLERS = {
    "langevin": "Langevin",
    "mala": "Metropolis-adjusted",
    "annealed": "Annealed",
    "predictor-corrector": "Predictor-corrector",
    "reverse diffusion": "Reverse diffusion",
    "probability flow": "Probability flow",
}
PLAIN = ("langevin", "mala")  # which stay at one noise level
EACH = 5  # steps of annealed Langevin at a level
RATIO = 0.16  # of a corrector's step: see `langevin.predictor_corrector`


def descent(
    score: Score, x: Tensor, sampler: str, ends: tuple[float, float], evaluations: int, size: float, noise: Noise
) -> Iterator[Moment]:
    """The moments of a sampler that goes from the most noise to the least, by so many evaluations of the score.

    Args:
        size: of a step of annealed Langevin dynamics, by the variance of the level.
    """
    if sampler == "annealed":
        return langevin.annealed(score, x, ladder(*ends, max(2, evaluations // EACH)), EACH, size, noise)
    if sampler == "probability flow":
        return langevin.probability_flow(score, x, ladder(*ends, 1 + evaluations // 2))
    corrected = int(sampler == "predictor-corrector")
    levels = ladder(*ends, max(2, evaluations // (1 + corrected)))
    return langevin.predictor_corrector(score, x, levels, corrected, RATIO, noise)
