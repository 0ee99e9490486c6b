"""Export all data of subscribers as CSV, safe to open in a spreadsheet.

`import_subscribers` reads it back unchanged. Streamed, a page at a time; a file appears under its
name only when it is whole.
"""

from __future__ import annotations

import csv
import json
import os
import shutil
import stat
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import datetime
from io import StringIO
from itertools import islice
from pathlib import Path
from typing import Any, TextIO

from sqlalchemy import Row, exists, select
from sqlalchemy.orm import Session

from newsletter.db.session import reading
from newsletter.errors import NewsletterError
from newsletter.files import open_private
from newsletter.import_formats.formula_injection import guard_cell
from newsletter.import_formats.own_columns import OUR_COLUMNS
from newsletter.import_formats.own_format import write_events, write_names
from newsletter.import_formats.types import ConsentRecord
from newsletter.models import (
    ConsentEvent,
    ConsentText,
    MailingList,
    Subscriber,
    Subscription,
    Suppression,
    Topic,
)
from newsletter.services import tags
from newsletter.services.lists.topics import unpack_topics
from newsletter.services.lookup import get_list
from newsletter.services.transfer.hash_keys import fingerprint_keys
from newsletter.vocabulary import SubscriptionStatus

PAGE = 1000
"""Rows that are read in one query."""
_SUPPRESSION = (
    Suppression.reason.label("suppressed"),
    Suppression.created_at.label("suppressed_at"),
    Suppression.note.label("suppressed_note"),
)
_SUBSCRIBER = (
    Subscriber.id.label("subscriber_id"),
    Subscriber.email,
    Subscriber.name,
    Subscriber.language,
    Subscriber.created_at.label("subscriber_since"),
)

Cells = dict[str, object]
"""The cells of a row by the names of their columns."""


def export_to_file(
    file: Path, *, slug: str | None = None, status: SubscriptionStatus | None = None
) -> int:
    """Write the export to `file`, and return the number of rows.

    An ordinary file appears in the place of what was there, readable by its owner only, once it is
    whole; a link is followed. Anything else (a pipe, a device) is written through.

    Raises `NewsletterError` if it cannot be written; an ordinary file is unchanged then.
    """
    through = False
    try:
        through = _is_written_through(file)
        if through:
            with file.open("w", encoding="utf-8", newline="") as out:
                return export_to_text(out, slug=slug, status=status)
        return _replace(Path(os.path.realpath(file)), slug=slug, status=status)
    except OSError as error:
        hint = "what was written until then is not whole" if through else "nothing was changed"
        raise NewsletterError(f"{file} cannot be written: {error.strerror}", hint=hint) from None


def is_ordinary(file: Path) -> bool:
    """Tell whether a path is a regular file that can be replaced, or free."""
    return not _is_written_through(file)


def _is_written_through(file: Path) -> bool:
    """Tell whether a path is a device, a pipe or another special file, which cannot be replaced."""
    if str(file.absolute()).startswith(("/dev/", "/proc/")):
        return True
    try:
        mode = file.stat().st_mode
    except FileNotFoundError:
        return False
    return not stat.S_ISREG(mode) and not stat.S_ISDIR(mode)


def _replace(file: Path, *, slug: str | None, status: SubscriptionStatus | None) -> int:
    part = file.parent / f"{file.name}.part"
    try:
        part.unlink(missing_ok=True)  # left by a run that was killed
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as out:
            count = export_to_text(out, slug=slug, status=status)
            out.flush()
            os.fsync(out.fileno())
        if file.exists() and file.stat().st_nlink > 1:  # its other names are to show the same
            with part.open("rb") as source, open_private(file, "wb") as target:
                shutil.copyfileobj(source, target)
            part.unlink()
        else:
            part.replace(file)
    except BaseException:  # also if the database fails, or somebody stops it
        with suppress(OSError):
            part.unlink(missing_ok=True)
        raise
    return count


def export_to_text(
    out: TextIO, *, slug: str | None = None, status: SubscriptionStatus | None = None
) -> int:
    """Write the export to `out`, and return the number of rows.

    With `slug` or `status` only the subscriptions of that list or status are written.
    """
    write = csv.writer(out, lineterminator="\n").writerow
    write(OUR_COLUMNS)
    count = 0
    for cells in _read_rows(slug, status):
        write(_guard_cells(cells))
        count += 1
    return count


def iterate_pieces(*, slug: str | None = None) -> Iterator[bytes]:
    """Yield the export in UTF-8, in pieces of about a page of rows, to bound memory.

    With `slug` only the subscriptions of that list are written.
    """
    rows = map(_guard_cells, _read_rows(slug, None))
    page: list[list[str]] = [list(OUR_COLUMNS)]
    while page:
        out = StringIO()
        csv.writer(out, lineterminator="\n").writerows(page)
        yield out.getvalue().encode()
        page = list(islice(rows, PAGE))


def _guard_cells(cells: Cells) -> list[str]:
    return [guard_cell(_format_cell(cells.get(name))) for name in OUR_COLUMNS]


def _format_cell(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, dict):
        return json.dumps(value, ensure_ascii=False, sort_keys=True) if value else ""
    return "" if value is None else str(value)


def _read_rows(slug: str | None, status: SubscriptionStatus | None) -> Iterator[Cells]:
    """Yield every row of the export.

    Addresses that are suppressed without being a subscriber's come first, so that no other row of
    the file brings them back.
    """
    if slug is None and status is None:
        yield from _read_pages(_read_suppressed)
        yield from _read_pages(_read_unlisted)
    yield from _read_pages(lambda session, after: _read_page(session, after, slug, status))


def _read_pages(page: Callable[[Session, int], list[Cells]]) -> Iterator[Cells]:
    """Yield rows page by page, to bound memory and the time of locks."""
    after = 0
    while True:
        with reading() as session:
            rows = page(session, after)
        if not rows:
            return
        yield from rows
        after = int(str(rows[-1]["id"]))


def _read_suppressed(session: Session, after: int) -> list[Cells]:
    """Read suppressed addresses without a subscriber; of erased ones the hash."""
    query = (
        select(
            Suppression.id,
            Suppression.email_key.label("email"),
            Suppression.email_hash,
            *_SUPPRESSION,
        )
        .where(Suppression.id > after)
        .where(~exists().where(Subscriber.email_key == Suppression.email_key))
        .order_by(Suppression.id)
        .limit(PAGE)
    )
    keys = " ".join(fingerprint_keys(session))
    return [
        dict(row._mapping)
        | ({} if row.email else {"suppressed_hash": row.email_hash, "suppressed_key": keys})
        for row in session.execute(query)
    ]


def _read_unlisted(session: Session, after: int) -> list[Cells]:
    """Read subscribers without a subscription, whose list was removed."""
    query = (
        select(Subscriber.id, *_SUBSCRIBER, *_SUPPRESSION)
        .outerjoin(Suppression, Suppression.email_key == Subscriber.email_key)
        .where(Subscriber.id > after)
        .where(~exists().where(Subscription.subscriber_id == Subscriber.id))
        .order_by(Subscriber.id)
        .limit(PAGE)
    )
    rows = session.execute(query).all()
    tagged = tags.read_tags(session, {row.id for row in rows})
    return [dict(row._mapping) | {"tags": ", ".join(tagged.get(row.id, ()))} for row in rows]


def _read_page(
    session: Session, after: int, slug: str | None, status: SubscriptionStatus | None
) -> list[Cells]:
    query = (
        select(
            Subscription.id,
            *_SUBSCRIBER,
            MailingList.slug.label("list"),
            Subscription.status,
            Subscription.cadence,
            Subscription.paused_until,
            Subscription.created_at,
            Subscription.confirmed_at,
            Subscription.unsubscribed_at,
            Subscription.topics,
            Subscription.answers,
            *_SUPPRESSION,
        )
        .join(Subscription.subscriber)
        .join(Subscription.mailing_list)
        .outerjoin(Suppression, Suppression.email_key == Subscriber.email_key)
        .where(Subscription.id > after)
        .order_by(Subscription.id)
        .limit(PAGE)
    )
    if slug:
        query = query.where(Subscription.list_id == get_list(session, slug).id)
    if status:
        query = query.where(Subscription.status == status)
    rows = session.execute(query).all()
    tagged = tags.read_tags(session, {row.subscriber_id for row in rows})
    names = {topic.id: topic.name for topic in session.execute(select(Topic.id, Topic.name))}
    events = _read_events(session, [row.id for row in rows])
    return [
        _make_cells(
            row, ", ".join(tagged.get(row.subscriber_id, ())), names, events.get(row.id, [])
        )
        for row in rows
    ]


def _read_events(session: Session, ids: list[int]) -> dict[int, list[ConsentRecord]]:
    """Read the consent records of subscriptions, oldest first, with the texts agreed to."""
    query = (
        select(ConsentEvent, ConsentText.text)
        .outerjoin(ConsentText, ConsentText.hash == ConsentEvent.wording_hash)
        .where(ConsentEvent.subscription_id.in_(ids))
        .order_by(ConsentEvent.id)
    )
    events: dict[int, list[ConsentRecord]] = {}
    for row, wording in session.execute(query):
        event = ConsentRecord(
            row.kind,
            row.at,
            row.source,
            row.form,
            row.page,
            row.ip,
            row.user_agent,
            row.message_id,
            row.note,
            wording or "",
        )
        events.setdefault(row.subscription_id, []).append(event)
    return events


def _make_cells(
    row: Row[*tuple[Any, ...]],
    tags_text: str,
    topic_names: dict[int, str],
    events: list[ConsentRecord],
) -> Cells:
    """Build the cells of a subscription; topics by name, since ids differ between installations."""
    cells: Cells = dict(row._mapping)
    if events:
        latest = events[-1]
        cells |= {
            "consent_source": latest.source,
            "consent_note": latest.note,
            "consent_ip": latest.ip,
        }
    topics = write_names(
        topic_names[topic_id] for topic_id in unpack_topics(row.topics) if topic_id in topic_names
    )
    return cells | {"tags": tags_text, "topics": topics, "consent_events": write_events(events)}
