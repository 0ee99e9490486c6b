"""Load a server with visitors: open sockets in one thread, with as little work as possible.

They share the machine's cores with the server. `measure_throughput`: each visitor asks again as
soon as it is answered. `measure_latency`: visitors come at a fixed rate, whether or not earlier
ones have been answered, and their wait counts from that moment.
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
class LoadResult:
    """The result of a load: seconds that each answer and the whole took, and counts of statuses."""

    seconds: float = 0.0
    latencies: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)

    @property
    def rate(self) -> float:
        """Return the number of answers a second."""
        return len(self.latencies) / self.seconds

    def within(self, share: float) -> float:
        """Return the milliseconds in which a share of requests was answered; 1.0: the slowest."""
        ordered = sorted(self.latencies)
        return ordered[min(len(ordered) - 1, int(len(ordered) * share))] * 1000


class _Visitor:
    """One connection, and at most one request on it."""

    __slots__ = ("began", "busy", "heard", "socket")

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.heard = b""
        self.began = 0.0
        self.busy = False

    def ask(self, request: bytes, began: float) -> None:
        self.heard = b""
        self.began = began
        self.busy = True
        self.socket.sendall(request)

    def hear(self) -> int:
        """Read on, and return the status of the answer.

        0: it is not complete; -1: the server has closed a connection that nobody used.
        """
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
    """Return a browser's request for a page."""
    return (
        f"GET {path} HTTP/1.1\r\nHost: news.example.com\r\n"
        "Accept: text/html,application/xhtml+xml\r\nAccept-Language: en-GB,en;q=0.8,de;q=0.5\r\n"
        "User-Agent: Mozilla/5.0 (X11; Linux x86_64)\r\n\r\n"
    ).encode()


def measure_throughput(
    port: int, requests: Iterator[bytes], *, visitors: int, seconds: float
) -> LoadResult:
    """Measure how many requests the server answers."""
    result = LoadResult()
    chooser = selectors.DefaultSelector()
    began = time.perf_counter()
    for _ in range(visitors):
        visitor = _Visitor(port)
        chooser.register(visitor.socket, selectors.EVENT_READ, visitor)
        visitor.ask(next(requests), time.perf_counter())
    while (now := time.perf_counter()) < began + seconds:
        for visitor in _list_answered(chooser, 0.1, result):
            visitor.ask(next(requests), time.perf_counter())
    result.seconds = now - began
    _close(chooser)
    return result


def measure_latency(
    port: int, requests: Iterator[bytes], *, rate: float, seconds: float
) -> LoadResult:
    """Measure how long requests take when `rate` of them come a second, evenly."""
    result = LoadResult()
    chooser = selectors.DefaultSelector()
    idle: deque[_Visitor] = deque()
    began = time.perf_counter()
    number = 0
    total = round(rate * seconds)
    while len(result.latencies) < total:
        now = time.perf_counter()
        if now > began + seconds + PATIENCE:
            raise TimeoutError(f"{total - len(result.latencies)} requests were not answered")
        while number < total and (due := began + number / rate) <= now:
            _get_visitor(chooser, idle, port).ask(next(requests), due)
            number += 1
        until = max(0.0, began + number / rate - time.perf_counter()) if number < total else 0.1
        idle.extend(_list_answered(chooser, until, result))
    result.seconds = time.perf_counter() - began
    _close(chooser)
    return result


def _get_visitor(chooser: selectors.BaseSelector, idle: deque[_Visitor], port: int) -> _Visitor:
    """Return the visitor who was answered last, or a new one."""
    while idle:
        visitor = idle.pop()
        if visitor.socket.fileno() >= 0:
            return visitor
    visitor = _Visitor(port)
    chooser.register(visitor.socket, selectors.EVENT_READ, visitor)
    return visitor


def _list_answered(
    chooser: selectors.BaseSelector, wait: float, result: LoadResult
) -> Iterator[_Visitor]:
    for key, _ in chooser.select(wait):
        visitor: _Visitor = key.data
        status = visitor.hear()
        if status < 0:
            chooser.unregister(visitor.socket)
            visitor.socket.close()
        elif status:
            result.latencies.append(time.perf_counter() - visitor.began)
            result.statuses[status] += 1
            yield visitor


def _close(chooser: selectors.BaseSelector) -> None:
    for key in list(chooser.get_map().values()):
        key.data.socket.close()
    chooser.close()
