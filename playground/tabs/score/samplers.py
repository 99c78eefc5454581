"""The samplers that follow a score, by their names on the page."""

FORMULAS = {
    "langevin": "x ← x + h s(x) + √(2 h T) ε",
    "mala": "x′ = x + h s(x) + √(2 h) ε, taken with probability min(1, p(x′) q(x | x′) / (p(x) q(x′ | x)))",
    "annealed": "x ← x + h σ² s(x, σ) + √(2 h) σ ε, from σ to σ; at last, x + σ² s",
    "predictor-corrector": "x ← x + (σ² − σ′²) s(x, σ) + √(σ² − σ′²) ε (0 ε at last), and a step of Langevin at σ′",
    "reverse diffusion": "x ← x + (σ² − σ′²) s(x, σ) + √(σ² − σ′²) ε (0 ε at last)",
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
