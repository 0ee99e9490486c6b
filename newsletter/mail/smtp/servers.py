"""Choose among the servers of `smtp.url`, in turn; a server that fails is not used for a while."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from urllib.parse import parse_qs, unquote, urlsplit

from newsletter.errors import TransportError

PORTS = {"smtp": 25, "smtp+starttls": 587, "smtps": 465}
"""The port of each URL scheme if the URL names none."""

REST_FIRST = 5.0
"""Seconds that a server is not used after its first failure; each further one doubles them."""

REST_AT_MOST = 900.0
"""Maximum seconds that a server is not used, so that one that works again is noticed within 15
minutes."""

LIMIT_SECONDS = 600.0
"""Seconds after a refusal before one more connection to the same server is tried."""


@dataclass(frozen=True, slots=True)
class Server:
    """An SMTP server and how to connect to it.

    `scheme` is a key of `PORTS`. With `xoauth2` the password is an access token.
    """

    scheme: str
    host: str
    port: int
    user: str = ""
    password: str = field(default="", repr=False)
    xoauth2: bool = False

    @property
    def name(self) -> str:
        """Return ``host:port``, for people."""
        return f"{self.host}:{self.port}"


def parse_server(url: str, *, user: str | None = None, password: str = "") -> Server:
    """Parse the URL of a server: ``smtp://user:password@host:port``, ``smtps://…`` and the like.

    ``?auth=xoauth2`` says that the password is a token. `user` and `password` are for a URL that
    names no user.

    Raises `ValueError`.
    """
    parts = urlsplit(url)
    if parts.scheme not in PORTS or not parts.hostname:
        raise ValueError(
            "must look like smtp://user:password@host:587, smtp+starttls://… or smtps://…"
        )
    if parts.username:
        login = unquote(parts.username), unquote(parts.password or "")
    else:
        login = user or "", password if user else ""
    port = parts.port or (587 if parts.scheme == "smtp" and login[0] else PORTS[parts.scheme])
    xoauth2 = parse_qs(parts.query).get("auth") == ["xoauth2"]
    return Server(parts.scheme, parts.hostname, port, *login, xoauth2)


@dataclass(slots=True)
class _Limit:
    """The number of connections that a server takes, and when one more is tried."""

    most: int
    until: float


@dataclass(slots=True)
class _Rest:
    """A pause in using a server that failed: until when, and why."""

    until: float
    seconds: float
    error: TransportError


class Servers:
    """The SMTP servers in turn, and what has been learned about each.

    `confused` names servers that lose track of grouped commands, `without_chunks` those that offer
    CHUNKING and do not understand it.
    """

    def __init__(
        self, servers: Sequence[Server], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._servers = list(servers)
        self._clock = clock
        self._turn = 0
        self._resting: dict[str, _Rest] = {}
        self._limits: dict[str, _Limit] = {}
        self._sizes: dict[str, int] = {}
        self.confused: set[str] = set()
        self.without_chunks: set[str] = set()

    def pick(self, is_excluded: Callable[[Server], bool] = lambda _: False) -> Server | None:
        """Return the next server that may be used and is not excluded, or None if there is none."""
        for step in range(len(self._servers)):
            server = self._servers[(self._turn + step) % len(self._servers)]
            if self.is_awake(server) and not is_excluded(server):
                self._turn += step + 1
                return server
        return None

    def is_awake(self, server: Server) -> bool:
        """Tell whether a server may be used now."""
        pause = self._resting.get(server.name) if self._resting else None
        return pause is None or self._clock() >= pause.until

    @property
    def is_any_resting(self) -> bool:
        """Tell whether a server has failed, and has not accepted a message since."""
        return bool(self._resting)

    # --- Failures and limits ---

    def record_failure(self, server: Server, error: TransportError) -> None:
        """Pause the use of a server, twice as long as the last time."""
        pause = self._resting.get(server.name)
        seconds = min(pause.seconds * 2, REST_AT_MOST) if pause else REST_FIRST
        self._resting[server.name] = _Rest(self._clock() + seconds, seconds, error)

    def record_success(self, server: Server) -> None:
        """Forget the failures of a server that has accepted a message."""
        if self._resting:
            self._resting.pop(server.name, None)

    def rest(self, name: str, why: str) -> bool:
        """Pause the use of the server called `name` if another is usable; return whether one is."""
        others = any(other.name != name and self.is_awake(other) for other in self._servers)
        for server in self._servers:
            if server.name == name and others and self.is_awake(server):
                self.record_failure(server, TransportError(name, why))
        return others

    def limit_connections(self, server: Server, connections: int) -> int:
        """Return the number of connections that may be open to `server` at once.

        That is `connections`, or fewer once it has refused one.
        """
        limit = self._limits.get(server.name)
        if limit is None:
            return connections
        if self._clock() >= limit.until:  # one more, to see whether it takes it now
            limit.most += 1
            limit.until = self._clock() + LIMIT_SECONDS
            if limit.most >= connections:
                del self._limits[server.name]
        return min(limit.most, connections)

    def count_capacity(self, connections: int) -> int:
        """Return the number of connections that may be open to all usable servers."""
        if not (self._resting or self._limits):
            return connections * len(self._servers)
        return sum(
            self.limit_connections(server, connections)
            for server in self._servers
            if self.is_awake(server)
        )

    def record_connection_refusal(self, server: Server, still_open: int) -> None:
        """Record that `server` accepts no connections beyond our `still_open` ones."""
        self._limits[server.name] = _Limit(max(still_open, 1), self._clock() + LIMIT_SECONDS)

    # --- Sizes (RFC 1870) ---

    def record_size(self, server: Server, size: int) -> None:
        """Record the maximum octets of a message to `server`; 0 means no limit."""
        self._sizes[server.name] = size

    def takes(self, server: Server, size: int) -> bool:
        """Tell whether `server` may accept a message of `size` octets, as far as is known."""
        limit = self._sizes.get(server.name, 0)
        return not limit or size <= limit

    def is_too_large(self, size: int) -> bool:
        """Tell whether no server accepts a message of `size` octets."""
        return not any(self.takes(server, size) for server in self._servers)

    def why_unreachable(self, size: int) -> TransportError | None:
        """Return the error of a server for `size` octets, if all such servers are paused."""
        takers = [server for server in self._servers if self.takes(server, size)]
        if not takers or any(self.is_awake(server) for server in takers):
            return None
        return self._resting[takers[0].name].error

    @property
    def trouble(self) -> TransportError | None:
        """The error of the server that is used again first, if all are paused; else None."""
        if any(self.is_awake(server) for server in self._servers):
            return None
        first = min(
            (self._resting[server.name] for server in self._servers), key=lambda pause: pause.until
        )
        first.error.rests_for = max(first.until - self._clock(), 0.0)
        return first.error
