"""Test what is written down after a refusal, and when a campaign pauses itself."""

from __future__ import annotations

from datetime import timedelta

import pytest

from newsletter.mail.smtp.classify import Cause, Verdict, VerdictKind, judge
from newsletter.mail.smtp.types import Outcome, Reply, Result, Stage
from newsletter.outbox import DeliveryUpdate, LeasedDelivery
from newsletter.services.sending import retry
from newsletter.services.sending.retry import (
    DEAD_STREAK,
    REFUSAL_STREAK,
    CircuitBreaker,
    RetryPolicy,
)
from newsletter.vocabulary import DeliveryStatus, MailKind, SubscriptionStatus
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
    dead = mark("550 5.1.1 User unknown")
    assert (dead.status, dead.attempts, dead.due_at) == ("failed", 1, None)


def test_refusals_that_no_rule_knows_pause_a_campaign() -> None:
    breaker = CircuitBreaker()
    outcome = read_reply("550 nope")
    reasons = [breaker.record(judge(outcome), outcome.reply.text) for _ in range(REFUSAL_STREAK)]
    assert reasons[:-1] == [None] * (REFUSAL_STREAK - 1)
    assert "nope" in (reasons[-1] or "")


def judged(
    kind: VerdictKind,
    row: LeasedDelivery = ROW,
    *,
    cause: Cause = Cause.NONE,
    stage: Stage = Stage.RCPT,
    after: timedelta = timedelta(0),
    jitter: float = 0.5,
    why: str = "",
) -> DeliveryUpdate:
    """Decide about a reply that was judged so, `after` the message was queued."""
    outcome = Outcome(row.id, Result.REFUSED, stage, Reply(451, "", "words"), "mx")
    verdict = Verdict(kind, why, cause=cause)
    return retry.decide(row, outcome, verdict, now=START + after, policy=POLICY, jitter=jitter)


def waited(update: DeliveryUpdate, after: timedelta = timedelta(0)) -> timedelta | None:
    return update.due_at - START - after if update.due_at else None


MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)


def test_each_try_waits_longer_and_20_percent_more_or_less() -> None:
    """The middle of the jitter is the wait itself; after the last wait it stays."""
    kind = VerdictKind.TEMPORARY
    waits = [waited(judged(kind, ROW._replace(attempts=tries))) for tries in range(4)]
    assert waits == [MINUTE, 5 * MINUTE, 15 * MINUTE, 15 * MINUTE]
    assert waited(judged(kind, jitter=0.0)) == 0.8 * MINUTE
    assert waited(judged(kind, jitter=1.0)) == 1.2 * MINUTE


def test_a_try_at_the_very_end_of_patience_is_still_made() -> None:
    just = judged(VerdictKind.TEMPORARY, after=48 * HOUR - MINUTE)
    assert (just.status, waited(just, 48 * HOUR)) == ("queued", timedelta(0))
    over = judged(VerdictKind.TEMPORARY, after=48 * HOUR - MINUTE + timedelta(seconds=1))
    assert (over.status, over.due_at, over.attempts) == ("failed", None, 1)
    assert (over.code, over.text) == (451, "words")
    doubted = judged(VerdictKind.TEMPORARY, ROW._replace(doubts=1), after=48 * HOUR)
    assert (doubted.status, doubted.due_at) == ("in_doubt", None)


def test_what_was_refused_for_our_sake_waits_however_long_that_lasts() -> None:
    us = VerdictKind.US
    assert waited(judged(us)) == 15 * MINUTE, "as after three tries"
    at_end = judged(us, after=48 * HOUR)
    assert waited(at_end, 48 * HOUR) == 15 * MINUTE
    later = 48 * HOUR + timedelta(seconds=1)
    assert waited(judged(us, after=later), later) == 24 * HOUR
    assert waited(judged(us, after=later, jitter=0.0), later) == 0.8 * 24 * HOUR
    assert waited(judged(us, after=later, jitter=1.0), later) == 1.2 * 24 * HOUR
    assert judged(us, after=later).status == "queued"
    assert judged(us, ROW._replace(doubts=1)).status == "in_doubt"
    assert (judged(us).attempts, judged(us).doubts, judged(us).code) == (0, 0, 451)


@pytest.mark.parametrize("cause", [Cause.PACE, Cause.CONNECTIONS])
def test_what_only_left_too_fast_waits_seconds(cause: Cause) -> None:
    waits = [waited(judged(VerdictKind.US, cause=cause, jitter=jitter)) for jitter in (0, 0.5, 1)]
    assert waits == [timedelta(seconds=seconds) for seconds in (10, 15, 20)]


def test_content_that_is_refused_is_tried_once_more_in_a_campaign_only() -> None:
    first = judged(VerdictKind.CONTENT)
    assert (first.status, waited(first), first.attempts) == ("queued", 15 * MINUTE, 1)
    second = judged(VerdictKind.CONTENT, ROW._replace(attempts=1))
    assert (second.status, second.due_at, second.attempts) == ("failed", None, 1)
    single = judged(VerdictKind.CONTENT, ROW._replace(campaign_id=None))
    assert (single.status, single.due_at) == ("failed", None)


def test_what_is_offered_again_at_once_ends_with_patience_only_if_it_was_offered() -> None:
    again = judged(VerdictKind.AGAIN)
    assert (again.status, waited(again), again.attempts) == ("queued", timedelta(0), 0)
    assert again.text == "words"
    assert judged(VerdictKind.AGAIN, why="reasons").text == "reasons"
    late = 48 * HOUR + timedelta(seconds=1)
    assert judged(VerdictKind.AGAIN, after=late).status == "failed"
    unoffered = judged(VerdictKind.AGAIN, stage=Stage.CONNECT, after=late)
    assert (unoffered.status, waited(unoffered, late)) == ("queued", timedelta(0))


def test_a_message_was_offered_once_a_connection_stood() -> None:
    assert judged(VerdictKind.US, stage=Stage.MAIL).offered
    assert not judged(VerdictKind.US, stage=Stage.CONNECT).offered
    assert judged(VerdictKind.SENT, stage=Stage.END).offered
    sent = judged(VerdictKind.SENT, stage=Stage.END)
    assert (sent.status, sent.code, sent.due_at, sent.attempts) == ("sent", 451, None, 0)


def test_a_lost_reply_is_followed_up_five_times() -> None:
    lost = judged(VerdictKind.IN_DOUBT, stage=Stage.END)
    assert (lost.status, waited(lost), lost.doubts, lost.lost_replies, lost.attempts) == (
        "in_doubt",
        MINUTE,
        1,
        1,
        0,
    )
    assert (lost.text, judged(VerdictKind.IN_DOUBT, why="cut off").text) == ("words", "cut off")
    fourth = judged(VerdictKind.IN_DOUBT, ROW._replace(lost_replies=3))
    assert waited(fourth) == 15 * MINUTE
    fifth = judged(VerdictKind.IN_DOUBT, ROW._replace(lost_replies=4))
    assert (fifth.status, fifth.due_at) == ("in_doubt", None)
    at_end = judged(VerdictKind.IN_DOUBT, after=48 * HOUR - MINUTE)
    assert waited(at_end, 48 * HOUR) == timedelta(0)
    over = judged(VerdictKind.IN_DOUBT, after=48 * HOUR)
    assert (over.status, over.due_at) == ("in_doubt", None)


def test_a_message_that_could_not_be_built_is_tried_like_one_refused_for_now() -> None:
    def build(row: LeasedDelivery, after: timedelta = timedelta(0)) -> DeliveryUpdate:
        now = START + after
        return retry.postpone_not_built(row, "broken", now=now, policy=POLICY, jitter=0.5)

    assert (waited(build(ROW)), build(ROW).attempts, build(ROW).text) == (MINUTE, 1, "broken")
    assert waited(build(ROW._replace(attempts=1))) == 5 * MINUTE
    assert build(ROW, 48 * HOUR).status == "failed"


def test_a_message_too_large_fails_only_by_itself() -> None:
    due_at = START + HOUR
    assert retry.record_too_large(ROW, "large", due_at=due_at)[1:6] == (
        "queued",
        None,
        "large",
        0,
        0,
    )
    assert retry.record_too_large(ROW, "large", due_at=due_at).due_at == due_at
    single = retry.record_too_large(ROW._replace(campaign_id=None), "large", due_at=due_at)
    assert (single.status, single.due_at, single.text) == ("failed", None, "large")


@pytest.mark.parametrize(
    ("mail", "changes", "obstacle"),
    [
        (MailKind.DIGEST, {}, None),
        (MailKind.DIGEST, {"email": None}, "the subscriber was removed"),
        (MailKind.DIGEST, {"handle": None}, "the subscriber was removed"),
        (MailKind.DIGEST, {"suppressed": "bounced"}, "suppressed: bounced"),
        (MailKind.DIGEST, {"status": "pending"}, "the subscription is pending"),
        (MailKind.DIGEST, {"status": None}, "the subscription is None"),
        (MailKind.LINK, {"status": None}, None),
        (MailKind.LINK, {"suppressed": "bounced"}, "suppressed: bounced"),
        (MailKind.NOTICE, {"email": None, "handle": None, "suppressed": "x"}, None),
        (MailKind.CONFIRM, {"status": "pending", "round": 2, "context": {"round": 2}}, None),
        (MailKind.CONFIRM, {"status": "pending", "round": 3, "context": {"round": 2}}, "request"),
        (MailKind.CONFIRM, {"status": "active", "round": 2, "context": {"round": 2}}, "request"),
        (MailKind.CONFIRM, {"status": "pending", "round": 1, "context": None}, "request"),
    ],
)
def test_what_keeps_a_message_from_going_out(
    mail: MailKind, changes: dict[str, object], obstacle: str | None
) -> None:
    row = ROW._replace(mail=mail, **changes)
    if isinstance(row.status, str):
        row = row._replace(status=SubscriptionStatus(row.status))
    reason = retry.find_obstacle(row)
    assert reason is None if obstacle is None else obstacle in (reason or "")


def record(breaker: CircuitBreaker, kind: VerdictKind, times: int = 1) -> list[str | None]:
    return [breaker.record(Verdict(kind, ""), kind.value) for _ in range(times)]


@pytest.mark.parametrize("kind", [VerdictKind.US, VerdictKind.CONTENT, VerdictKind.UNKNOWN])
def test_five_refusals_in_a_row_that_concern_no_recipient_pause_a_campaign(
    kind: VerdictKind,
) -> None:
    breaker = CircuitBreaker()
    assert record(breaker, kind, 4) == [None] * 4
    record(breaker, VerdictKind.SENT)
    assert record(breaker, kind, 4) == [None] * 4, "one that was taken begins a new row"
    record(breaker, VerdictKind.TEMPORARY)
    [why] = record(breaker, kind)
    assert why == f"5 messages in a row were refused: {kind.value}"


def test_twenty_dead_addresses_in_a_row_pause_a_campaign() -> None:
    breaker = CircuitBreaker()
    reasons = record(breaker, VerdictKind.RECIPIENT, DEAD_STREAK)
    assert reasons[:-1] == [None] * (DEAD_STREAK - 1)
    assert reasons[-1] == "20 messages in a row were refused: recipient"
    other = CircuitBreaker()
    record(other, VerdictKind.RECIPIENT, 19)
    record(other, VerdictKind.SENT)
    assert other.dead_streak == 0


def test_a_fifth_of_dead_addresses_among_the_first_pauses_a_campaign() -> None:
    def run(sent: int, dead: int) -> str | None:
        """Record so many of both, evenly spread, and return the last reason."""
        breaker = CircuitBreaker()
        reasons = []
        for number in range(sent + dead):
            is_dead = (number + 1) * dead // (sent + dead) > number * dead // (sent + dead)
            kind = VerdictKind.RECIPIENT if is_dead else VerdictKind.SENT
            reasons += record(breaker, kind)
        return reasons[-1]

    assert run(40, 10) is None, "a fifth is not more than a fifth"
    assert run(38, 11) is None, "49 messages say nothing yet"
    assert "11 of the first 50 addresses are dead" in (run(39, 11) or "")
    assert "41 of the first 200" in (run(159, 41) or "")
    assert run(160, 41) is None, "the first 200 alone are looked at"


def test_five_messages_that_cannot_be_composed_pause_a_campaign() -> None:
    breaker = CircuitBreaker()
    reasons = [breaker.record_not_built("broken") for _ in range(5)]
    assert reasons[:-1] == [None] * 4
    assert "5 messages in a row could not be composed. The last: broken" in (reasons[-1] or "")


def test_a_message_in_doubt_stays_so_while_it_waits() -> None:
    assert retry.postpone(ROW, START, "why")[1:] == (
        DeliveryStatus.QUEUED,
        None,
        "why",
        0,
        0,
        START,
        0,
        False,
    )
    assert retry.postpone(ROW._replace(doubts=1), START, "why").status == DeliveryStatus.IN_DOUBT
