"""Apps for the browser tests: as shipped, in a process of its own, or inside the tests' process."""

import contextlib
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import app
from playground.runtime.paths import Paths

ROOT = Path(__file__).resolve().parents[2]


class Server(NamedTuple):
    """Address of an app, and the number of its process."""

    address: str
    pid: int


class LocalApp(NamedTuple):
    """Address and folders of an app in the tests' process."""

    address: str
    paths: Paths


@contextlib.contextmanager
def shipped(folder: Path, **variables: str) -> Iterator[Server]:
    """Run `python app.py` with the shipped weights and no data set, and with variables of the environment; it writes
    only into the folder.

    A process of its own has the threads that a visitor's app has, and leaves those of the tests alone.
    """
    log = folder / "log.txt"
    command = [sys.executable, "-u", "app.py", "--data", str(folder)]
    with log.open("w") as out, subprocess.Popen(command, cwd=ROOT, env=os.environ | variables, stdout=out) as process:
        try:
            while not (found := re.search(r"http://[^\s,]+(?=[\s,])", log.read_text())):
                assert process.poll() is None, "the app ended before its page was there"
                time.sleep(0.1)
            yield Server(found[0].rstrip("/") + "/", process.pid)
        finally:
            process.terminate()


@contextlib.contextmanager
def in_process(paths: Paths, **options: object) -> Iterator[str]:
    """Serve an app inside this process, so that a test can choose its files, look at its state, or launch it with
    options; yield its address."""
    page = app.build_page(paths)
    _, address, _ = app.launch(page, prevent_thread_lock=True, quiet=True, **options)
    try:
        yield address
    finally:
        page.close()
