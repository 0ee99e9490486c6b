"""Deciders of sending: may this reader be mailed, and what is written down after a verdict. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from newsletter.mail.smtp.classify import Verdict
from newsletter.mail.smtp.types import Outcome
from newsletter.outbox import DOUBTS_AT_MOST, SET_ASIDE, Mark, Row
from newsletter.schedule import next_try

STREAK = 5
"""So many refusals in a row that no recipient is to blame for pause a campaign;"""
DEAD_STREAK = 20
"""so do so many dead addresses in a row."""
OUR_FAULT = 3
"""What is refused for our sake waits as long as after so many refusals, and counts none."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a refused message is tried again: after `waits`, until `total` is over."""

    waits: tuple[timedelta, ...]
    total: timedelta


def why_not(row: Row) -> str | None:
    """Why a delivery must not go out now, as its reader stands this moment; None where it may."""
    if row.mail == "notice":
        return None
    if row.email is None or row.handle is None:
        return "the subscriber was removed"
    if row.suppressed is not None:
        return f"suppressed: {row.suppressed}"
    if row.campaign_id is not None or row.mail in ("welcome", "series"):
        return None if row.status == "active" else f"the subscription is {row.status}"
    if row.mail == "confirm" and (row.status != "pending" or row.round != (row.context or {}).get("round")):
        return "the request was answered or replaced"
    return None


def later(row: Row, due_at: datetime, why: str) -> Mark:
    """What to write down of a row that is not offered yet; that costs it no attempt."""
    return Mark(row.id, "in_doubt" if row.doubts else "queued", None, why, due_at=due_at)


def mark(row: Row, outcome: Outcome, verdict: Verdict, *, now: datetime, patience: Patience, jitter: float) -> Mark:
    """What to write down of `row` after its outcome was judged."""
    code, text = outcome.reply.code or None, verdict.why or outcome.reply.text
    match verdict.kind:
        case "sent":
            return Mark(row.id, "sent", code, outcome.reply.text)
        case "again":
            again = later(row, now, text)
            return again if outcome.stage == "CONNECT" else _until(row, again, patience)
        case "in_doubt":
            if row.doubts + 1 >= DOUBTS_AT_MOST:
                return Mark(row.id, "failed", None, SET_ASIDE, doubts=1)
            return Mark(row.id, "in_doubt", None, text, doubts=1, due_at=now + patience.waits[0])
        case "recipient" | "content":
            return Mark(row.id, "failed", code, outcome.reply.text, attempts=1)
        case "us":
            due_at = next_try(now, attempts=OUR_FAULT, waits=patience.waits, jitter=jitter)
            return _until(row, Mark(row.id, "queued", code, outcome.reply.text, due_at=due_at), patience)
        case "temporary" | "unknown":
            due_at = next_try(now, attempts=row.attempts + 1, waits=patience.waits, jitter=jitter)
            return _until(row, Mark(row.id, "queued", code, outcome.reply.text, 1, due_at=due_at), patience)


def _until(row: Row, again: Mark, patience: Patience) -> Mark:
    """`again`, unless patience would be over by then."""
    if again.due_at is not None and again.due_at <= row.created_at + patience.total:
        return again
    return Mark(row.id, "failed", again.code, again.text, attempts=again.attempts)


@dataclass(slots=True)
class Breaker:
    """Trips when a campaign is refused for everyone: `STREAK` refusals in a row that no recipient is to blame for, or
    a fifth of the first 200 addresses dead."""

    streak: int = 0
    dead_streak: int = 0
    seen: int = 0
    dead: int = 0
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
            return f"{max(self.streak, self.dead_streak)} messages in a row were refused: {self.last}"
        if 50 <= self.seen <= 200 and self.dead * 5 > self.seen:
            return f"{self.dead} of the first {self.seen} addresses are dead; is this list what you think it is?"
        return None
