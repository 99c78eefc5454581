"""Gradio's page, without the work that it does at every event for features that this app does not have.

For a class on two cores that work is a third of the load: a visitor's session takes a quarter of a second to set up,
each output that an event leaves as it is gets a new component, and each event a table of statistics.
"""

import math
import traceback
from collections.abc import Sequence
from contextvars import ContextVar
from copy import copy
from typing import Any

import gradio as gr
from gradio import state_holder
from gradio.block_function import BlockFunction
from gradio.components import _Keywords
from starlette.middleware.gzip import GZipMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

from playground.runtime import cache
from playground.web.controls import error_sentence

UNCHANGED = gr.skip()
AUTOMATIC = {"load", "change"}  # events when the page opens, or when a value of ours changes
_trigger = ContextVar[int | None]("trigger", default=None)  # id of the component that triggered the event


class Session(state_holder.SessionState):
    """Session of a visitor without its copy of the whole configuration, which only deep links of Gradio's own read.

    Runs are the states that do not live for ever. They are kept while there is room, and are None afterwards.

    Attributes:
        claimed: Ids of the components that the visitor's events have read or written.
    """

    def __init__(self, page: gr.Blocks):
        self.claimed = set[int]()
        super().__init__(_Unconfigured(page))  # type: ignore[arg-type]
        self.blocks_config.config_for_block = lambda *_: {}  # type: ignore[method-assign, assignment, misc]

    def __getitem__(self, key: int) -> Any:
        value = super().__getitem__(key)
        return value.get() if isinstance(value, cache.CachedValue) else value

    def __setitem__(self, key: int, value: Any) -> None:
        block = self.blocks_config.blocks.get(key)
        if isinstance(block, gr.State) and math.isfinite(block.time_to_live) and value is not None:
            value = cache.store.keep(value)
        super().__setitem__(key, value)


class _Unconfigured:
    """Page as a session sees it while it is set up: none of its components has a configuration to copy."""

    def __init__(self, page: gr.Blocks):
        self.default_config, self.blocks = page.default_config, ()


def _is(value: object, constant: object) -> bool:
    """Return whether a value is one of Gradio's constants; an array would be compared element by element."""
    return type(value) is type(constant) and value == constant


class PageCompression:
    """Middleware that compresses the pages: Gradio compresses only what has a file's ending."""

    def __init__(self, app: ASGIApp, page: gr.Blocks):
        self.app, self.compressed, self.page = app, GZipMiddleware(app, compresslevel=6), page

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        paths = ["config", *(path for path, *_ in self.page.pages)]
        is_page = scope["type"] == "http" and scope["path"].strip("/") in paths
        await (self.compressed if is_page else self.app)(scope, receive, send)


class Page(gr.Blocks):
    """Page whose events, sessions and start cost only what they need."""

    is_launched = False

    def start_page(self, path: str, title: str) -> None:
        """Let all that is built from here on lie at a path of its own.

        Each context of `gr.Blocks.route` would make the configuration and the server of all that was built before anew.
        """
        self.pages.append((path, title, False))
        self.current_page = path

    def get_config_file(self) -> Any:
        """Return the configuration: empty until the launch, since Gradio makes it anew at each stage before."""
        return super().get_config_file() if self.is_launched else {}

    def launch(self, *args: Any, **kwargs: Any) -> Any:
        """Start the server."""
        self.is_launched = True
        return super().launch(*args, **kwargs)

    def queue(self, *args: Any, **kwargs: Any) -> "Page":
        """Set up the queue, without a table of its past events that is summed up anew at each."""
        super().queue(*args, **kwargs)
        self._queue.compute_analytics_summary = lambda _: {}  # type: ignore[method-assign]
        return self

    async def call_function(  # type: ignore[override]
        self,
        block_fn: BlockFunction,
        processed_input: list[Any],
        iterator: Any = None,
        requests: Any = None,
        event_id: str | None = None,
        event_data: gr.EventData | None = None,
        *others: Any,
        **settings: Any,
    ) -> Any:
        """Return the result of an event's function.

        An error becomes a message in a corner of the page and an answer that changes nothing, if the event may be
        deferred: after an error Gradio forgets the one that waits.
        """
        _trigger.set(event_data.target._id if event_data and event_data.target else None)
        try:
            return await super().call_function(
                block_fn, processed_input, iterator, requests, event_id, event_data, *others, **settings
            )
        except Exception as error:
            if block_fn.trigger_mode != "always_last" or event_id is None:  # without the queue no message can be sent
                raise
            self._show_error(error, event_id)
        unchanged = UNCHANGED if len(block_fn.outputs) == 1 else [UNCHANGED] * len(block_fn.outputs)
        return {"prediction": unchanged, "duration": 0.0, "is_generating": False, "iterator": None}

    def _show_error(self, error: Exception, event_id: str) -> None:
        """Show an error in a corner of the page of an event, as Gradio would; one of our own goes into the log, too."""
        shown = error if isinstance(error, gr.Error) else gr.Error(error_sentence(error))
        if shown.print_exception:
            traceback.print_exception(error)
        level: Any = "error"  # which the browser shows, though Gradio's annotations leave it out
        self._queue.log_message(event_id, shown.message, shown.title, level, shown.duration, shown.visible)

    def _claim(self, block_fn: BlockFunction, values: Sequence[Any], state: state_holder.SessionState | None) -> None:
        """Note what an event of the visitor reads and writes, once it changes something."""
        own_names = {name for block, name in block_fn.targets if block == _trigger.get()}
        names = own_names or {name for _, name in block_fn.targets}  # of an event that follows another
        if not isinstance(state, Session) or names <= AUTOMATIC:
            return
        nothing_new = (UNCHANGED, _Keywords.FINISHED_ITERATING)
        outputs = zip(block_fn.outputs, values, strict=True)
        if changed := {block._id for block, value in outputs if not any(_is(value, each) for each in nothing_new)}:
            state.claimed |= changed | {block._id for block in block_fn.inputs}

    def _drop_late(
        self, block_fn: BlockFunction, values: Sequence[Any], state: state_holder.SessionState | None
    ) -> Sequence[Any]:
        """Drop the part of an answer to the opening of the page that comes too late: the visitor has meanwhile chosen
        or begun something else. Where that concerns the first output, the picture, it is all of it."""
        if not isinstance(state, Session) or not any(event == "load" for _, event in block_fn.targets):
            return values
        is_late = [block._id in state.claimed for block in block_fn.outputs]
        return [copy(UNCHANGED) if is_late[0] or late else value for value, late in zip(values, is_late, strict=True)]

    async def postprocess_data(
        self, block_fn: BlockFunction, predictions: Any, state: state_holder.SessionState | None
    ) -> list[Any]:
        """Return the values of an event's outputs for the browser; one that stays as it is needs no new component."""
        outputs = block_fn.outputs
        if not isinstance(predictions, (list, tuple)) or len(predictions) != len(outputs) or len(outputs) < 2:
            if len(outputs) == 1:
                self._claim(block_fn, [predictions], state)
            return await super().postprocess_data(block_fn, predictions, state)
        self._claim(block_fn, predictions, state)
        predictions = self._drop_late(block_fn, predictions, state)
        unchanged = [
            _is(value, UNCHANGED) and not block.stateful for value, block in zip(predictions, outputs, strict=True)
        ]
        values = [
            _Keywords.FINISHED_ITERATING if skip else value  # for which Gradio does nothing
            for value, skip in zip(predictions, unchanged, strict=True)
        ]
        data = await super().postprocess_data(block_fn, values, state)
        return [copy(UNCHANGED) if skip else value for value, skip in zip(data, unchanged, strict=True)]


state_holder.SessionState = Session  # type: ignore[assignment, misc]  # Gradio makes sessions of this name
