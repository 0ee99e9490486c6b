"""Every subscription as CSV: opens in a spreadsheet without running anything, and `importing` reads it back unchanged.

Streamed; a file appears under its name only when it is whole.
"""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any, TextIO

from sqlalchemy import func, select

from newsletter.db.session import reading
from newsletter.errors import NewsletterError
from newsletter.import_formats.formula_injection import guarded
from newsletter.import_formats.row import listing
from newsletter.models import ConsentEvent, MailingList, Subscriber, Subscription, Suppression, Topic
from newsletter.services import tags
from newsletter.services.digests.selection import unpacked
from newsletter.services.polling.feeds import find_list

PAGE = 1000
COLUMNS = (
    "email", "name", "language", "list", "status", "cadence", "paused_until", "created_at", "confirmed_at",
    "unsubscribed_at", "suppressed", "consent_source", "consent_note", "consent_ip", "tags",
    "topics", "answers",
)  # fmt: skip


def to_file(file: Path, *, slug: str | None = None, status: str | None = None) -> int:
    """Writes them to `file`, readable by its owner only, in the place of what was there. Returns how many.

    Raises `NewsletterError` where it cannot be written; what was there is there still.
    """
    part = file.parent / f"{file.name}.part"
    try:
        part.unlink(missing_ok=True)  # left by a run that was killed
        with os.fdopen(
            os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8", newline=""
        ) as out:
            count = to_text(out, slug=slug, status=status)
            out.flush()
            os.fsync(out.fileno())
        part.replace(file)
    except BaseException as error:  # also where the database fails, or a person stops it
        with suppress(OSError):
            part.unlink(missing_ok=True)
        if not isinstance(error, OSError):
            raise
        raise NewsletterError(f"{file} cannot be written: {error.strerror}", hint="nothing was changed") from None
    return count


def to_text(out: TextIO, *, slug: str | None = None, status: str | None = None) -> int:
    """Writes them to `out`. Returns how many."""
    write = csv.writer(out, lineterminator="\n").writerow
    write(COLUMNS)
    count = 0
    for row in _rows(slug, status):
        write([guarded(_cell(value)) for value in row])
        count += 1
    return count


def _cell(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, dict):
        return json.dumps(value, ensure_ascii=False, sort_keys=True) if value else ""
    return "" if value is None else str(value)


def _rows(slug: str | None, status: str | None) -> Iterator[tuple[object, ...]]:
    """A page at a time, so that nobody waits for a long look and memory stays flat."""
    after = 0
    while page := _page(after, slug, status):
        for row in page:
            yield row[1:]
        after = int(str(page[-1][0]))


def _page(after: int, slug: str | None, status: str | None) -> list[tuple[object, ...]]:
    last = (
        select(func.max(ConsentEvent.id))
        .where(ConsentEvent.subscription_id == Subscription.id)
        .correlate(Subscription)
        .scalar_subquery()
    )
    query = (
        select(
            Subscription.subscriber_id, Subscription.id, Subscriber.email, Subscriber.name, Subscriber.language,
            MailingList.slug, Subscription.status, Subscription.cadence, Subscription.paused_until,
            Subscription.created_at, Subscription.confirmed_at, Subscription.unsubscribed_at, Suppression.reason,
            ConsentEvent.source, ConsentEvent.note, ConsentEvent.ip, Subscription.topics, Subscription.answers,
        )
        .join(Subscription.subscriber)
        .join(Subscription.mailing_list)
        .outerjoin(Suppression, Suppression.email_key == Subscriber.email_key)
        .outerjoin(ConsentEvent, ConsentEvent.id == last)
        .where(Subscription.id > after)
        .order_by(Subscription.id)
        .limit(PAGE)
    )  # fmt: skip
    with reading() as session:
        if slug:
            query = query.where(Subscription.list_id == find_list(session, slug).id)
        if status:
            query = query.where(Subscription.status == status)
        rows = session.execute(query).all()
        tagged = tags.of(session, {row[0] for row in rows})
        names = {topic.id: topic.name for topic in session.execute(select(Topic.id, Topic.name))}
        return [_written(row, ", ".join(tagged.get(row[0], ())), names) for row in rows]


def _written(row: Sequence[Any], tagged: str, names: dict[int, str]) -> tuple[object, ...]:
    """A row in the order of the columns; topics by their names, for elsewhere they have other numbers."""
    *said, topics, answers = row[1:]
    return (*said, tagged, listing(names[each] for each in unpacked(topics) if each in names), answers)
