"""Deciders of sending: may this reader be mailed, and what is written down after a verdict.

Pure.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from newsletter.mail.smtp.classify import Cause, Verdict
from newsletter.mail.smtp.types import Outcome
from newsletter.outbox import DeliveryUpdate, LeasedDelivery
from newsletter.schedule import next_try

STREAK = 5
"""So many refusals in a row that no recipient is to blame for pause a campaign;"""
DEAD_STREAK = 20
"""so do so many dead addresses in a row."""
OUR_FAULT = 3
"""What is refused for our sake waits as long as after so many refusals, and counts none."""
TOO_FAST = timedelta(seconds=10)
"""What was refused because mail left too fast waits so long, and up to twice as long: the pace is
lower then.
"""
LOST_REPLIES = 5
"""After so many lost replies a message is not offered again unless its author says so: each may
have been a copy.
"""
ONCE_A_DAY = timedelta(days=1)
"""What is refused for our sake for longer than `smtp.patience` is tried so often."""


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How long a refused message is tried again: after `waits`, until `total` is over."""

    waits: tuple[timedelta, ...]
    total: timedelta


def why_not(row: LeasedDelivery) -> str | None:
    """Why a delivery must not go out now, as its reader stands this moment; None where it may."""
    if row.mail == "notice":
        return None
    if row.email is None or row.handle is None:
        return "the subscriber was removed"
    if row.suppressed is not None:
        return f"suppressed: {row.suppressed}"
    if row.campaign_id is not None or row.mail in ("welcome", "series"):
        return None if row.status == "active" else f"the subscription is {row.status}"
    if row.mail == "confirm" and (
        row.status != "pending" or row.round != (row.context or {}).get("round")
    ):
        return "the request was answered or replaced"
    return None


def later(row: LeasedDelivery, due_at: datetime, why: str) -> DeliveryUpdate:
    """What to write down of a row that is not offered yet; that costs it no attempt."""
    return DeliveryUpdate(row.id, "in_doubt" if row.doubts else "queued", None, why, due_at=due_at)


def not_composed(
    row: LeasedDelivery, why: str, *, now: datetime, patience: RetryPolicy, jitter: float
) -> DeliveryUpdate:
    """Postpone a message that could not be made for a reason that nobody foresaw.

    It is tried again as a refusal for now would be, because an upgrade may mend it.
    """
    due_at = next_try(now, attempts=row.attempts + 1, waits=patience.waits, jitter=jitter)
    return _until(row, later(row, due_at, why)._replace(attempts=1), patience)


def lost(
    row: LeasedDelivery, why: str, *, now: datetime, patience: RetryPolicy, jitter: float
) -> DeliveryUpdate:
    """Write down a message whose reply to the final dot was lost (RFC 5321 section 4.5.4.1).

    It is offered again after `patience.waits`. After `LOST_REPLIES` of them, or once patience is
    over, it stays in doubt: nobody knows, and only its author can decide to send it once more.
    """
    times = row.lost_replies + 1
    due_at = next_try(now, attempts=times, waits=patience.waits, jitter=jitter)
    again: datetime | None = due_at
    if times >= LOST_REPLIES or due_at > row.created_at + patience.total:
        again = None
    return DeliveryUpdate(row.id, "in_doubt", None, why, doubts=1, due_at=again, lost_replies=1)


def too_large(row: LeasedDelivery, why: str, *, due_at: datetime) -> DeliveryUpdate:
    """Write down a message that is larger than its server takes, and was therefore not offered.

    A campaign pauses for it and nobody of it fails; a mail of its own can only fail.
    """
    return (
        DeliveryUpdate(row.id, "failed", None, why)
        if row.campaign_id is None
        else later(row, due_at, why)
    )


def mark(
    row: LeasedDelivery,
    outcome: Outcome,
    verdict: Verdict,
    *,
    now: datetime,
    patience: RetryPolicy,
    jitter: float,
) -> DeliveryUpdate:
    """What to write down of `row` after its outcome was judged."""
    return _mark(row, outcome, verdict, now, patience, jitter)._replace(
        offered=outcome.stage != "CONNECT"
    )


def _mark(
    row: LeasedDelivery,
    outcome: Outcome,
    verdict: Verdict,
    now: datetime,
    patience: RetryPolicy,
    jitter: float,
) -> DeliveryUpdate:
    code, text = outcome.reply.code or None, verdict.why or outcome.reply.text
    match verdict.kind:
        case "sent":
            return DeliveryUpdate(row.id, "sent", code, outcome.reply.text)
        case "again":
            again = later(row, now, text)
            return again if outcome.stage == "CONNECT" else _until(row, again, patience)
        case "in_doubt":
            return lost(row, text, now=now, patience=patience, jitter=jitter)
        case "recipient":
            return DeliveryUpdate(row.id, "failed", code, outcome.reply.text, attempts=1)
        case "content" if row.attempts or row.campaign_id is None:
            return DeliveryUpdate(row.id, "failed", code, outcome.reply.text, attempts=1)
        case (
            "content"
        ):  # the server may say so to everybody; then the campaign pauses before the second try
            due_at = next_try(now, attempts=OUR_FAULT, waits=patience.waits, jitter=jitter)
            return _until(
                row,
                DeliveryUpdate(row.id, "queued", code, outcome.reply.text, 1, due_at=due_at),
                patience,
            )
        case "us":  # nobody is to blame but us, however long that lasts: patience is not asked
            due_at = now + _our_wait(row, verdict, now, patience, jitter)
            return DeliveryUpdate(
                row.id,
                "in_doubt" if row.doubts else "queued",
                code,
                outcome.reply.text,
                due_at=due_at,
            )
        case "temporary" | "unknown":
            due_at = next_try(now, attempts=row.attempts + 1, waits=patience.waits, jitter=jitter)
            return _until(
                row,
                DeliveryUpdate(row.id, "queued", code, outcome.reply.text, 1, due_at=due_at),
                patience,
            )


def _our_wait(
    row: LeasedDelivery, verdict: Verdict, now: datetime, patience: RetryPolicy, jitter: float
) -> timedelta:
    """How long a message waits that was refused for our sake: seconds where we were only too fast."""
    if verdict.cause in (Cause.PACE, Cause.CONNECTIONS):
        return TOO_FAST * (1 + jitter)
    if now > row.created_at + patience.total:
        return ONCE_A_DAY * (0.8 + 0.4 * jitter)
    return next_try(now, attempts=OUR_FAULT, waits=patience.waits, jitter=jitter) - now


def _until(row: LeasedDelivery, again: DeliveryUpdate, patience: RetryPolicy) -> DeliveryUpdate:
    """`again`, unless patience would be over by then: then it failed, or stays in doubt if it may
    have been taken.
    """
    if again.due_at is not None and again.due_at <= row.created_at + patience.total:
        return again
    if row.doubts:
        return DeliveryUpdate(row.id, "in_doubt", again.code, again.text, attempts=again.attempts)
    return DeliveryUpdate(row.id, "failed", again.code, again.text, attempts=again.attempts)


@dataclass(slots=True)
class CircuitBreaker:
    """Trips when a campaign is refused for everyone: `STREAK` refusals in a row that no recipient
    is to blame for, or a fifth of the first 200 addresses dead.
    """

    streak: int = 0
    dead_streak: int = 0
    seen: int = 0
    dead: int = 0
    not_composed: int = 0
    last: str = ""

    def note(self, verdict: Verdict, text: str) -> str | None:
        """Why the campaign must pause now, if it must."""
        ours, gone = verdict.kind in ("us", "content", "unknown"), verdict.kind == "recipient"
        if verdict.kind == "sent":
            self.streak = self.dead_streak = 0
        self.streak += ours
        self.dead_streak += gone
        self.dead += gone
        self.seen += gone or verdict.kind == "sent"
        if ours or gone:
            self.last = text
        if self.streak >= STREAK or self.dead_streak >= DEAD_STREAK:
            return (
                f"{max(self.streak, self.dead_streak)} messages in a row were refused: {self.last}"
            )
        if 50 <= self.seen <= 200 and self.dead * 5 > self.seen:
            return f"{self.dead} of the first {self.seen} addresses are dead; is this list what you think it is?"
        return None

    def note_not_composed(self, why: str) -> str | None:
        """Why the campaign must pause after a message that could not be made, if it must."""
        self.not_composed += 1
        if self.not_composed >= STREAK:
            return f"{self.not_composed} messages in a row could not be composed. The last: {why}"
        return None
