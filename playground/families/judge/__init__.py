"""The classifier of digits, whose features the evaluation compares."""

from playground.families.judge.model import Config, Model, augment, loss
from playground.runtime.family import Family

FAMILY = Family("judge", "Classifier that judges digits", Config, Model)
