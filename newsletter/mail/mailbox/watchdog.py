"""End a connection that takes too long in total, even if the server keeps sending."""

from __future__ import annotations

import contextlib
import socket
import threading


class Watchdog:
    """A timer that shuts a socket down after some seconds, which ends every read on it."""

    def __init__(self, seconds: float) -> None:
        self.barked = False
        self._connection: socket.socket | None = None
        self._client: object = None
        self._timer = threading.Timer(seconds, self._bark)
        self._timer.daemon = True
        self._timer.start()

    def watch(self, connection: socket.socket, client: object) -> None:
        """Watch the socket of `client` from now on."""
        self._connection = connection
        self._client = client
        if self.barked:
            self._bark()

    def _bark(self) -> None:
        self.barked = True
        if self._connection is not None:
            with contextlib.suppress(OSError):
                self._connection.shutdown(socket.SHUT_RDWR)

    def stop(self) -> None:
        """Stop watching the socket, and close it."""
        self._timer.cancel()
        file = getattr(self._client, "file", None)  # what the libraries read from
        if file is not None:
            with contextlib.suppress(OSError, ValueError):
                file.close()
        self._client = None
        if self._connection is not None:
            self._connection.close()
