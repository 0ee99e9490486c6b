"""Identify the delivery and the subscription that a report is about, by the proof it carries."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from newsletter import outbox
from newsletter.addresses import parse_address
from newsletter.bounce_vocabulary import BounceProof
from newsletter.bounces.types import ReportEvidence
from newsletter.errors import InvalidInput, LinkError
from newsletter.link_purposes import LinkPurpose
from newsletter.models import ConsentEvent, Delivery, RetiredHandle, Subscriber, Subscription
from newsletter.services.runtime import Environment
from newsletter.tokens import open_unsubscribe_address


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
    """Identify whose a report is, by the strongest proof in it.

    The bare address comes last, and proves nothing.
    """
    for proof, reference in _list_references(evidence):
        delivery = find_delivery(session, reference)
        if delivery is not None:
            return own_delivery(session, delivery, proof)
    owner = _find_by_token(env, session, evidence.unsubscribe)
    if owner.subscription is not None:
        return owner
    return find_by_address(session, recipient)


def own_delivery(session: Session, delivery: Delivery, proof: BounceProof) -> Owner:
    """Return the owner of a delivery that is proved."""
    subscription = session.get(Subscription, delivery.subscription_id or 0)
    to_other = bool((delivery.context or {}).get("to"))
    if subscription is not None and not to_other:
        to_other = _has_moved(session, subscription, delivery)
    return Owner(proof, subscription, delivery, to_other)


def _list_references(evidence: ReportEvidence) -> Iterator[tuple[BounceProof, str]]:
    for address in evidence.sent_to:
        yield BounceProof.VERP, address
    for envelope_id in evidence.envelope_ids:
        yield BounceProof.ENVELOPE_ID, envelope_id
    for message_id in evidence.message_ids:
        yield BounceProof.MESSAGE_ID, message_id


def find_delivery(session: Session, reference: str) -> Delivery | None:
    """Find our delivery that a return path, an envelope id or a Message-ID names."""
    local = reference[:200].partition("@")[0].rpartition("+")[2].strip("<> ")
    id_ = outbox.get_references(session).find_delivery(local) if local else None
    return session.get(Delivery, id_) if id_ else None


def _has_moved(session: Session, subscription: Subscription, delivery: Delivery) -> bool:
    """Tell whether the subscriber changed their address after the message was queued."""
    moved = select(ConsentEvent.id).where(
        ConsentEvent.subscription_id == subscription.id,
        ConsentEvent.kind == "moved",
        ConsentEvent.at >= (delivery.finished_at or delivery.created_at),
    )
    return session.scalar(moved.limit(1)) is not None


def _find_by_token(env: Environment, session: Session, headers: Iterable[str]) -> Owner:
    for header in headers:
        for target in header.replace("<", ">").split(">")[:10]:
            handle = _read_handle(env, target.strip())
            if handle and (owner := find_by_handle(session, handle)).subscription is not None:
                return owner
    return NOBODY


def _read_handle(env: Environment, target: str) -> str:
    """Return the handle in an address of our List-Unsubscribe headers, or ""."""
    if target.lower().startswith("mailto:"):
        address = target[len("mailto:") :].partition("?")[0].replace("%2B", "+").replace("%2b", "+")
        return open_unsubscribe_address(env.settings.signing_keys, address)
    _, mark, token = target.partition("/unsubscribe/")
    try:
        return env.tokens.open(LinkPurpose.UNSUBSCRIBE, token, env.now) if mark else ""
    except LinkError:
        return ""


def find_by_handle(session: Session, handle: str) -> Owner:
    """Identify the owner of a handle; a retired one names a mailbox that its owner has left."""
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
    try:
        key = parse_address(address).key
    except InvalidInput:
        return NOBODY
    query = select(Subscription).join(Subscriber).where(Subscriber.email_key == key)
    subscription = session.scalars(query.order_by(Subscription.id.desc()).limit(1)).first()
    return Owner(proof, subscription) if subscription else NOBODY
