"""Say numbers, moments and enumerations in what is explained about digests."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, tzinfo


def count_entries(count: int) -> str:
    """Return "1 entry" or "3 entries"."""
    return "1 entry" if count == 1 else f"{count:,} entries"


def count_subscribers(count: int, kind: str = "") -> str:
    """Return "1 subscriber" or "3 subscribers", with a `kind` such as "instant" between."""
    noun = "subscriber" if count == 1 else "subscribers"
    return " ".join(filter(None, (f"{count:,}", kind, noun)))


def join_words(words: Sequence[str]) -> str:
    """Return "a, b and c"."""
    return words[0] if len(words) == 1 else ", ".join(words[:-1]) + " and " + words[-1]


def format_moment(moment: datetime, zone: tzinfo) -> str:
    """Return a moment of the near past or future, like "Mon 07 Dec, 08:00"."""
    return f"{moment.astimezone(zone):%a %d %b, %H:%M}"
