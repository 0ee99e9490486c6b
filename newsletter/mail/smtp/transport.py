"""Send messages over SMTP, with the servers, connections and event loop of this package.

servers.py chooses a server, connect.py opens a connection, protocol.py decides what to send,
connection.py transfers the octets, and event_loop.py decides when.
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
from newsletter.mail.smtp.types import Outcome, Pull, Records

__all__ = ["Server", "SmtpTransport", "parse_server"]


class SmtpTransport:
    """A transport that gives messages to `servers` in turn, over at most `connections` at once.

    `timeout` is for each reply, in seconds.
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
        """Build the TLS context when first needed, because loading certificates is slow."""
        context = ssl.create_default_context(cafile=self._ca_file)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        return context

    def deliver(
        self, pull: Pull, records: Records | None = None
    ) -> Generator[list[Outcome], None, None]:
        """Send messages as `Transport.deliver` says."""
        if trouble := self._servers.trouble:
            raise trouble
        loop = EventLoop(
            self._servers,
            self.open,
            pull,
            records,
            connections=self._connections,
            timeout=self._timeout,
        )
        try:
            yield from loop.run()
        finally:
            loop.close()

    def rest(self, server: str, why: str) -> bool:
        """Pause the use of a server as `Transport.rest` says."""
        return self._servers.rest(server, why)

    def open(self, server: Server) -> OpenConnection:
        """Open an SMTP connection that is ready for transactions.

        Raises `TransportError`.
        """
        return connect(server, lambda: self._tls, timeout=self._timeout, hello=self._hello)

    def probe(self, *, timeout: float | None = None) -> dict[str, str]:
        """Return the first usable server's extensions (EHLO keyword → value), after TLS and AUTH.

        Raises `TransportError`.
        """
        self._timeout = timeout or self._timeout
        while (server := self._servers.pick()) is not None:
            try:
                connection = self.open(server)
            except TransportError as error:
                self._servers.record_failure(server, error)
                continue
            hang_up(connection.sock)
            return connection.offers
        assert self._servers.trouble is not None
        raise self._servers.trouble
