"""The app in a process of its own, as the benchmarks start it."""

import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
LAUNCH = "import app, time; print('imported', time.time(), flush=True); app.main()"  # python app.py with a time stamp
TIMEOUT = 120.0  # seconds until the page is served


class Server(NamedTuple):
    """Running app: its address, the time at which its imports were done, and the number of its process."""

    url: str
    imported: float
    pid: int


@contextmanager
def run_app(weights: Path, data: Path, options: Sequence[str] = ()) -> Iterator[Server]:
    """Run `app.py` on a free port, with further options of its command line."""
    port = _free_port()
    folders = ["--weights", str(weights.resolve()), "--data", str(data.resolve())]
    command = [sys.executable, "-c", LAUNCH, "--port", str(port), *folders, *options]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as app:
        try:
            assert app.stdout is not None
            stamp = app.stdout.readline()  # empty if the process ended early
            deadline = time.monotonic() + TIMEOUT
            while not _accepts_connections(port):
                if app.poll() is not None or time.monotonic() > deadline:
                    raise SystemExit("the app did not serve the page")
                time.sleep(0.01)
            yield Server(f"http://127.0.0.1:{port}/", float(stamp.split()[1]), app.pid)
        finally:
            app.terminate()
            app.wait()  # before its standard output is closed, to which it may still write


def _free_port() -> int:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        return int(server.getsockname()[1])


def _accepts_connections(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
