"""Keep the start of a command short."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def without_collection() -> Iterator[None]:
    """Put the garbage collector off: imports make much that stays, and looking at it costs a tenth."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
