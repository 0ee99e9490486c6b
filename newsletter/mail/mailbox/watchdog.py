"""End a conversation with a server that takes too long as a whole, however often it sends a byte."""

from __future__ import annotations

import contextlib
import socket
import threading


class Watchdog:
    """Shut a socket down after so many seconds; every read on it then ends at once."""

    def __init__(self, connection: socket.socket, seconds: float) -> None:
        self.barked = False
        self._connection = connection
        self._timer = threading.Timer(seconds, self._bark)
        self._timer.daemon = True
        self._timer.start()

    def _bark(self) -> None:
        self.barked = True
        with contextlib.suppress(OSError):
            self._connection.shutdown(socket.SHUT_RDWR)

    def stop(self) -> None:
        """Leave the socket alone."""
        self._timer.cancel()
