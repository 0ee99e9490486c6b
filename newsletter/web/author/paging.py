"""Keys of pages of a listing, as they stand in an address."""

from __future__ import annotations

MAX_DIGITS = 15


def read_key(text: str | None) -> int:
    """Read the key of a page; 0, the first page, for anything that is none."""
    typed = text or ""
    return int(typed) if typed.isascii() and typed.isdigit() and len(typed) <= MAX_DIGITS else 0
