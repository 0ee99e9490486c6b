"""Test the edges of judging a reply: which codes, statuses and words turn one verdict into another.

What real replies mean is in test_classify.py.
"""

from __future__ import annotations

from datetime import timedelta

import pytest

from newsletter.mail.smtp.causes import Cause
from newsletter.mail.smtp.classify import classify, is_permanent, judge, normalize, read_wait
from newsletter.mail.smtp.types import Outcome, Reply, Result, Stage

pytestmark = pytest.mark.any_database


@pytest.mark.parametrize(
    ("result", "code", "words", "kind", "why"),
    [
        (Result.ACCEPTED, 250, "queued", "sent", "queued"),
        (Result.IN_DOUBT, 0, "gone", "in_doubt", "gone"),
        (Result.IN_DOUBT, 0, "", "in_doubt", "the server's answer was lost"),
        (Result.UNSENT, 0, "gone", "again", "gone"),
        (
            Result.UNSENT,
            0,
            "",
            "again",
            "the connection ended before the message was offered",
        ),
        (Result.UNSENT, 550, "5.1.1 User unknown", "again", "5.1.1 User unknown"),
        (Result.REFUSED, 421, "closing", "again", "closing"),
        (Result.REFUSED, 422, "User unknown", "temporary", "User unknown"),
        (Result.REFUSED, 550, "User unknown", "recipient", "User unknown"),
    ],
)
def test_a_message_that_was_not_refused_is_never_charged_to_its_recipient(
    result: Result, code: int, words: str, kind: str, why: str
) -> None:
    verdict = judge(Outcome(7, result, Stage.RCPT, Reply(code, "", words), "x"))
    assert (verdict.kind, verdict.why) == (kind, why)
    assert verdict.suppressible is (kind == "recipient")


@pytest.mark.parametrize(
    ("code", "status", "permanent"),
    [
        (399, "", True),
        (400, "", False),
        (499, "", False),
        (500, "", True),
        (550, "5.1.1", True),
        (550, "4.2.1", False),
        (450, "5.1.1", False),
        (0, "4.1.1", False),
        (0, "5.1.1", True),
    ],
)
def test_a_code_or_a_status_that_begins_with_4_is_not_for_good(
    code: int, status: str, permanent: bool
) -> None:
    assert is_permanent(code, status) is permanent


@pytest.mark.parametrize(
    ("code", "status", "cause"),
    [
        (422, "", Cause.MAILBOX_FULL),
        (423, "", Cause.QUOTA),
        (452, "", Cause.MAILBOX_FULL),
        (453, "", Cause.QUOTA),
        (552, "", Cause.MAILBOX_FULL),
        (553, "", Cause.QUOTA),
        (550, "5.2.2", Cause.MAILBOX_FULL),
        (550, "5.2.9", Cause.MAILBOX_FULL),
        (550, "5.3.2", Cause.QUOTA),
        (550, "5.7.2", Cause.QUOTA),
    ],
)
def test_a_quota_without_an_owner_is_a_mailboxs_only_by_code_or_status(
    code: int, status: str, cause: Cause
) -> None:
    assert classify(code, status, "quota exceeded", Stage.RCPT) is cause
    assert classify(code, status, "mailbox quota exceeded", Stage.RCPT) is Cause.MAILBOX_FULL


@pytest.mark.parametrize(
    ("words", "cause"),
    [
        ("mailbox unavailable", Cause.MAILBOX),
        ("mailbox unavailable xyz", Cause.MAILBOX),
        ("mailbox unavailable xyz wvu", Cause.PERMANENT),
        ("mailbox unavailable xyz wvu tsr", Cause.PERMANENT),
        ("mailbox unavailable xyz w2", Cause.MAILBOX),
        ("mailbox unavailable [xyz wvu]", Cause.MAILBOX),
        ("mailbox unavailable (xyz wvu)", Cause.MAILBOX),
    ],
)
def test_an_unavailable_mailbox_is_dead_only_where_nothing_else_is_said(
    words: str, cause: Cause
) -> None:
    assert classify(550, "", words, Stage.RCPT) is cause


@pytest.mark.parametrize(
    ("status", "words", "cause"),
    [
        ("5.4.1", "Recipient address rejected: Access denied", Cause.MAILBOX),
        ("5.4.1", "Access denied", Cause.POLICY),
        ("5.4.1", "Recipient address rejected", Cause.TEMPORARY),
        ("5.4.2", "Recipient address rejected: Access denied", Cause.POLICY),
        ("5.1.0", "Address rejected r@example.com", Cause.MAILBOX),
        ("5.1.0", "Sender address rejected", Cause.SENDER),
        ("5.7.649", "", Cause.REPUTATION),
        ("5.7.650", "", Cause.REPUTATION),
        ("5.7.651", "", Cause.POLICY),
        ("5.7.708", "", Cause.REPUTATION),
        ("5.7.750", "", Cause.SENDER),
        ("5.7.799", "", Cause.ACCOUNT),
        ("5.2.9", "", Cause.MAILBOX_FULL),
        ("5.9.9", "", Cause.PERMANENT),
        ("4.9.9", "", Cause.TEMPORARY),
    ],
)
def test_a_status_decides_where_the_words_do_not(status: str, words: str, cause: Cause) -> None:
    assert classify(550, status, words, Stage.RCPT) is cause


@pytest.mark.parametrize(
    ("code", "stage", "cause"),
    [
        (521, Stage.CONNECT, Cause.POLICY),
        (521, Stage.MAIL, Cause.POLICY),
        (521, Stage.RCPT, Cause.DOMAIN),
        (522, Stage.MAIL, Cause.POLICY),
        (522, Stage.RCPT, Cause.PERMANENT),
        (552, Stage.RCPT, Cause.TEMPORARY),
        (552, Stage.END, Cause.TOO_LARGE),
        (553, Stage.END, Cause.PERMANENT),
        (451, Stage.END, Cause.TEMPORARY),
        (551, Stage.RCPT, Cause.MAILBOX),
    ],
)
def test_a_bare_code_decides_by_the_command_it_answers(
    code: int, stage: Stage, cause: Cause
) -> None:
    assert classify(code, "", "no", stage) is cause


def test_a_bare_521_in_a_returned_message_is_about_the_domain() -> None:
    assert classify(521, "", "no", None) is Cause.DOMAIN


@pytest.mark.parametrize(
    ("cause", "words", "wait"),
    [
        (Cause.GREYLISTED, "try again in 90 s", timedelta(seconds=90)),
        (Cause.GREYLISTED, "retry after 3 minutes", timedelta(minutes=3)),
        (Cause.QUOTA, "resets in 2 hours", timedelta(hours=2)),
        (Cause.QUOTA, "resets in 24 hours", timedelta(days=1)),
        (Cause.QUOTA, "resets in 25 hours", timedelta(days=1)),
        (Cause.QUOTA, "10 mails per minute", timedelta(minutes=1)),
        (Cause.QUOTA, "10 mails per hour", timedelta(hours=1)),
        (Cause.QUOTA, "10 mails per week", timedelta(days=1)),
        (Cause.PACE, "10 mails per hour", None),
        (Cause.QUOTA, "used up", None),
    ],
)
def test_the_words_tell_how_long_to_wait(cause: Cause, words: str, wait: timedelta | None) -> None:
    assert read_wait(cause, words) == wait


def test_names_of_blocklists_are_left_of_an_address_within_bounds() -> None:
    url = "https://www.spamhaus.org/sorbs/surbl?ip=192.0.2.1&p=abc"
    assert normalize(f"see {url} now") == "see url spamhaus sorbs abc now"
    assert normalize("see https://example.org/x now") == "see url now"
    assert normalize("by spamhaus.sorbs.example") == "by host spamhaus"
    assert normalize("by mail.example.org") == "by host"
