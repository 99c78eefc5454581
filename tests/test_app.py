"""Tests of the end of the app: one sentence if it cannot start, and no traceback on Ctrl-C."""

import asyncio
import ctypes
import os
import platform
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path

import gradio as gr
import httpx
import psutil
import pytest
from gradio.state_holder import StateHolder

import app
from playground.runtime.paths import Paths
from playground.runtime.validation import UserError

APP = Path(app.__file__)
NO_MCP = pytest.mark.skipif(find_spec("mcp") is not None, reason="the package mcp is there")
Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def occupied_port() -> Iterator[int]:
    """Port that another server listens on."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.fixture
def start() -> Iterator[Start]:
    """Function that starts the app with flags and environment variables; the processes are killed after the test."""
    processes = []

    def start_app(*flags: str, **variables: str) -> subprocess.Popen[str]:
        env = os.environ | {"PYTHONUNBUFFERED": "1", "GRADIO_ANALYTICS_ENABLED": "False"} | variables
        command = [sys.executable, str(APP), *flags]
        processes.append(subprocess.Popen(command, env=env, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE))
        return processes[-1]

    yield start_app
    for process in processes:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("server_side", ["true", "false"])
def test_an_occupied_port_ends_the_app_in_one_sentence(start: Start, occupied_port: int, server_side: str) -> None:
    process = start("--port", str(occupied_port), GRADIO_SSR_MODE=server_side)
    out, err = process.communicate(timeout=120)
    sentence = f"cannot listen on 127.0.0.1:{occupied_port} (Address already in use): choose another --host or --port\n"
    assert (process.returncode, out, err) == (1, "", sentence)


def test_a_variable_that_gradio_rejects_ends_the_app_in_one_sentence(start: Start) -> None:
    process = start(GRADIO_SERVER_PORT="abc")
    out, err = process.communicate(timeout=120)
    sentence = "GRADIO_SERVER_PORT must be a whole number, not 'abc'\n"
    assert (process.returncode, out, err) == (1, "", sentence)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"port": 99999}, "--port must be a whole number from 1 to 65535, not 99999"),
        ({"port": -1}, "--port must be a whole number from 1 to 65535, not -1"),
        ({"host": "no.such.invalid"}, "cannot listen on no.such.invalid ("),
        ({"host": "a" * 70, "port": 7000}, f"cannot listen on {'a' * 70}:7000 ("),
        ({"weights": Path("nowhere")}, "--weights must be a folder, and there is no folder nowhere"),
        ({"weights": APP}, f"--weights must be a folder, and there is no folder {APP}"),
        pytest.param({"mcp": True}, "--mcp needs the package mcp: pip install", marks=NO_MCP),
        ({"data": APP}, f"--data must be a folder, and there is no folder {APP}"),
    ],
)
def test_bad_options_are_rejected(options: dict[str, object], sentence: str) -> None:
    with pytest.raises(UserError, match=re.escape(sentence)):
        app.check_options(app.Options(**options))  # type: ignore[arg-type]


def test_a_folder_for_uploads_that_cannot_be_written_is_rejected(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    folder = tmp_path / "file" / "gradio"
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(folder))
    sentence = f"{folder} cannot be written: Not a directory; let GRADIO_TEMP_DIR name a folder that can"
    with pytest.raises(UserError, match=f"^{re.escape(sentence)}$"):
        app.check_options(app.Options())


def test_where_no_temporary_file_can_be_written_the_app_ends_in_one_sentence() -> None:
    code = f"import runpy, tempfile; tempfile._candidate_tempdir_list = lambda: []; runpy.run_path({str(APP)!r})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    sentence = "no folder for temporary files can be written: let TMPDIR name one that can\n"
    assert (done.returncode, done.stderr) == (1, sentence)


@pytest.mark.parametrize("option", ["weights", "data"])
def test_an_unreadable_folder_is_rejected(option: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: path != tmp_path)  # root may read everything
    with pytest.raises(UserError, match=f"--{option} must be a folder that can be read, and {tmp_path} cannot"):
        app.check_options(app.Options(**{option: tmp_path}))  # type: ignore[arg-type]


def test_good_options_pass(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    app.check_options(app.Options(port=port, data=tmp_path / "later"))
    app.check_options(app.Options(host="0.0.0.0"))


def leave(address: str, visitor: str) -> None:
    """Open the stream by which the server sees that a visitor is there, and close it."""
    with httpx.stream("GET", f"{address}gradio_api/heartbeat/{visitor}", timeout=60) as stream:
        next(stream.iter_lines())


def test_of_the_visitors_who_left_only_the_last_are_kept(tmp_path: Path) -> None:
    page = app.build_page(Paths(tmp_path, tmp_path))
    _, address, _ = app.launch(page, prevent_thread_lock=True, quiet=True)
    visitors = [f"visitor {i}" for i in range(app.MAX_CLOSED + 2)]
    sessions = page.state_holder.session_data
    try:
        for visitor in ["present", *visitors]:
            page.state_holder[visitor]  # as any event of the page would do
        for visitor in visitors:
            leave(address, visitor)
            deadline = time.monotonic() + 60
            while not sessions[visitor].is_closed and time.monotonic() < deadline:
                time.sleep(0.05)
        while len(sessions) > app.MAX_CLOSED + 1 and time.monotonic() < deadline:
            time.sleep(0.05)
    finally:
        page.close()
    assert list(sessions) == ["present", *visitors[2:]]


GLIBC = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the C library is not glibc")


@GLIBC
def test_freed_memory_goes_back_to_the_system_when_a_visitor_leaves() -> None:
    def megabytes() -> float:
        return psutil.Process().memory_info().rss / 1e6

    page, empty = gr.Blocks(), megabytes()
    page.state_holder = StateHolder()
    blocks = [bytearray(100_000) for _ in range(2000)]  # each too small for a mapping of its own
    last = bytearray(100_000)  # above the others on the heap, which therefore does not shrink by itself
    blocks.clear()
    assert megabytes() > empty + 100
    with ThreadPoolExecutor() as pool:  # Playwright may run an event loop in this thread
        pool.submit(asyncio.run, app.drop_closed_sessions(page)).result()
    assert megabytes() < empty + 50
    assert len(last) == 100_000


@GLIBC
def test_threads_share_their_arenas(capfd: pytest.CaptureFixture[str]) -> None:
    libc = ctypes.CDLL(None)

    def count_arenas() -> int:
        libc.malloc_info(0, ctypes.c_void_p.in_dll(libc, "stdout"))
        libc.fflush(None)
        return capfd.readouterr().out.count("<heap nr=")

    app.share_arenas()
    before, barrier = count_arenas(), threading.Barrier(30)
    threads = [threading.Thread(target=barrier.wait) for _ in range(30)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert 1 <= count_arenas() <= max(before, 2)


def start_serving(start: Start, server_side: bool) -> tuple[subprocess.Popen[str], str, list[psutil.Process]]:
    """Start the app, with Node or without; return it when it serves, what it says then, and its children."""
    with socket.socket() as probe:  # Gradio's search for two ports can lose one to another app that starts meanwhile
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = start(GRADIO_SSR_MODE=str(server_side), GRADIO_NODE_SERVER_PORT=str(port))
    assert process.stdout
    greeting = next(line for line in process.stdout if "Running on local URL" in line)
    return process, greeting, psutil.Process(process.pid).children()


def end_silently(process: subprocess.Popen[str], children: list[psutil.Process], how: signal.Signals) -> None:
    """End the app by a signal, and expect that it says nothing and leaves no child."""
    process.send_signal(how)
    _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (0, "")
    _, alive = psutil.wait_procs(children, timeout=10)
    assert not alive


def test_ctrl_c_ends_the_app_without_a_traceback(start: Start) -> None:
    """Ctrl-C during the first run, since torch aborts a process that exits while it computes; with Node if it is
    there."""
    server_side = bool(shutil.which("node"))
    process, greeting, children = start_serving(start, server_side)
    end_silently(process, children, signal.SIGINT)
    assert ("SSR" in greeting, len(children)) == (server_side, int(server_side))


def test_the_end_by_the_system_in_mid_run_leaves_no_traceback(start: Start) -> None:
    process, greeting, children = start_serving(start, server_side=False)
    address = re.search(r"http://[^\s,]+(?=[\s,])", greeting)[0].rstrip("/")  # type: ignore[index]
    run = {"n": 12, "steps": 100}
    httpx.post(f"{address}/gradio_api/call/v2/sample_ddpm", json=run, timeout=60).raise_for_status()
    deadline = time.monotonic() + 60
    while not httpx.get(f"{address}/gradio_api/health", timeout=60).json()["running"] and time.monotonic() < deadline:
        time.sleep(0.05)
    end_silently(process, children, signal.SIGTERM)


def test_ctrl_c_during_the_start_ends_it_without_a_traceback(start: Start) -> None:
    process = start()
    while psutil.Process(process.pid).memory_info().rss < 60e6:  # half of torch's imports
        assert process.poll() is None
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err) == (-signal.SIGINT, "", "")


BARE_PAGE = """
import torch, gradio as gr
with gr.Blocks() as page:
    with gr.Tab("Tab"):
        gr.Button().click(lambda value: value, gr.Slider(), gr.Image())
page.launch(prevent_thread_lock=True, quiet=True)
"""
OUR_PAGE = """
import app
from pathlib import Path
from playground.runtime.paths import Paths
page = app.build_page(Paths(Path("weights"), Path("data")))
app.launch(page, prevent_thread_lock=True, quiet=True)
"""
PRINT_TIME = "import os, time; print(time.thread_time(), flush=True); os._exit(0)"  # that other programs hardly change


@pytest.mark.slow
def test_the_start_takes_at_most_twice_the_time_of_a_page_with_one_tab() -> None:
    ours, bare = (
        float(subprocess.check_output([sys.executable, "-c", page + PRINT_TIME], cwd=APP.parent, text=True))
        for page in (OUR_PAGE, BARE_PAGE)
    )
    assert ours < 2 * bare, (ours, bare)
