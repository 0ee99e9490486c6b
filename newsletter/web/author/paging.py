"""Parse the keys of pages of a listing in URLs."""

from __future__ import annotations

MAX_DIGITS = 15


def read_key(text: str | None) -> int:
    """Parse the key of a page; 0, the first page, if it is invalid."""
    typed = text or ""
    return int(typed) if typed.isascii() and typed.isdigit() and len(typed) <= MAX_DIGITS else 0
