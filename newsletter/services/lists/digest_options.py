"""Parse the settings of a list's digests into columns of the list."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import timedelta

from newsletter.digest_vocabulary import DigestOrder, DigestSections, DigestShow
from newsletter.mail.theme import FONTS, RADIUS_AT_MOST
from newsletter.setting_types import parse_duration

INDEXED = ("letters", "all")
"""The setting for search engines: index letters and single posts, or all digests as well."""
ON_SILENCE = ("send", "wait")
"""The setting for a digest whose review nobody answers."""
REVIEW_INSTANT = ("no", "yes")
"""The setting for reviewing instant mails as well."""
WEEKLY_NOTE = ("on", "off")
"""The setting for the weekly report to authors."""
REVIEW_AT_LEAST = timedelta(minutes=5)
REVIEW_AT_MOST = timedelta(days=3)
"""The longest review time; entries found meanwhile wait for the next digest."""
ENTRIES_AT_MOST = 20
"""The most entries that a digest may wait for; one mail shows more only as links."""
DAYS_AT_MOST = 366
"""The longest wait of an entry, in days."""


def parse_option(name: str, text: str) -> dict[str, object]:
    """Return the columns for one setting.

    Raises `ValueError` with the problem.
    """
    match name:
        case "min_entries":
            return {"digest_min_entries": _parse_number(text, 1, ENTRIES_AT_MOST)}
        case "max_wait":
            return {
                "digest_max_wait": _parse_number(re.sub(r" ?(d|days?)$", "", text), 1, DAYS_AT_MOST)
            }
        case "show":
            return {"digest_show": DigestShow(_parse_choice(text, tuple(DigestShow)))}
        case "order":
            return {"digest_order": DigestOrder(_parse_choice(text, tuple(DigestOrder)))}
        case "sections":
            sections = DigestSections(_parse_choice(text, tuple(DigestSections)))
            return {"digest_sections": sections, "section_order": []}
        case "indexed":
            return {"digest_indexed": _parse_choice(text, INDEXED) == "all"}
        case "review":
            return {"review_minutes": _parse_review(text)}
        case "review_instant":
            return {"review_instant": _parse_choice(text, REVIEW_INSTANT) == "yes"}
        case "weekly_note":
            return {"weekly_note": _parse_choice(text, WEEKLY_NOTE) == "on"}
        case "on_silence":
            return {"review_waits": _parse_choice(text, ON_SILENCE) == "wait"}
        case "font":
            return {"theme_font": _parse_choice(text, (*FONTS, ""))}
        case "radius":
            return {"theme_radius": _parse_number(text.removesuffix("px"), 0, RADIUS_AT_MOST)}
    raise ValueError("there is no such setting")


def _parse_review(text: str) -> int:
    """Return minutes; 0 for "off"."""
    if text in ("", "0", "off", "no"):
        return 0
    review = parse_duration(text)
    if not REVIEW_AT_LEAST <= review <= REVIEW_AT_MOST:
        raise ValueError('must be from 5m to 3d, like "24h", or off')
    return int(review.total_seconds() // 60)


def _parse_number(text: str, low: int, high: int) -> int:
    if not text.isascii() or not text.isdecimal() or not low <= int(text[:9]) <= high:
        raise ValueError(f"must be a number from {low} to {high}")
    return int(text)


def _parse_choice(text: str, words: Sequence[str]) -> str:
    if text not in words:
        raise ValueError(f"must be one of {', '.join(filter(None, words))}")
    return text
