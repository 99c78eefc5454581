"""Downloads of data sets: the error for the user, and the time limit."""

import contextlib
import socket
import threading
from collections.abc import Iterator

from playground.runtime.validation import UserError

TIMEOUT = 10.0  # seconds to wait for the next bytes of a server, or for another visitor's download
_lock = threading.Lock()  # the timeout is the whole process's: of two downloads at once one would leave it behind


class DataError(UserError):
    """Error of a data set that is missing, damaged or unreadable; its message says what to do."""


@contextlib.contextmanager
def hold(lock: threading.Lock, title: str) -> Iterator[None]:
    """Hold the lock of what is fetched once for all visitors.

    Raises:
        DataError: Another visitor's download takes too long to wait for it.
    """
    if not lock.acquire(timeout=TIMEOUT):
        raise DataError(f"{title} is being fetched for someone else: try again in a moment")
    try:
        yield
    finally:
        lock.release()


@contextlib.contextmanager
def socket_timeout(seconds: float = TIMEOUT) -> Iterator[None]:
    """Set a timeout for new network connections, for libraries that set none; one download at a time, as in `hold`."""
    with hold(_lock, "another file"):
        default = socket.getdefaulttimeout()
        socket.setdefaulttimeout(seconds)
        try:
            yield
        finally:
            socket.setdefaulttimeout(default)
