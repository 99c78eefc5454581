"""The samplers that follow a score, by their names on the page, and what they do."""

FORMULAS = {
    "langevin": "x ← x + h s(x, σ) + √(2 h T) ε",
    "mala": "x′ = x + h s(x, σ) + √(2 h) ε, taken with probability min(1, p(x′) q(x | x′) / (p(x) q(x′ | x)))",
    "annealed": "x ← x + h σ² s(x, σ) + √(2 h) σ ε, several times at each level σ; at last x + σ² s(x, σ)",
    "predictor-corrector": "x ← x + (σ² − σ′²) s(x, σ) + √(σ² − σ′²) ε, σ′ being the next level; a step of Langevin "
    "there; at last, to σ′ = 0, without ε",
    "reverse diffusion": "x ← x + (σ² − σ′²) s(x, σ) + √(σ² − σ′²) ε, σ′ being the next level; to σ′ = 0 without ε",
    "probability flow": "dx = −σ s(x, σ) dσ, by Heun's steps from level to level, without any noise",
}
SAMPLERS = {
    "langevin": "Langevin",
    "mala": "Metropolis-adjusted",
    "annealed": "Annealed",
    "predictor-corrector": "Predictor-corrector",
    "reverse diffusion": "Reverse diffusion",
    "probability flow": "Probability flow",
}
CALLED = {"n": "number of particles or pictures", "size": "step size", "low": "least noise", "high": "most noise"}
PLAIN = ("langevin", "mala")  # which stay at one noise level


def formula(sampler: str, size: float, temperature: float = 1.0) -> str:
    """HTML: the step of a sampler, and under it the numbers in it; σ is "sigma" of the frame's numbers."""
    h, t = f"h = {size:.3g}, ", f"T = {temperature:g}, "
    given = {"langevin": h + t, "mala": h, "annealed": h}.get(sampler, "")
    return f'{FORMULAS[sampler]}<br>{given}σ = <b data-number="sigma"></b>'
