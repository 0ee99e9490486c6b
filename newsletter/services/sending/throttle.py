"""Limit the sending rate: per second, hour, day and domain, and during a new sender's warm-up.

The limits hold over every worker and restart, because messages are counted in the database. A
window slides: it counts the messages of the last second, hour or day.

Where a server says that mail comes too fast, a pace is learnt: half of what the server took, then a
little more every ten seconds, until it says so again. What was learnt is a row of the sender's
state, of the cause `PACE`.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import exists, func, select
from sqlalchemy.orm import Session

from newsletter.db.session import reading, transaction
from newsletter.i18n import Text
from newsletter.models import Counter, MailingList, SenderState
from newsletter.services import counters, notifications
from newsletter.services.runtime import Environment
from newsletter.services.sender_state import PACE, write_state

BUCKETS = 20
"""Parts in which a window is counted: a full window becomes free in twentieths."""
SLOWEST = 0.1
"""The lowest learnt pace in messages per second, so that it can climb again."""
FASTEST = 200.0
"""The pace in messages per second above which a learnt one is dropped."""
MEASURED_FOR = 10.0
"""Seconds over which the accepted pace is measured before a refusal."""
CLIMB_EVERY = timedelta(seconds=10)
"""Interval at which a learnt pace grows."""
CLIMB_BY = 1.05
"""Factor by which a learnt pace grows: it doubles in two and a half minutes."""
ONE_EVENT = timedelta(seconds=2)
"""Time within which several refusals count as one and halve the pace once."""
FRESH_SECONDS = 5.0
"""Seconds after which the pace learnt by other workers is read again."""
LOCK = "pace/lock"
"""The counter that one worker at a time counts up, and holds until it has counted its message."""
_WARMUP = "warmup"


@dataclass(frozen=True, slots=True)
class Window:
    """A limit of `most` messages in any `length` milliseconds, counted in `BUCKETS` parts."""

    name: str
    length: int
    most: int

    @property
    def bucket(self) -> int:
        """The length of a part in milliseconds."""
        return max(1, self.length // BUCKETS)

    @property
    def ceiling(self) -> str:
        """The name of the setting whose ceiling this is, for messages."""
        return Text(
            "smtp.max_per_%(written)s (%(most)s) is reached",
            written=self.name.removeprefix("pace/"),
            most=self.most,
        )


def _make_second_window(name: str, rate: float) -> Window:
    """Return the window of a pace in messages per second."""
    seconds = max(1.0, 1 / rate)
    return Window(name, round(seconds * 1000), max(1, int(rate * seconds)))


class Turn(NamedTuple):
    """The seconds until the next message may be sent.

    `wait`: all messages wait for so many seconds. `later`: only its recipient's domain is full; it
    goes by itself in so many seconds, and others may go now.
    """

    wait: float = 0.0
    later: float = 0.0


AT_ONCE = Turn()


class Throttle:
    """The rate limits of one run, checked before each message of a campaign."""

    def __init__(self, env: Environment) -> None:
        self.env = env
        smtp = env.settings.smtp
        windows = []
        if smtp.max_per_second:
            windows.append(_make_second_window("pace/second", smtp.max_per_second))
        if smtp.max_per_hour:
            windows.append(Window("pace/hour", 3_600_000, smtp.max_per_hour))
        if most := self._find_daily_ceiling():
            windows.append(Window("pace/day", 86_400_000, most))
        self._ceilings = tuple(windows)
        self._domains = smtp.max_per_domain
        self._put_off: dict[str, int] = {}
        self._rate: float | None = None
        self._changed_at = env.now
        self._waited = False
        self._read_at = float("-inf")
        self._taken: deque[datetime] = deque(maxlen=2000)

    @property
    def windows(self) -> tuple[Window, ...]:
        """The windows of the settings' ceilings and of the learnt pace."""
        rate = self.rate
        return (
            self._ceilings
            if rate is None
            else (*self._ceilings, _make_second_window("pace/learnt", rate))
        )

    @property
    def rate(self) -> float | None:
        """The learnt pace in messages per second, None if there is none."""
        if time.monotonic() - self._read_at > FRESH_SECONDS:
            with reading() as session:
                row = session.get(SenderState, PACE)
                self._rate = row.rate if row is not None else None
            self._read_at = time.monotonic()
        return self._rate

    def note_taken(self, now: datetime) -> None:
        """Record an accepted message, and let the pace climb if that is due."""
        self._taken.append(now)
        rate = self.rate
        if rate is not None and self._waited and now - self._changed_at >= CLIMB_EVERY:
            self._waited = False
            self._changed_at = now
            self._keep(rate * CLIMB_BY)

    def note_refused(self, server: str, why: str, *, list_id: int | None) -> bool:
        """Halve the pace because `server` replied that mail is sent too fast.

        The author of `list_id` is told once. Return False if it could not be any slower.
        """
        now = self.env.now
        rate = self.rate
        if rate is not None and now - self._changed_at < ONE_EVENT:
            return True
        self._changed_at = now
        if rate == SLOWEST:
            return False
        slower = max((self._measure_rate(now) if rate is None else rate) / 2, SLOWEST)
        with transaction() as session:
            row = write_state(session, PACE, why, server, now=now)
            row.rate = slower
            row.until = now
            if row.told_at is None and list_id is not None:
                row.told_at = now
                mailing_list = session.get_one(MailingList, list_id)
                notifications.notify_pace_learnt(
                    self.env, session, mailing_list, server, why, slower
                )
        self._rate = slower
        return True

    def _measure_rate(self, now: datetime) -> float:
        """Return the recently accepted messages per second."""
        since = now - timedelta(seconds=MEASURED_FOR)
        recent = [moment for moment in self._taken if moment >= since]
        return len(recent) / max((now - recent[0]).total_seconds(), 1.0) if recent else 1.0

    def _keep(self, rate: float) -> None:
        with transaction() as session:
            row = session.get(SenderState, PACE)
            if row is not None and rate > FASTEST:
                session.delete(row)
            elif row is not None:
                row.rate = rate
        self._rate = rate if rate <= FASTEST else None

    def _find_daily_ceiling(self) -> int | None:
        """Return the messages allowed today, by the settings and the warm-up.

        `smtp.warmup` doubles it for each day since the first message, up to `smtp.max_per_day`.
        """
        smtp = self.env.settings.smtp
        if not smtp.warmup:
            return smtp.max_per_day
        with reading() as session:
            began = session.scalar(
                select(func.min(Counter.starts_at)).where(Counter.name == _WARMUP)
            )
        days = 0 if began is None else max(0, self._now() - began) // 86_400_000
        warm = smtp.warmup << min(days, 30)
        return min(warm, smtp.max_per_day) if smtp.max_per_day else warm

    def take(self, *, single: bool, domain: str) -> Turn:
        """Count one message to `domain`, or return its wait in seconds without counting it.

        A `single` mail (a confirmation) is counted and never waits.
        """
        windows = self.windows
        theirs = self._window(domain)
        if not windows and theirs is None:
            return AT_ONCE
        with transaction() as session:
            # One worker at a time from here to the commit.
            counters.increment(session, LOCK, now=0, seconds=1)
            if not single:
                if wait := max(
                    (self._measure_wait(session, window) for window in windows), default=0.0
                ):
                    self._waited = True
                    return Turn(wait=wait)
                if theirs is not None and (left := self._measure_wait(session, theirs)):
                    return Turn(later=left + self._queue(domain, theirs))
            self._count(session, (*windows, theirs) if theirs else windows)
        return AT_ONCE

    def _count(self, session: Session, windows: Iterable[Window]) -> None:
        now = self._now()
        for window in windows:
            counters.increment(session, window.name, now=now, seconds=window.bucket)
        if self.env.settings.smtp.warmup and not session.scalar(
            select(exists().where(Counter.name == _WARMUP))
        ):
            session.add(Counter(name=_WARMUP, starts_at=now, count=1))

    def _window(self, domain: str) -> Window | None:
        if not self._domains:
            return None
        limit = self._domains.get(domain) or self._domains.get("*")
        if limit is None:
            return None
        return Window(f"pace/domain/{domain}"[:120], limit.seconds * 1000, limit.most)

    def _queue(self, domain: str, window: Window) -> float:
        """Return the seconds that a message waits behind others of its domain."""
        place = self._put_off.get(domain, 0)
        self._put_off[domain] = place + 1
        return place * window.length / 1000 / window.most

    def wait(self) -> float:
        """Return the seconds until the next message of a campaign may be sent."""
        windows = self.windows
        if not windows:
            return 0.0
        with reading() as session:
            return max(self._measure_wait(session, window) for window in windows)

    def find_fullest(self) -> tuple[float, str]:
        """Return the ceiling that stays full for longest, as seconds and its setting's name.

        0.0 seconds means that all have room.
        """
        if not self._ceilings:
            return 0.0, ""
        with reading() as session:
            return max(
                (self._measure_wait(session, window), window.ceiling) for window in self._ceilings
            )

    def _now(self) -> int:
        return int(self.env.now.timestamp() * 1000)

    def _measure_wait(self, session: Session, window: Window) -> float:
        """Return the seconds until a window has room."""
        since = self._now() - window.length - window.bucket
        counted = (Counter.name == window.name, Counter.starts_at > since)
        if (session.scalar(select(func.sum(Counter.count)).where(*counted)) or 0) < window.most:
            return 0.0
        oldest = session.scalar(select(func.min(Counter.starts_at)).where(*counted)) or since
        return max((oldest - since) / 1000, 0.01)
