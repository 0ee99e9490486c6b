"""Ceilings that every process on the database shares: so many requests an hour from one place, for
one recipient domain, on one list and altogether; and each puzzle's solution once.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from ipaddress import IPv6Network

from sqlalchemy import TextClause, bindparam, func, select, text
from sqlalchemy.orm import Session

from newsletter.addresses import fold_address
from newsletter.captcha import LIFETIME, Solved
from newsletter.db.session import reading
from newsletter.errors import TooMany
from newsletter.models import Counter
from newsletter.services.consent import network
from newsletter.services.runtime import Environment

HOUR = 3600
QUERY_AT_MOST = 4096
A_DAY = 86_400
ELSEWHERE = 0
"""Stands for no list: a link or a new address that is asked for."""
CHANGES_PER_DAY = 30
"""So many times a day a subscription's links may change something, or take an unsubscription back.
"""
DOMAIN_AT_MOST = 80
"""Characters of a domain that fit into a counter's name beside its kind."""

NAMES_AT_ONCE = 500
"""Counters that one query asks for, far below what either database takes as parameters."""

_COUNTS = select(Counter.name, Counter.count).where(
    Counter.name.in_(bindparam("names", expanding=True)),
    Counter.starts_at == bindparam("starts_at"),
)


def increment(session: Session, name: str, *, now: int, seconds: int) -> int:
    """Count one more of `name` in the window that holds `now` (seconds since 1970).

    Returns how many there are.
    """
    return add_count(session, name, 1, now=now, seconds=seconds)


def add_count(session: Session, name: str, by: int, *, now: int, seconds: int) -> int:
    """Count `by` more of `name`.

    Returns how many there are.
    """
    return increment_all(session, [name], now - now % seconds, by=by)[name]


def increment_all(
    session: Session, names: Sequence[str], starts_at: int, *, by: int = 1
) -> dict[str, int]:
    """Count `by` more of each, in one statement.

    Give the narrow before the wide, so that two processes lock them in the same order.
    """
    values = {f"name{number}": name for number, name in enumerate(names)}
    rows = session.execute(_statement(len(names)), {**values, "starts_at": starts_at, "by": by})
    return {name: int(found) for name, found in rows}


@cache
def _statement(rows: int) -> TextClause:
    """Both databases read it alike; SQLAlchemy's own form of it differs by dialect and is compiled
    anew each time.
    """
    listed = ", ".join(f"(:name{number}, :starts_at, :by)" for number in range(rows))
    return text(
        f"INSERT INTO counters (name, starts_at, count) VALUES {listed} "  # noqa: S608 (numbers only)
        "ON CONFLICT (name, starts_at) DO UPDATE SET count = counters.count + :by RETURNING name, count"
    )


def count_since(session: Session, names: Sequence[str], *, since: int) -> dict[str, int]:
    """Return how often each of `names` happened in the windows that began at `since` (seconds since
    1970) or later.
    """
    counts = dict.fromkeys(names, 0)
    for start in range(0, len(names), NAMES_AT_ONCE):
        part = names[start : start + NAMES_AT_ONCE]
        query = select(Counter.name, func.sum(Counter.count)).where(
            Counter.name.in_(part), Counter.starts_at >= since
        )
        counts |= {
            name: int(count) for name, count in session.execute(query.group_by(Counter.name))
        }
    return counts


@dataclass(frozen=True, slots=True)
class Visit:
    """What a request is counted by: the list (or `ELSEWHERE`), the visitor's address, the key of
    the address that it may cause mail to, and the solution of a puzzle, where they brought one.
    """

    list_id: int
    ip: str
    email_key: str
    solved: Solved | None = None


def require_room(env: Environment, visit: Visit) -> None:
    """Refuse a request whose ceilings are reached already, without a write: a flood must not slow
    what is being sent.

    `count_request` decides, inside the transaction. Raises `TooMany`.
    """
    now = int(env.now.timestamp())
    most = _ceilings(env, visit, proven=visit.solved is not None)
    with reading() as session:
        rows = session.connection().execute(
            _COUNTS, {"names": list(most), "starts_at": now - now % HOUR}
        )
        reached = any(count >= most[name] for name, count in rows)
    if reached:
        raise _too_many(now)


def count_request(env: Environment, session: Session, visit: Visit) -> bool:
    """Count what a visitor asks for against every ceiling.

    Raises `TooMany`; then the caller's transaction is undone, and nothing was counted. Returns
    whether they brought a puzzle's solution that was not used before.

    Who brings a puzzle's solution (once) has ceilings of their own, `signup.proven_factor` times as
    high: a flood of those without does not keep them out.
    """
    now = int(env.now.timestamp())
    proven = visit.solved is not None and use_up_solution(session, visit.solved)
    most = _ceilings(env, visit, proven=proven)
    counts = increment_all(session, list(most), now - now % HOUR)
    if any(counts[name] > ceiling for name, ceiling in most.items()):
        raise _too_many(now)
    return proven


def _ceilings(env: Environment, visit: Visit, *, proven: bool) -> dict[str, int]:
    """Name what a request counts for, narrow before wide, with the ceiling of each."""
    ceilings = env.settings.signup
    kind, factor = ("proven", ceilings.proven_factor) if proven else ("signup", 1)
    single, place = network_names(visit.ip)
    most = {
        f"{kind}/ip/{single}": ceilings.per_ip,
        f"{kind}/net/{place}": ceilings.per_network,
        f"{kind}/domain/{domain_name(visit.email_key)}": ceilings.per_domain
        or max(1, ceilings.per_list // 3),
        f"{kind}/list/{visit.list_id}": ceilings.per_list,
        f"{kind}/overall": ceilings.overall,
    }
    return {name: ceiling * factor for name, ceiling in most.items()}


def _too_many(now: int) -> TooMany:
    return TooMany(
        "too many requests at once; please try again later", retry_after=HOUR - now % HOUR
    )


def domain_name(email_key: str) -> str:
    """Return what an address's domain is counted as: its name, or a digest of one too long for a
    counter.
    """
    domain = fold_address(email_key).rpartition("@")[2]
    return domain if len(domain) <= DOMAIN_AT_MOST else hashlib.sha256(domain.encode()).hexdigest()


def count_change(env: Environment, session: Session, subscription_id: int) -> None:
    """Count a change by a subscription's links: evidence is kept for ever, so that a link must not
    write without end.

    Leaving is never refused: who has left must come back first, which is counted. Raises `TooMany`;
    then the caller's transaction is undone.
    """
    now = int(env.now.timestamp())
    if increment(session, f"change/{subscription_id}", now=now, seconds=A_DAY) > CHANGES_PER_DAY:
        raise TooMany("too many changes in one day", retry_after=A_DAY - now % A_DAY)


def network_names(ip: str) -> tuple[str, str]:
    """Where a visitor comes from, closely and widely: the address and its /24; of IPv6 the /64 and
    its /48, of which one customer may have all.
    """
    place = network(ip)
    if place.endswith("/24"):
        return ip, place
    return place, str(IPv6Network(place).supernet(new_prefix=48)) if place.endswith(
        "/64"
    ) else place


def use_up_solution(session: Session, solved: Solved) -> bool:
    """Tell whether a solution is used for the first time; it is used up by asking."""
    made = int(solved.made_at.timestamp())
    return (
        increment(
            session, f"puzzle/{solved.nonce}", now=made, seconds=int(LIFETIME.total_seconds())
        )
        == 1
    )
