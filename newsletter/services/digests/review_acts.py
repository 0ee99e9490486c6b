"""Hold, release and skip the next digest, and leave entries out of one under review.

Whoever has a link from a review's mail can only make less go out: hold, and leave out.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from newsletter.addresses import parse_address
from newsletter.db.session import reading, transaction
from newsletter.errors import LinkInvalid, NotFound, Refused
from newsletter.i18n import Text
from newsletter.link_purposes import LinkPurpose
from newsletter.models import DigestPeriod, DigestReview, Entry, MailingList
from newsletter.services.digests.reviews import (
    Review,
    describe_row,
    find_row,
    lock_list,
    settle_row,
)
from newsletter.services.digests.timing import find_next_digest
from newsletter.services.lookup import get_list
from newsletter.services.notice_mail import list_authors
from newsletter.services.polling import entry_state
from newsletter.services.runtime import Environment
from newsletter.services.suppressions import hash_address
from newsletter.vocabulary import Actor, Cadence, EntryStatus

MARK_LENGTH = 16
"""Characters of an author's mark in a link: the MAC of the token keeps it from being guessed."""
UNDO = timedelta(minutes=1)
"""Time in which a digest that was told to go now can still be held."""
SKIPPED = Text("skipped by its author: its entries wait for the next")
"""The reason of a period whose digest the author skipped."""


@dataclass(frozen=True, slots=True)
class ReviewedEntry:
    """An entry of a digest under review; `gone` if it was left out, held, skipped or withdrawn."""

    id: int
    title: str
    gone: bool


@dataclass(frozen=True, slots=True)
class ReviewPage:
    """A review as the pages behind the links of its mail show it; `entries` as they are now."""

    review: Review
    slug: str
    title: str
    language: str
    timezone: str
    entries: tuple[ReviewedEntry, ...]


def open_page(env: Environment, token: str) -> ReviewPage:
    """Return the review that a link names.

    Raises `LinkInvalid`; `NotFound` where there is no such review any more.
    """
    with reading() as session:
        return show_review(session, _open_link(env, session, token))


def show_review(session: Session, row: DigestReview) -> ReviewPage:
    """Describe a review with its entries."""
    mailing_list = session.get_one(MailingList, row.list_id)
    review = describe_row(row)
    query = (
        select(Entry.id, Entry.title, Entry.own_title, entry_state.owed_clause().label("owed"))
        .where(Entry.id.in_(review.entries or ()))
        .order_by(Entry.seq, Entry.id)
    )
    entries = tuple(
        ReviewedEntry(
            entry.id, entry.own_title or entry.title, entry.id in review.left_out or not entry.owed
        )
        for entry in session.execute(query)
    )
    return ReviewPage(
        review,
        mailing_list.slug,
        mailing_list.title,
        mailing_list.language,
        mailing_list.timezone,
        entries,
    )


def hold_by_link(env: Environment, token: str) -> None:
    """Hold the digest that a link names, until it is released.

    Raises `LinkInvalid`, `NotFound`, `Refused` (it has gone).
    """
    with transaction() as session:
        row = _get_linked(env, session, token)
        _hold(env, row)


def leave_out_by_link(env: Environment, token: str, entry_id: int) -> None:
    """Leave an entry out of the digest that a link names.

    Raises `LinkInvalid`, `NotFound` (it carries no such entry), `Refused` (it has gone).
    """
    with transaction() as session:
        row = _get_linked(env, session, token)
        _leave_out(env, session, row, entry_id)


def hold(env: Environment, slug: str | None, cadence: Cadence) -> Review:
    """Hold the next digest of a cadence until it is released, whether it is reviewed or not.

    Raises `NotFound`.
    """
    with transaction() as session:
        mailing_list = lock_list(session, get_list(session, slug).id)
        row = _get_or_add(env, session, mailing_list, cadence)
        _hold(env, row)
        return describe_row(row)


def send_soon(
    env: Environment, slug: str | None, cadence: Cadence, *, key: str | None = None
) -> Review:
    """Schedule the digest to be sent in a minute; until then it can be held.

    `key` names the digest that the author has seen: another one is not sent. Raises `NotFound`,
    `Refused`.
    """
    with transaction() as session:
        mailing_list = lock_list(session, get_list(session, slug).id)
        _require_seen(env, session, mailing_list, cadence, key)
        row = _get_or_add(env, session, mailing_list, cadence)
        row.held_at = None
        row.released_at = env.now
        row.go_at = env.now + UNDO
        row.version += 1
        return describe_row(row)


def _require_seen(
    env: Environment,
    session: Session,
    mailing_list: MailingList,
    cadence: Cadence,
    key: str | None,
) -> None:
    """Refuse a change that was meant for a digest already sent."""
    if key is not None and key != find_key(env, session, mailing_list, cadence):
        raise Refused(
            Text("this digest has gone out, or was skipped"), hint=Text("look at the next one")
        )


def find_key(
    env: Environment, session: Session, mailing_list: MailingList, cadence: Cadence
) -> str:
    """Return the key of the next digest; "" for instant mails without a review."""
    row = find_row(session, mailing_list.id, cadence)
    if row is not None and row.entries is not None:
        return row.key
    digest = find_next_digest(session, mailing_list, cadence, env.now)
    return digest.period.key if digest else ""


def _get_or_add(
    env: Environment, session: Session, mailing_list: MailingList, cadence: Cadence
) -> DigestReview:
    row = find_row(session, mailing_list.id, cadence)
    if row is None:
        digest = find_next_digest(session, mailing_list, cadence, env.now)
        row = DigestReview(
            list_id=mailing_list.id,
            cadence=cadence,
            key=digest.period.key if digest else "",
            due_at=digest.period.due_at if digest else None,
            entries=None,
            left_out=[],
            mails=[],
            through=0,
            recipients=0,
            waits=False,
            version=0,
            created_at=env.now,
        )
        session.add(row)
        session.flush()
    return row


def release(env: Environment, slug: str | None, cadence: Cadence) -> Review:
    """Release a digest that is held or waits for approval, so that it goes out at its time.

    If that is over it goes as soon as a worker runs. Raises `NotFound`, `Refused` (none is held).
    """
    with transaction() as session:
        mailing_list = lock_list(session, get_list(session, slug).id)
        row = find_row(session, mailing_list.id, cadence)
        if row is None or not describe_row(row).stopped:
            raise Refused(
                Text(
                    "no %(cadence)s digest of %(slug)s is held",
                    cadence=cadence,
                    slug=mailing_list.slug,
                ),
                hint=Text("`newsletter digest explain` says what goes out"),
            )
        row.held_at = None
        row.released_at = env.now
        row.version += 1
        if row.entries is None:  # nothing was fixed: it goes on as if it had not been held
            row.settled_at = env.now
        return describe_row(row)


def leave_out(env: Environment, slug: str | None, cadence: Cadence, entry_id: int) -> Review:
    """Leave an entry out of the digest that is reviewed.

    Raises `NotFound`, `Refused` (none is reviewed).
    """
    with transaction() as session:
        mailing_list = lock_list(session, get_list(session, slug).id)
        row = find_row(session, mailing_list.id, cadence)
        if row is None or row.entries is None:
            raise Refused(
                Text(
                    "no %(cadence)s digest of %(slug)s is reviewed",
                    cadence=cadence,
                    slug=mailing_list.slug,
                ),
                hint=Text("`newsletter entry skip %(id)s` keeps it from every digest", id=entry_id),
            )
        _leave_out(env, session, row, entry_id)
        return describe_row(row)


def skip(env: Environment, slug: str | None, cadence: Cadence, *, key: str | None = None) -> str:
    """Skip the next scheduled digest of a cadence, and return the key of its period.

    Its entries wait for the one after it. `key` names the digest that the author has seen: another
    one is not skipped. Raises `NotFound`, `Refused` (instant mails).
    """
    with transaction() as session:
        mailing_list = lock_list(session, get_list(session, slug).id)
        _require_seen(env, session, mailing_list, cadence, key)
        if not cadence.scheduled:
            raise Refused(
                Text("instant mails have no day to skip"),
                hint=Text(
                    "`newsletter digest hold --cadence %(cadence)s` keeps them back",
                    cadence=cadence,
                ),
            )
        row = find_row(session, mailing_list.id, cadence)
        key = find_key(env, session, mailing_list, cadence)
        session.add(
            DigestPeriod(
                list_id=mailing_list.id, cadence=cadence, key=key, why=SKIPPED, composed_at=env.now
            )
        )
        if row is not None:
            settle_row(env, session, row)
        return key


def _hold(env: Environment, row: DigestReview) -> None:
    if row.held_at is None:
        row.held_at = env.now
        row.version += 1


def _leave_out(env: Environment, session: Session, row: DigestReview, entry_id: int) -> None:
    if entry_id not in (row.entries or ()):
        raise NotFound(f"entry {entry_id} is not in this digest")
    if entry_id not in row.left_out:
        row.left_out = [*row.left_out, entry_id]
        row.version += 1
    entry = session.get(Entry, entry_id, populate_existing=True, with_for_update=True)
    if entry is not None and entry.fate in (EntryStatus.READY, EntryStatus.NEW):
        why = f"left out of the {row.cadence} digest"
        entry_state.skip(env, session, entry, why, actor=Actor.AUTHOR)


def _get_linked(env: Environment, session: Session, token: str) -> DigestReview:
    """Return the open review that a link names, locked with its list."""
    row = _open_link(env, session, token)
    lock_list(session, row.list_id)
    session.refresh(row)
    if row.settled_at is not None:
        raise Refused(Text("this digest has gone out, or was skipped"))
    return row


def mark_author(env: Environment, address: str) -> str:
    """Return the mark of an author's address in the links of the reviews that they are mailed."""
    return hash_address(env, parse_address(address).key)[0][:MARK_LENGTH]


def _open_link(env: Environment, session: Session, token: str) -> DigestReview:
    """Return the review of a link, if its recipient is still an author of the list.

    Raises `LinkInvalid`, `NotFound`.
    """
    handle, _, mark = env.tokens.open(LinkPurpose.REVIEW, token, env.now).partition(".")
    row = session.scalar(select(DigestReview).where(DigestReview.handle == handle))
    if row is None:
        raise NotFound("this review is over")
    mailing_list = session.get_one(MailingList, row.list_id)
    authors = list_authors(session, mailing_list)
    if mark not in [mark_author(env, address) for address in authors]:
        raise LinkInvalid
    return row
