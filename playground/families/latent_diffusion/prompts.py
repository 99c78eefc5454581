"""Prompts of text to image, in the words of the captions that a checkpoint was trained on."""

from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from typing import Any

from playground.datasets import emoji, prompts
from playground.datasets.prompts import PromptReading
from playground.families.latent_diffusion.sampling import Settings


def read_prompt(text: str, provenance: Mapping[str, Any]) -> PromptReading:
    """Read a prompt for a checkpoint, whose provenance says of which emoji its captions were."""
    flags = provenance.get("flags")  # in a file of unknown origin it may be anything
    core = not isinstance(flags, dict) or flags.get("core", True)
    return prompts.read_prompt(text, emoji.CORE if core else _all_names())


def read_prompts(settings: Settings, provenance: Mapping[str, Any]) -> tuple[Settings, str]:
    """Return settings with both prompts in the words of a checkpoint, and a sentence on how they were read.

    Raises:
        UserError: A prompt names neither an emoji nor a background.
    """
    prompt, negative = (read_prompt(text, provenance).check() for text in (settings.prompt, settings.negative))
    sentence = f"{prompt.sentence} The negative prompt: {negative.sentence}" if negative.prompt else prompt.sentence
    return replace(settings, prompt=prompt.prompt, negative=negative.prompt), sentence


@cache
def _all_names() -> tuple[str, ...]:
    return tuple(emoji.emoji_names().values())
