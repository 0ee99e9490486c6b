"""Store the causes that slow or stop sending, as rows shared by all processes.

A run of sending notes what servers say about the sender (quota, account), that no server can be
reached, that a ceiling of the settings is reached, and what could not be composed; `throttle` the
pace that it has learnt. A cause in `STOPS` makes every worker rest until the row's moment; the
others only say what goes on.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from newsletter.addresses import mask_addresses
from newsletter.db.session import reading, transaction
from newsletter.i18n import Text
from newsletter.mail.smtp.classify import Cause, Verdict
from newsletter.models import MailingList, SenderState
from newsletter.services import notifications
from newsletter.services.runtime import Environment
from newsletter.stored_texts import Stored

SERVER = "server"
CEILING = "ceiling"
COMPOSING = "composing"
PACE = "pace"
STOPS = {Cause.QUOTA: timedelta(hours=1), Cause.ACCOUNT: timedelta(hours=4)}
"""The causes that stop all sending, with the longest pause of each."""
REST_FIRST = timedelta(minutes=15)
SHOWN_FOR = timedelta(days=1)
"""Time for which `status` shows a message that could not be composed."""
FORGOTTEN_AFTER = timedelta(days=7)
"""Time within which a recurring cause is not reported to the author again."""
FRESH_SECONDS = 5.0
"""Seconds after which the states stored by other processes are read again."""


@dataclass(frozen=True, slots=True)
class State:
    """One cause that slows or stops sending.

    `rate`: the learnt pace, messages per second.
    """

    cause: str
    until: datetime
    why: str
    server: str
    since: datetime
    rate: float | None = None
    seconds: int = 0

    @property
    def stops(self) -> bool:
        """Tell whether the cause stops sending rather than slowing it."""
        return self.cause not in (PACE, COMPOSING)

    @property
    def sentence(self) -> str:
        """The state in one sentence, with the server's reply."""
        because = (
            Text("%(server)s says: %(why)s", server=self.server, why=Stored(self.why))
            if self.server
            else Stored(self.why)
        )
        if self.cause == PACE:
            return Text(
                "sending is slowed to %(rate)s messages a second because %(because)s",
                rate=f"{self.rate or 0:.1f}",
                because=because,
            )
        if self.cause == COMPOSING:
            return Text("not composed: %(because)s", because=because)
        return Text(
            "sending rests until %(until)s UTC because %(because)s",
            until=f"{self.until:%Y-%m-%d %H:%M}",
            because=because,
        )


def read_states(session: Session, now: datetime) -> tuple[State, ...]:
    """Return the causes that slow or stop sending at `now`, those that stop it first."""
    rows = session.scalars(select(SenderState).order_by(SenderState.cause)).all()
    states = [_make_state(row) for row in rows if row.until > now or row.rate is not None]
    return tuple(sorted(states, key=lambda state: not state.stops))


def is_resting(env: Environment) -> bool:
    """Tell whether a cause stops sending now."""
    with reading() as session:
        return any(state.stops for state in read_states(session, env.now))


def _make_state(row: SenderState) -> State:
    return State(row.cause, row.until, row.why, row.server, row.since, row.rate, row.seconds)


def delete_old_states(session: Session, now: datetime) -> None:
    """Delete states that ended long ago, except a learnt pace that still limits sending."""
    old = (SenderState.until < now - FORGOTTEN_AFTER, SenderState.rate.is_(None))
    session.execute(delete(SenderState).where(*old))


class SenderStates:
    """The sender's states during one run, cached and updated."""

    def __init__(self, env: Environment) -> None:
        self.env = env
        self._known: dict[str, State] = {}
        self._read_at = float("-inf")

    def resting(self) -> State | None:
        """Return the state that stops sending now, or None."""
        if not (known := self._read_states()):
            return None
        now = self.env.now
        stops = (state for state in known.values() if state.cause in STOPS and state.until > now)
        return next(stops, None)

    def _read_states(self) -> dict[str, State]:
        if time.monotonic() - self._read_at > FRESH_SECONDS:
            with reading() as session:
                self._known = {
                    row.cause: _make_state(row) for row in session.scalars(select(SenderState))
                }
            self._read_at = time.monotonic()
        return self._known

    def note_taken(self) -> None:
        """Record that a server accepted a message, which ends the causes that blame servers."""
        if not (known := self._read_states()):
            return
        over = [
            cause
            for cause in (SERVER, *STOPS)
            if cause in known and (cause == SERVER or known[cause].seconds)
        ]
        if not over:
            return
        with transaction() as session:
            for cause in over:
                row = session.get(SenderState, cause)
                if row is not None and cause == SERVER:
                    session.delete(row)
                elif row is not None:
                    row.seconds = 0
                    row.until = min(row.until, self.env.now)
        self._read_at = float("-inf")

    def note_refused(self, verdict: Verdict, server: str, *, list_id: int | None) -> None:
        """Stop sending for a cause in `STOPS`, and notify the author of `list_id` once."""
        if self.resting():
            return
        now = self.env.now
        longest = STOPS[verdict.cause]
        with transaction() as session:
            row = write_state(session, str(verdict.cause), verdict.why, server, now=now)
            doubled = max(timedelta(seconds=row.seconds * 2), REST_FIRST)
            rest = min(verdict.wait or doubled, longest)
            row.seconds = int(rest.total_seconds())
            row.until = now + rest
            if row.told_at is None and list_id is not None:
                row.told_at = now
                mailing_list = session.get_one(MailingList, list_id)
                setting = verdict.setting
                notifications.notify_sender_resting(
                    self.env,
                    session,
                    mailing_list,
                    row.server,
                    row.why,
                    until=row.until,
                    setting=setting,
                )
        self._read_at = float("-inf")

    def note(self, cause: str, why: str, *, until: datetime, server: str = "") -> None:
        """Record a cause that does not stop sending, at most once a minute."""
        known = self._read_states().get(cause)
        if (
            known is not None
            and known.why == why
            and abs(known.until - until) < timedelta(minutes=1)
        ):
            return
        with transaction() as session:
            row = write_state(session, cause, why, server, now=self.env.now)
            row.until = until
        self._read_at = float("-inf")


def write_state(
    session: Session, cause: str, why: str, server: str, *, now: datetime
) -> SenderState:
    """Store a cause with its reason, and return its row, whose `until` the caller sets.

    Rows of the sender's state are made here alone, those of a learnt pace included.
    """
    row = session.get(SenderState, cause)
    if row is None:
        row = SenderState(cause=cause, until=now, seconds=0, why="", server="", since=now)
        session.add(row)
    elif row.until < now and row.rate is None:
        row.since = now
    row.why = mask_addresses(why)[:500]
    row.server = server[:300]
    return row
