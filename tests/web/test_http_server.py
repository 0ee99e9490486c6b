"""The server of `serve`: slow, silent and ambiguous visitors cost nobody else anything."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask

from newsletter.access_vocabulary import TokenScope
from newsletter.db.session import transaction
from newsletter.services import api_tokens, resources
from newsletter.services.runtime import EXTENSION
from newsletter.tokens import Tokens
from newsletter.web import http_server
from newsletter.web.uploads import UPLOAD_AT_MOST
from tests.conftest import SECRET
from tests.fakes import Clock
from tests.people import add_list, add_reader, add_upload_ticket

SIZE = 40_000_000
"""Bytes of a resource: more than the buffers of the system and of the server hold."""


@pytest.fixture
def port(app: Flask) -> Iterator[int]:
    with app.app_context(), transaction() as session:
        add_list(session)
    server = http_server.create_server(app, host="127.0.0.1", port=0)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    yield server.effective_port
    server.close()
    thread.join(5)


def connect(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=20)


def ask(port: int, request: bytes) -> bytes:
    """Send a request on a connection of its own; return the first line of the answer."""
    with connect(port) as connection:
        connection.sendall(request)
        return connection.recv(65_536).split(b"\r\n")[0]


def test_a_large_body_needs_a_ticket(app: Flask, port: int) -> None:
    """Of a stranger it is refused before it is read; with a ticket the page asks who sends it."""
    with app.app_context():
        ticket = add_upload_ticket(app.extensions[EXTENSION])
    head = (
        "POST /author/upload/subscribers?ticket={} HTTP/1.1\r\nHost: localhost\r\n"
        "Content-Length: {}\r\n\r\n"
    )
    for wrong in ("", "x", f"{ticket}0"):
        assert b" 413 " in ask(port, head.format(wrong, 2_000_000).encode())
    assert b" 413 " in ask(port, head.format(ticket, UPLOAD_AT_MOST + 1).encode())
    answer = ask(port, head.format(ticket, 2_000_000).encode() + b"x" * 2_000_000)
    assert b" 303 " in answer
    assert b" 413 " in ask(
        port, b"POST /blog/subscribe HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2000000\r\n\r\n"
    )


@pytest.mark.parametrize(
    "path",
    ["/api/v1/subscribers/import?list=blog", "/api/v1/resources?filename=a.csv"],
)
def test_a_program_sends_a_large_file_with_its_token(app: Flask, port: int, path: str) -> None:
    env = app.extensions[EXTENSION]
    with app.app_context():
        read = api_tokens.add_token(env, "read", TokenScope.READ)
        old = api_tokens.add_token(env, "old", TokenScope.WRITE)
        api_tokens.revoke_token("old")
        write = api_tokens.add_token(env, "write", TokenScope.SEND)
    head = (
        "POST {} HTTP/1.1\r\nHost: localhost\r\n"
        "Authorization: Bearer {}\r\nContent-Length: {}\r\n\r\n"
    )
    for token in ("", "nlt_" + "x" * 43, read, old):
        assert b" 413 " in ask(port, head.format(path, token, 2_000_000).encode()), token
    assert b" 413 " in ask(port, head.format("/api/v1/lists", write, 2_000_000).encode())
    assert b" 413 " in ask(port, head.format(path, write, 21 << 20).encode())
    rows = [b"a%d@example.com,%s\n" % (number, b"x" * 20_000) for number in range(100)]
    body = b"email,about\n" + b"".join(rows)
    answer = ask(port, head.format(path, write, len(body)).encode() + body)
    assert answer.split()[1] in (b"200", b"201"), answer


PAGE = b"GET /blog/ HTTP/1.1\r\nHost: localhost\r\n\r\n"


@pytest.fixture
def path(app: Flask, tmp_path: Path, clock: Clock) -> str:
    file = tmp_path / "large.bin"
    with file.open("wb") as sparse:
        sparse.truncate(SIZE)
    with app.app_context():
        with transaction() as session:
            handle = add_reader(session, add_list(session, "other"), "a@example.com").handle
        resources.add_resource(app.extensions[EXTENSION], file, name="large")
    token = Tokens([SECRET]).sign("resources", f"{handle}.large", clock.now)
    return f"/resources/{token}"


@pytest.mark.any_database
@pytest.mark.parametrize("header", [b"Range: bytes=5-\r\n", b""], ids=["range", "whole"])
@pytest.mark.parametrize("times", [1, 3], ids=["one", "pipelined"])
def test_b7_slow_readers_hold_no_thread(port: int, path: str, header: bytes, times: int) -> None:
    request = f"GET {path} HTTP/1.1\r\nHost: localhost\r\n".encode() + header + b"\r\n"
    slow = [connect(port) for _ in range(http_server.THREADS * 2)]
    try:
        for connection in slow:
            connection.sendall(request * times)
        for connection in slow:
            assert connection.recv(16).startswith(b"HTTP/1.1 20")
        assert ask(port, PAGE) == b"HTTP/1.1 200 OK"
    finally:
        for connection in slow:
            connection.close()


def test_a_range_is_what_was_asked_for(port: int, path: str) -> None:
    request = f"GET {path} HTTP/1.1\r\nHost: localhost\r\nRange: bytes=10-19\r\n\r\n".encode()
    with connect(port) as connection:
        connection.sendall(request)
        answer = b""
        while len(answer.partition(b"\r\n\r\n")[2]) < 10:
            answer += connection.recv(65_536)
    head, _, content = answer.partition(b"\r\n\r\n")
    assert b"206 PARTIAL CONTENT" in head
    assert f"bytes 10-19/{SIZE}".encode() in head
    assert content == bytes(10)


def test_n2_silent_connections_give_way(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_server, "IDLE_AT_MOST", 40)
    silent = [connect(port) for _ in range(120)]
    try:
        for connection in silent[::2]:
            connection.sendall(b"GET / HT")
        assert ask(port, PAGE) == b"HTTP/1.1 200 OK"
        latest = connect(port)
        latest.sendall(PAGE)
        assert latest.recv(65_536).startswith(b"HTTP/1.1 200 OK")
        latest.close()
    finally:
        for connection in silent:
            connection.close()


@pytest.mark.any_database
@pytest.mark.parametrize(
    "headers",
    [
        b"Host: localhost\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n",
        b"Host: localhost\r\nContent-Length: 4\r\ntransfer-encoding:chunked\r\n",
        b"Host: localhost\r\nContent-Length: 4\r\nContent-Length: 4\r\n",
        b"Host: localhost\r\nHost: other.example\r\n",
        b"Accept: */*\r\n",
    ],
)
def test_p7_ambiguous_requests_are_refused(port: int, headers: bytes) -> None:
    request = b"POST /link HTTP/1.1\r\n" + headers + b"\r\n0\r\n\r\n"
    assert b" 400 " in ask(port, request)


def test_p5_a_body_that_breaks_is_the_visitors_error(app: Flask) -> None:
    with app.app_context(), transaction() as session:
        add_list(session)

    class Broken:
        """A server's stream whose chunks cannot be read."""

        def read(self, size: int = -1) -> bytes:
            raise RuntimeError("InvalidChunkSize")

        readline = read

    for content_type in (
        "application/x-www-form-urlencoded",
        "application/json",
        "multipart/form-data; boundary=x",
    ):
        answer = app.test_client().post(
            "/blog/subscribe",
            content_type=content_type,
            environ_overrides={"wsgi.input": Broken(), "wsgi.input_terminated": True},
        )
        assert answer.status_code == 400, content_type


def test_two_hosts_are_refused_behind_any_server(app: Flask) -> None:
    answer = app.test_client().get("/", headers={"Host": "localhost,other.example"})
    assert answer.status_code == 400
