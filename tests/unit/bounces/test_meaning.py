"""Test what the reason of a report means: wordings that no rule was written for, by whether the
address is dead.
"""

from __future__ import annotations

import pytest

from newsletter.bounces.meaning import (
    CLASSES,
    REASON_AT_MOST,
    choose_status,
    find_code,
    join_lines,
    judge_reason,
)
from newsletter.bounces.types import BounceClass
from newsletter.mail.smtp.causes import Cause

pytestmark = pytest.mark.any_database

DEAD = """
5.1.1|550 5.1.1 <x@example.org> recipient rejected: mailbox does not exist. See Mimecast docs
5.0.0|550 Invalid Recipient - https://community.mimecast.com/docs/DOC-1369#550 [abc.uk1]
5.0.0|550 permanent failure for one or more recipients (x@example.org:550 5.1.1 ... User unknown)
5.1.1|550 5.1.1 Recipient email address is possibly incorrect
5.7.1|550 5.7.1 <x@example.org>: Recipient address rejected: User email address is marked as invalid.
5.0.0|550 x@example.org is not a valid user here
5.1.1|550 5.1.1 <x@example.net> Account not available
5.0.0|550 5.1.1 <x@example.net> recipient rejected
5.0.0|554 No such recipient x@example.net
5.0.0|550 Mailbox unknown or not accepting mail.
5.1.1|550 5.1.1 x@example.net: Recipient not found
5.0.0|550 Invalid mailbox path
5.1.1|550 5.1.1 Adresse inexistante
5.0.0|550 non-local recipient verification failed: no such mailbox
5.0.0|550 Spambox rejected: unknown user
5.1.1|550 5.1.1 unknown address
5.0.0|550 RCPT TO:<x@example.org> User unknown
5.0.0|550 5.7.1 No such user!
5.0.0|550 Message was not accepted -- invalid mailbox.  Local mailbox x@example.net is unavailable: user not found
5.0.0|550 spam message discarded: no such user
5.0.0|550 #5.1.0 Address rejected.
5.0.0|550 Mailbox not found. http://service.mail.qq.com/cgi-bin/help?subtype=1
5.0.0|550 User not found: x@example.net
5.1.1|550 5.1.1 No such user here (naver)
5.0.0|550 Unknown user x@example.net
5.1.1|X-Postfix; unknown user: "x"
5.1.2|Name service error for name=gone.example type=MX: Malformed or unexpected name server reply
5.1.1|550 5.1.1 x@example.net mailbox is disabled
5.2.1|550 5.2.1 This mailbox has been blocked due to inactivity
5.0.0|550 Account disabled
5.0.0|550 5.1.1 sorry, no mailbox here by that name
5.4.4|unable to look up host gone.example: No address associated with hostname
5.1.1|5.1.1 The email account that you tried to reach does not exist
5.1.10|550 5.1.10 RESOLVER.ADR.RecipientNotFound; not found
5.1.0|550 5.1.0 Address rejected
5.1.1|550 5.1.1 Bad destination mailbox address
5.1.6|550 5.1.6 recipient no longer on server: x@example.org
5.0.0|550 This user is not available (mailbox closed)
"""

ALIVE = """
5.7.1|550 5.7.1 Message rejected due to spam content, sophos
4.7.1|450 4.7.1 client host rejected
5.0.0|554 Email rejected due to security policies - https://community.mimecast.com/docs/DOC-1369#554
5.0.0|550 Administrative prohibition - envelope blocked - https://community.mimecast.com
5.7.0|550 5.7.0 Local Policy Violation
5.0.0|554 5.4.0 Too many hops
5.3.0|554 5.3.0 unknown mailer error 1
5.3.0|550 5.3.0 Other mail system problem
5.0.0|550 relay not permitted
5.7.1|550 5.7.1 RBL restriction
5.0.0|550 resolver.rst.notauthorized
5.0.0|550 Mailbox full
5.2.2|552 5.2.2 user over quota; cannot receive new mail
4.4.7|expired
4.4.2|lost connection with mx.example.org[192.0.2.1] while receiving the initial server greeting
5.4.7|550 5.4.7 delivery time expired
5.0.0|553 Mail from 192.0.2.1 not allowed - 5.7.1 [BL23] Connections not accepted from IP addresses on Spamhaus XBL
5.0.0|550 5.7.1 AUP#I-1000
5.0.0|554 rejected due to content judged to be spam by the internet community
5.0.0|521 5.2.1 (DYN:T1) http://postmaster.info.aol.com/errors/554dynt1.html
5.0.0|550 ERROR: Mail Refused - 192.0.2.1 - See http://security.rr.com/mail_blocks.htm
5.0.0|550 IB504 Connections from this host temporarily blocked
5.0.0|571 Email from 192.0.2.1 is currently blocked by Verizon Online's anti-spam system
5.0.0|550 Blocked for abuse. See http://att.net/blocks
5.0.0|550 5.7.1 BANNED by SpamFirewall
5.5.0|550 5.5.0 Sender domain is empty
5.0.0|451 Could not complete sender verify callout
5.0.0|550 Rejected because 192.0.2.1 is in a black list
5.0.0|550 Sender address is not verified
5.0.0|552 message exceeds fixed maximum
5.6.0|554 5.6.0 Invalid message content
5.3.4|552 5.3.4 Message too big for system
5.0.0|554 5.7.1 Service unavailable; Helo command blocked
5.0.0|550 DY-001 Mail rejected by Windows Live Hotmail for policy reasons
5.0.0|554 virus Eicar rejected
5.1.8|550 5.1.8 sender rejected: no valid MX
5.0.0|550 we do not accept mail from dynamic ranges
5.0.0|554 TRANSACTION FAILED: Unrepairable Virus Detected. Your mail has not been sent.
5.0.0|550 message content is not acceptable here
5.0.0|451 4.3.2 Please try again later
5.0.0|550 Your message was rejected by user's rule
5.0.0|550 Not accepting mail from this sender: x is in recipient's block list
5.7.1|550 5.7.1 recipient not allowed for this sender
5.0.0|552 5.7.0 Number of 'Received:' DELIVERED-TO headers found was greater than maximum allowed
5.0.0|550 We are sorry, the mail server is temporarily disabled
5.0.0|user's mail server is not found for unknown reasons
5.0.0|550 User suspended or does not exist
"""


@pytest.mark.parametrize("line", [line for line in DEAD.splitlines() if line])
def test_these_addresses_are_dead(line: str) -> None:
    status, _, reason = line.partition("|")
    assert judge_reason(reason, status).bounce_class is BounceClass.HARD


@pytest.mark.parametrize("line", [line for line in ALIVE.splitlines() if line])
def test_these_addresses_are_not(line: str) -> None:
    status, _, reason = line.partition("|")
    assert judge_reason(reason, status).bounce_class is not BounceClass.HARD


def test_every_cause_has_a_class() -> None:
    assert set(CLASSES) == set(Cause)
    assert {cause for cause, kind in CLASSES.items() if kind is BounceClass.HARD} == {
        Cause.MAILBOX,
        Cause.DOMAIN,
    }


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("550 5.1.1 x", 550),
        ("smtp; 550-5.1.1 x", 550),
        ("#554 x", 554),
        ("(450 x", 450),
        ("[418]", 0),
        ("192.0.2.450 x", 0),
        ("id=550", 0),
        ("", 0),
        ("1550 x", 0),
    ],
)
def test_where_a_reply_code_stands(text: str, code: int) -> None:
    assert find_code(text) == code


@pytest.mark.parametrize(
    ("reported", "spoken", "status"),
    [
        ("5.0.0", "5.1.1", "5.1.1"),
        ("5.1.1", "5.7.1", "5.7.1"),
        ("5.1.1", "5.0.0", "5.1.1"),
        ("4.4.7", "", "4.4.7"),
        ("", "5.2.2", "5.2.2"),
        ("", "", ""),
    ],
)
def test_the_more_exact_status_of_a_report_counts(reported: str, spoken: str, status: str) -> None:
    assert choose_status(reported, spoken) == status


def test_a_refusal_for_now_never_means_a_dead_address() -> None:
    assert judge_reason("450 4.1.1 user unknown", "4.1.1").bounce_class is BounceClass.SOFT


def test_a_reason_is_cut_to_one_line() -> None:
    assert join_lines("a\r\n\x1b[0m b\u202e" + "x" * 9_000)[:8] == "a [0m b "
    assert len(join_lines("x" * 9_000)) == REASON_AT_MOST
