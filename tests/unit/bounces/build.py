"""Build returned messages as the manuals of mail systems describe them.

All addresses are examples.
"""

from __future__ import annotations

from typing import NamedTuple

VERP = "b-4f1d2c8a9e-7q@bounce.example.com"
DEAD = "ann@example.org"

ORIGINAL = f"""\
Return-Path: <{VERP}>
Received: from news.example.com (news.example.com [192.0.2.10])
\tby mx.example.org with ESMTPS id 4F1D2C; Tue, 24 Nov 2026 09:00:00 +0000
Date: Tue, 24 Nov 2026 09:00:00 +0000
From: A blog <news@example.com>
To: {DEAD}
Subject: Three new posts
Message-ID: <h4ndle0f0urs@example.com>
List-Id: A blog <blog.lists.example.com>
List-Unsubscribe: <https://news.example.com/u/t0ken0f0urs>
MIME-Version: 1.0
Content-Type: text/plain; charset=utf-8

Hello, spam and viruses are mentioned here, and a mailbox that is full.
Write to someone-else@example.net.
"""


class Sample(NamedTuple):
    """A message, and what it says: recipient and class of each result."""

    name: str
    data: bytes
    expected: list[tuple[str, str]]
    machine: bool = True


def group(
    recipient: str = DEAD,
    status: str = "",
    reason: str = "",
    *,
    action: str = "failed",
    original: str = "",
    kind: str = "smtp",
) -> str:
    """Write the fields of one recipient (RFC 3464 section 2.3)."""
    lines = [f"Final-Recipient: rfc822; {recipient}"]
    if original:
        lines.append(f"Original-Recipient: rfc822; {original}")
    if action:
        lines.append(f"Action: {action}")
    if status:
        lines.append(f"Status: {status}")
    if reason:
        lines.append(f"Diagnostic-Code: {kind}; {reason}")
    return "\n".join(lines) + "\n"


def report(
    *groups: str,
    notice: str = "Your message could not be delivered.",
    sender: str = "MAILER-DAEMON@mx.example.org (Mail Delivery System)",
    subject: str = "Undelivered Mail Returned to Sender",
    original: str = ORIGINAL,
    status_type: str = "message/delivery-status",
    about: str = "Reporting-MTA: dns; mx.example.org\n",
    headers: str = "",
    part_headers: str = "",
) -> bytes:
    """Write a multipart/report (RFC 6522)."""
    return f"""\
Return-Path: <>
Date: Tue, 24 Nov 2026 09:00:05 +0000
From: {sender}
To: {VERP}
Subject: {subject}
Message-ID: <bounce.1@mx.example.org>
{headers}MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status;
\tboundary="=_bound"

This is a MIME-encapsulated message.

--=_bound
Content-Description: Notification
Content-Type: text/plain; charset=us-ascii

{notice}

--=_bound
Content-Description: Delivery report
Content-Type: {status_type}
{part_headers}
{about}
{chr(10).join(groups)}
--=_bound
Content-Description: Undelivered Message
Content-Type: message/rfc822

{original}
--=_bound--
""".encode()


def plain(
    body: str,
    *,
    sender: str = "Mail Delivery Subsystem <MAILER-DAEMON@mx.example.org>",
    subject: str = "failure notice",
    to: str = VERP,
    headers: str = "",
    charset: str = "us-ascii",
) -> bytes:
    """Write a message of one text part."""
    return f"""\
Return-Path: <>
Date: Tue, 24 Nov 2026 09:00:05 +0000
From: {sender}
To: {to}
Subject: {subject}
Message-ID: <bounce.2@mx.example.org>
{headers}Content-Type: text/plain; charset={charset}

{body}""".encode(charset if charset in ("utf-8", "latin-1", "iso-2022-jp", "utf-7") else "utf-8")


def mail(
    subject: str,
    body: str,
    *,
    sender: str = "Ann <ann@example.org>",
    to: str = VERP,
    headers: str = "",
) -> bytes:
    """Write what a person or a program sends by itself."""
    return f"""\
Return-Path: <ann@example.org>
Date: Tue, 24 Nov 2026 10:00:00 +0000
From: {sender}
To: {to}
Subject: {subject}
Message-ID: <mail.3@example.org>
{headers}MIME-Version: 1.0
Content-Type: text/plain; charset=utf-8

{body}
""".encode()


def complaint(
    kind: str = "abuse", fields: str = "", original: str = ORIGINAL, part: str = "message/rfc822"
) -> bytes:
    """Write a report in the abuse reporting format (RFC 5965)."""
    return f"""\
From: <feedback@isp.example>
Date: Tue, 24 Nov 2026 10:00:00 +0000
Subject: FW: Three new posts
To: <fbl@example.com>
MIME-Version: 1.0
Content-Type: multipart/report; report-type=feedback-report; boundary="part1"

--part1
Content-Type: text/plain; charset="US-ASCII"

This is an email abuse report for an email message received from IP
192.0.2.10 on Tue, 24 Nov 2026.

--part1
Content-Type: message/feedback-report

Feedback-Type: {kind}
User-Agent: SomeGenerator/1.0
Version: 1
{fields}
--part1
Content-Type: {part}
Content-Disposition: inline

{original}
--part1--
""".encode()
