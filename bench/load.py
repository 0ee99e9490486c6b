"""Visitors: plain sockets that stay open, one thread, as little work as possible, for they share the machine's cores.

`as_fast_as_it_goes`: each of so many visitors asks again as soon as it is answered. `at_a_rate`: visitors come when they
come, whether or not those before them have been answered, and what is measured is from that moment on.
"""

from __future__ import annotations

import selectors
import socket
import time
from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass, field

PATIENCE = 30.0


@dataclass(slots=True)
class Found:
    """What came of it: seconds that each answer took, how often each status came, and how long it all lasted."""

    seconds: float = 0.0
    latencies: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)

    @property
    def rate(self) -> float:
        """Answers a second."""
        return len(self.latencies) / self.seconds

    def within(self, share: float) -> float:
        """Milliseconds in which that share of them was answered; 1.0 is the slowest."""
        ordered = sorted(self.latencies)
        return ordered[min(len(ordered) - 1, int(len(ordered) * share))] * 1000


class _Visitor:
    """One connection, and at most one request on it."""

    __slots__ = ("began", "busy", "heard", "socket")

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.heard, self.began, self.busy = b"", 0.0, False

    def ask(self, request: bytes, began: float) -> None:
        self.heard, self.began, self.busy = b"", began, True
        self.socket.sendall(request)

    def hear(self) -> int:
        """The status of the answer; 0 while it is not whole, -1 where the server has closed what nobody used."""
        data = self.socket.recv(262_144)
        if not data and self.busy:
            raise ConnectionError("the server hung up")
        if not data:
            return -1
        self.heard += data
        head, blank, body = self.heard.partition(b"\r\n\r\n")
        if not blank:
            return 0
        length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0] or 0)
        self.busy = len(body) < length
        return 0 if self.busy else int(head[9:12])


def get(path: str) -> bytes:
    """A browser's request for a page."""
    return (
        f"GET {path} HTTP/1.1\r\nHost: news.example.com\r\nAccept: text/html,application/xhtml+xml\r\n"
        "Accept-Language: en-GB,en;q=0.8,de;q=0.5\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64)\r\n\r\n"
    ).encode()


def as_fast_as_it_goes(port: int, request: bytes, *, visitors: int, seconds: float) -> Found:
    """How many of these the server answers."""
    found, chooser, began = Found(), selectors.DefaultSelector(), time.perf_counter()
    for _ in range(visitors):
        visitor = _Visitor(port)
        chooser.register(visitor.socket, selectors.EVENT_READ, visitor)
        visitor.ask(request, time.perf_counter())
    while (now := time.perf_counter()) < began + seconds:
        for visitor in _answered(chooser, 0.1, found):
            visitor.ask(request, time.perf_counter())
    found.seconds = now - began
    _close(chooser)
    return found


def at_a_rate(port: int, requests: Iterator[bytes], *, rate: float, seconds: float) -> Found:
    """How long these take when so many come a second, evenly."""
    found, chooser = Found(), selectors.DefaultSelector()
    idle: deque[_Visitor] = deque()
    began, number, total = time.perf_counter(), 0, round(rate * seconds)
    while len(found.latencies) < total:
        now = time.perf_counter()
        if now > began + seconds + PATIENCE:
            raise TimeoutError(f"{total - len(found.latencies)} requests were not answered")
        while number < total and (due := began + number / rate) <= now:
            _somebody(chooser, idle, port).ask(next(requests), due)
            number += 1
        until = max(0.0, began + number / rate - time.perf_counter()) if number < total else 0.1
        idle.extend(_answered(chooser, until, found))
    found.seconds = time.perf_counter() - began
    _close(chooser)
    return found


def _somebody(chooser: selectors.BaseSelector, idle: deque[_Visitor], port: int) -> _Visitor:
    """Who was answered last, or somebody new."""
    while idle:
        visitor = idle.pop()
        if visitor.socket.fileno() >= 0:
            return visitor
    visitor = _Visitor(port)
    chooser.register(visitor.socket, selectors.EVENT_READ, visitor)
    return visitor


def _answered(chooser: selectors.BaseSelector, wait: float, found: Found) -> Iterator[_Visitor]:
    for key, _ in chooser.select(wait):
        visitor: _Visitor = key.data
        status = visitor.hear()
        if status < 0:
            chooser.unregister(visitor.socket)
            visitor.socket.close()
        elif status:
            found.latencies.append(time.perf_counter() - visitor.began)
            found.statuses[status] += 1
            yield visitor


def _close(chooser: selectors.BaseSelector) -> None:
    for key in list(chooser.get_map().values()):
        key.data.socket.close()
    chooser.close()
