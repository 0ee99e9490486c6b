"""How an author writes down what digests look like and when they are worth sending, as columns of
the list.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from newsletter.mail.theme import FONTS, RADIUS_AT_MOST

SHOW = ("auto", "excerpt", "full")
ORDER = ("newest", "oldest")
SECTIONS = ("none", "feed", "topic")
ENTRIES_AT_MOST = 20
DAYS_AT_MOST = 366


def column(name: str, text: str) -> dict[str, object]:
    """One setting as its column.

    Raises `ValueError` with what is wrong.
    """
    match name:
        case "min_entries":
            return {"digest_min_entries": _number(text, 1, ENTRIES_AT_MOST)}
        case "max_wait":
            return {"digest_max_wait": _number(re.sub(r" ?(d|days?)$", "", text), 1, DAYS_AT_MOST)}
        case "show":
            return {"digest_show": _one_of(text, SHOW)}
        case "order":
            return {"digest_order": _one_of(text, ORDER)}
        case "sections":
            return {"digest_sections": _one_of(text, SECTIONS), "section_order": []}
        case "font":
            return {"theme_font": _one_of(text, (*FONTS, ""))}
        case "radius":
            return {"theme_radius": _number(text.removesuffix("px"), 0, RADIUS_AT_MOST)}
    raise ValueError("no such setting")


def _number(text: str, low: int, high: int) -> int:
    if not text.isascii() or not text.isdecimal() or not low <= int(text[:9]) <= high:
        raise ValueError(f"must be a number from {low} to {high}")
    return int(text)


def _one_of(text: str, words: Sequence[str]) -> str:
    if text not in words:
        raise ValueError(f"is none of {', '.join(filter(None, words))}")
    return text
