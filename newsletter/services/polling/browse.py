"""List entries page by page, for pages in a browser."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import select

from newsletter.db.session import reading
from newsletter.models import Entry, Feed, MailingList
from newsletter.services.polling.entries import EntryView, describe_entry
from newsletter.vocabulary import EntryStatus

PAGE = 25


@dataclass(frozen=True, slots=True)
class EntryPage:
    """A page of entries, newest first; `next` is the key of the following page, 0 on the last."""

    entries: tuple[EntryView, ...]
    next: int


def list_page(
    list_ids: Collection[int], *, fate: EntryStatus | None = None, before: int = 0
) -> EntryPage:
    """List the entries of these lists, all or those of one status, before a key (0: the newest)."""
    query = (
        select(Entry, Feed, MailingList)
        .join(Feed, Feed.id == Entry.feed_id)
        .join(MailingList, MailingList.id == Entry.list_id)
        .where(Entry.list_id.in_(list_ids))
        .order_by(Entry.id.desc())
        .limit(PAGE + 1)
    )
    if fate is not None:
        query = query.where(Entry.fate == fate)
    if before:
        query = query.where(Entry.id < before)
    with reading() as session:
        rows = [describe_entry(*row) for row in session.execute(query)]
    return EntryPage(tuple(rows[:PAGE]), rows[PAGE - 1].id if len(rows) > PAGE else 0)
