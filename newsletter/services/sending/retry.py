"""Decide whether a delivery may be sent, and its status after a server's verdict. Pure.

Pure.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import assert_never

from newsletter.i18n import Text
from newsletter.mail.kinds import MAILS, Requirement
from newsletter.mail.smtp.classify import Cause, Verdict, VerdictKind
from newsletter.mail.smtp.types import Outcome, Stage
from newsletter.outbox import DeliveryUpdate, LeasedDelivery
from newsletter.schedule import plan_next_try
from newsletter.services.audience.mailable import is_receiving
from newsletter.services.inbound.decide import FIRST_OF_RUN, is_harmful_run
from newsletter.vocabulary import DeliveryStatus, SubscriptionStatus

REFUSAL_STREAK = 5
"""Consecutive refusals not about a recipient after which a campaign pauses."""
DEAD_STREAK = 20
"""Consecutive dead addresses after which a campaign pauses."""
OUR_ATTEMPTS = 3
"""Attempts by which the wait is chosen when this sender is refused; none is counted."""
TOO_FAST = timedelta(seconds=10)
"""Wait of a message that was refused because mail is sent too fast: 10 to 20 seconds."""
LOST_REPLIES = 5
"""Lost replies after which a message stays in doubt: each try may have delivered a copy."""
ONCE_A_DAY = timedelta(days=1)
"""Interval of tries when this sender is refused for longer than `smtp.patience`."""


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """The waits between tries of a refused message, until the time `total` is over."""

    waits: tuple[timedelta, ...]
    total: timedelta


def find_obstacle(row: LeasedDelivery) -> str | None:
    """Return the reason why a delivery must not be sent to its subscriber now, or None."""
    requires = MAILS[row.mail].requires
    if requires is Requirement.NOTHING:
        return None
    if row.email is None or row.handle is None:
        return Text("the subscriber was removed")
    if row.suppressed is not None:
        return Text("suppressed: %(suppressed)s", suppressed=row.suppressed)
    match requires:
        case Requirement.KNOWN:
            return None
        case Requirement.ACTIVE:
            receives = is_receiving(row.status, suppressed=False)
            return None if receives else Text("the subscription is %(status)s", status=row.status)
        case Requirement.PENDING:
            is_open = row.status == SubscriptionStatus.PENDING
            is_open = is_open and row.round == (row.context or {}).get("round")
            return None if is_open else Text("the request was answered or replaced")
        case _:
            assert_never(requires)


def postpone(row: LeasedDelivery, due_at: datetime, why: str) -> DeliveryUpdate:
    """Postpone a delivery that was not offered to a server, without counting an attempt."""
    return DeliveryUpdate(row.id, _get_waiting_status(row), None, why, due_at=due_at)


def _get_waiting_status(row: LeasedDelivery) -> DeliveryStatus:
    return DeliveryStatus.IN_DOUBT if row.doubts else DeliveryStatus.QUEUED


def postpone_not_built(
    row: LeasedDelivery, why: str, *, now: datetime, policy: RetryPolicy, jitter: float
) -> DeliveryUpdate:
    """Postpone a message that could not be built because of an internal error.

    It is tried again as after a refusal for now, because an upgrade may mend it.
    """
    due_at = plan_next_try(now, attempts=row.attempts + 1, waits=policy.waits, jitter=jitter)
    return _limit(row, postpone(row, due_at, why)._replace(attempts=1), policy)


def record_lost_reply(
    row: LeasedDelivery, why: str, *, now: datetime, policy: RetryPolicy, jitter: float
) -> DeliveryUpdate:
    """Record a message whose reply to the final dot was lost (RFC 5321 section 4.5.4.1).

    It is offered again after `policy.waits`. After `LOST_REPLIES` of them, or once `policy.total`
    is over, it stays in doubt: only its author can decide to send it once more.
    """
    lost_replies = row.lost_replies + 1
    due_at = plan_next_try(now, attempts=lost_replies, waits=policy.waits, jitter=jitter)
    is_last = lost_replies >= LOST_REPLIES or due_at > row.created_at + policy.total
    return DeliveryUpdate(
        row.id,
        DeliveryStatus.IN_DOUBT,
        None,
        why,
        doubts=1,
        due_at=None if is_last else due_at,
        lost_replies=1,
    )


def record_too_large(row: LeasedDelivery, why: str, *, due_at: datetime) -> DeliveryUpdate:
    """Record a message that is larger than any server takes, and was therefore not offered.

    A campaign pauses for it and none of its deliveries fails; a single mail can only fail.
    """
    if row.campaign_id is None:
        return DeliveryUpdate(row.id, DeliveryStatus.FAILED, None, why)
    return postpone(row, due_at, why)


def decide(
    row: LeasedDelivery,
    outcome: Outcome,
    verdict: Verdict,
    *,
    now: datetime,
    policy: RetryPolicy,
    jitter: float,
) -> DeliveryUpdate:
    """Decide a delivery's next status after the verdict about its outcome.

    `jitter`, from 0 to 1, spreads tries that were refused together.
    """
    update = _decide(row, outcome, verdict, now, policy, jitter)
    return update if update.offered else update._replace(offered=outcome.stage != Stage.CONNECT)


def _decide(
    row: LeasedDelivery,
    outcome: Outcome,
    verdict: Verdict,
    now: datetime,
    policy: RetryPolicy,
    jitter: float,
) -> DeliveryUpdate:
    words = outcome.reply.text
    code = outcome.reply.code or None
    if verdict.kind is VerdictKind.SENT:
        return DeliveryUpdate(row.id, DeliveryStatus.SENT, code, words, offered=True)
    reply = DeliveryUpdate(row.id, DeliveryStatus.QUEUED, code, words)
    match verdict.kind:
        case VerdictKind.AGAIN:
            again = postpone(row, now, verdict.why or words)
            return again if outcome.stage == Stage.CONNECT else _limit(row, again, policy)
        case VerdictKind.IN_DOUBT:
            why = verdict.why or words
            return record_lost_reply(row, why, now=now, policy=policy, jitter=jitter)
        case VerdictKind.RECIPIENT:
            return reply._replace(status=DeliveryStatus.FAILED, attempts=1)
        case VerdictKind.CONTENT:
            if row.attempts or row.campaign_id is None:
                return reply._replace(status=DeliveryStatus.FAILED, attempts=1)
            # The server may say so of all; then the campaign pauses before the second try.
            due_at = plan_next_try(now, attempts=OUR_ATTEMPTS, waits=policy.waits, jitter=jitter)
            return _limit(row, reply._replace(attempts=1, due_at=due_at), policy)
        case (
            VerdictKind.US
        ):  # no recipient is to blame, however long that lasts: `total` has no say
            due_at = now + _choose_wait_for_sender(row, verdict, now, policy, jitter)
            return reply._replace(status=_get_waiting_status(row), due_at=due_at)
        case VerdictKind.TEMPORARY | VerdictKind.UNKNOWN:
            due_at = plan_next_try(
                now, attempts=row.attempts + 1, waits=policy.waits, jitter=jitter
            )
            return _limit(row, reply._replace(attempts=1, due_at=due_at), policy)
        case _:
            assert_never(verdict.kind)


def _choose_wait_for_sender(
    row: LeasedDelivery, verdict: Verdict, now: datetime, policy: RetryPolicy, jitter: float
) -> timedelta:
    """Return the wait of a message that was refused because of this sender.

    Seconds, where mail only left too fast.
    """
    if verdict.cause in (Cause.PACE, Cause.CONNECTIONS):
        return TOO_FAST * (1 + jitter)
    if now > row.created_at + policy.total:
        return ONCE_A_DAY * (0.8 + 0.4 * jitter)
    return plan_next_try(now, attempts=OUR_ATTEMPTS, waits=policy.waits, jitter=jitter) - now


def _limit(row: LeasedDelivery, update: DeliveryUpdate, policy: RetryPolicy) -> DeliveryUpdate:
    """Return `update`, or the end of the delivery if `policy.total` would be over by then.

    It failed, or stays in doubt if a server may have taken it.
    """
    if update.due_at is not None and update.due_at <= row.created_at + policy.total:
        return update
    status = DeliveryStatus.IN_DOUBT if row.doubts else DeliveryStatus.FAILED
    return DeliveryUpdate(row.id, status, update.code, update.text, attempts=update.attempts)


@dataclass(slots=True)
class CircuitBreaker:
    """Counts consecutive refusals of a campaign in one run, to pause it."""

    streak: int = 0
    dead_streak: int = 0
    judged: int = 0
    dead: int = 0
    not_built: int = 0
    last: str = ""

    def record(self, verdict: Verdict, text: str) -> str | None:
        """Count a verdict; return the reason to pause the campaign now, or None."""
        is_ours = verdict.kind in (VerdictKind.US, VerdictKind.CONTENT, VerdictKind.UNKNOWN)
        is_dead = verdict.kind == VerdictKind.RECIPIENT
        if verdict.kind == VerdictKind.SENT:
            self.streak = self.dead_streak = 0
        self.streak += is_ours
        self.dead_streak += is_dead
        self.dead += is_dead
        self.judged += is_dead or verdict.kind == VerdictKind.SENT
        if is_ours or is_dead:
            self.last = text
        if self.streak >= REFUSAL_STREAK or self.dead_streak >= DEAD_STREAK:
            count = max(self.streak, self.dead_streak)
            return Text(
                "%(count)s messages in a row were refused: %(last)s", count=count, last=self.last
            )
        if self.judged <= FIRST_OF_RUN and is_harmful_run(self.judged, self.dead):
            return Text(
                "%(dead)s of the first %(judged)s addresses are dead; is this list what you "
                "think it is?",
                dead=self.dead,
                judged=self.judged,
            )
        return None

    def record_not_built(self, why: str) -> str | None:
        """Count a message that could not be built; return the reason to pause, or None."""
        self.not_built += 1
        if self.not_built >= REFUSAL_STREAK:
            return Text(
                "%(not_built)s messages in a row could not be composed. The last: %(why)s",
                not_built=self.not_built,
                why=why,
            )
        return None
