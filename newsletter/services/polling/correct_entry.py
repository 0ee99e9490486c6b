"""Correct the title and excerpt of an entry in mails, keeping those of its feed."""

from __future__ import annotations

from dataclasses import dataclass

from newsletter.db.session import reading, transaction
from newsletter.errors import InvalidInput, NotFound
from newsletter.html.text import to_plain_line
from newsletter.i18n import Text
from newsletter.models import Entry

TITLE_AT_MOST = 300
OWN_EXCERPT_AT_MOST = 1000
"""Characters of an excerpt that an author writes: a long paragraph."""


@dataclass(frozen=True, slots=True)
class EntryCorrection:
    """The feed's title and excerpt of an entry, and the author's (empty where not set)."""

    id: int
    title: str
    own_title: str
    own_excerpt: str


def read_correction(entry_id: int) -> EntryCorrection:
    """Return the corrections of an entry.

    Raises `NotFound`.
    """
    with reading() as session:
        return _describe(session.get(Entry, entry_id), entry_id)


def correct_entry(entry_id: int, *, title: str | None, excerpt: str | None) -> EntryCorrection:
    """Set the title and excerpt that mails show; None leaves one, "" removes the correction.

    It counts for the mails that are not composed yet. Raises `NotFound`, `InvalidInput`.
    """
    problems = {}
    if title is not None and len(title) > TITLE_AT_MOST:
        problems["title"] = Text("at most %(count)s characters", count=TITLE_AT_MOST)
    if excerpt is not None and len(excerpt) > OWN_EXCERPT_AT_MOST:
        problems["excerpt"] = Text("at most %(count)s characters", count=OWN_EXCERPT_AT_MOST)
    if problems:
        raise InvalidInput(problems)
    with transaction() as session:
        row = session.get(Entry, entry_id)
        correction = _describe(row, entry_id)
        if row is not None and title is not None:
            line = to_plain_line(title, limit=TITLE_AT_MOST)
            row.own_title = "" if line == correction.title else line
        if row is not None and excerpt is not None:
            row.own_excerpt = to_plain_line(excerpt, limit=OWN_EXCERPT_AT_MOST)
        return _describe(row, entry_id)


def _describe(row: Entry | None, entry_id: int) -> EntryCorrection:
    if row is None:
        raise NotFound(f"there is no entry {entry_id}", hint="see `newsletter entry ls`")
    return EntryCorrection(row.id, to_plain_line(row.title), row.own_title, row.own_excerpt)
