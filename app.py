"""Generative Playground: python app.py, then open the address that it prints."""

import atexit
import ctypes
import os
import signal
import socket
import sys
import tempfile
import threading
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import NoReturn

if __name__ == "__main__":  # Ctrl-C during the imports ends the process without a traceback
    signal.signal(signal.SIGINT, signal.SIG_DFL)
if bad_ports := [name for name in os.environ if name.startswith("GRADIO_") and name.endswith(("_PORT", "_PORTS"))
             and not os.environ[name].isdecimal()]:  # fmt: skip
    # Gradio would fail with a traceback when it is imported.
    sys.exit(f"{bad_ports[0]} must be a whole number, not {os.environ[bad_ports[0]]!r}")

try:
    tempfile.gettempdir()  # as Gradio does when it is imported
except FileNotFoundError:
    sys.exit("no folder for temporary files can be written: let TMPDIR name one that can")

# Threads that spin for milliseconds between two operations would keep a browser on the same machine from drawing the
# previews of a run. OpenMP reads this variable when torch is imported.
os.environ.setdefault("GOMP_SPINCOUNT", "20000")

import gradio as gr
import tyro
from starlette.requests import Request
from starlette.responses import RedirectResponse
from starlette.routing import Route

from playground.api import find_endpoints
from playground.runtime import cache, checkpoint, files, inference, validation
from playground.runtime.paths import Paths
from playground.runtime.validation import UserError
from playground.tabs import discover
from playground.web import api, component, controls, download, glossary, header, plots
from playground.web.component import WEB
from playground.web.controls import error_sentence
from playground.web.page import Page

try:
    import spaces
except ImportError:  # only on Hugging Face Spaces
    spaces = None

MAX_CLOSED = 4  # visitors who left whose runs are kept, since a page that lost its connection may come back
HEAD = f"<script>(() => {{\n{component.bundle(WEB / 'page.js')}\n}})();</script>"
CSS = component.read(WEB / "page.css")


@dataclass(frozen=True)
class Options:
    """Open the playground in a browser. Gradio's GRADIO_* variables work too."""

    # address to listen on; 0.0.0.0 allows connections from other machines.
    host: str = os.environ.get("GRADIO_SERVER_NAME", "127.0.0.1")
    # port to listen on; by default the first free one from 7860.
    port: int | None = int(os.environ["GRADIO_SERVER_PORT"]) if "GRADIO_SERVER_PORT" in os.environ else None
    share: bool = False  # create a public link through Gradio's servers, valid for 72 hours.
    weights: Path = checkpoint.WEIGHTS  # folder of the checkpoints.
    # also offer the API to language models as tools, by the Model Context Protocol; needs the package mcp.
    mcp: bool = os.environ.get("GRADIO_MCP_SERVER", "").lower() == "true"
    data: Path = Path("data")  # folder of the data sets, which are downloaded when first needed.
    # MB to use for runs and labs beside what the app uses idle; those not used for longest go first.
    memory: int = cache.DEFAULT_BUDGET


# Gradio's own hints, links and buttons are too pale to read (2.6 : 1 to 4 : 1).
THEME = gr.themes.Default(primary_hue="blue", neutral_hue="slate").set(
    body_text_color_subdued="*neutral_600",
    block_info_text_color="*neutral_600",
    block_title_text_color="*neutral_700",
    link_text_color_dark="*primary_400",
    button_large_text_weight="700",  # see page.css
    button_primary_background_fill="*primary_600",
    button_primary_background_fill_hover="*primary_700",
    button_primary_background_fill_dark="*primary_600",
    button_primary_background_fill_hover_dark="*primary_700",
)


if spaces:

    @spaces.GPU(duration=1)
    def _gpu() -> None:
        """Do nothing: a ZeroGPU Space does not start without such a function, though the app needs no GPU."""


def build_page(paths: Paths) -> gr.Blocks:
    """Build the app, with a page for each package in playground/tabs; the first is at the root."""
    page = Page(title=header.TITLE, analytics_enabled=False, delete_cache=(3600, 3600), fill_width=True)
    report = partial(report_unreadable_checkpoints, paths.weights)
    tabs = discover()
    titles = {name: tab.title for name, tab in tabs.items()}
    for tab in tabs.values():
        if tab.prepare:  # not in a daemon thread: torch would abort a process that ends
            threading.Thread(target=tab.prepare, args=[paths]).start()
    with page:
        for i, (name, tab) in enumerate(tabs.items()):
            if i:
                page.start_page(name, tab.title)
            header.build(titles, name, tab.guide)
            unreadable = gr.HTML(visible=False)
            gr.Markdown(tab.summary, elem_classes="summary")
            tab.build(page, paths)
            page.load(report, None, unreadable, queue=False, **controls.HIDDEN)
        glossary.mark_page(page)
        page.unload(partial(drop_closed_sessions, page))
        api.publish(page, find_endpoints(paths, download.new_path))
    return page.queue(max_size=64, default_concurrency_limit=1, api_open=False)  # all wait in the queue


def report_unreadable_checkpoints(weights: Path) -> dict[str, object]:
    """Return an update of the notice about damaged checkpoints, which is hidden if there are none."""
    errors = checkpoint.list_checkpoints(weights).unreadable
    notice = "".join(plots.paragraph(f"{error_sentence(error)} No tab offers it.") for error in errors)
    return gr.update(value=notice, visible=bool(notice))


async def drop_closed_sessions(page: gr.Blocks) -> None:
    """Drop the sessions of visitors who left, but for the last `MAX_CLOSED`, since Gradio would keep all they hold,
    and give freed memory back to the system.

    It is a coroutine so that it runs in the server's event loop, where Gradio visits the sessions every second.
    """
    sessions = page.state_holder.session_data
    for key in [key for key, session in sessions.items() if session.is_closed][:-MAX_CLOSED]:
        del sessions[key], page.state_holder.time_last_used[key]
    call_glibc("malloc_trim", 0)


def redirect_to_root(request: Request) -> RedirectResponse:
    """Lead from the name of the first tab to the root, where its page is."""
    return RedirectResponse(f"./?{request.url.query}" if request.url.query else "./")


def launch(page: gr.Blocks, **options: object) -> tuple[object, str, str]:
    """Start the server of a page; returns the app, its local address and its public one."""
    return page.launch(
        theme=THEME,
        css=CSS,
        head=HEAD,
        max_file_size="20mb",
        show_error=False,
        run_history=False,
        max_threads=2 * controls.MAX_RUNS,  # a run that waits for its turn holds one
        state_session_capacity=256,  # pages open at once; their runs share one budget, see `cache`
        footer_links=["api", "gradio"],
        app_kwargs=api.server_options(page, Route(f"/{next(iter(discover()))}", redirect_to_root)),
        **options,  # type: ignore[arg-type]
    )


def share_arenas() -> None:
    """Let all threads share two arenas of glibc's allocator: each keeps much of the memory that is freed in it."""
    call_glibc("mallopt", -8, 2)  # M_ARENA_MAX


def call_glibc(function: str, *arguments: int) -> None:
    """Call a function of glibc's allocator; other systems have none of that name."""
    with suppress(AttributeError, TypeError):
        ctypes.CDLL(None)[function](*arguments)


def check_options(options: Options) -> None:
    """Check the options before the slow start, or raise UserError: a folder cannot be read or written, or the address
    not listened on."""
    validation.check_folder("--weights", options.weights)
    if options.mcp and find_spec("mcp") is None:
        raise UserError("--mcp needs the package mcp: pip install 'mcp>=1.21,<2'")
    validation.check_integer("--memory", options.memory, 100, 1_000_000)
    if os.path.lexists(options.data):
        validation.check_folder("--data", options.data)
    try:
        files.check_writable(gr.utils.get_upload_folder())
    except UserError as error:
        raise UserError(f"{error}; let GRADIO_TEMP_DIR name a folder that can") from None
    port = 0 if options.port is None else validation.check_integer("--port", options.port, 1, 65535)
    family = socket.AF_INET6 if ":" in options.host else socket.AF_INET
    try:
        with socket.socket(family) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the server does
            probe.bind((options.host.strip("[]"), port))
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or "no address"
        address = f"{options.host}:{port}" if port else options.host
        raise UserError(f"cannot listen on {address} ({reason}): choose another --host or --port") from None


def serve(options: Options) -> None:
    """Serve the page until Ctrl-C, or until the system ends it."""
    check_options(options)
    names = [path.stem for path in checkpoint.find(options.weights)]
    print(f"Checkpoints in {options.weights}: {', '.join(names) or 'none'}")
    share_arenas()
    cache.set_budget(options.memory)
    inference.reserve_cores_for_worker()
    page = build_page(Paths(options.weights, options.data))
    for end in (signal.SIGINT, signal.SIGTERM):
        signal.signal(end, signal.default_int_handler)
    try:
        launch(page, server_name=options.host, server_port=options.port, share=options.share or None,
               mcp_server=options.mcp)  # fmt: skip
    except SystemExit:  # after Ctrl-C with server-side rendering, Gradio stops Node and exits before it closes the page
        page.close(verbose=False)
    finally:
        if node := getattr(page, "node_process", None):
            node.terminate()


def main() -> NoReturn:
    """Run the app with options of the command line, and end the process with its exit code."""
    options = tyro.cli(Options, description=__doc__)
    status = 0
    try:
        serve(options)
    except (UserError, OSError, OverflowError) as error:  # such as a port that another program took meanwhile
        print(error, file=sys.stderr)
        status = 1
    except KeyboardInterrupt:
        pass
    # Exit as Python does, but without waiting for threads: before 3.14, one that returns from torch aborts the process.
    atexit._run_exitfuncs()
    sys.stdout.flush()
    os._exit(status)


if __name__ == "__main__":
    main()
