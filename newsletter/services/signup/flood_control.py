"""The gate that every confirmation passes on its way out: its domain must take mail, and no flood may be on.

A list has so many confirmations free (`signup.free_confirmations` in six hours), and earns five more with each reader
who confirms. A post that everybody talks about pays for itself; a robot with a list of strangers stops at once, and the
author is told. What waits is lost for nobody: it goes as soon as there is room, or when the author says so.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from newsletter.db.session import reading, transaction
from newsletter.models import MailingList
from newsletter.outbox import held as gate
from newsletter.outbox.held import Waiting
from newsletter.services import counters, notifications
from newsletter.services.lists.lists import find
from newsletter.services.runtime import Environment

log = logging.getLogger("newsletter.gate")

WINDOW = timedelta(hours=6)
EARNED = 5
"""Confirmations that one confirmed reader pays for: below a fifth of answers, a flood is on."""
AT_ONCE = 500
TOLD_EVERY = timedelta(hours=24)
NO_SUCH = "the subscriber was removed"


@dataclass(slots=True)
class Passed:
    """What the gate did: confirmations let go, dropped (their domain takes no mail), and held, by list."""

    let_go: int = 0
    dropped: int = 0
    held: dict[int, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Standing:
    """A list's gate as its author sees it: `room` confirmations may go now, `waiting` are held."""

    waiting: int
    room: int


def room(*, mailed: int, confirmed: int, free: int) -> int:
    """How many confirmations more may go, after so many went and were answered in the window. Pure."""
    return max(0, free + EARNED * confirmed - mailed)


def open_gate(env: Environment) -> Passed:
    """Lets go what may go. Every worker and every sender calls this; what two of them find is let go once.

    Asks DNS, outside any transaction, and tells authors of a flood.
    """
    done, after_id = Passed(), 0
    rooms: dict[int, int] = {}
    while True:
        with reading() as session:
            found = gate.held(session, after_id=after_id, limit=AT_ONCE)
        if not found:
            break
        after_id = found[-1].id
        _pass(env, found, rooms, done)
    for list_id, count in done.held.items():
        _tell(env, list_id, count)
    return done


def _pass(env: Environment, found: Sequence[Waiting], rooms: dict[int, int], done: Passed) -> None:
    refusing = env.domains({each.domain for each in found if each.domain})
    with transaction() as session:
        now = env.now
        for why, ids in _refused(found, refusing).items():
            done.dropped += gate.drop(session, ids, why, now=now)
        for list_id in sorted({each.list_id for each in found if each.list_id is not None}):
            ids = [each.id for each in found if each.list_id == list_id and each.domain not in refusing]
            if list_id not in rooms:
                rooms[list_id] = _room(env, session, list_id)
            going = gate.let_go(session, ids[: rooms[list_id]], now=now)
            rooms[list_id] -= going
            done.let_go += going
            _count(session, list_id, going, now)
            if held := gate.still_held(session, ids):  # not what another worker let go meanwhile
                done.held[list_id] = done.held.get(list_id, 0) + held


def _refused(found: Sequence[Waiting], refusing: dict[str, str]) -> dict[str, list[int]]:
    """Those that must not go, by reason."""
    refused: dict[str, list[int]] = {}
    for each in found:
        why = NO_SUCH if each.domain is None else refusing.get(each.domain)
        if why:
            refused.setdefault(why, []).append(each.id)
    return refused


def _room(env: Environment, session: Session, list_id: int) -> int:
    since = int((env.now - WINDOW).timestamp())
    return room(
        mailed=counters.counted(session, f"mailed/{list_id}", since=since),
        confirmed=counters.counted(session, f"confirmed/{list_id}", since=since),
        free=env.settings.signup.free_confirmations,
    )


def _count(session: Session, list_id: int, going: int, now: datetime) -> None:
    if going:
        counters.add(session, f"mailed/{list_id}", going, now=int(now.timestamp()), seconds=counters.HOUR)


def _tell(env: Environment, list_id: int, count: int) -> None:
    """Tells the author of a flood, once a day as long as it lasts."""
    with transaction() as session:
        row = session.get_one(MailingList, list_id, with_for_update=True)
        if row.flood_told_at is not None and env.now - row.flood_told_at < TOLD_EVERY:
            return
        row.flood_told_at = env.now
        log.warning("a flood of sign-ups on %s: %d confirmations are held", row.slug, count)
        notifications.flood(env, session, row, count)


def standing(env: Environment, slug: str) -> Standing:
    """How a list's gate stands. Raises `NotFound`."""
    with reading() as session:
        found = find(session, slug)
        return Standing(gate.held_of(session, found.id), _room(env, session, found.id))


def release(env: Environment, slug: str) -> int:
    """Lets everything go that waits for a list, flood or not. Returns how many. Raises `NotFound`."""
    with transaction() as session:
        return gate.let_go(session, _waiting(session, slug), now=env.now)


def drop(env: Environment, slug: str) -> int:
    """Never sends what waits for a list; the sign-ups are forgotten as any that nobody confirmed. Returns how many."""
    with transaction() as session:
        return gate.drop(session, _waiting(session, slug), "dropped by the author in a flood", now=env.now)


def _waiting(session: Session, slug: str) -> list[int]:
    list_id = find(session, slug).id
    return [each.id for each in gate.held(session, after_id=0, limit=100_000) if each.list_id == list_id]
