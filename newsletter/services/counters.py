"""Ceilings that every process on the database shares: so many sign-ups an hour from one place, on one list and
altogether; and each puzzle's solution once."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from sqlalchemy import TextClause, func, select, text
from sqlalchemy.orm import Session

from newsletter.captcha import LIFETIME, Solved
from newsletter.models import Counter
from newsletter.services.consent import network
from newsletter.services.runtime import Environment

HOUR = 3600
QUERY_AT_MOST = 4096
ELSEWHERE = 0
"""Stands for no list: a link that is asked for."""


def count(session: Session, name: str, *, now: int, seconds: int) -> int:
    """Counts one more of `name` in the window that holds `now` (seconds since 1970). Returns how many there are."""
    return add(session, name, 1, now=now, seconds=seconds)


def add(session: Session, name: str, by: int, *, now: int, seconds: int) -> int:
    """Counts `by` more of `name`. Returns how many there are."""
    return _count(session, [name], now - now % seconds, by=by)[name]


def _count(session: Session, names: Sequence[str], starts_at: int, *, by: int = 1) -> dict[str, int]:
    """Counts `by` more of each, in one statement. Give the narrow before the wide, so that two processes lock them in
    the same order."""
    values = {f"name{number}": name for number, name in enumerate(names)}
    rows = session.execute(_statement(len(names)), {**values, "starts_at": starts_at, "by": by})
    return {name: int(found) for name, found in rows}


@cache
def _statement(rows: int) -> TextClause:
    """Both databases read it alike; SQLAlchemy's own form of it differs by dialect and is compiled anew each time."""
    listed = ", ".join(f"(:name{number}, :starts_at, :by)" for number in range(rows))
    return text(
        f"INSERT INTO counters (name, starts_at, count) VALUES {listed} "  # noqa: S608 (numbers only)
        "ON CONFLICT (name, starts_at) DO UPDATE SET count = counters.count + :by RETURNING name, count"
    )


def counted(session: Session, name: str, *, since: int) -> int:
    """How often `name` happened in the windows that began at `since` (seconds since 1970) or later."""
    query = select(func.sum(Counter.count)).where(Counter.name == name, Counter.starts_at >= since)
    return int(session.scalar(query) or 0)


def sign_up(env: Environment, session: Session, *, list_id: int, ip: str, solved: Solved | None = None) -> int | None:
    """Counts a sign-up against every ceiling. Returns the seconds to wait where one is reached, else None.

    Who brings a puzzle's solution (once) has ceilings of his own, `signup.proven_factor` times as high: a flood of
    those without does not keep him out.
    """
    now, ceilings = int(env.now.timestamp()), env.settings.signup
    proven = solved is not None and first_use(session, solved)
    kind, factor = ("proven", ceilings.proven_factor) if proven else ("signup", 1)
    single, place = places(ip)
    most = {
        f"{kind}/ip/{single}": ceilings.per_ip,
        f"{kind}/net/{place}": ceilings.per_network,
        f"{kind}/list/{list_id}": ceilings.per_list,
        f"{kind}/overall": ceilings.overall,
    }
    found = _count(session, list(most), now - now % HOUR)
    reached = any(found[name] > ceiling * factor for name, ceiling in most.items())
    return HOUR - now % HOUR if reached else None


def places(ip: str) -> tuple[str, str]:
    """Where a visitor comes from, closely and widely: the address and its /24; of IPv6 the /64, twice."""
    place = network(ip)
    return (ip if place.endswith("/24") else place), place


def first_use(session: Session, solved: Solved) -> bool:
    """Whether a solution is used for the first time; it is used up by asking."""
    made = int(solved.made_at.timestamp())
    return count(session, f"puzzle/{solved.nonce}", now=made, seconds=int(LIFETIME.total_seconds())) == 1
