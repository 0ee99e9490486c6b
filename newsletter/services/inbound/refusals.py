"""Record permanent refusals of SMTP servers as bounce events."""

from __future__ import annotations

from sqlalchemy.orm import Session

from newsletter.bounce_vocabulary import BounceClass, BounceProof, BounceSource
from newsletter.bounces.meaning import CLASSES, join_lines
from newsletter.bounces.types import BounceResult
from newsletter.mail.smtp.causes import Cause
from newsletter.mail.smtp.classify import Verdict, VerdictKind
from newsletter.mail.smtp.types import Outcome
from newsletter.outbox import DeliveryUpdate, LeasedDelivery
from newsletter.services.inbound.apply import Applied, Bounce, apply_bounce
from newsletter.services.inbound.identify import NOBODY, Owner, find_delivery_owner
from newsletter.services.runtime import Environment
from newsletter.vocabulary import DeliveryStatus


def record_refusal(
    env: Environment, row: LeasedDelivery, outcome: Outcome, verdict: Verdict, mark: DeliveryUpdate
) -> Applied | None:
    """Record a permanent refusal that concerns the recipient; return None for any other outcome.

    Called before the outcome itself is written down: a crash in between repeats both.
    """
    ends = mark.status == DeliveryStatus.FAILED and verdict.kind in (
        VerdictKind.RECIPIENT,
        VerdictKind.TEMPORARY,
        VerdictKind.UNKNOWN,
    )
    if not ends or not row.email:
        return None
    to_other = bool((row.context or {}).get("to"))
    email = str((row.context or {}).get("to") or row.email)
    result = BounceResult(
        email, choose_class(verdict), outcome.reply.enhanced, join_lines(outcome.reply.text)
    )
    bounce = Bounce(
        BounceSource.SMTP, f"smtp {row.id}", result, dead_domain=verdict.cause is Cause.DOMAIN
    )

    def find_owner(session: Session) -> Owner:
        owner = find_delivery_owner(session, row.id, BounceProof.SMTP) or NOBODY
        subscriber = owner.subscriber
        moved = subscriber is not None and subscriber.email != row.email
        return Owner(BounceProof.SMTP, owner.subscription, owner.delivery, to_other or moved)

    return apply_bounce(env, bounce, find_owner)


def choose_class(verdict: Verdict) -> BounceClass:
    """Return the class of a refusal: only a verdict that is `suppressible` is hard."""
    if verdict.suppressible:
        return BounceClass.HARD
    bounce_class = CLASSES[verdict.cause]
    return BounceClass.SOFT if bounce_class is BounceClass.HARD else bounce_class
