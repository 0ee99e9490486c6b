"""Change the status of entries; no other module does (tests/services/polling/).

Each transition writes its event in the same transaction. `Entry.fate` says what becomes of an
entry, `Entry.why` says why in words, and the event's reason is a code. "Owed" means: subscribers
who have not received the entry receive it with their next digest.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import assert_never

from sqlalchemy import ColumnElement, and_, update
from sqlalchemy.orm import Session

from newsletter.i18n import Text
from newsletter.models import Campaign, Entry, MailingList
from newsletter.services.events import NewEvent, record_event, record_events
from newsletter.services.polling.matching import AHEAD, WAITS
from newsletter.services.runtime import Environment
from newsletter.vocabulary import Actor, EntryReason, EntryStatus, EventKind

RETURNED = Text("is in its feed again")
RETURNED_SENT = Text("is in its feed again: goes to whoever has not had it")
WITHDRAWN = Text("withdrawn: its feed does not have it any more")


@dataclass(frozen=True, slots=True)
class Finding:
    """A new entry of a feed with its first status, before it is stored."""

    entry: Entry
    fate: EntryStatus
    why: str
    reason: EntryReason


def owed_clause() -> ColumnElement[bool]:
    """Build the condition for entries that subscribers are owed.

    It is ready, or was sent to others, is still in its feed, and no other entry shows it.
    """
    return and_(
        Entry.fate.in_((EntryStatus.READY, EntryStatus.SENT)),
        Entry.withdrawn_at.is_(None),
        Entry.shown_in_id.is_(None),
    )


def add_found(env: Environment, session: Session, findings: Sequence[Finding]) -> None:
    """Store new entries, in the order in which they are to be mailed."""
    for finding in findings:
        is_ready = finding.fate == EntryStatus.READY
        finding.entry.fate = EntryStatus.NEW if is_ready else finding.fate
        finding.entry.why = finding.why
    session.add_all(finding.entry for finding in findings)
    session.flush()
    events = []
    for finding in findings:
        events.append(_make_event(env, finding.entry, EventKind.ENTRY_FOUND, reason=finding.reason))
        if finding.entry.fate != EntryStatus.NEW:
            kind = _choose_event_kind(finding.entry.fate)
            events.append(_make_event(env, finding.entry, kind, reason=finding.reason))
    record_events(session, events)
    for finding in findings:
        if finding.fate == EntryStatus.READY:
            make_ready(env, session, finding.entry, with_grace=True)


def make_ready(
    env: Environment,
    session: Session,
    entry: Entry,
    why: str = "",
    *,
    actor: Actor = Actor.SYSTEM,
    reason: EntryReason = EntryReason.NONE,
    with_grace: bool = False,
) -> None:
    """Make an entry ready: give it its list's next number, so that subscribers are owed it.

    With `with_grace`, instant mails wait for the list's grace period, which begins now.
    """
    grace_minutes = _number(session, entry)
    entry.first_seq = None
    entry.matures_at = (
        env.now + timedelta(minutes=grace_minutes) if with_grace and grace_minutes else None
    )
    _change(env, session, entry, EntryStatus.READY, why, actor=actor, reason=reason)


def release(env: Environment, session: Session, entry: Entry, why: str) -> None:
    """Make an entry ready by its author's decision, regardless of its feed."""
    make_ready(env, session, entry, why, actor=Actor.AUTHOR)
    entry.withdrawn_at = None
    entry.shown_in_id = None


def hold(
    env: Environment,
    session: Session,
    entry: Entry,
    why: str,
    *,
    actor: Actor = Actor.SYSTEM,
    reason: EntryReason = EntryReason.NONE,
) -> None:
    """Hold an entry until its author decides."""
    entry.seq = None
    _change(env, session, entry, EntryStatus.HELD, why, actor=actor, reason=reason)


def skip(
    env: Environment,
    session: Session,
    entry: Entry,
    why: str,
    *,
    actor: Actor = Actor.SYSTEM,
    reason: EntryReason = EntryReason.NONE,
) -> None:
    """Skip an entry, so that it is not mailed."""
    entry.seq = None
    _change(env, session, entry, EntryStatus.SKIPPED, why, actor=actor, reason=reason)


def withdraw(
    env: Environment,
    session: Session,
    entry: Entry,
    *,
    reason: EntryReason = EntryReason.WITHDRAWN,
) -> None:
    """Withdraw an entry that its feed has removed or hidden (`reason`).

    An entry that was sent keeps that fate, and nobody else is owed it.
    """
    if entry.withdrawn_at is not None:
        return
    entry.withdrawn_at = env.now
    if entry.fate in (EntryStatus.READY, EntryStatus.NEW):
        skip(env, session, entry, WITHDRAWN, reason=reason)
    elif entry.fate == EntryStatus.SENT:
        record_event(session, _make_event(env, entry, EventKind.ENTRY_SKIPPED, reason=reason))


def return_to_feed(env: Environment, session: Session, entry: Entry) -> None:
    """Restore a withdrawn entry that is in its feed again.

    An entry that was sent is owed to those who have not had it: it gets a new number, for digests
    may have passed over its first one (`digests/plan.py`). An entry that its author has decided
    about, or that another entry shows, keeps its fate.
    """
    entry.withdrawn_at = None
    if entry.by_hand or entry.shown_in_id is not None:
        return
    if entry.fate == EntryStatus.SENT:
        first_seq = entry.first_seq or entry.seq
        _number(session, entry)
        entry.first_seq = first_seq
        entry.matures_at = None
        entry.why = RETURNED_SENT
        returned = _make_event(env, entry, EventKind.ENTRY_READY, reason=EntryReason.RETURNED)
        record_event(session, returned)
    elif entry.fate == EntryStatus.SKIPPED:
        if entry.published_at is not None and entry.published_at > env.now + AHEAD:
            reason = EntryReason.DATED_AHEAD
            _change(env, session, entry, EntryStatus.NEW, WAITS, reason=reason)
        else:
            reason = EntryReason.RETURNED
            make_ready(env, session, entry, RETURNED, reason=reason, with_grace=True)


def show_in(env: Environment, session: Session, entry: Entry, other: Entry, why: str) -> None:
    """Mark `entry` as shown in the entry `other`, so that it is not mailed by itself."""
    entry.shown_in_id = other.id
    if entry.fate != EntryStatus.SENT:
        skip(env, session, entry, why, reason=EntryReason.DUPLICATE)


def stop_showing(env: Environment, session: Session, entry: Entry) -> None:
    """Release an entry because the one that showed it was withdrawn."""
    entry.shown_in_id = None
    if entry.fate == EntryStatus.SKIPPED and entry.withdrawn_at is None:
        reason = EntryReason.DUPLICATE
        make_ready(
            env, session, entry, Text("its post was withdrawn"), reason=reason, with_grace=True
        )


def take_over(env: Environment, session: Session, entry: Entry, heir: Entry) -> None:
    """Replace `entry`, whose feed is removed, by `heir`, which it showed."""
    heir.shown_in_id = entry.shown_in_id
    heir.seq = entry.seq
    heir.first_seq = entry.first_seq
    heir.matures_at = entry.matures_at
    if heir.fate != entry.fate:
        reason = EntryReason.FEED_REMOVED
        _change(env, session, heir, entry.fate, entry.why, reason=reason)
    heir.why = entry.why
    heir.by_hand = entry.by_hand


def mark_sent(
    env: Environment,
    session: Session,
    campaign: Campaign,
    entry_ids: Collection[int],
    *,
    through: int,
) -> bool:
    """Mark the entries that a campaign carries as sent.

    Return False if one of them was removed, held, skipped or numbered after `through` meanwhile;
    the caller rolls back then.
    """
    result = session.execute(
        update(Entry)
        .where(Entry.id.in_(entry_ids), owed_clause(), Entry.seq <= through)
        .values(fate=EntryStatus.SENT, why="")
        .execution_options(synchronize_session=False)
    )
    if result.rowcount != len(entry_ids):  # type: ignore[attr-defined]
        return False
    record_events(
        session,
        (
            NewEvent(
                EventKind.ENTRY_SENT,
                Actor.SYSTEM,
                env.now,
                campaign.list_id,
                campaign_id=campaign.id,
                entry_id=entry_id,
            )
            for entry_id in entry_ids
        ),
    )
    return True


def remember_number(session: Session, entry_id: int) -> None:
    """Store the number of an entry that was sent by itself.

    Who has had it is told by the campaigns that carried it from now on, not by that number.
    """
    session.execute(
        update(Entry)
        .where(Entry.id == entry_id, Entry.first_seq.is_(None))
        .values(first_seq=Entry.seq)
        .execution_options(synchronize_session=False)
    )


def _number(session: Session, entry: Entry) -> int:
    """Assign an entry its list's next number, and return the list's grace period in minutes.

    The list's row is locked until the caller commits: numbers become visible in their order, and no
    digest can pass over one that is still being written.
    """
    entry.seq, grace_minutes = session.execute(
        update(MailingList)
        .where(MailingList.id == entry.list_id)
        .values(entry_seq=MailingList.entry_seq + 1)
        .returning(MailingList.entry_seq, MailingList.grace_minutes)
    ).one()
    return int(grace_minutes)


def _change(
    env: Environment,
    session: Session,
    entry: Entry,
    fate: EntryStatus,
    why: str,
    *,
    actor: Actor = Actor.SYSTEM,
    reason: EntryReason = EntryReason.NONE,
) -> None:
    entry.fate = fate
    entry.why = why
    entry.by_hand = actor == Actor.AUTHOR
    record_event(
        session, _make_event(env, entry, _choose_event_kind(fate), actor=actor, reason=reason)
    )


def _make_event(
    env: Environment,
    entry: Entry,
    kind: EventKind,
    *,
    actor: Actor = Actor.SYSTEM,
    reason: EntryReason = EntryReason.NONE,
) -> NewEvent:
    return NewEvent(kind, actor, env.now, entry.list_id, entry_id=entry.id, reason=reason)


def _choose_event_kind(status: EntryStatus) -> EventKind:
    """Return the kind of event for an entry's new `status`."""
    match status:
        case EntryStatus.NEW:
            return EventKind.ENTRY_FOUND
        case EntryStatus.HELD:
            return EventKind.ENTRY_HELD
        case EntryStatus.READY:
            return EventKind.ENTRY_READY
        case EntryStatus.SKIPPED:
            return EventKind.ENTRY_SKIPPED
        case EntryStatus.SENT:
            return EventKind.ENTRY_SENT
        case _:
            assert_never(status)
