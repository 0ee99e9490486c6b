"""Writing to an address because somebody typed it into a form: once a day, three times in all, then silence; over all
lists, until it confirms (S01). The only place that queues a confirmation."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from newsletter import outbox
from newsletter.models import Asking, ConsentEvent, Subscriber, Subscription
from newsletter.services.consent import Evidence, note_consent
from newsletter.services.environment import Environment
from newsletter.services.suppressions import hashes
from newsletter.tokens import message_id

AT_MOST = 3
EVERY = timedelta(days=1)
FORGOTTEN_AFTER = timedelta(days=365)


@dataclass(frozen=True, slots=True)
class Request:
    """What somebody asked for: what the form said and holds. `agreed` maps the author's consent fields that were
    ticked to their wording."""

    cadence: str
    wording: str
    evidence: Evidence
    answers: dict[str, object] = field(default_factory=dict)
    agreed: dict[str, str] = field(default_factory=dict)
    topics: str = ""


def may_ask(asking: Asking | None, now: datetime) -> bool:
    """Whether an address may be written to. Pure."""
    return asking is None or (asking.count < AT_MOST and now - asking.last_at >= EVERY)


def ask(env: Environment, session: Session, subscription: Subscription, request: Request, *, new: bool) -> bool:
    """Takes a request down and queues what its address gets for it: a confirmation, or word that it is subscribed
    already. Returns whether anything was queued; where not, a confirmation is owed until the address confirms another.

    Nobody but its owner changes an active subscription. `new`: the subscription was made for this request.
    """
    now = env.now
    if subscription.status == "unsubscribed":
        subscription.status, subscription.round, new = "pending", subscription.round + 1, True
    pending = subscription.status == "pending"
    if pending:
        subscription.cadence, subscription.answers = request.cadence, dict(request.answers)
        subscription.topics = request.topics
    ledger = _ledger(env, session, subscription.subscriber.email_key)
    if not may_ask(ledger, now):
        if new:
            subscription.withheld, subscription.confirmation_at = True, now
            _note(session, subscription, request, now)
        return False
    _write_down(env, session, ledger, subscription.subscriber.email_key)
    subscription.withheld, subscription.confirmation_at = False, now
    sent = _queue(session, subscription, "confirm" if pending else "already", now)
    _note(session, subscription, request, now, message_id=sent)
    return True


def _note(
    session: Session, subscription: Subscription, request: Request, now: datetime, *, message_id: str = ""
) -> None:
    note_consent(
        session, subscription, "requested", request.evidence, now, wording=request.wording, message_id=message_id
    )
    for name, wording in request.agreed.items():
        evidence = Evidence(request.evidence.source, form=request.evidence.form, note=name)
        note_consent(session, subscription, "agreed", evidence, now, wording=wording)


def _ledger(env: Environment, session: Session, email_key: str) -> Asking | None:
    found: Asking | None = session.scalar(
        select(Asking).where(Asking.email_hash.in_(hashes(env, email_key))).limit(1).with_for_update()
    )
    return found


def _write_down(env: Environment, session: Session, ledger: Asking | None, email_key: str) -> None:
    if ledger is None:
        session.add(Asking(email_hash=hashes(env, email_key)[0], count=1, last_at=env.now))
        session.flush()
    else:
        ledger.count, ledger.last_at = ledger.count + 1, env.now


def _queue(session: Session, subscription: Subscription, mail: str, now: datetime) -> str:
    """Queues a mail. Returns the Message-ID that it will have."""
    seed = secrets.token_hex(16)
    context = {"round": subscription.round, "seed": seed} if mail == "confirm" else {"seed": seed}
    queued = outbox.enqueue(
        session, mail=mail, subscription_id=subscription.id, now=now, context=context, held=mail == "confirm"
    )
    return message_id(seed, queued, subscription.mailing_list.from_email.rpartition("@")[2])


def asked_with(session: Session, subscription: Subscription) -> tuple[str, str]:
    """The wording of the request that is being confirmed, and the Message-ID of the mail that asked."""
    events = session.scalars(
        select(ConsentEvent)
        .where(ConsentEvent.subscription_id == subscription.id, ConsentEvent.kind.in_(("requested", "asked")))
        .order_by(ConsentEvent.id.desc())
        .limit(10)
    ).all()
    wording = next((event.wording.text for event in events if event.wording), "")
    return wording, next((event.message_id for event in events if event.message_id), "")


def answered(env: Environment, session: Session, subscriber: Subscriber) -> None:
    """An address has confirmed: its owner is there, and what was counted against it is forgotten. If it waits for a
    confirmation of another list, it gets that now."""
    session.execute(delete(Asking).where(Asking.email_hash.in_(hashes(env, subscriber.email_key))))
    now = env.now
    for other in subscriber.subscriptions:
        if other.withheld and other.status == "pending":
            _write_down(env, session, None, subscriber.email_key)
            other.withheld, other.confirmation_at = False, now
            sent = _queue(session, other, "confirm", now)
            note_consent(session, other, "asked", Evidence("confirmation"), now, message_id=sent)
            return
