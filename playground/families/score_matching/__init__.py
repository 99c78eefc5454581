"""Score matching and Langevin dynamics (Song and Ermon 2019)."""

from playground.families.score_matching.model import (
    OBJECTIVES,
    Config,
    Model,
    Objective,
    loss,
    relative_error,
    sample_sigmas,
)
from playground.runtime.family import Family

FAMILY = Family("score_matching", "Score matching", Config, Model)
