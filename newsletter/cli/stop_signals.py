"""Handle SIGTERM and Ctrl-C, so that a command ends at a safe moment."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

INTERRUPTED = 130
"""Exit code after Ctrl-C: 128 plus the number of SIGINT, as shells report it."""


def make_stop_event() -> threading.Event:
    """Return an event that SIGTERM and Ctrl-C set from now on."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    return stop


def wait_for_stop(stop: threading.Event) -> None:
    """Wait until the event `stop` is set.

    It looks once a second: a signal that arrives between the interpreter's last look for one and
    the wait does not interrupt the wait.
    """
    while not stop.wait(1.0):
        pass


@contextmanager
def interrupt_later() -> Iterator[Callable[[], bool]]:
    """Turn the first Ctrl-C into a flag that the caller checks between two steps.

    Yields a function that tells whether Ctrl-C was pressed. A second Ctrl-C raises
    `KeyboardInterrupt` at once.
    """
    pressed = threading.Event()

    def note(*_: object) -> None:
        if pressed.is_set():
            raise KeyboardInterrupt
        pressed.set()

    before = signal.signal(signal.SIGINT, note)
    try:
        yield pressed.is_set
    finally:
        signal.signal(signal.SIGINT, before)
