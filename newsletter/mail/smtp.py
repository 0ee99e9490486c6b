"""The wire: carries messages to SMTP servers, one connection after another, and lets a server that is down rest.

What is behind `SmtpTransport.deliver` is one conversation at a time (session.py); callers know only transport.py.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass

from newsletter.errors import TransportError
from newsletter.mail.session import HungUp, Server, Session, parse_server
from newsletter.mail.transport import Outcome, Outgoing, Pull, Reply

__all__ = ["Server", "SmtpTransport", "parse_server"]

REST_FIRST, REST_AT_MOST = 5.0, 900.0
KNOCKS = 3
"""So often a server that hangs up at once is called before it is left to rest."""


@dataclass(slots=True)
class _Rest:
    """A server that could not be used: until when it is left alone, and why."""

    until: float
    seconds: float
    error: TransportError


class SmtpTransport:
    """Hands messages to the first of `servers` that can be used. `timeout` in seconds, for every reply."""

    def __init__(
        self,
        servers: Sequence[Server],
        *,
        timeout: float,
        hello: str,
        ca_file: str | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._servers = list(servers)
        self._timeout = timeout
        self._hello = hello
        self._tls = ssl.create_default_context(cafile=ca_file)
        self._tls.minimum_version = ssl.TLSVersion.TLSv1_2
        self._clock = clock
        self._resting: dict[str, _Rest] = {}

    def deliver(self, pull: Pull) -> Generator[list[Outcome], None, None]:
        """See `Transport.deliver`."""
        session: Session | None = None
        self._refuse_while_all_rest()
        try:
            while (found := pull()) is not None:
                if isinstance(found, float | int):
                    time.sleep(found)
                    continue
                try:
                    session = session or self._connect()
                except TransportError as error:
                    yield [_unsent(found, error.host, error.reason)]
                    raise
                yield [session.send(found)]
                if session.over:
                    session.close()
                    session = None
        finally:
            if session is not None:
                session.close()

    def _refuse_while_all_rest(self) -> None:
        """Raises what the servers said last, if none of them is to be asked yet: nobody is pulled for nothing."""
        resting = [self._resting.get(server.name) for server in self._servers]
        errors = [rest.error for rest in resting if rest is not None and self._clock() < rest.until]
        if len(errors) == len(self._servers):
            raise errors[-1]

    def probe(self) -> dict[str, str]:
        """What the first usable server offers (EHLO keyword → value), after TLS and AUTH. Raises `TransportError`."""
        session = self._connect()
        session.close()
        return session.offers

    def _connect(self) -> Session:
        """A session with a server that is not resting. Raises the `TransportError` of the last one tried."""
        error: TransportError | None = None
        for server in self._servers:
            rest = self._resting.get(server.name)
            if rest is not None and self._clock() < rest.until:
                error = rest.error
                continue
            try:
                session = self._knock(server)
            except TransportError as failed:
                error = failed
                seconds = min(rest.seconds * 2, REST_AT_MOST) if rest else REST_FIRST
                self._resting[server.name] = _Rest(self._clock() + seconds, seconds, failed)
                continue
            self._resting.pop(server.name, None)
            return session
        assert error is not None
        raise error

    def _knock(self, server: Server) -> Session:
        """A session, if need be at the third call. Raises `TransportError`."""
        for knock in range(1, KNOCKS):
            try:
                return Session(server, self._tls, timeout=self._timeout, hello=self._hello)
            except HungUp:
                time.sleep(0.2 * knock)
        return Session(server, self._tls, timeout=self._timeout, hello=self._hello)


def _unsent(outgoing: Outgoing, host: str, reason: str) -> Outcome:
    return Outcome(outgoing.id, "unsent", "CONNECT", Reply(0, "", reason), host)
