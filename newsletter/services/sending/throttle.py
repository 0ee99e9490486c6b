"""How fast mail may leave: so many a second, an hour, a day, and to one domain; a new sender's ramp. Over every worker
and restart: it is counted in the database.

A window slides: what counts is how many messages went in the last second, hour or day, whenever that began.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy import exists, func, select
from sqlalchemy.orm import Session

from newsletter.db.session import reading, transaction
from newsletter.models import Counter
from newsletter.services import counters
from newsletter.services.runtime import Environment

BUCKETS = 20
_LOCK = "pace/lock"
_WARMUP = "warmup"


@dataclass(frozen=True, slots=True)
class Window:
    """At most `most` messages in any `length` milliseconds; counted in `BUCKETS` parts of it."""

    name: str
    length: int
    most: int

    @property
    def bucket(self) -> int:
        """How long a part is."""
        return max(1, self.length // BUCKETS)


class Turn(NamedTuple):
    """What the next message is told: `wait` seconds, and so does every other; or, where only its recipient's domain is
    full, `later`: it goes by itself in so many seconds, and others may go now."""

    wait: float = 0.0
    later: float = 0.0


AT_ONCE = Turn()


class Pace:
    """Asked before each message of a campaign; told of every other."""

    def __init__(self, env: Environment) -> None:
        self.env = env
        smtp = env.settings.smtp
        windows = []
        if smtp.max_per_second:
            seconds = max(1.0, 1 / smtp.max_per_second)
            windows.append(Window("pace/second", round(seconds * 1000), max(1, int(smtp.max_per_second * seconds))))
        if smtp.max_per_hour:
            windows.append(Window("pace/hour", 3_600_000, smtp.max_per_hour))
        if most := self._a_day():
            windows.append(Window("pace/day", 86_400_000, most))
        self.windows = tuple(windows)
        self._domains = smtp.max_per_domain
        self._put_off: dict[str, int] = {}

    def _a_day(self) -> int | None:
        """The ceiling of today: `smtp.warmup` doubles it for each day since the first message, up to `max_per_day`."""
        smtp = self.env.settings.smtp
        if not smtp.warmup:
            return smtp.max_per_day
        with reading() as session:
            began = session.scalar(select(func.min(Counter.starts_at)).where(Counter.name == _WARMUP))
        days = 0 if began is None else max(0, self._now() - began) // 86_400_000
        warm = smtp.warmup << min(days, 30)
        return min(warm, smtp.max_per_day) if smtp.max_per_day else warm

    def take(self, *, single: bool, domain: str) -> Turn:
        """Counts one message to `domain`, or says how long it has to wait and counts nothing. A `single` mail (a
        confirmation) is counted and never waits."""
        theirs = self._window(domain)
        if not self.windows and theirs is None:
            return AT_ONCE
        with transaction() as session:
            counters.count(session, _LOCK, now=0, seconds=1)  # one worker at a time from here to the commit
            if not single:
                if wait := self._wait(session):
                    return Turn(wait=wait)
                if theirs is not None and (left := self._left(session, theirs)):
                    return Turn(later=left + self._queue(domain, theirs))
            self._count(session, (*self.windows, theirs) if theirs else self.windows)
        return AT_ONCE

    def _count(self, session: Session, windows: Iterable[Window]) -> None:
        now = self._now()
        for window in windows:
            counters.count(session, window.name, now=now, seconds=window.bucket)
        if self.env.settings.smtp.warmup and not session.scalar(select(exists().where(Counter.name == _WARMUP))):
            session.add(Counter(name=_WARMUP, starts_at=now, count=1))

    def _window(self, domain: str) -> Window | None:
        if not self._domains:
            return None
        found = self._domains.get(domain) or self._domains.get("*")
        return Window(f"pace/domain/{domain}"[:120], found.seconds * 1000, found.most) if found else None

    def _queue(self, domain: str, window: Window) -> float:
        """Seconds behind those that were put off before: they come back as fast as there is room for them."""
        place = self._put_off.get(domain, 0)
        self._put_off[domain] = place + 1
        return place * window.length / 1000 / window.most

    def wait(self) -> float:
        """How many seconds the next message of a campaign has to wait."""
        if not self.windows:
            return 0.0
        with reading() as session:
            return self._wait(session)

    def _now(self) -> int:
        return int(self.env.now.timestamp() * 1000)

    def _wait(self, session: Session) -> float:
        return max((self._left(session, window) for window in self.windows), default=0.0)

    def _left(self, session: Session, window: Window) -> float:
        """Seconds until a window has room."""
        since = self._now() - window.length - window.bucket
        counted = (Counter.name == window.name, Counter.starts_at > since)
        if (session.scalar(select(func.sum(Counter.count)).where(*counted)) or 0) < window.most:
            return 0.0
        oldest = session.scalar(select(func.min(Counter.starts_at)).where(*counted)) or since
        return max((oldest - since) / 1000, 0.01)
