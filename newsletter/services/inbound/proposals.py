"""Accept proposals: replies that ask to be unsubscribed, confirmed by the author."""

from __future__ import annotations

from sqlalchemy import select

from newsletter.bounce_vocabulary import BounceEffect
from newsletter.db.session import transaction
from newsletter.errors import NotFound, Refused
from newsletter.models import BounceEvent, Subscription
from newsletter.services.consent import Evidence
from newsletter.services.runtime import Environment
from newsletter.services.subscribers.subscriptions import leave
from newsletter.vocabulary import EvidenceSource


def accept_proposal(env: Environment, event_id: int) -> str:
    """End the subscription that a reply asks to end. Return its subscriber's address.

    Raises `NotFound`, and `Refused` for an event that proposes nothing.
    """
    with transaction() as session:
        event = session.scalars(
            select(BounceEvent).where(BounceEvent.id == event_id).with_for_update()
        ).first()
        hint = "newsletter bounce ls --proposals"
        if event is None:
            raise NotFound(f"there is no event {event_id}", hint=hint)
        subscription = session.get(Subscription, event.subscription_id or 0)
        if event.effect is not BounceEffect.PROPOSED or subscription is None:
            raise Refused(f"event {event_id} proposes nothing (any more)", hint=hint)
        event.effect = BounceEffect.UNSUBSCRIBED
        evidence = Evidence(EvidenceSource.AUTHOR, note=f"asked for in a reply (event {event_id})")
        leave(env, session, subscription, evidence)
        return subscription.subscriber.email
