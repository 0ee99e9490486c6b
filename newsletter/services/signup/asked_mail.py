"""Queue the mails that a form causes; they wait at the gate, and their Message-ID is returned."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from newsletter import outbox
from newsletter.mail.kinds import MAILS
from newsletter.vocabulary import MailKind


def queue_to_nobody(
    session: Session, email_key: str, visitor: dict[str, Any], now: datetime, reserved: int
) -> int:
    """Queue a placeholder that passes the gate like a mail and is deleted there; return its id."""
    context = {"domain": email_key.rpartition("@")[2], **visitor}
    mail = MailKind.CONFIRM
    return outbox.enqueue(
        session,
        mail=mail,
        subscription_id=None,
        now=now,
        context=context,
        held=MAILS[mail].held,
        reserved=reserved,
    )


def queue_confirmation(
    session: Session,
    subscription_id: int,
    number: int,
    language: str,
    sender: str,
    now: datetime,
    *,
    reserved: int | None = None,
) -> tuple[int, str]:
    """Queue the confirmation of a request; return its delivery id and its Message-ID."""
    context: dict[str, Any] = {"round": number}
    if language:
        context["language"] = language
    mail = MailKind.CONFIRM
    return queue_mail(session, mail, subscription_id, context, sender, now, reserved=reserved)


def queue_mail(
    session: Session,
    mail: MailKind,
    subscription_id: int,
    context: dict[str, Any],
    sender: str,
    now: datetime,
    *,
    reserved: int | None = None,
) -> tuple[int, str]:
    """Queue a mail; return its delivery id, and the Message-ID that it will have."""
    queued = outbox.enqueue(
        session,
        mail=mail,
        subscription_id=subscription_id,
        now=now,
        context=context,
        held=MAILS[mail].held,
        reserved=reserved,
    )
    return queued, outbox.get_references(session).message_id(queued, sender.rpartition("@")[2])
