"""The time limit of downloads."""

import socket
from threading import Event, Thread

from playground.datasets.download import socket_timeout


def test_two_downloads_at_once_leave_no_time_limit_behind() -> None:
    """It is the whole process's: the second must not take the first's for the one to restore."""

    def download(begun: Event, end: Event) -> None:
        with socket_timeout(3.0):
            limits.append(socket.getdefaulttimeout())
            begun.set()
            end.wait(5)

    before, limits, events = socket.getdefaulttimeout(), list[float | None](), [(Event(), Event()) for _ in range(2)]
    threads = [Thread(target=download, args=pair) for pair in events]
    for thread, (begun, _) in zip(threads, events, strict=True):
        thread.start()
        begun.wait(0.2)  # the second waits for the first
    for thread, (_, end) in zip(threads, events, strict=True):
        end.set()
        thread.join()
    assert limits == [3.0, 3.0]
    assert socket.getdefaulttimeout() == before
