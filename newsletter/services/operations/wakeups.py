"""Schedule jobs that a change of the database may make due.

It is done when somebody has written, when something becomes due, and every so often in any case;
behind PgBouncer, where changes are not noticed, every second.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterator
from contextlib import closing, contextmanager
from datetime import datetime, timedelta

from newsletter import outbox
from newsletter.db.changes import Changes
from newsletter.db.session import reading
from newsletter.services.runtime import Environment, utcnow
from newsletter.services.signup import confirmation_gate

SOON = timedelta(seconds=1)
"""Interval of checks while something waits, or where changes are not noticed."""
PAUSE_SECONDS = 0.05
"""Shortest time between two checks in seconds, so that many writes count as one change."""
LOOK_AGAIN = timedelta(seconds=60)
"""Interval of checks while nothing waits, the longest delay of an unnoticed change."""


class Wakeups:
    """Schedules the jobs `names`; `move` sets the next run of one.

    Without `changes` nothing is planned.
    """

    def __init__(
        self,
        names: Collection[str],
        move: Callable[[str, datetime], None],
        changes: Changes | None,
    ) -> None:
        self._names = frozenset(names if changes else ())
        self._move = move
        self._changes = changes
        self.notices_changes = changes is not None
        self._guard = threading.Lock()
        self._running: set[str] = set()
        self._wanted: set[str] = set()
        self._plans: dict[str, datetime] = {}

    def watch(self, stopping: threading.Event) -> None:
        """Run jobs when the database has changed, and at their planned times.

        Only this thread moves anything: a scheduler that ends holds its lock until all work has.
        """
        assert self._changes is not None
        with closing(self._changes):
            while not stopping.is_set():
                is_changed = self._changes.wait()
                with self._guard:
                    moments = self._plans
                    self._plans = {}
                    if is_changed:
                        self._wanted |= self._names & self._running
                        moments |= dict.fromkeys(self._names - self._running, utcnow())
                for name, moment in moments.items():
                    self._move(name, moment)
                stopping.wait(PAUSE_SECONDS)

    @contextmanager
    def working(self, name: str) -> Iterator[None]:
        """Mark a job as running; it runs once more if the database changes meanwhile."""
        with self._guard:
            self._running.add(name)
            self._wanted.discard(name)
        try:
            yield
        finally:
            with self._guard:
                self._running.discard(name)
                is_wanted = name in self._wanted
            if is_wanted:
                self.plan(name, utcnow())

    def plan(self, name: str, moment: datetime) -> None:
        """Plan a job's next run, if it is one of `names`."""
        if name in self._names:
            with self._guard:
                self._plans[name] = moment
            self.wake()

    def wake(self) -> None:
        """Wake the watching thread to read the plans."""
        if self._changes is not None:
            self._changes.wake()


def find_mail_moment(env: Environment) -> datetime:
    """Compute when to check for due mail next: soon, if some is due and was not sent."""
    wait = LOOK_AGAIN
    with reading() as session:
        if outbox.find_due_campaigns(session, now=env.now):
            wait = SOON
        elif due_at := outbox.find_next_due(session):
            wait = min(max(due_at - env.now, SOON), LOOK_AGAIN)
    return utcnow() + wait


def find_gate_moment() -> datetime:
    """Compute when to open the gate next: soon, if a mail waits."""
    with reading() as session:
        return utcnow() + (SOON if confirmation_gate.read_held(session) else LOOK_AGAIN)
