"""Controls that every tab shares, and how a function answers to bad input."""

import functools
import inspect
from collections.abc import Callable
from typing import Any, TypeVar

import gradio as gr

from playground.checkpoint import CheckpointError
from playground.data.digits import DataError
from playground.validation import MAX_SEED

Control = TypeVar("Control", bound=gr.components.Component)
ROLL = f"() => Math.floor(Math.random() * {MAX_SEED})"  # JavaScript of the dice
EXPECTED = (ValueError, CheckpointError, DataError)  # errors whose message is one sentence for the user


def unchecked(control: Control) -> Control:
    """Let any value through to the function, whose own checks are complete and say what to do.

    Gradio's catch a slider's bounds only; a string or a null breaks them, and the user would see "Error".
    """
    control.preprocess = lambda payload: payload  # type: ignore[method-assign]
    return control


def seed() -> tuple[gr.Number, gr.Button]:
    """The seed, and a button that throws a new one: listen to it with `js=ROLL`."""
    with gr.Row(equal_height=True, elem_classes="seed"):
        number = unchecked(
            gr.Number(
                0, label="Seed", info="The same seed gives the same pictures.", precision=0, min_width=100, scale=3
            )
        )
        dice = gr.Button("⚄ New", min_width=70, scale=1, elem_classes="dice")
    return number, dice


def answered(function: Callable[..., Any]) -> Callable[..., Any]:
    """Turn expected errors into the one sentence that the page and the API show."""
    if inspect.isgeneratorfunction(function):

        @functools.wraps(function)
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            try:
                yield from function(*args, **kwargs)
            except EXPECTED as error:
                raise gr.Error(sentence(error), print_exception=False) from error
    else:

        @functools.wraps(function)
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            try:
                return function(*args, **kwargs)
            except EXPECTED as error:
                raise gr.Error(sentence(error), print_exception=False) from error

    return wrapped


def sentence(error: Exception) -> str:
    """An error's message as a sentence."""
    text = str(error).strip()
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", "?")) else ".")
