"""The time limit of downloads."""

import socket
from collections.abc import Callable
from pathlib import Path
from threading import Event, Lock, Thread

import pytest

from playground.datasets import download, emoji, mnist
from playground.datasets.download import DataError, socket_timeout
from playground.datasets.idx import IdxDataset

DIGITS = IdxDataset("MNIST", "MNIST", mnist.pad)


def test_two_downloads_at_once_leave_no_time_limit_behind() -> None:
    """It is the whole process's: the second must not take the first's for the one to restore."""

    def fetch(begun: Event, end: Event) -> None:
        with socket_timeout(3.0):
            limits.append(socket.getdefaulttimeout())
            begun.set()
            end.wait(5)

    before, limits, events = socket.getdefaulttimeout(), list[float | None](), [(Event(), Event()) for _ in range(2)]
    threads = [Thread(target=fetch, args=pair) for pair in events]
    for thread, (begun, _) in zip(threads, events, strict=True):
        thread.start()
        begun.wait(0.2)  # the second waits for the first
    for thread, (_, end) in zip(threads, events, strict=True):
        end.set()
        thread.join()
    assert limits == [3.0, 3.0]
    assert socket.getdefaulttimeout() == before


@pytest.mark.parametrize(
    ("lock", "load", "title"),
    [
        (emoji._lock, emoji.load, "the font Noto Color Emoji"),
        (DIGITS._lock, DIGITS.load, "MNIST"),
        (download._lock, DIGITS.load, "another file"),
    ],
)
def test_a_download_that_others_keep_waiting_says_so(
    lock: Lock, load: Callable[..., object], title: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download, "TIMEOUT", 0.1)
    with lock, pytest.raises(DataError, match=f"^{title} is being fetched for someone else: try again in a moment$"):
        load(tmp_path, download=True)
    assert not lock.locked()
