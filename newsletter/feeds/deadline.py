"""Deadlines that end network connections in any phase, and threads that can be abandoned.

A socket that is wrapped for TLS is detached from the original object, so that closing that object
has no effect. A deadline keeps a duplicate of the descriptor instead: shutting that down ends the
connection itself, during a handshake, a header or a body (RFC 8446 section 6.1 allows a peer to end
a connection so at any time).
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from typing import Any, Self

LEAST = 0.001
"""Seconds that an operation gets at least, because a timeout of 0 would mean "do not block"."""


class Deadline:
    """A deadline that ends everything on the watched sockets once `seconds` have passed.

    Use as a context manager.
    """

    def __init__(self, seconds: float) -> None:
        self._ends_at = time.monotonic() + seconds
        self._lock = threading.Lock()
        self._over = False
        self._sockets: list[socket.socket] = []
        # Begun after `_ends_at` is fixed: an answer that it cuts off is always seen to be late,
        # never to be whole.
        self._timer = threading.Timer(seconds, self._hang_up)
        self._timer.daemon = True

    def __enter__(self) -> Self:
        self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()
        self._hang_up()

    @property
    def is_over(self) -> bool:
        """Tell whether the deadline has passed."""
        return time.monotonic() >= self._ends_at

    def get_seconds_left(self) -> float:
        """Return the seconds until the deadline.

        Raises `TimeoutError` if there are none.
        """
        if self.is_over:
            raise TimeoutError
        return max(LEAST, self._ends_at - time.monotonic())

    def watch(self, connection: socket.socket) -> None:
        """Shut down `connection` at the deadline.

        Raises `TimeoutError` if it is over already.
        """
        with self._lock:
            if not self._over:
                self._sockets.append(connection.dup())
                return
        connection.close()
        raise TimeoutError

    def _hang_up(self) -> None:
        with self._lock:
            self._over = True
            sockets = self._sockets
            self._sockets = []
        for duplicate in sockets:
            with suppress(OSError):
                duplicate.shutdown(socket.SHUT_RDWR)
            duplicate.close()


def run_in_thread(work: Callable[..., Any], *arguments: object) -> Future[Any]:
    """Run `work` in a daemon thread, which keeps no process alive, and return its future."""
    future: Future[Any] = Future()

    def run() -> None:
        try:
            future.set_result(work(*arguments))
        except BaseException as error:  # handed to whoever asks for the result
            future.set_exception(error)

    threading.Thread(target=run, daemon=True, name=getattr(work, "__name__", "work")).start()
    return future
