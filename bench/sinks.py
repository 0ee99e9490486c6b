"""Servers that take mail and throw it away: Postfix's own smtp-sink, and one of ours that is as far away as asked."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager


def free_port() -> int:
    """A port on the loopback that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def wait_for(port: int) -> None:
    """Until somebody listens."""
    for _ in range(200):
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.05)
    raise RuntimeError(f"nobody listens on {port}")


@contextmanager
def smtp_sink() -> Iterator[int]:
    """Debian postfix's smtp-sink (C). Yields its port."""
    port = free_port()
    command = [
        shutil.which("smtp-sink") or "/usr/sbin/smtp-sink",
        "-u",
        "nobody",
        f"127.0.0.1:{port}",
        "1000",
    ]
    yield from _served(command, port)


@contextmanager
def far_sink(round_trip: float, *offers: str) -> Iterator[int]:
    """A sink of ours that answers `round_trip` seconds late, as a server at that distance does. Yields its port."""
    port = free_port()
    yield from _served(
        [sys.executable, "-m", "bench.far", str(port), str(round_trip), *offers], port
    )


def _served(command: list[str], port: int) -> Iterator[int]:
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_for(port)
        yield port
    finally:
        process.kill()
        process.wait()
