"""The deadline of a fetch holds over TLS in every phase, and no fetch keeps others or the process
from ending.
"""

from __future__ import annotations

import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from newsletter.errors import FeedUnavailable
from newsletter.feeds.deadline import Deadline
from newsletter.feeds.fetch import Fetcher
from newsletter.feeds.post import Poster
from tests.certificates import make_server_context, write_certificate
from tests.feeds_server import item, rss

DEADLINE = 0.7
"""Seconds that a fetch gets here; every server below would take much longer."""
AT_MOST = 6.0
"""Seconds within which it has to be over on a machine that is busy with other things."""
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/rss+xml\r\n"
Serve = Callable[[socket.socket, ssl.SSLContext], None]


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_certificate(tmp_path_factory.mktemp("tls") / "cert.pem")


class TlsServer:
    """A listener on the loopback that hands each connection to `serve`, before any TLS."""

    def __init__(self, certificate: Path, serve: Serve) -> None:
        self.context = make_server_context(certificate)
        self._serve = serve
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                threading.Thread(target=self._one, args=[connection], daemon=True).start()

    def _one(self, connection: socket.socket) -> None:
        with suppress(OSError, ValueError), connection:
            self._serve(connection, self.context)

    def close(self) -> None:
        self._listener.close()


def silent(connection: socket.socket, context: ssl.SSLContext) -> None:
    """Accept the connection, and never shake hands."""
    time.sleep(30)


def dripping_handshake(connection: socket.socket, context: ssl.SSLContext) -> None:
    """Shake hands correctly, a byte at a time."""
    incoming = ssl.MemoryBIO()
    outgoing = ssl.MemoryBIO()
    tls = context.wrap_bio(incoming, outgoing, server_side=True)
    while True:
        with suppress(ssl.SSLWantReadError):
            tls.do_handshake()
        for byte in outgoing.read():
            connection.sendall(bytes([byte]))
            time.sleep(0.1)
        incoming.write(connection.recv(65536))


def over_tls(first: bytes, piece: bytes) -> Serve:
    def serve(connection: socket.socket, context: ssl.SSLContext) -> None:
        with context.wrap_socket(connection, server_side=True) as wrapped:
            wrapped.recv(65536)
            wrapped.sendall(first)
            while True:
                wrapped.sendall(piece)
                time.sleep(0.1)

    return serve


PHASES = {
    "connected": silent,
    "handshake": dripping_handshake,
    "status": over_tls(b"", b"H"),
    "header": over_tls(HEAD, b"X"),
    "headers": over_tls(HEAD, b"X-A: b\r\n"),
    "interim": over_tls(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "body": over_tls(HEAD + b"Content-Length: 5000\r\n\r\n", b"x"),
    "endless body": over_tls(HEAD + b"\r\n", b"x"),
    "chunks": over_tls(HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n"),
    "chunk size": over_tls(HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"0"),
    "error page": over_tls(b"HTTP/1.1 503 Busy\r\n\r\n", b"x"),
    "redirect": over_tls(b"HTTP/1.1 302 Found\r\nLocation: /again\r\n", b"X-A: b\r\n"),
}


@pytest.fixture(params=PHASES)
def slow_server(request: pytest.FixtureRequest, certificate: Path) -> Iterator[TlsServer]:
    server = TlsServer(certificate, PHASES[request.param])
    yield server
    server.close()


def loopback(host: str, port: int, *rest: object) -> list[tuple[Any, ...]]:
    return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]


def fetcher(certificate: Path, **options: Any) -> Fetcher:
    values = {
        "deadline": DEADLINE,
        "read_timeout": 20.0,
        "connect_timeout": 20.0,
        "resolve": loopback,
    } | options
    return Fetcher(user_agent="tests", allow_private=True, ca_certs=str(certificate), **values)


def test_the_deadline_holds_over_tls_in_every_phase(
    slow_server: TlsServer, certificate: Path
) -> None:
    begun = time.monotonic()
    with pytest.raises(FeedUnavailable):
        fetcher(certificate)(f"https://blog.example:{slow_server.port}/feed")
    assert time.monotonic() - begun < AT_MOST


def test_the_deadline_of_a_post_holds_over_tls_in_every_phase(
    slow_server: TlsServer, certificate: Path
) -> None:
    post = Poster(
        user_agent="tests",
        allow_private=True,
        deadline=DEADLINE,
        connect_timeout=20.0,
        ca_certs=str(certificate),
        resolve=loopback,
    )
    begun = time.monotonic()
    post(f"https://blog.example:{slow_server.port}/hook", b"{}", {})
    assert time.monotonic() - begun < AT_MOST


def test_the_deadline_holds_over_many_redirects(certificate: Path) -> None:
    """Each hop is a connection of its own that begins before the deadline and answers slowly."""

    def serve(connection: socket.socket, context: ssl.SSLContext) -> None:
        with context.wrap_socket(connection, server_side=True) as wrapped:
            wrapped.recv(65536)
            time.sleep(0.25)
            wrapped.sendall(b"HTTP/1.1 302 Found\r\nLocation: /again\r\nConnection: close\r\n\r\n")

    server = TlsServer(certificate, serve)
    begun = time.monotonic()
    with pytest.raises(FeedUnavailable, match="too long"):
        fetcher(certificate)(f"https://blog.example:{server.port}/feed")
    assert time.monotonic() - begun < AT_MOST
    server.close()


def test_a_resolver_that_hangs_is_left_behind(certificate: Path) -> None:
    begun = time.monotonic()
    with pytest.raises(FeedUnavailable, match="too long"):
        fetcher(certificate, resolve=lambda *_: time.sleep(30))("https://blog.example/feed")
    assert time.monotonic() - begun < AT_MOST


def test_a_whole_answer_over_tls_is_read(certificate: Path) -> None:
    feed = rss(item("One"))

    def serve(connection: socket.socket, context: ssl.SSLContext) -> None:
        with context.wrap_socket(connection, server_side=True) as wrapped:
            wrapped.recv(65536)
            wrapped.sendall(HEAD + b"Content-Length: %d\r\n\r\n" % len(feed) + feed)

    server = TlsServer(certificate, serve)
    assert (
        fetcher(certificate, deadline=20.0)(f"https://blog.example:{server.port}/feed").body == feed
    )
    server.close()


def test_a_connection_made_after_the_deadline_is_closed_at_once() -> None:
    near, far = socket.socketpair()
    with near, far, Deadline(0.01) as deadline:
        time.sleep(0.2)
        with pytest.raises(TimeoutError):
            deadline.watch(near)
        with pytest.raises(TimeoutError):
            deadline.get_seconds_left()
        far.settimeout(5)
        assert far.recv(1) == b""


def test_no_resolver_keeps_the_process_from_ending() -> None:
    """Threads that were left behind do not hold up the end of the program."""
    program = (
        "import time\n"
        "from newsletter.errors import FeedUnavailable\n"
        "from newsletter.feeds.fetch import Fetcher\n"
        "fetch = Fetcher(user_agent='t', deadline=0.2, resolve=lambda *_: time.sleep(600))\n"
        "try:\n    fetch('http://blog.example/')\n"
        "except FeedUnavailable as error:\n    print(error.reason)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, timeout=60, text=True, check=True
    )
    assert done.stdout.strip() == "took too long to answer"
