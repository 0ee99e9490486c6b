"""Compute when the work that a change of the database may make due is done next.

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
"""Time between two looks where something waits, or where changes are not noticed."""
PAUSE_SECONDS = 0.05
"""Seconds after a look before the next: what many visitors write meanwhile is one change."""
LOOK_AGAIN = timedelta(seconds=60)
"""Time between two looks where nothing waits: a change that was not noticed costs so much."""


class Wakeups:
    """The moments at which the work `names` is done; `move` changes that of one.

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
        """Have work done when the database has changed, and when it was planned.

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
        """Record that work is being done; it is done once more if something changes meanwhile."""
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
        """Have work done at a moment, where it is among the `names`."""
        if name in self._names:
            with self._guard:
                self._plans[name] = moment
            self.wake()

    def wake(self) -> None:
        """Have the thread that watches look at its plans."""
        if self._changes is not None:
            self._changes.wake()


def find_mail_moment(env: Environment) -> datetime:
    """Compute when to look for mail next: soon, where some is due and was not sent."""
    wait = LOOK_AGAIN
    with reading() as session:
        if outbox.find_due_campaigns(session, now=env.now):
            wait = SOON
        elif due_at := outbox.find_next_due(session):
            wait = min(max(due_at - env.now, SOON), LOOK_AGAIN)
    return utcnow() + wait


def find_gate_moment() -> datetime:
    """Compute when to open the gate next: soon, where somebody waits."""
    with reading() as session:
        return utcnow() + (SOON if confirmation_gate.read_held(session) else LOOK_AGAIN)
