"""The shipped checkpoints that several tests of the tabs read."""

from pathlib import Path

from playground.runtime.checkpoint import WEIGHTS
from playground.runtime.paths import Paths

GAN = "gan-digits-conditional"
SHIPPED = Paths(WEIGHTS, Path("data"))
