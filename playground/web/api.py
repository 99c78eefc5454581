"""The API on the page's server: the endpoints of `playground.api` as Gradio's, the only public ones, and its health.

Each is there for `gradio_client`, for curl (/gradio_api/call/v2/NAME), and as a tool of MCP.
"""

import inspect
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import gradio as gr
from anyio.to_thread import run_sync
from gradio.data_classes import FileData
from gradio.mcp import GradioMCPServer
from gradio.utils import get_upload_folder, is_in_or_equal
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from playground.api.endpoint import REQUIRED, Endpoint, Facts, Parameter
from playground.runtime import inference
from playground.runtime.validation import UserError
from playground.web import controls
from playground.web.controls import error_sentence
from playground.web.page import PageCompression

PREFIX = "/gradio_api"
CALL = re.compile(rf"{PREFIX}/call/(?:(v2)/)?([^/]+)/?")
RESULT = re.compile(rf"{PREFIX}/call/(?:v2/)?([^/]+)/([^/]+)")
MAX_BODY = 100_000  # bytes of a call, whose files are uploaded before
FILE_SCHEMA, FILE_META = FileData.model_json_schema(), {"_type": "gradio.FileData"}
NO_FILE = (
    'must be a file that was uploaded before: {"path": PATH, "meta": {"_type": "gradio.FileData"}} with the path that '
    f"POST {PREFIX}/upload returns, or handle_file(PATH) with gradio_client"
)


def publish(page: gr.Blocks, endpoints: Sequence[Endpoint]) -> None:
    """Make the events so far of a page that is being built private, and add the endpoints."""
    for event in page.fns.values():
        event.api_visibility = "private"
    for endpoint in endpoints:
        publish_endpoint(page, endpoint)
    page.endpoints = {endpoint.name: endpoint for endpoint in endpoints}  # type: ignore[attr-defined]


def publish_endpoint(page: gr.Blocks, endpoint: Endpoint) -> None:
    """Add an endpoint."""
    group = controls.MODEL if endpoint.uses_model else controls.LIGHT
    queue = {key: group[key] for key in ("concurrency_id", "concurrency_limit")}
    event: Any = gr.api(to_gradio(endpoint), api_name=endpoint.name, **queue)
    inputs: list[Any] = list(page.fns[event["id"]].inputs)
    outputs: list[Any] = list(page.fns[event["id"]].outputs)
    for parameter, component in zip(endpoint.parameters, inputs, strict=True):
        component.api_info().update(schema(parameter))
        component.label = parameter.name
    if endpoint.has_file:
        outputs[0].api_info().update(FILE_SCHEMA)


def schema(parameter: Parameter) -> Facts:
    """Return the JSON schema of a parameter's values."""
    return FILE_SCHEMA if parameter.type is Path else parameter.schema()


def to_gradio(endpoint: Endpoint) -> Any:
    """Return the generator function of an endpoint, with the name, signature and documentation that Gradio reads."""

    @controls.user_errors_to_gradio
    def call(*values: object) -> Iterator[object]:
        arguments = check(endpoint, dict(zip(names, values, strict=True)))
        try:
            for file, facts in endpoint.run(**arguments):
                yield (file and pack(file), facts) if endpoint.has_file else facts
        except UserError:
            raise
        except Exception as error:
            raise gr.Error(error_sentence(error)) from error

    names = [parameter.name for parameter in endpoint.parameters]
    parameters = [
        inspect.Parameter(
            parameter.name,
            inspect.Parameter.POSITIONAL_OR_KEYWORD,
            default=inspect.Parameter.empty if parameter.default is REQUIRED else parameter.default,
            annotation=parameter.type,
        )
        for parameter in endpoint.parameters
    ]
    returns = tuple[dict, dict] if endpoint.has_file else dict
    signature = inspect.Signature(parameters, return_annotation=returns)
    meanings = [f"    {parameter.name}: {parameter.meaning}" for parameter in endpoint.parameters]
    call.__name__, call.__doc__ = endpoint.name, "\n".join([endpoint.description, "", "Args:", *meanings])
    call.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    call.__signature__ = signature  # type: ignore[attr-defined]
    return call


def pack(file: Path) -> Facts:
    """Return a file as Gradio serves it."""
    return FileData(path=str(file), orig_name=file.name).model_dump()


def check(endpoint: Endpoint, values: Mapping[str, object]) -> dict[str, object]:
    """Return clean values of an endpoint's parameters, of its files the paths, or raise UserError."""
    arguments = endpoint.check(values)
    for parameter in endpoint.parameters:
        if parameter.type is Path:
            arguments[parameter.name] = check_upload(parameter.name, arguments[parameter.name])
    return arguments


def check_upload(name: str, value: object) -> Path:
    """Return the path of an uploaded file, or raise UserError if it is none: no other file may be read."""
    path = value.get("path") if isinstance(value, dict) and value.get("meta") == FILE_META else None
    try:
        if isinstance(path, str) and is_in_or_equal(path, get_upload_folder()) and Path(path).is_file():
            return Path(path)
    except (ValueError, OSError):  # no path at all, such as one with a null byte
        pass
    raise UserError(f"{name} {NO_FILE}")


class CallCheck:
    """Middleware that answers a call which cannot be run at once, with a status and one sentence.

    Gradio would accept most of them, and tell the error in the stream of results, or break.
    """

    def __init__(self, app: ASGIApp, page: gr.Blocks):
        self.app, self.page = app, page

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path, method = scope.get("path", ""), scope.get("method")
        error: tuple[int, str] | None = None
        if method == "POST" and (call := CALL.fullmatch(path)):
            body, receive = await read_body(receive)
            error = self.find_error(call[2], body, is_named=bool(call[1]))
        elif method == "GET" and (result := RESULT.fullmatch(path)) and not self.is_pending(result[2]):
            error = 404, f"There is no such call of {result[1]}, or its result was fetched before."
        if error:
            await JSONResponse({"error": error[1]}, error[0])(scope, receive, send)
        else:
            await self.app(scope, receive, send)

    def find_error(self, name: str, body: bytes, is_named: bool) -> tuple[int, str] | None:
        """Return the status and the sentence for a call that cannot be run, None for one that may."""
        endpoints: dict[str, Endpoint] = self.page.endpoints  # type: ignore[attr-defined]
        if name not in endpoints:
            return 404, f"There is no such endpoint; there are {', '.join(endpoints)}."
        if len(body) > MAX_BODY:
            return 413, f"A call has at most {MAX_BODY} bytes: upload a file before."
        try:
            check(endpoints[name], parse(endpoints[name], body, is_named))
        except UserError as error:
            return 422, error_sentence(error)
        return None

    def is_pending(self, event_id: str) -> bool:
        """Return true if the result of a call was not fetched yet."""
        queue = self.page._queue
        return event_id in queue.event_ids_to_events or any(
            event_id in ids for ids in queue.pending_event_ids_session.values()
        )


def parse(endpoint: Endpoint, body: bytes, is_named: bool) -> dict[str, object]:
    """Return the values of a call's parameters by their names, or raise UserError if it is not written as it has to
    be: as an object of JSON, which has the values in the parameters' order as "data" unless it has their names."""
    try:
        values = json.loads(body)
    except (ValueError, RecursionError):
        values = None
    if not is_named:
        values = values.get("data") if isinstance(values, dict) else None
        if not isinstance(values, list) or len(values) != len(endpoint.parameters):
            names = ", ".join(parameter.name for parameter in endpoint.parameters)
            raise UserError(f'the call must be {{"data": [{names}]}}, all of them, or go to {PREFIX}/call/v2')
        return {parameter.name: value for parameter, value in zip(endpoint.parameters, values, strict=True)}
    if not isinstance(values, dict):
        raise UserError('the call must be an object of JSON with the parameters by name, such as {"n": 4}')
    return values


async def read_body(receive: Receive) -> tuple[bytes, Receive]:
    """Return the body of a request, as far as it is needed, and a function that receives it again."""
    messages, body, more = list[Message](), b"", True
    while more and len(body) <= MAX_BODY:
        messages.append(message := await receive())
        body, more = body + message.get("body", b""), message.get("more_body", False)
    replay = iter(messages)

    async def receive_again() -> Message:
        return next(replay, None) or await receive()

    return body, receive_again


async def return_all_outputs(_: GradioMCPServer, job: Any) -> list[Any]:
    """Return the outputs of a tool's job: Gradio takes several for one if the client asks for no progress, so that a
    language model would get a picture as text."""
    result = await run_sync(job.result)
    return list(result) if isinstance(result, tuple) else [result]


def server_options(page: gr.Blocks, *routes: Route) -> dict[str, Any]:
    """Return what we add to the page's server, and more routes, as arguments of FastAPI."""

    async def health(_: Request) -> JSONResponse:
        running, waiting = inference.count_runs()
        return JSONResponse({"status": "ok", "running": running, "waiting": waiting + len(page._queue)})

    middleware = [Middleware(CallCheck, page=page), Middleware(PageCompression, page=page)]
    GradioMCPServer._execute_tool_without_progress = return_all_outputs  # type: ignore[assignment, method-assign]
    return {"routes": [Route(f"{PREFIX}/health", health), *routes], "middleware": middleware}
