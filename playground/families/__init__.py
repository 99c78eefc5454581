"""Families of generative models, a package each: its model, its losses, its settings, how it samples, its formulas.

A package exports one `FAMILY` (see `playground.runtime.family.Family`), by which checkpoints, the command line, the
evaluation and the contract tests find it. `loss(model, ..., rng)` is a scalar whose only randomness is the generator,
on the CPU, which a loss without randomness does not take; its model may be wrapped for several processes.
A `Config` checks the bounds of all its fields, since it may come from a file of unknown origin.
"""
