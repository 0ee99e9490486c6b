"""What is written down after a refusal, and when a campaign pauses itself."""

from __future__ import annotations

from datetime import timedelta

import pytest

from newsletter.mail.smtp.classify import judge
from newsletter.outbox import DeliveryUpdate, LeasedDelivery
from newsletter.services.sending import retry
from newsletter.services.sending.retry import REFUSAL_STREAK, CircuitBreaker, RetryPolicy
from newsletter.vocabulary import MailKind
from tests.fakes import START
from tests.smtp.replies import read_reply

pytestmark = pytest.mark.any_database

POLICY = RetryPolicy(
    (timedelta(minutes=1), timedelta(minutes=5), timedelta(minutes=15)), timedelta(hours=48)
)
ROW = LeasedDelivery(
    7,
    MailKind.DIGEST,
    1,
    0,
    0,
    0,
    START,
    {},
    1,
    "h",
    1,
    "active",
    "weekly",
    "ann@example.org",
    None,
    "en",
    None,
)


def mark(reply: str, *, hours: int = 0) -> DeliveryUpdate:
    """Write down what a row's message met `hours` after it was queued."""
    outcome = read_reply(reply)
    now = START + timedelta(hours=hours)
    return retry.decide(ROW, outcome, judge(outcome), now=now, policy=POLICY, jitter=0.5)


def test_a_refusal_that_no_rule_knows_is_tried_again_until_patience_is_over() -> None:
    assert mark("550 nope")[1:3] == ("queued", 550)
    assert mark("550 nope").attempts == 1
    assert mark("550 nope", hours=48).status == "failed"


@pytest.mark.parametrize(
    "reply",
    [
        "550 Domain example.org has exceeded the max emails per hour (150/150 (100%)) allowed",
        "550 5.4.5 Daily user sending limit exceeded",
        "554 5.7.1 Spam message rejected",
    ],
)
def test_a_refusal_about_us_costs_no_attempt(reply: str) -> None:
    assert (mark(reply).status, mark(reply).attempts) == ("queued", 0)


def test_a_dead_address_fails_at_once() -> None:
    assert mark("550 5.1.1 User unknown").status == "failed"


def test_refusals_that_no_rule_knows_pause_a_campaign() -> None:
    breaker = CircuitBreaker()
    outcome = read_reply("550 nope")
    reasons = [breaker.record(judge(outcome), outcome.reply.text) for _ in range(REFUSAL_STREAK)]
    assert reasons[:-1] == [None] * (REFUSAL_STREAK - 1)
    assert "nope" in (reasons[-1] or "")
