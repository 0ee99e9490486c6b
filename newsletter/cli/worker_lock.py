"""Make sure that only one `worker --once` runs for a configuration on this machine.

cron starts one every few minutes: while one is sending for long, the next must not open further
connections.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]


@contextmanager
def hold_lock(folder: Path, name: str) -> Iterator[bool]:
    """Hold a lock on a file beside the settings; yield False if another process holds it.

    The system frees the lock when its process ends, however that happens. Where no file can be
    written or locked, nothing is locked: the database keeps the workers apart in any case.
    """
    try:
        lock = os.open(folder / f".{name}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError:
        yield True
        return
    try:
        yield _is_free(lock)
    finally:
        os.close(lock)


def _is_free(lock: int) -> bool:
    if fcntl is None:
        return True
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # a file system without locks
        return True
    return True
