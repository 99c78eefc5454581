"""Parts of every diffusion model: noise schedule, parameterization, samplers, guidance, and their formulas."""
