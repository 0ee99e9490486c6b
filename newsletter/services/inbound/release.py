"""Lift the suppression of an address, and request confirmation after bounces or complaints."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from newsletter.addresses import parse_address
from newsletter.db.session import transaction
from newsletter.models import Subscriber, Subscription
from newsletter.services import suppressions
from newsletter.services.consent import Evidence, make_wording, note_consent
from newsletter.services.mailbox_limits import forget_unanswered
from newsletter.services.runtime import Environment
from newsletter.services.signup.double_opt_in import SignUpRequest, record_request
from newsletter.services.subscription_state import withdraw_confirmation
from newsletter.vocabulary import ConsentKind, EvidenceSource, SubscriptionStatus, SuppressionReason

CONFIRMED_ANEW = (SuppressionReason.BOUNCE, SuppressionReason.COMPLAINT)
"""Suppression reasons after which subscriptions must be confirmed again."""


def release(env: Environment, address: str, *, because: str = "") -> int:
    """Lift the suppression of an address, and record the reason.

    Returns how many subscriptions must be confirmed anew.

    After a bounce or a complaint each active subscription waits until its link is confirmed. A
    suppression for another reason is lifted, and nobody is subscribed by it. Raises `NotFound`.
    """
    key = parse_address(address).key
    with transaction() as session:
        subscriber = session.scalars(
            select(Subscriber).where(Subscriber.email_key == key).with_for_update()
        ).first()
        reason = suppressions.lift_suppression(env, session, key)
        if subscriber is None:
            return 0
        evidence = Evidence(EvidenceSource.AUTHOR, note=because)
        active = [
            row for row in subscriber.subscriptions if row.status is SubscriptionStatus.ACTIVE
        ]
        for subscription in subscriber.subscriptions:
            note_consent(session, subscription.id, ConsentKind.RELEASED, evidence, env.now)
        if reason not in CONFIRMED_ANEW:
            return 0
        forget_unanswered(env, session, key)
        for subscription in active:
            _ask_again(env, session, subscription, evidence)
        return len(active)


def _ask_again(
    env: Environment, session: Session, subscription: Subscription, evidence: Evidence
) -> None:
    subscriber = subscription.subscriber
    mailing_list = subscription.mailing_list
    withdraw_confirmation(session, subscription, evidence, env.now)
    wording = make_wording(
        consent_text=mailing_list.consent_text,
        title=mailing_list.title,
        language=subscriber.language or mailing_list.language,
    )
    request = SignUpRequest(
        list_id=mailing_list.id,
        sender=mailing_list.from_email,
        email=subscriber.email,
        email_key=subscriber.email_key,
        cadence=subscription.cadence,
        wording=wording,
        evidence=evidence,
        name=subscriber.name,
        language=subscriber.language,
        answers=dict(subscription.answers),
        topics=subscription.topics,
    )
    record_request(env, session, request)
    session.expire_all()
