"""Record when each channel of returned mail last ran: mailbox, pipe, listener, providers' hooks."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import or_, select, update
from sqlalchemy.orm import Session

from newsletter.db.session import reading, transaction
from newsletter.errors import Conflict
from newsletter.models import BounceReceiver
from newsletter.services.runtime import Environment

PIPE = "pipe"
"""Name of the receiver that reads messages from standard input."""

LISTENER = "listener"
"""Name of the receiver that listens for SMTP."""

READ_WITHIN = timedelta(days=7)
"""Time after its last run in which a pipe counts as reading returned mail."""

NOTED_EVERY = timedelta(minutes=1)
"""The shortest time between two recorded runs of a receiver."""

CLAIMED_FOR = timedelta(minutes=5)
"""Lifetime of a worker's claim on a mailbox, unless it is renewed."""


def note_run(env: Environment, name: str, *, problem: str = "") -> None:
    """Record that a receiver ran, and its problem if it had one."""
    now = env.now
    with reading() as session:
        row = session.get(BounceReceiver, name)
        fresh = row is not None and row.ran_at is not None and now - row.ran_at < NOTED_EVERY
        if fresh and row is not None and row.problem == problem:
            return
    try:
        with transaction() as session:
            row = session.get(BounceReceiver, name) or BounceReceiver(name=name)
            session.add(row)
            row.problem = problem[:300]
            row.ran_at = row.ran_at if problem else now
    except Conflict as conflict:
        if conflict.constraint != "pk_bounce_receivers":
            raise  # another process noted the first run at this moment


def find_last_run(session: Session, name: str) -> datetime | None:
    """Return the time of a receiver's last successful run."""
    return session.scalar(select(BounceReceiver.ran_at).where(BounceReceiver.name == name))


def find_problem(session: Session, name: str) -> str:
    """Return a receiver's last problem, or ""."""
    return session.scalar(select(BounceReceiver.problem).where(BounceReceiver.name == name)) or ""


def pipe_runs(env: Environment) -> bool:
    """Tell whether returned mail was piped in within `READ_WITHIN`."""
    with reading() as session:
        ran_at = find_last_run(session, PIPE)
    return ran_at is not None and env.now - ran_at <= READ_WITHIN


def find_unsubscribe_address(env: Environment) -> str:
    """Return the address for unsubscribing by mail, or "" if no receiver reads it.

    It is received if a mailbox or a listener is set, or if a pipe ran lately.
    """
    bounces = env.settings.bounces
    if not bounces.address:
        return ""
    is_read = bounces.mailbox is not None or bounces.listen is not None or pipe_runs(env)
    return bounces.address if is_read else ""


def claim(env: Environment, name: str, worker: str) -> bool:
    """Claim a mailbox for `worker`, or renew its claim.

    Returns False while another worker holds it.
    """
    now = int(env.now.timestamp())
    _ensure(name)
    with transaction() as session:
        free = or_(BounceReceiver.claimed_until <= now, BounceReceiver.claim == worker)
        claimed = session.execute(
            update(BounceReceiver)
            .where(BounceReceiver.name == name, free)
            .values(claim=worker, claimed_until=now + int(CLAIMED_FOR.total_seconds()))
        )
        return bool(claimed.rowcount == 1)  # type: ignore[attr-defined]


def give_back(name: str, worker: str) -> None:
    """Release a worker's claim on a mailbox."""
    with transaction() as session:
        session.execute(
            update(BounceReceiver)
            .where(BounceReceiver.name == name, BounceReceiver.claim == worker)
            .values(claim="", claimed_until=0)
        )


def _ensure(name: str) -> None:
    with reading() as session:
        if session.get(BounceReceiver, name) is not None:
            return
    try:
        with transaction() as session:
            session.add(BounceReceiver(name=name))
    except Conflict as conflict:
        if conflict.constraint != "pk_bounce_receivers":
            raise
