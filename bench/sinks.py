"""Start servers that discard mail: Postfix's smtp-sink, and one of ours at a given distance."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def free_port() -> int:
    """Return a port of the loopback on which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def wait_for(port: int) -> None:
    """Wait until somebody listens on a port."""
    for _ in range(200):
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.05)
    raise RuntimeError(f"nobody listens on {port}")


@contextmanager
def smtp_sink() -> Iterator[int]:
    """Run smtp-sink of Debian's postfix (C) and yield its port."""
    port = free_port()
    command = [
        shutil.which("smtp-sink") or "/usr/sbin/smtp-sink",
        "-u",
        "nobody",
        f"127.0.0.1:{port}",
        "1000",
    ]
    yield from _run_server(command, port)


@contextmanager
def fast_sink() -> Iterator[int]:
    """Compile and run a sink that reads faster than anybody sends (C), and yield its port."""
    with tempfile.TemporaryDirectory() as folder:
        program = f"{folder}/fast_sink"
        source = Path(__file__).with_name("fast_sink.c")
        subprocess.run(["cc", "-O2", "-o", program, str(source)], check=True)
        port = free_port()
        yield from _run_server([program, str(port)], port)


@contextmanager
def far_sink(round_trip: float, *offers: str) -> Iterator[int]:
    """Run a sink that answers `round_trip` seconds late, like a distant one; yield its port."""
    port = free_port()
    yield from _run_server(
        [sys.executable, "-m", "bench.far", str(port), str(round_trip), *offers], port
    )


def _run_server(command: list[str], port: int) -> Iterator[int]:
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_for(port)
        yield port
    finally:
        process.kill()
        process.wait()
