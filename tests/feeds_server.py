"""A real HTTP server on the loopback whose answers a test writes down, byte by byte where it
matters.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Answer = Callable[[socket.socket, str, dict[str, str]], None]


class FeedsServer:
    """Answers by path. `requests` keeps (path, headers) of everything that was asked."""

    def __init__(self) -> None:
        self.answers: dict[str, Answer] = {}
        self.requests: list[tuple[str, dict[str, str]]] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=[connection], daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection:
            try:
                head = b""
                while b"\r\n\r\n" not in head:
                    part = connection.recv(65536)
                    if not part:
                        return
                    head += part
                first, *rest = head.decode("latin-1").split("\r\n\r\n")[0].split("\r\n")
                path = first.split(" ")[1]
                headers = {
                    name.lower(): value
                    for name, _, value in (line.partition(": ") for line in rest)
                }
                self.requests.append((path, headers))
                self.answers.get(path, status(404))(connection, path, headers)
            except OSError:
                return

    def page(
        self, path: str, body: bytes, content_type: str = "application/rss+xml", **headers: str
    ) -> str:
        """Serve `body` at `path`. Return its address."""
        self.answers[path] = ok(body, content_type, **headers)
        return self.url + path

    def close(self) -> None:
        self._listener.close()


@contextmanager
def feeds_server() -> Iterator[FeedsServer]:
    server = FeedsServer()
    try:
        yield server
    finally:
        server.close()


def raw(data: bytes) -> Answer:
    """Exactly these bytes, then the end."""
    return lambda connection, path, headers: connection.sendall(data)


def status(code: int, reason: str = "No", **headers: str) -> Answer:
    """Return an answer without a body."""
    lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    return raw(
        (
            f"HTTP/1.1 {code} {reason}\r\n{lines}Content-Length: 0\r\nConnection: close\r\n\r\n"
        ).encode()
    )


def ok(body: bytes, content_type: str = "application/rss+xml", **headers: str) -> Answer:
    """200 with `body`."""
    lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    head = (
        f"HTTP/1.1 200 OK\r\nContent-Type: {content_type}\r\nContent-Length: {len(body)}\r\n{lines}"
    )
    return raw(f"{head}Connection: close\r\n\r\n".encode() + body)


def redirect(code: int, target: str) -> Answer:
    return status(code, "Moved", Location=target)


def drip(piece: bytes, seconds: float, first: bytes = b"") -> Answer:
    """Return a piece every so often, for ever."""

    def answer(connection: socket.socket, path: str, headers: dict[str, str]) -> None:
        connection.sendall(first)
        while True:
            connection.sendall(piece)
            time.sleep(seconds)

    return answer


def rss(
    *items: str, title: str = "Blog", link: str = "https://blog.example.com/", extra: str = ""
) -> bytes:
    """Return an RSS 2.0 feed around ready-made items."""
    return (
        '<?xml version="1.0" encoding="UTF-8"?><rss version="2.0" '
        'xmlns:content="http://purl.org/rss/1.0/modules/content/">'
        f"<channel><title>{title}</title><link>{link}</link><description/>"
        f"{extra}{''.join(items)}</channel></rss>"
    ).encode()


def item(
    title: str, *, link: str | None = None, guid: str | None = None, date: str = "", body: str = ""
) -> str:
    """One item; its link follows from its title unless given."""
    link = f"https://blog.example.com/{title.lower().replace(' ', '-')}/" if link is None else link
    guid = link if guid is None else guid
    parts = [f"<title>{title}</title>", f"<link>{link}</link>" if link else ""]
    parts.append(f'<guid isPermaLink="false">{guid}</guid>' if guid else "")
    parts.append(f"<pubDate>{date}</pubDate>" if date else "")
    parts.append(
        f"<content:encoded><![CDATA[{body or f'<p>{title}, at length.</p>'}]]></content:encoded>"
    )
    return f"<item>{''.join(parts)}</item>"
