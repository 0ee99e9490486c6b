"""A lock that threads of one process acquire in the order of their requests."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager


class FairLock:
    """A lock that passes to the thread that has waited longest.

    A plain lock goes to the quickest, often to the thread that has just released it.
    """

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._waiting: deque[tuple[int, threading.Lock]] = deque()
        self._holder = 0

    @contextmanager
    def hold(self, timeout: float) -> Iterator[None]:
        """Hold the lock; wait at most `timeout` seconds for it.

        Raises `TimeoutError`, and `RuntimeError` if this thread holds it already.
        """
        self._wait(threading.get_ident(), timeout)
        try:
            yield
        finally:
            with self._guard:
                self._holder = 0
                if self._waiting:
                    self._holder, bell = self._waiting.popleft()
                    bell.release()

    def _wait(self, thread: int, timeout: float) -> None:
        bell = threading.Lock()
        with self._guard:
            if self._holder == thread:
                raise RuntimeError("a transaction within a transaction")
            if not self._holder:
                self._holder = thread
                return
            bell.acquire()
            self._waiting.append((thread, bell))
        if bell.acquire(timeout=timeout):
            return
        with self._guard:
            if self._holder == thread:  # the lock was passed on while this thread gave up
                return
            self._waiting.remove((thread, bell))
        raise TimeoutError
