"""Count requests, joins, departures and cadence changes of subscriptions (services/figures.py).

Called by what owns the life cycle, in its transaction. Whatever is counted holds no address: a
number, a day, a form, a page.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from sqlalchemy import select
from sqlalchemy.orm import Session

from newsletter import outbox
from newsletter.html.text import to_plain_line
from newsletter.models import ConsentEvent, Subscription
from newsletter.schedule import CADENCES
from newsletter.services import figures
from newsletter.services.consent import Evidence, strip_secrets
from newsletter.services.figures import Counted
from newsletter.statistics_vocabulary import Figure
from newsletter.vocabulary import Cadence, ConsentKind, EvidenceSource

ATTRIBUTED_FOR = timedelta(days=7)
"""Time after a campaign in which a departure is attributed to it."""
BY_SUBSCRIBER = (
    EvidenceSource.LINK,
    EvidenceSource.ONE_CLICK,
    EvidenceSource.MAIL,
    EvidenceSource.PREFERENCES,
)
"""Evidence sources that are links in a mail, so that an act is attributed to that mail."""


def count_asked(session: Session, list_id: int, evidence: Evidence, now: datetime) -> None:
    """Count a request by its form and its page."""
    form = evidence.form or evidence.source.value
    page = name_page(strip_secrets(evidence.page))
    figures.note(
        session,
        (
            Counted(list_id, Figure.ASKED, now, to_plain_line(form, limit=40)),
            Counted(list_id, Figure.ASKED_PAGE, now, page),
        ),
    )


def name_page(url: str) -> str:
    """Return a page's URL without its scheme, "" where it is not known."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    return to_plain_line(parts.netloc + parts.path.rstrip("/"), limit=figures.NAME_AT_MOST)


def count_joined(
    session: Session,
    subscription: Subscription,
    kind: ConsentKind,
    now: datetime,
    *,
    message_id: str = "",
) -> None:
    """Count a subscription that has become active; a confirmed one by its form and page, too."""
    list_id = subscription.list_id
    rows = [Counted(list_id, Figure.JOINED, now, kind.value)]
    origin = _find_origin(session, subscription.id, message_id) if kind is _CONFIRMED else None
    if origin is not None:
        form, source, page = origin
        rows.append(Counted(list_id, Figure.CONFIRMED, now, form or source.value))
        rows.append(Counted(list_id, Figure.CONFIRMED_PAGE, now, name_page(page)))
    elif kind is _CONFIRMED:
        rows.append(Counted(list_id, Figure.CONFIRMED, now, ConsentKind.IMPORTED.value))
    figures.note(session, rows)


_CONFIRMED = ConsentKind.CONFIRMED


def _find_origin(
    session: Session, subscription_id: int, message_id: str
) -> tuple[str, EvidenceSource, str] | None:
    """Find the form, source and page of the request that a confirmation belongs to."""
    query = select(ConsentEvent.form, ConsentEvent.source, ConsentEvent.page).where(
        ConsentEvent.subscription_id == subscription_id,
        ConsentEvent.kind == ConsentKind.REQUESTED,
    )
    newest = query.order_by(ConsentEvent.id.desc()).limit(1)
    row = session.execute(newest.where(ConsentEvent.message_id == message_id)).first()
    row = row or session.execute(newest).first()
    return (row.form, row.source, row.page) if row else None


def count_ended(
    session: Session,
    subscription: Subscription,
    kind: ConsentKind,
    evidence: Evidence,
    now: datetime,
    *,
    was_active: bool,
) -> None:
    """Count a subscription that has ended: how, and after which campaign."""
    how = evidence.source.value if kind is ConsentKind.UNSUBSCRIBED else kind.value
    figure = Figure.LEFT if was_active else Figure.UNCONFIRMED
    rows = [Counted(subscription.list_id, figure, now, how)]
    if was_active and evidence.source in BY_SUBSCRIBER:
        rows += _count_for_campaign(session, subscription, figure, now, how)
    figures.note(session, rows)


def count_removed(
    session: Session, ended: Iterable[tuple[int, bool]], how: str, now: datetime
) -> None:
    """Count subscriptions that end without their subscriber's link.

    Each is its list and whether it was active.
    """
    figures.note(
        session,
        (
            Counted(list_id, Figure.LEFT if was_active else Figure.UNCONFIRMED, now, how)
            for list_id, was_active in ended
        ),
    )


def count_reason(session: Session, subscription: Subscription, reason: str, now: datetime) -> None:
    """Count the reason that a subscriber chose for leaving."""
    figures.note(session, [Counted(subscription.list_id, Figure.REASON, now, reason)])


def count_cadence(
    session: Session,
    subscription: Subscription,
    before: Cadence,
    evidence: Evidence,
    now: datetime,
) -> None:
    """Count a change to a slower or faster cadence, a slower one after which campaign."""
    after = subscription.cadence
    if after is before:
        return
    is_slower = CADENCES.index(after) > CADENCES.index(before)
    figure = Figure.SLOWER if is_slower else Figure.FASTER
    rows = [Counted(subscription.list_id, figure, now, after.value)]
    if is_slower and evidence.source in BY_SUBSCRIBER:
        rows += _count_for_campaign(session, subscription, figure, now, after.value)
    figures.note(session, rows)


def _count_for_campaign(
    session: Session, subscription: Subscription, figure: Figure, now: datetime, name: str
) -> list[Counted]:
    """Count for the last campaign that the subscriber was sent within `ATTRIBUTED_FOR`."""
    campaign_id = outbox.find_last_campaign(session, subscription.id, since=now - ATTRIBUTED_FOR)
    if campaign_id is None:
        return []
    return [Counted(subscription.list_id, figure, now, name, campaign_id=campaign_id)]
