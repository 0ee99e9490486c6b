"""Record the events of an import: those of each batch in bulk, and one at the end."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import assert_never

from sqlalchemy.orm import Session

from newsletter.services import figures
from newsletter.services.events import NewEvent, record_events
from newsletter.services.figures import Counted
from newsletter.statistics_vocabulary import Figure
from newsletter.vocabulary import Actor, ConsentKind, EventKind, SubscriptionStatus


@dataclass(frozen=True, slots=True)
class ImportedTransition:
    """A subscription's change of status by an import; `before` is None for a new one."""

    subscription_id: int
    list_id: int
    before: SubscriptionStatus | None
    after: SubscriptionStatus


def record_import_batch(
    session: Session, transitions: Iterable[ImportedTransition], now: datetime
) -> None:
    """Record the events of a batch in one statement.

    A new row that had unsubscribed elsewhere was never subscribed here, and gets no event.
    """
    kinds = {
        SubscriptionStatus.PENDING: EventKind.SUBSCRIPTION_REQUESTED,
        SubscriptionStatus.ACTIVE: EventKind.SUBSCRIPTION_CONFIRMED,
        SubscriptionStatus.UNSUBSCRIBED: EventKind.SUBSCRIPTION_ENDED,
    }
    rows = [
        row
        for row in transitions
        if row.before is not row.after
        and not (row.before is None and row.after is SubscriptionStatus.UNSUBSCRIBED)
    ]
    record_events(
        session,
        (
            NewEvent(
                kinds[row.after],
                Actor.IMPORT,
                now,
                row.list_id,
                subscription_id=row.subscription_id,
                reason=ConsentKind.IMPORTED.value,
            )
            for row in rows
        ),
    )
    figures.note(session, (_count(row, now) for row in rows))


def _count(row: ImportedTransition, now: datetime) -> Counted:
    match row.after:
        case SubscriptionStatus.PENDING:
            figure = Figure.ASKED
        case SubscriptionStatus.ACTIVE:
            figure = Figure.JOINED
        case SubscriptionStatus.UNSUBSCRIBED:
            was_active = row.before is SubscriptionStatus.ACTIVE
            figure = Figure.LEFT if was_active else Figure.UNCONFIRMED
        case _:
            assert_never(row.after)
    return Counted(row.list_id, figure, now, ConsentKind.IMPORTED.value)


def record_import_finished(
    session: Session, list_ids: Iterable[int], platform: str, now: datetime
) -> None:
    """Record one event for each list of a finished import.

    Its reason is the name of the platform that the file came from.
    """
    events = (
        NewEvent(EventKind.IMPORT_FINISHED, Actor.IMPORT, now, list_id, reason=platform[:40])
        for list_id in sorted(list_ids)
    )
    record_events(session, events)
