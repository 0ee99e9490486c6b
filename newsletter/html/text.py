"""Clean plain text: make it one line or several, and shorten it. Pure."""

from __future__ import annotations

import re
import unicodedata

# Control characters, lone surrogates, line and paragraph separators, bidirectional overrides, and
# private-use characters: two mark slots (mail/message.py), and icon fonts have theirs there.
UNPRINTABLE = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff"
    "\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff\ue000-\uf8ff]"
)
_SPACE = re.compile(r"\s+")


def to_plain_line(value: object, *, limit: int = 500) -> str:
    """Return `value` as one line of text, fit for a header or a title.

    `limit` is in characters.
    """
    if not value:
        return ""
    text = UNPRINTABLE.sub("", _SPACE.sub(" ", str(value)))
    return shorten_text(_SPACE.sub(" ", text).strip(), limit)


def to_plain_lines(value: object, *, limit: int = 100_000) -> str:
    """Return `value` as text of several lines, without control characters."""
    text = str(value or "").replace("\r\n", "\n").replace("\r", "\n")
    return shorten_text(UNPRINTABLE.sub("", text), limit)


def drop_control_characters(text: str) -> str:
    """Return `text` without control characters, bidirectional overrides and marks of slots."""
    return UNPRINTABLE.sub("", text)


def shorten_text(text: str, limit: int) -> str:
    """Return `text` cut to `limit` characters, with an ellipsis at the cut.

    Never cuts inside a grapheme (combining mark, joiner, modifier, flag).
    """
    if len(text) <= limit:
        return text
    end = limit - 1
    while end > 0 and _are_one_grapheme(text[end - 1], text[end]):
        end -= 1
    return text[:end].rstrip() + "…"


def _are_one_grapheme(before: str, after: str) -> bool:
    joiner = "\u200d"
    is_skin_tone = "\U0001f3fb" <= after <= "\U0001f3ff"
    is_flag = all("\U0001f1e6" <= letter <= "\U0001f1ff" for letter in (before, after))
    is_variation = "\ufe00" <= after <= "\ufe0f"
    return (
        bool(unicodedata.combining(after))
        or joiner in (before, after)
        or is_skin_tone
        or is_flag
        or is_variation
    )
