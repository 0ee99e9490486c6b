"""Open SMTP connections in threads, because opening one blocks; signal each on a socket.

A thread that is done opens the next connection: starting a thread costs as much as sending several
messages.
"""

from __future__ import annotations

import queue
import socket
import threading
from collections import Counter as Tally
from collections.abc import Callable

from newsletter.errors import TransportError
from newsletter.mail.smtp.connect import OpenConnection, describe_failure, hang_up
from newsletter.mail.smtp.servers import Server

OPENER_THREAD = "smtp-opener"
"""The name of the threads that open connections."""


class Opener:
    """A pool of threads that open SMTP connections.

    `bell` becomes readable when `collect` has a result. `pending` counts the attempts that are not
    collected yet, by the name of their server.
    """

    def __init__(self, open_connection: Callable[[Server], OpenConnection]) -> None:
        self._open = open_connection
        self._arrivals: queue.SimpleQueue[tuple[Server, OpenConnection | TransportError]] = (
            queue.SimpleQueue()
        )
        self._orders: queue.SimpleQueue[Server | None] = queue.SimpleQueue()
        self._threads = 0
        self._closed = False
        self._lock = threading.Lock()
        self.pending: Tally[str] = Tally()
        self.bell, self._rope = socket.socketpair()
        self.bell.settimeout(0)

    def start(self, server: Server) -> None:
        """Start to open a connection to `server`."""
        self.pending[server.name] += 1
        self._orders.put(server)
        if self.pending.total() > self._threads:
            self._threads += 1
            threading.Thread(target=self._run, name=OPENER_THREAD, daemon=True).start()

    def _run(self) -> None:
        while (server := self._orders.get()) is not None:
            self._open_one(server)

    def _open_one(self, server: Server) -> None:
        try:
            result: OpenConnection | TransportError = self._open(server)
        except TransportError as error:
            result = error
        except Exception as error:  # whatever it is, the loop must hear of it
            result = TransportError(server.name, describe_failure(error))
        with self._lock:
            if not self._closed:
                self._arrivals.put((server, result))
                self._rope.send(b"\0")
                return
        if isinstance(result, OpenConnection):
            hang_up(result.sock)

    def collect(self) -> list[tuple[Server, OpenConnection | TransportError]]:
        """Return the connections that were opened, and the errors of failed attempts."""
        self.bell.recv(512)
        results = []
        while not self._arrivals.empty():
            server, result = self._arrivals.get()
            self.pending[server.name] -= 1
            results.append((server, result))
        return results

    def close(self) -> None:
        """Close connections that were not collected, and any that are opened later."""
        with self._lock:
            self._closed = True
        for _ in range(self._threads):
            self._orders.put(None)
        while not self._arrivals.empty():
            _, result = self._arrivals.get()
            if isinstance(result, OpenConnection):
                result.sock.close()
        self.bell.close()
        self._rope.close()
