"""Taking turns: threads that want the same thing get it in the order in which they asked."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager


class Turns:
    """A lock that is handed on.

    A plain one goes to whoever is quickest: often to the thread that has just let go.
    """

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._waiting: deque[tuple[int, threading.Lock]] = deque()
        self._holder = 0

    @contextmanager
    def mine(self, timeout: float) -> Iterator[None]:
        """Wait for this thread's turn.

        Raises `TimeoutError`, and `RuntimeError` where it has it already.
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
            if self._holder == thread:  # it came while we gave up
                return
            self._waiting.remove((thread, bell))
        raise TimeoutError
