"""Serve the application with waitress, within limits against slow or silent clients.

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
"""Worker threads; each request takes milliseconds."""
CONNECTION_LIMIT = 800
"""The most open connections, below the usual limit of 1,024 open files."""
IDLE_AT_MOST = 700
"""Connections above which those without a complete request are closed, oldest first."""
FILES_AT_MOST = 65_536
"""The requested limit of open files: a connection and a file for each download."""
KEEP_OPEN_BELOW = 1_000_000
"""Unsent bytes of a response above which its connection is closed afterwards."""
NEVER = 2**62
"""A high-water mark that no response reaches, so that no thread waits for a slow client."""

BODY_AT_MOST = 1_000_000
"""The most bytes of a body, except for uploads with a ticket or token (uploads.py)."""

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
    """A request parser that refuses ambiguous requests, which proxies could read differently."""

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
    """Adjusted limits for a request that may have a large body."""

    def __init__(self, limits: Any, body_at_most: int) -> None:
        self._limits = limits
        self.max_request_body_size = body_at_most

    def __getattr__(self, name: str) -> Any:
        return getattr(self._limits, name)


class _Task(WSGITask):  # type: ignore[misc]
    def execute(self) -> None:
        """Answer a request, and close the connection after a large response.

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
        """Close idle connections above the limit, and tell whether new ones are accepted."""
        surplus = len(self._map) - IDLE_AT_MOST
        if surplus > 0:
            for channel in find_idle(self.active_channels.values(), surplus):
                channel.will_close = True
        return bool(super().readable())


def find_idle(channels: Any, count: int) -> list[Any]:
    """Find the connections without a request or response in progress, longest idle first."""
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
    """Raise the process's limit of open files, up to `FILES_AT_MOST`."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = FILES_AT_MOST if hard == resource.RLIM_INFINITY else min(hard, FILES_AT_MOST)
    if soft != resource.RLIM_INFINITY and soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
