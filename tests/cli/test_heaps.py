"""The threads of `serve` share the heaps of the C library."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

THREADS = """
import ctypes, sys, threading
from newsletter.cli.start_up import share_heaps

if sys.argv[2] == "shared":
    share_heaps()
barrier = threading.Barrier(8)

def allocate():
    barrier.wait()
    blocks = [bytes(2000) for _ in range(1000)]
    barrier.wait()

threads = [threading.Thread(target=allocate) for _ in range(8)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
libc = ctypes.CDLL(None)
libc.fopen.restype = ctypes.c_void_p
file = libc.fopen(sys.argv[1].encode(), b"w")
libc.malloc_info(0, ctypes.c_void_p(file))
libc.fclose(ctypes.c_void_p(file))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="asks glibc")
def test_threads_share_two_heaps(tmp_path: Path) -> None:
    counts = {}
    for how in ("shared", "apart"):
        info = tmp_path / how
        subprocess.run([sys.executable, "-c", THREADS, str(info), how], check=True)
        counts[how] = info.read_text().count("<heap nr=")
    assert counts["shared"] <= 2 < counts["apart"]
