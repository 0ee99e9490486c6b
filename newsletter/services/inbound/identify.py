"""Identify the delivery and subscription of a report, by the proof that it contains."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, bindparam, false, func, select
from sqlalchemy.orm import Session, contains_eager

from newsletter import outbox
from newsletter.addresses import parse_address
from newsletter.bounce_vocabulary import BounceProof
from newsletter.bounces.types import ReportEvidence
from newsletter.errors import InvalidInput
from newsletter.models import ConsentEvent, Delivery, RetiredHandle, Subscriber, Subscription
from newsletter.services.inbound.own_address import read_plus
from newsletter.services.runtime import Environment
from newsletter.tokens import open_unsubscribe_address
from newsletter.vocabulary import ConsentKind, SubscriptionStatus

_MOVED = (
    select(ConsentEvent.id)
    .where(
        ConsentEvent.subscription_id == Delivery.subscription_id,
        ConsentEvent.kind == ConsentKind.MOVED,
        ConsentEvent.at >= func.coalesce(Delivery.finished_at, Delivery.created_at),
    )
    .exists()
)
"""The subscriber changed their address after the message was sent."""

_OWNED = (
    select(Delivery, Subscription, _MOVED)
    .outerjoin(Subscription, Subscription.id == Delivery.subscription_id)
    .outerjoin(Subscription.subscriber)
    .options(contains_eager(Subscription.subscriber))
    .where(Delivery.id == bindparam("id"))
)
"""Query for a delivery's owner in one statement, since it runs for every returned mail."""


@dataclass(frozen=True, slots=True)
class Owner:
    """The delivery and subscription that a report is about, with the proof.

    `to_other`: the message went to another address than the subscriber's own.
    """

    proof: BounceProof
    subscription: Subscription | None = None
    delivery: Delivery | None = None
    to_other: bool = False

    @property
    def subscriber(self) -> Subscriber | None:
        """Return the subscriber; None if they were removed or it was a notice to the author."""
        return self.subscription.subscriber if self.subscription else None


NOBODY = Owner(BounceProof.NONE)


def find_owner(
    env: Environment, session: Session, evidence: ReportEvidence, recipient: str
) -> Owner:
    """Identify the owner of a report, by the strongest proof in it.

    The bare address comes last, and proves nothing.
    """
    references = outbox.get_references(session)
    for proof, reference in _list_reports(evidence):
        if owner := _find_owner(session, references.find_report(_read_name(reference)), proof):
            return owner
    owner = _find_by_token(env, session, evidence.unsubscribe)
    if owner.subscription is not None:
        return owner
    for message_id in evidence.message_ids:
        delivery_id = references.find_message(_read_name(message_id))
        if owner := _find_owner(session, delivery_id, BounceProof.MESSAGE_ID):
            return owner
    return find_by_address(session, recipient)


def find_delivery_owner(session: Session, delivery_id: int, proof: BounceProof) -> Owner | None:
    """Return the owner of a delivery known by its id; None if it was deleted."""
    row = session.execute(_OWNED, {"id": delivery_id}).one_or_none()
    if row is None:
        return None
    delivery, subscription, moved = row
    to_other = bool((delivery.context or {}).get("to"))
    return Owner(proof, subscription, delivery, to_other or (subscription is not None and moved))


def _find_owner(session: Session, delivery_id: int | None, proof: BounceProof) -> Owner | None:
    return find_delivery_owner(session, delivery_id, proof) if delivery_id else None


def _list_reports(evidence: ReportEvidence) -> Iterator[tuple[BounceProof, str]]:
    for address in evidence.sent_to:
        yield BounceProof.VERP, address
    for envelope_id in evidence.envelope_ids:
        yield BounceProof.ENVELOPE_ID, envelope_id
    for feedback_id in evidence.feedback_ids:
        yield BounceProof.TOKEN, feedback_id


def _read_name(text: str) -> str:
    """Return the reference of a delivery in a return path, an envelope id or a Message-ID."""
    return text[:200].partition("@")[0].rpartition("+")[2].strip("<> ")


def _find_by_token(env: Environment, session: Session, headers: Iterable[str]) -> Owner:
    for header in headers:
        for target in header.replace("<", ">").split(">")[:10]:
            handle = _read_handle(env, target.strip())
            if handle and (owner := find_by_handle(session, handle)).subscription is not None:
                return owner
    return NOBODY


def _read_handle(env: Environment, target: str) -> str:
    """Return the handle in an address of our List-Unsubscribe headers, or "".

    The link beside it proves nothing: it stands in the text of the mail as well, and whoever gets a
    forwarded mail has it.
    """
    if not target.lower().startswith("mailto:"):
        return ""
    address = read_plus(target[len("mailto:") :].partition("?")[0])
    return open_unsubscribe_address(env.tokens.read_keys(), address)


def find_by_handle(session: Session, handle: str) -> Owner:
    """Identify the owner of a handle; a retired one belongs to their earlier address."""
    subscription = session.scalars(
        select(Subscription).where(Subscription.handle == handle)
    ).first()
    if subscription is not None:
        return Owner(BounceProof.TOKEN, subscription)
    query = select(Subscription).join(RetiredHandle).where(RetiredHandle.handle == handle)
    return Owner(BounceProof.TOKEN, session.scalars(query).first(), to_other=True)


def find_by_address(
    session: Session, address: str, proof: BounceProof = BounceProof.ADDRESS
) -> Owner:
    """Find the newest subscription of an address."""
    query = _narrow_to_address(select(Subscription), address)
    subscription = session.scalars(query.order_by(Subscription.id.desc()).limit(1)).first()
    return Owner(proof, subscription) if subscription else NOBODY


def count_active(session: Session, address: str) -> int:
    """Count the active subscriptions of an address."""
    query = _narrow_to_address(select(func.count(Subscription.id)), address)
    return session.scalar(query.where(Subscription.status == SubscriptionStatus.ACTIVE)) or 0


def _narrow_to_address(query: Select[Any], address: str) -> Select[Any]:
    try:
        key = parse_address(address).key
    except InvalidInput:
        return query.where(false())
    return query.join(Subscriber).where(Subscriber.email_key == key)
