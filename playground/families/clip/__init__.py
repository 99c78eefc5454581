"""A small CLIP (Radford 2021), whose text encoder conditions text to image."""

from playground.families.clip.model import (
    MAX_LOGIT_SCALE,
    Config,
    Model,
    Word,
    load_pretrained,
    loss,
    vocabulary_of,
)
from playground.runtime.family import Family

FAMILY = Family("clip", "CLIP", Config, Model)
