"""Carries messages to SMTP servers.

How: servers.py knows whom to call, opening.py how to get through, conversation.py what to say,
connection.py how to say it, wire.py when.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable, Generator, Sequence
from functools import cached_property

from newsletter.errors import TransportError
from newsletter.mail.smtp.connect import OpenConnection, connect, hang_up
from newsletter.mail.smtp.event_loop import EventLoop
from newsletter.mail.smtp.servers import Server, Servers, parse_server
from newsletter.mail.smtp.types import Outcome, Pull

__all__ = ["Server", "SmtpTransport", "parse_server"]


class SmtpTransport:
    """Hands messages to `servers` in turn, over at most `connections` at once.

    `timeout`: seconds, for a reply.
    """

    def __init__(
        self,
        servers: Sequence[Server],
        *,
        timeout: float,
        hello: str,
        connections: int = 1,
        ca_file: str | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._servers = Servers(servers, clock)
        self._timeout = timeout
        self._hello = hello
        self._connections = connections
        self._ca_file = ca_file

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        """Reading the authorities takes a while, and a server on this machine may need none."""
        context = ssl.create_default_context(cafile=self._ca_file)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        return context

    def deliver(self, pull: Pull) -> Generator[list[Outcome], None, None]:
        """See `Transport.deliver`."""
        if trouble := self._servers.trouble:
            raise trouble
        wire = EventLoop(
            self._servers, self.open, pull, connections=self._connections, timeout=self._timeout
        )
        try:
            yield from wire.run()
        finally:
            wire.close()

    def rest(self, server: str, why: str) -> bool:
        """See `Transport.rest`."""
        return self._servers.refused(server, why)

    def open(self, server: Server) -> OpenConnection:
        """A connection ready for transactions.

        Raises `TransportError`.
        """
        return connect(server, lambda: self._tls, timeout=self._timeout, hello=self._hello)

    def probe(self, *, timeout: float | None = None) -> dict[str, str]:
        """What the first usable server offers (EHLO keyword → value), after TLS and AUTH.

        Raises `TransportError`.
        """
        self._timeout = timeout or self._timeout
        while (server := self._servers.pick()) is not None:
            try:
                opened = self.open(server)
            except TransportError as error:
                self._servers.failed(server, error)
                continue
            hang_up(opened.sock)
            return opened.offers
        assert self._servers.trouble is not None
        raise self._servers.trouble
