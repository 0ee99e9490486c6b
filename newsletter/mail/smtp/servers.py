"""Where mail is handed over: the servers of `smtp.url`, used in turn; one that cannot be used rests
for a while.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from urllib.parse import parse_qs, unquote, urlsplit

from newsletter.errors import TransportError

PORTS = {"smtp": 25, "smtp+starttls": 587, "smtps": 465}
REST_FIRST, REST_AT_MOST = 5.0, 900.0


@dataclass(frozen=True, slots=True)
class Server:
    """A server and how to talk to it: `scheme` is smtp, smtp+starttls or smtps.

    With `xoauth2` the password is an access token.
    """

    scheme: str
    host: str
    port: int
    user: str = ""
    password: str = field(default="", repr=False)
    xoauth2: bool = False

    @property
    def name(self) -> str:
        """``host:port``, for people."""
        return f"{self.host}:{self.port}"


def parse_server(url: str) -> Server:
    """The server of ``smtp://user:password@host:port``, ``smtp+starttls://…`` or ``smtps://…``,
    with ``?auth=xoauth2`` where the password is a token. Raises `ValueError`.
    """
    parts = urlsplit(url)
    if parts.scheme not in PORTS or not parts.hostname:
        raise ValueError(
            "must look like smtp://user:password@host:587, smtp+starttls://… or smtps://…"
        )
    port = parts.port or (587 if parts.scheme == "smtp" and parts.username else PORTS[parts.scheme])
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    return Server(
        parts.scheme,
        parts.hostname,
        port,
        user,
        password,
        parse_qs(parts.query).get("auth") == ["xoauth2"],
    )


LIMIT_SECONDS = 600.0
"""A server that refused a connection is not asked for as many again within this time."""


@dataclass(slots=True)
class _Limit:
    """How many connections a server takes at once, and when one more is tried."""

    most: int
    until: float


@dataclass(slots=True)
class _Rest:
    """A server that could not be used: until when it is left alone, and why."""

    until: float
    seconds: float
    error: TransportError


class Servers:
    """Whom to call next, and what has been learnt of whom: who rests, who loses track of grouped
    commands.
    """

    def __init__(
        self, servers: Sequence[Server], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._servers = list(servers)
        self._clock = clock
        self._turn = 0
        self._resting: dict[str, _Rest] = {}
        self._limits: dict[str, _Limit] = {}
        self.confused: set[str] = set()
        self.without_chunks: set[str] = set()

    def pick(self, full: Callable[[Server], bool] = lambda _: False) -> Server | None:
        """The next server in turn that neither rests nor is `full`; None where all do."""
        for step in range(len(self._servers)):
            server = self._servers[(self._turn + step) % len(self._servers)]
            if self.awake(server) and not full(server):
                self._turn += step + 1
                return server
        return None

    def awake(self, server: Server) -> bool:
        """Tell whether a server may be used now."""
        rest = self._resting.get(server.name)
        return rest is None or self._clock() >= rest.until

    def failed(self, server: Server, error: TransportError) -> None:
        """Let a server rest: 5 seconds at first, then twice as long each time, a quarter of an hour
        at most.
        """
        rest = self._resting.get(server.name)
        seconds = min(rest.seconds * 2, REST_AT_MOST) if rest else REST_FIRST
        self._resting[server.name] = _Rest(self._clock() + seconds, seconds, error)

    def refused(self, name: str, why: str) -> bool:
        """Let a server rest that refuses us, where there is another that does not rest.

        Return whether there is.
        """
        others = any(other.name != name and self.awake(other) for other in self._servers)
        for server in self._servers:
            if server.name == name and others and self.awake(server):
                self.failed(server, TransportError(name, why))
        return others

    def most(self, server: Server, connections: int) -> int:
        """How many connections to `server` may be open at once: `connections`, or fewer once it has
        refused one.
        """
        limit = self._limits.get(server.name)
        if limit is None:
            return connections
        if self._clock() >= limit.until:  # one more, to see whether it takes it now
            limit.most, limit.until = limit.most + 1, self._clock() + LIMIT_SECONDS
            if limit.most >= connections:
                del self._limits[server.name]
        return min(limit.most, connections)

    def capacity(self, connections: int) -> int:
        """How many connections may be open at once to all servers that do not rest."""
        return sum(self.most(server, connections) for server in self._servers if self.awake(server))

    def refused_connection(self, server: Server, still_open: int) -> None:
        """Learn that `server` takes no connection beside the `still_open` ones of ours."""
        self._limits[server.name] = _Limit(max(still_open, 1), self._clock() + LIMIT_SECONDS)

    def proven(self, server: Server) -> None:
        """Forget what was held against a server that has taken a message."""
        self._resting.pop(server.name, None)

    @property
    def trouble(self) -> TransportError | None:
        """What a server said last, where none of them is to be asked yet."""
        if any(self.awake(server) for server in self._servers):
            return None
        first = min(
            (self._resting[server.name] for server in self._servers), key=lambda rest: rest.until
        )
        first.error.rests_for = max(first.until - self._clock(), 0.0)
        return first.error
