"""Functions of which only the newest answer counts, as in requests.js: a late one would overwrite newer choices."""

import inspect
from collections.abc import Callable, Iterator

import gradio as gr


class Requests:
    """Count of a visitor's requests, as the value of a `gr.State`."""

    def __init__(self) -> None:
        self.newest = 0
        self.values: tuple[object, ...] | None = None  # that the newest request is about

    def next_number(self, values: tuple[object, ...] | None = None) -> int:
        """Return the number of a request about some values that begins."""
        self.newest, self.values = self.newest + 1, values
        return self.newest

    def is_newest(self, values: tuple[object, ...]) -> bool:
        """Return whether no request about other values has begun after one about these, which may follow others in it:
        what is no choice, such as a notice."""
        return self.values is None or self.values[len(self.values) - len(values) :] == values


def newest_only(function: Callable[..., object]) -> Callable[..., object]:
    """Let a function or generator change nothing once a newer request has begun; its first input becomes `Requests`."""

    def call(requests: Requests, *values: object) -> object:
        number = requests.next_number(values)
        answer = function(*values)
        return answer if number == requests.newest else gr.skip()

    def iterate(requests: Requests, *values: object) -> Iterator[object]:
        number = requests.next_number(values)
        for answer in function(*values):  # type: ignore[attr-defined]
            if number != requests.newest:
                return
            yield answer

    newest: Callable[..., object] = iterate if inspect.isgeneratorfunction(function) else call
    newest.__name__, newest.__doc__ = function.__name__, function.__doc__  # not its signature, which Gradio would read
    return newest
