"""Forward replies of subscribers to the author, and delete the copies once they were sent."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from newsletter.addresses import parse_address
from newsletter.bounce_vocabulary import BounceClass, BounceEffect
from newsletter.bounces.mime import BYTES_AT_MOST
from newsletter.db.session import reading, transaction
from newsletter.errors import InvalidInput
from newsletter.models import BounceEvent, Delivery, ForwardedReply, MailingList, SeenMail
from newsletter.services import notifications
from newsletter.services.inbound.identify import Owner
from newsletter.services.inbound.own_address import is_own_address
from newsletter.services.runtime import Environment
from newsletter.vocabulary import DeliveryStatus

REPLIES_A_DAY = 20
"""Replies to one subscriber's mails that are forwarded in a day: whoever gets hold of a mail
cannot flood the author with it.
"""


@dataclass(frozen=True, slots=True)
class IncomingReply:
    """A received reply: sender, bytes, and its place in the mailbox."""

    writer: str
    content: bytes
    place: tuple[str, str]


def forward_reply(
    env: Environment,
    session: Session,
    event: BounceEvent,
    owner: Owner,
    reply: IncomingReply,
) -> bool:
    """Queue a reply for the author of its list; return False if forwarding is off or impossible.

    One that is cut off, or one too many, is not.
    """
    if owner.subscription is None or not env.settings.bounces.forward_replies:
        return False
    mailing_list = session.get_one(MailingList, owner.subscription.list_id)
    to = mailing_list.reply_to or mailing_list.from_email
    is_loop = is_own_address(env.settings.bounces.address or "", to)
    if len(reply.content) >= BYTES_AT_MOST or is_loop:
        return False
    if _count_replies(env, session, owner.subscription.id) > REPLIES_A_DAY:
        return False
    mailbox, uid = reply.place
    forwarded = ForwardedReply(
        event_id=event.id,
        subscriber_id=owner.subscription.subscriber_id,
        writer=reply.writer,
        content=reply.content,
        mailbox=mailbox,
        uid=uid,
    )
    session.add(forwarded)
    session.flush()
    proposed = event.id if event.effect is BounceEffect.PROPOSED else None
    forwarded.delivery_id = notifications.notify_reply(
        env, session, mailing_list, forwarded.id, proposed
    )
    return True


def _count_replies(env: Environment, session: Session, subscription_id: int) -> int:
    """Count the replies to one subscription's mails within a day, including this one."""
    query = select(func.count()).where(
        BounceEvent.subscription_id == subscription_id,
        BounceEvent.bounce_class == BounceClass.REPLY,
        BounceEvent.at > env.now - timedelta(days=1),
    )
    return session.scalar(query) or 0


def delete_forwarded(mailbox: str = "") -> None:
    """Delete the copies of forwarded replies, and mark their mails in the mailbox for deletion.

    A reply that could not be sent stays in its mailbox; one that came another way is kept with its
    event.
    """
    with transaction() as session:
        query = (
            select(ForwardedReply, Delivery.status)
            .outerjoin(Delivery, Delivery.id == ForwardedReply.delivery_id)
            .where(ForwardedReply.mailbox == mailbox)
        )
        for reply, status in session.execute(query).all():
            if status is DeliveryStatus.SENT:
                session.execute(
                    update(SeenMail)
                    .where(SeenMail.mailbox == mailbox, SeenMail.uid == reply.uid)
                    .values(ours=1)
                )
            elif status in (DeliveryStatus.QUEUED, DeliveryStatus.IN_DOUBT):
                continue
            elif not mailbox:
                event = session.get_one(BounceEvent, reply.event_id)
                event.content = reply.content
            session.delete(reply)


@dataclass(frozen=True, slots=True)
class HeldReply:
    """The stored copy of a reply that is being forwarded.

    `writer` is the address for an answer, "" where that is no usable one; `content` its bytes.
    """

    writer: str
    content: bytes


def find_reply(reply_id: int | None) -> HeldReply | None:
    """Find the copy of a reply; None if its subscriber was erased meanwhile."""
    if reply_id is None:
        return None
    with reading() as session:
        row = session.get(ForwardedReply, reply_id)
        if row is None:
            return None
        try:
            writer = parse_address(row.writer).email
        except InvalidInput:
            writer = ""
        return HeldReply(writer if writer.isascii() else "", row.content)
