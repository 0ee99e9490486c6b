"""How fast mail may leave: so many a second, an hour, a day, over every worker and restart, counted in the database.

A window slides: what counts is how many messages went in the last second, hour or day, whenever that began.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from newsletter.db import reading, transaction
from newsletter.models import Counter
from newsletter.services import limits
from newsletter.services.environment import Environment

BUCKETS = 20
_LOCK = "pace/lock"


@dataclass(frozen=True, slots=True)
class Window:
    """At most `most` messages in any `length` milliseconds; counted in `BUCKETS` parts of it."""

    name: str
    length: int
    most: int

    @property
    def bucket(self) -> int:
        """How long a part is."""
        return self.length // BUCKETS


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
        if smtp.max_per_day:
            windows.append(Window("pace/day", 86_400_000, smtp.max_per_day))
        self.windows = tuple(windows)

    def take(self, *, single: bool) -> float:
        """Counts one message and returns 0, or counts nothing and returns how many seconds to wait. A `single` mail
        (a confirmation) is counted and never waits."""
        if not self.windows:
            return 0.0
        with transaction() as session:
            limits.count(session, _LOCK, now=0, seconds=1)  # one worker at a time from here to the commit
            wait = 0.0 if single else self._wait(session)
            if not wait:
                for window in self.windows:
                    now = self._now()
                    limits.count(session, window.name, now=now, seconds=window.bucket)
            return wait

    def wait(self) -> float:
        """How many seconds the next message of a campaign has to wait."""
        if not self.windows:
            return 0.0
        with reading() as session:
            return self._wait(session)

    def _now(self) -> int:
        return int(self.env.now.timestamp() * 1000)

    def _wait(self, session: Session) -> float:
        return max(self._left(session, window) for window in self.windows)

    def _left(self, session: Session, window: Window) -> float:
        """Seconds until a window has room."""
        since = self._now() - window.length - window.bucket
        counted = (Counter.name == window.name, Counter.starts_at > since)
        if (session.scalar(select(func.sum(Counter.count)).where(*counted)) or 0) < window.most:
            return 0.0
        oldest = session.scalar(select(func.min(Counter.starts_at)).where(*counted)) or since
        return max((oldest - since) / 1000, 0.01)
