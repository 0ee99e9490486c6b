"""Read a cell of a column where yes or no is expected."""

from __future__ import annotations

from newsletter.import_formats import opt_out
from newsletter.import_formats.moments import parse_moment
from newsletter.import_formats.statuses import MEANING, NO_VALUES, YES_VALUES, normalize_word


def read_flag(text: str, *, negative: str) -> str:
    value = text.strip().lower()
    if not value:
        return "silent"
    if value in YES_VALUES or parse_moment(text):
        return "yes"
    return negative if value in NO_VALUES else _warning(value)


def read_enabled(text: str) -> str:
    value = text.strip().lower()
    return "no" if value in NO_VALUES - {""} else _warning(value)


def _warning(text: str) -> str:
    """Return the status of a word where yes or no is expected, as in a column *Subscribed*."""
    plain_text = normalize_word(text)
    meaning = MEANING.get(plain_text) or opt_out.find_word(plain_text) or "silent"
    return "silent" if meaning == "yes" else meaning
