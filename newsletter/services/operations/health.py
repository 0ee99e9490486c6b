"""Read the health of an installation from its database, and run checks within a time limit."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import cast

from flask import Flask, current_app
from sqlalchemy import select

from newsletter import outbox
from newsletter.db.session import db, reading
from newsletter.errors import Refused
from newsletter.i18n import Text
from newsletter.models import Counter
from newsletter.services import installation, sender_state, workers
from newsletter.services.checks import UNKNOWN, Check
from newsletter.services.operations import doctor, watch
from newsletter.services.runtime import Environment
from newsletter.services.sender_state import State

SECONDS = 20.0
"""Seconds that a page waits for checks; unfinished ones are reported as unknown."""
AT_ONCE = 4
"""Concurrent checks."""
_busy = threading.Lock()


@dataclass(frozen=True, slots=True)
class Health:
    """The health of an installation.

    When a worker was last seen and whether it is `late`; messages that wait, and when the next is
    due; why nothing is mailed, or mail leaves slowly; when the last backup was made.
    """

    ticked_at: datetime | None
    late: bool
    waiting: int
    next_due_at: datetime | None
    hold: installation.Hold | None
    sending: tuple[State, ...]
    backup_at: datetime | None


def read_health(env: Environment) -> Health:
    """Read the health of the installation from the database alone."""
    ticked_at = workers.find_last_tick()
    with reading() as session:
        last = select(Counter.starts_at).where(Counter.name == watch.LAST_BACKUP)
        moment = session.scalar(last)
        waiting = outbox.count_waiting(session)
        next_due_at = outbox.find_next_due(session)
        sending = sender_state.read_states(session, env.now)
    return Health(
        ticked_at,
        ticked_at is None or ticked_at < env.now - doctor.SILENT,
        waiting,
        next_due_at,
        installation.find_hold(),
        sending,
        datetime.fromtimestamp(moment, UTC) if moment else None,
    )


def examine_within(env: Environment, seconds: float = SECONDS) -> list[Check]:
    """Run the checks of `doctor` concurrently, within a time limit in seconds.

    Raises `Refused` while somebody else does: they ask other servers, who should not be asked more
    often than needed.
    """
    if not _busy.acquire(blocking=False):
        raise Refused(
            Text("the checks are running already"), hint=Text("try again in half a minute")
        )
    try:
        app = cast(Flask, current_app._get_current_object())  # type: ignore[attr-defined]
        parts = doctor.list_parts(env)
        pool = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="checks")
        runs = [(name, pool.submit(_run, app, part)) for name, part in parts]
        done, _ = wait([run for _, run in runs], timeout=seconds)
        pool.shutdown(wait=False, cancel_futures=True)
        return [
            check
            for name, run in runs
            for check in (run.result() if run in done else [_make_late(name, seconds)])
        ]
    finally:
        _busy.release()


def _run(app: Flask, part: Callable[[], list[Check]]) -> list[Check]:
    with app.app_context():
        try:
            return part()
        finally:
            db.session.remove()


def _make_late(name: str, seconds: float) -> Check:
    hint = Text("`newsletter doctor` waits longer")
    return Check(
        name,
        UNKNOWN,
        Text("no answer within %(seconds)s seconds", seconds=f"{seconds:.0f}"),
        hint=hint,
    )
