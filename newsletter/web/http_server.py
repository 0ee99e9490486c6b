"""Serve the application with waitress, within limits that slow or silent visitors cannot use up.

A response is buffered on disk or read from its own file, so that a slow visitor holds a connection
and never a thread; where connections run out, those that have sent no request for longest go.
"""

from __future__ import annotations

import resource
from typing import Any

from flask import Flask
from waitress import server as waitress_server
from waitress.adjustments import Adjustments
from waitress.channel import HTTPChannel
from waitress.parser import HTTPRequestParser, ParsingError
from waitress.task import ThreadedTaskDispatcher, WSGITask

from newsletter.services.runtime import EXTENSION
from newsletter.web.uploads import find_body_limit, may_be_large

THREADS = 8
"""Requests that are answered at the same time; each takes milliseconds."""
CONNECTION_LIMIT = 800
"""Open connections at most, below the 1,024 files that a process may usually open."""
IDLE_AT_MOST = 700
"""Above so many connections, those that have not sent a whole request are closed, oldest first."""
FILES_AT_MOST = 65_536
"""Files that the process asks the system for: a connection and a file for each download."""
KEEP_OPEN_BELOW = 1_000_000
"""Bytes still to be sent above which a connection serves no further request."""
NEVER = 2**62
"""A high-water mark that no response reaches, so that no thread waits for a visitor to read."""

BODY_AT_MOST = 1_000_000
"""Bytes of a body; that of an upload with a ticket or token may have more (uploads.py)."""

OPTIONS: dict[str, Any] = {
    "ident": None,
    "threads": THREADS,
    "max_request_body_size": BODY_AT_MOST,
    "connection_limit": CONNECTION_LIMIT,
    "channel_timeout": 60,
    "cleanup_interval": 10,
    "asyncore_use_poll": True,  # `select` stops at 1,024 files
    "outbuf_high_watermark": NEVER,
    # Which proxies are believed is `web.trusted_proxies`, as under gunicorn.
    "clear_untrusted_proxy_headers": False,
}


class StrictParser(HTTPRequestParser):  # type: ignore[misc] # waitress carries no types
    """Refuses what two servers on the way could read differently."""

    def parse_header(self, header_plus: bytes) -> None:
        """Parse the head of a request.

        Raises `ParsingError` for a body of two lengths (RFC 9112 section 6.3) and for any number
        of hosts but one (section 3.2).
        """
        names = [line.partition(b":")[0].strip().lower() for line in header_plus.split(b"\r\n")[1:]]
        if b"transfer-encoding" in names and b"content-length" in names:
            raise ParsingError("Transfer-Encoding and Content-Length exclude each other")
        if names.count(b"content-length") > 1:
            raise ParsingError("More than one Content-Length")
        if names.count(b"host") > 1:
            raise ParsingError("More than one Host")
        super().parse_header(header_plus)
        limits: Any = vars(self)["adj"]
        is_large = self.chunked or self.content_length > limits.max_request_body_size
        if is_large and may_be_large(self.path) and hasattr(limits, "find_body_limit"):
            token = self.headers.get("AUTHORIZATION", "")
            self.adj = _UploadLimits(limits, limits.find_body_limit(self.path, self.query, token))
        if self.version == "1.1" and b"host" not in names:
            raise ParsingError("No Host")


class _UploadLimits:
    """The server's limits for a request that may have a larger body than others."""

    def __init__(self, limits: Any, body_at_most: int) -> None:
        self._limits = limits
        self.max_request_body_size = body_at_most

    def __getattr__(self, name: str) -> Any:
        return getattr(self._limits, name)


class _Task(WSGITask):  # type: ignore[misc]
    def execute(self) -> None:
        """Answer a request; behind a large response, close the connection.

        Requests that wait on the same connection would each open a file.
        """
        super().execute()
        if self.channel.total_outbufs_len > KEEP_OPEN_BELOW:
            self.close_on_finish = True


class _Channel(HTTPChannel):  # type: ignore[misc]
    parser_class = StrictParser
    task_class = _Task


class _Server(waitress_server.TcpWSGIServer):  # type: ignore[misc]
    channel_class = _Channel

    def readable(self) -> bool:
        """Tell whether new connections are accepted, after room has been made for them."""
        surplus = len(self._map) - IDLE_AT_MOST
        if surplus > 0:
            for channel in find_idle(self.active_channels.values(), surplus):
                channel.will_close = True
        return bool(super().readable())


def find_idle(channels: Any, count: int) -> list[Any]:
    """Find the connections without a request and without a response, those silent longest first."""
    idle = [
        channel for channel in channels if not channel.requests and not channel.total_outbufs_len
    ]
    return sorted(idle, key=lambda channel: channel.last_activity)[:count]


def create_server(application: Flask, *, host: str, port: int) -> Any:
    """Return a server that listens, whose `run` serves until its `close`.

    Raises `OSError` if it cannot listen.
    """
    raise_file_limit()
    adjustments = Adjustments(host=host, port=port, **OPTIONS)

    def find_limit(path: str, query: str, authorization: str) -> int:
        env = application.extensions[EXTENSION]
        with application.app_context():
            return find_body_limit(env, path, query, authorization, BODY_AT_MOST)

    adjustments.find_body_limit = find_limit
    dispatcher = ThreadedTaskDispatcher()
    dispatcher.set_thread_count(adjustments.threads)
    sockets: dict[int, Any] = {}
    servers = [
        _Server(application, sockets, dispatcher=dispatcher, adj=adjustments, sockinfo=address)
        for address in adjustments.listen
    ]
    if len(servers) == 1:
        return servers[0]
    places = [(server.effective_host, server.effective_port) for server in servers]
    several = waitress_server.MultiSocketServer(
        sockets, adjustments, places, dispatcher, servers[0].log_info
    )
    several.effective_port = servers[0].effective_port
    return several


def raise_file_limit() -> None:
    """Let the process open as many files as the system allows it, up to `FILES_AT_MOST`."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = FILES_AT_MOST if hard == resource.RLIM_INFINITY else min(hard, FILES_AT_MOST)
    if soft != resource.RLIM_INFINITY and soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
