"""Returned mail as servers write it, about messages that were really sent; and who is in the
database.
"""

from __future__ import annotations

import itertools
import re

from sqlalchemy import select

from newsletter.db.session import db
from newsletter.mail.smtp.types import Outgoing
from newsletter.models import BounceEvent, Subscriber, Suppression

_numbers = itertools.count(1)

USER_UNKNOWN = ("5.1.1", "550 5.1.1 User unknown")
NO_DOMAIN = ("5.1.2", "550 5.1.2 Host unknown: domain does not exist")
FULL = ("5.2.2", "552 5.2.2 Mailbox full")
BLOCKED = ("5.7.1", "550 5.7.1 Message rejected due to blocklist")


def headers_of(outgoing: Outgoing, *, without: str = "") -> str:
    """Return the header of a message that was sent, but for fields whose names match `without`."""
    head = re.sub(r"\r\n[ \t]+", " ", outgoing.data.partition(b"\r\n\r\n")[0].decode())
    lines = [line for line in head.split("\r\n") if not (without and re.match(without, line, re.I))]
    return "\n".join(lines) + "\n"


def message_id_of(outgoing: Outgoing) -> str:
    """Return the Message-ID of a message that was sent, in angle brackets."""
    return re.findall(r"^Message-ID: (<\S+>)", headers_of(outgoing), re.M)[0]


def dsn(
    outgoing: Outgoing,
    reply: tuple[str, str] = USER_UNKNOWN,
    *,
    to: str = "bounces@news.example.com",
    recipient: str = "",
    envelope_id: str = "",
    original: str | None = None,
    message_id: str = "",
    action: str = "failed",
) -> bytes:
    """Return a report of failure (RFC 3464) about a message; `to` is where the report goes."""
    status, reason = reply
    about = f"Original-Envelope-Id: {envelope_id}\n" if envelope_id else ""
    quoted = headers_of(outgoing) if original is None else original
    return f"""\
Return-Path: <>
Date: Tue, 24 Nov 2026 09:00:05 +0000
From: MAILER-DAEMON@mx.example.org (Mail Delivery System)
To: {to}
Subject: Undelivered Mail Returned to Sender
Message-ID: <{message_id or f"r{next(_numbers)}@mx.example.org"}>
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="B"

--B
Content-Type: text/plain

I'm sorry to have to inform you that your message could not be delivered.

--B
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example.org
{about}
Final-Recipient: rfc822; {recipient or outgoing.recipient}
Action: {action}
Status: {status}
Diagnostic-Code: smtp; {reason}

--B
Content-Type: text/rfc822-headers

{quoted}
--B--
""".encode()


def complaint(
    outgoing: Outgoing, *, original: str | None = None, kind: str = "abuse", recipient: str = ""
) -> bytes:
    """Return a complaint (RFC 5965), redacted unless `recipient` is named."""
    named = f"Original-Rcpt-To: {recipient}\n" if recipient else ""
    return f"""\
From: complaints@provider.example
To: bounces@news.example.com
Subject: FW: complaint
Message-ID: <c{next(_numbers)}@provider.example>
MIME-Version: 1.0
Content-Type: multipart/report; report-type=feedback-report; boundary="B"

--B
Content-Type: text/plain

This is an email abuse report.

--B
Content-Type: message/feedback-report

Feedback-Type: {kind}
User-Agent: Provider/1
Version: 1
{named}
--B
Content-Type: message/rfc822

{headers_of(outgoing) if original is None else original}
Hello
--B--
""".encode()


def mail(
    to: str,
    *,
    subject: str = "hello",
    body: str = "",
    headers: str = "",
    sender: str = "x@example.org",
) -> bytes:
    """Return a mail that a person wrote."""
    return f"""\
From: {sender}
To: {to}
Subject: {subject}
Message-ID: <m{next(_numbers)}@example.org>
{headers}
{body}
""".encode()


def suppressed() -> dict[str, str]:
    """Return who is suppressed, and why."""
    db.session.rollback()
    return {
        row.email_key or "": row.reason.value for row in db.session.scalars(select(Suppression))
    }


def bounce_events() -> list[tuple[str, str, str, str]]:
    """Class, proof, effect and subscriber of each event."""
    db.session.rollback()
    query = select(BounceEvent, Subscriber.email).outerjoin(
        Subscriber, Subscriber.id == BounceEvent.subscriber_id
    )
    return [
        (event.bounce_class.value, event.proof.value, event.effect.value, email or "")
        for event, email in db.session.execute(query.order_by(BounceEvent.id))
    ]
