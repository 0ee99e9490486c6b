"""Read a cell of a column that holds yes or no, or the status of a subscriber."""

from __future__ import annotations

from newsletter.import_formats import opt_out
from newsletter.import_formats.moments import parse_moment
from newsletter.import_formats.statuses import MEANING, normalize_word
from newsletter.import_formats.vocabulary import StatusWord
from newsletter.import_formats.yes_no import NO_VALUES, YES


def read_flag(text: str, *, negative: StatusWord) -> StatusWord:
    value = text.strip().lower()
    if not value:
        return StatusWord.SILENT
    if value in YES or parse_moment(text):
        return StatusWord.YES
    return negative if value in NO_VALUES else _read_warning(value)


def read_enabled(text: str) -> StatusWord:
    value = text.strip().lower()
    return StatusWord.NO if value and value in NO_VALUES else _read_warning(value)


STATUS_AT_MOST = 30
"""Characters of a status; longer text is a remark."""


def read_status(text: str) -> StatusWord:
    """Return the status in a cell of a column that holds a status in some of its rows."""
    return _read_warning(text.strip().lower()) if len(text) <= STATUS_AT_MOST else StatusWord.SILENT


def _read_warning(text: str) -> StatusWord:
    """Return the status that a word means in a column of yes or no, such as *Subscribed*."""
    plain_text = normalize_word(text)
    meaning = MEANING.get(plain_text) or opt_out.find_word(plain_text) or StatusWord.SILENT
    return StatusWord.SILENT if meaning == StatusWord.YES else meaning
