"""Apply bounce events: record each once, and carry out its effect in the same transaction."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sqlalchemy import bindparam, delete, func, select
from sqlalchemy.orm import Session

from newsletter.addresses import mask_mailboxes
from newsletter.bounce_vocabulary import BounceClass, BounceEffect, BounceProof, BounceSource
from newsletter.bounces.kept import KEPT_AT_MOST, describe_report
from newsletter.bounces.meaning import find_code, names_no_domain
from newsletter.bounces.types import BounceResult
from newsletter.db.session import transaction
from newsletter.errors import Conflict
from newsletter.mail.smtp.causes import Cause
from newsletter.mail.smtp.classify import classify
from newsletter.models import BounceEvent
from newsletter.services import suppressions
from newsletter.services.bounce_events import FAILURES
from newsletter.services.consent import Evidence
from newsletter.services.events import NewEvent, record_event
from newsletter.services.inbound import run_guard
from newsletter.services.inbound.decide import Incident, decide
from newsletter.services.inbound.forwarding import IncomingReply, forward_reply
from newsletter.services.inbound.identify import Owner
from newsletter.services.inbound.past import read_history
from newsletter.services.runtime import Environment
from newsletter.services.signup.confirmations import lock_owner
from newsletter.services.subscribers.subscriptions import leave
from newsletter.vocabulary import Actor, EventKind, EvidenceSource, SuppressionReason

TRIES_AT_MOST = 3
"""Tries to apply an event while other processes write about the same address."""

UNPROVED_AT_MOST = 2_000
"""The most unproved events stored; the oldest is deleted, so that forgeries cannot fill the disk.
"""

_RACES = ("uq_bounce_events_key", "uq_suppressions_email_hash")
_UNPROVED = (BounceProof.ADDRESS, BounceProof.NONE)

_RECORDED = select(BounceEvent.bounce_class, BounceEvent.proof, BounceEvent.effect).where(
    BounceEvent.key == bindparam("key")
)

FindOwner = Callable[[Session], Owner]


@dataclass(frozen=True, slots=True)
class Bounce:
    """A report by one source about one recipient.

    `identity` names the report; `content` is kept where a person must look: of what was not
    understood, and of a reply, which may go to the author and ask to end the subscription. `place`
    names the mail in a mailbox. `once`: `identity` names one event, whatever is said of it.
    """

    source: BounceSource
    identity: str
    result: BounceResult
    content: bytes | None = None
    dead_domain: bool = False
    asks_to_leave: bool = False
    place: tuple[str, str] = ("", "")
    once: bool = False

    @property
    def understood(self) -> bool:
        """Tell whether the report was understood."""
        return self.content is None or self.result.bounce_class is BounceClass.REPLY


@dataclass(frozen=True, slots=True)
class Applied:
    """The result of applying an event.

    `repeated`: it had been recorded before.
    """

    bounce_class: BounceClass
    proof: BounceProof
    effect: BounceEffect
    repeated: bool = False


def apply_bounce(env: Environment, bounce: Bounce, find_owner: FindOwner) -> Applied:
    """Record an event and carry out its effect, once, however often it is reported.

    Raises `DatabaseError`.
    """
    [applied] = apply_bounces(env, [(bounce, find_owner)])
    return applied


def apply_bounces(
    env: Environment,
    bounces: Sequence[tuple[Bounce, FindOwner]],
    *,
    claim: Callable[[Session], bool] | None = None,
) -> list[Applied]:
    """Record several events in one transaction: all of them are applied, or none.

    `claim` runs first in it, and tells whether they count; what it writes is kept with them, or
    alone if there are none. Raises `DatabaseError`.
    """
    if not bounces and claim is None:
        return []
    for tries in range(TRIES_AT_MOST):
        try:
            with transaction() as session:
                if claim is not None and not claim(session):
                    return []
                applied = [
                    _apply(env, session, bounce, _lock(session, find_owner))
                    for bounce, find_owner in bounces
                ]
        except Conflict as conflict:
            if conflict.constraint not in _RACES or tries + 1 == TRIES_AT_MOST:
                raise
        else:
            for event in applied:
                if not event.repeated:
                    env.tally.count("bounces", str(event.bounce_class))
            return applied
    raise AssertionError("unreachable")


def _lock(session: Session, find_owner: FindOwner) -> Owner:
    """Find the owner and lock their row, so that events about one address are serialised.

    On SQLite the transaction holds the whole database already.
    """
    session.flush()
    session.expire_all()  # the event before this one may have changed the same rows
    owner = find_owner(session)
    if owner.subscription is None or session.get_bind().dialect.name == "sqlite":
        return owner
    lock_owner(session, owner.subscription.handle)
    return find_owner(session)


def _apply(env: Environment, session: Session, bounce: Bounce, owner: Owner) -> Applied:
    result = bounce.result
    key = _make_key(env, bounce, owner)
    earlier = session.execute(_RECORDED, {"key": key}).one_or_none()
    if earlier is not None:
        return Applied(*earlier, repeated=True)
    if not owner.proof.valid:
        _delete_oldest_unproved(session)
    dead_domain = bounce.dead_domain or is_dead_domain(result)
    history = read_history(session, owner, result.bounce_class, env.now, dead_domain=dead_domain)
    incident = Incident(
        result.bounce_class, owner.proof, dead_domain, not owner.to_other, bounce.asks_to_leave
    )
    effect = decide(incident, history, env.now) if bounce.understood else BounceEffect.UNKNOWN
    if owner.subscription is None and owner.proof.valid and effect is not BounceEffect.UNKNOWN:
        effect = BounceEffect.NOTED
    event = _record(env, bounce, owner, key, effect)
    session.add(event)
    session.flush()
    _apply_effect(env, session, event, owner)
    _keep_content(env, session, event, bounce, owner)
    _record_delivery_event(env, session, event, owner)
    return Applied(result.bounce_class, owner.proof, effect)


def _make_key(env: Environment, bounce: Bounce, owner: Owner) -> str:
    """Return the key that identifies an event: report, recipient and class.

    A forged report never takes a proved one's name. A stranger is in it as a keyed hash: nobody
    tests by the name which address a report was about.
    """
    about = (
        f"d{owner.delivery.id}"
        if owner.delivery
        else f"s{owner.subscription.id}"
        if owner.subscription
        else "n"
    )
    if not owner.proof.valid:
        named = _clean(bounce.result.recipient.lower(), 320)
        about = f"u{suppressions.hash_address(env, named)[0]}"
    text = "\0".join((bounce.identity, bounce.result.bounce_class, about))
    if bounce.once:
        text = bounce.identity
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()


def is_dead_domain(result: BounceResult) -> bool:
    """Tell whether a hard bounce is about the domain rather than the mailbox."""
    if result.bounce_class is not BounceClass.HARD:
        return False
    if result.status == "5.1.2" or names_no_domain(result.reason):
        return True
    return classify(find_code(result.reason), result.status, result.reason) is Cause.DOMAIN


def _record(
    env: Environment, bounce: Bounce, owner: Owner, key: str, effect: BounceEffect
) -> BounceEvent:
    delivery = owner.delivery
    subscription = owner.subscription
    result = bounce.result
    subscriber = owner.subscriber
    named = (result.recipient, subscriber.email if subscriber else "")
    return BounceEvent(
        key=key,
        at=env.now,
        source=bounce.source,
        bounce_class=result.bounce_class,
        proof=owner.proof,
        effect=effect,
        status=_clean(result.status, 20),
        reason=_clean(mask_mailboxes(result.reason, named), 300),
        subscriber_id=subscription.subscriber_id if subscription else None,
        subscription_id=subscription.id if subscription else None,
        campaign_id=delivery.campaign_id if delivery else None,
        delivery_id=delivery.id if delivery else None,
    )


def _keep_content(
    env: Environment, session: Session, event: BounceEvent, bounce: Bounce, owner: Owner
) -> None:
    """Return the content to store: of a reply that is not forwarded, or a report not understood."""
    if not bounce.content:
        return
    if bounce.understood:  # a reply
        reply = IncomingReply(bounce.result.recipient, bounce.content, bounce.place)
        if owner.proof.valid and forward_reply(env, session, event, owner, reply):
            return
        if bounce.source is BounceSource.MAILBOX:  # it stays there
            return
    if bounce.understood and owner.subscription is not None:
        event.content = bounce.content[:KEPT_AT_MOST]
    else:
        event.content = describe_report(bounce.content)


def _clean(text: str, length: int) -> str:
    """Clean a stranger's text so that every database stores it: no NUL, no lone surrogates."""
    return text.replace("\0", "").encode("utf-8", "replace").decode("utf-8")[:length]


def _apply_effect(env: Environment, session: Session, event: BounceEvent, owner: Owner) -> None:
    subscriber = owner.subscriber
    if event.effect is BounceEffect.SUPPRESSED and subscriber is not None:
        complaint = event.bounce_class is BounceClass.COMPLAINT
        reason = SuppressionReason.COMPLAINT if complaint else SuppressionReason.BOUNCE
        note = f"{event.status} {event.reason}".strip()
        suppressions.suppress_key(
            env, session, subscriber.email_key, reason, note, except_delivery=event.delivery_id or 0
        )
    elif event.effect is BounceEffect.UNSUBSCRIBED and owner.subscription is not None:
        leave(env, session, owner.subscription, Evidence(EvidenceSource.MAIL))
    if owner.proof.secret and event.source is not BounceSource.SMTP:
        run_guard.watch_run(env, session, event, subscriber)


def _record_delivery_event(
    env: Environment, session: Session, event: BounceEvent, owner: Owner
) -> None:
    """Record a bounce or complaint as an event of its delivery."""
    if event.bounce_class is BounceClass.COMPLAINT:
        kind = EventKind.DELIVERY_COMPLAINED
    elif event.bounce_class in FAILURES and event.source is not BounceSource.SMTP:
        kind = EventKind.DELIVERY_BOUNCED
    else:
        return
    if owner.subscription is not None and owner.proof.valid:
        event_row = NewEvent(
            kind,
            Actor.BOUNCE,
            env.now,
            owner.subscription.list_id,
            subscription_id=owner.subscription.id,
            campaign_id=event.campaign_id,
            reason=event.bounce_class.value,
        )
        record_event(session, event_row)


def _delete_oldest_unproved(session: Session) -> None:
    """Delete the oldest unproved events above `UNPROVED_AT_MOST`."""
    unproved = BounceEvent.proof.in_(_UNPROVED)
    newest = select(BounceEvent.id).where(unproved).order_by(BounceEvent.id.desc())
    last = session.scalar(newest.offset(UNPROVED_AT_MOST - 1).limit(1))
    if last is not None:
        session.execute(delete(BounceEvent).where(unproved, BounceEvent.id <= last))


def count_unproved(session: Session) -> int:
    """Count the unproved events."""
    return session.scalar(select(func.count()).where(BounceEvent.proof.in_(_UNPROVED))) or 0
