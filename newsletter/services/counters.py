"""Keep ceilings that every process on the database shares, and each puzzle's solution once.

Requests an hour are counted from one place, for one recipient domain, on one list and altogether.
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
    """Count one more of `name` in the window that holds `now`, and return the number.

    `now` in seconds since 1970.
    """
    return add_count(session, name, 1, now=now, seconds=seconds)


def add_count(session: Session, name: str, by: int, *, now: int, seconds: int) -> int:
    """Count `by` more of `name` and return the number."""
    return increment_all(session, [name], now - now % seconds, by=by)[name]


def increment_all(
    session: Session, names: Sequence[str], starts_at: int, *, by: int = 1
) -> dict[str, int]:
    """Count `by` more of each, in one statement.

    Give the narrow before the wide, so that two processes lock them in the same order.
    """
    values = {f"name{number}": name for number, name in enumerate(names)}
    rows = session.execute(_statement(len(names)), {**values, "starts_at": starts_at, "by": by})
    return {name: int(count) for name, count in rows}


@cache
def _statement(rows: int) -> TextClause:
    """Build the statement that counts `rows` names.

    Both databases read it alike; SQLAlchemy's own form differs by dialect and is compiled each
    time.
    """
    listed = ", ".join(f"(:name{number}, :starts_at, :by)" for number in range(rows))
    return text(
        # Only numbers are inserted into the text.
        f"INSERT INTO counters (name, starts_at, count) VALUES {listed} "  # noqa: S608
        "ON CONFLICT (name, starts_at) DO UPDATE SET count = counters.count + :by "
        "RETURNING name, count"
    )


def count_since(session: Session, names: Sequence[str], *, since: int) -> dict[str, int]:
    """Return how often each of `names` happened since a moment, in seconds since 1970.

    Only whole windows count, those that began at `since` or later.
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
    """A request as it is counted.

    `list_id` is the list or `ELSEWHERE`, `email_key` the address that it may cause mail to,
    `solved` the solution of a puzzle, where the visitor brought one.
    """

    list_id: int
    ip: str
    email_key: str
    solved: Solved | None = None


def require_room(env: Environment, visit: Visit) -> None:
    """Refuse a request whose ceilings are reached already, without writing anything.

    A flood must not slow what is being sent. `count_request` decides, inside the transaction.
    Raises `TooMany`.
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
    """Count a visitor's request against every ceiling.

    Return whether they brought a puzzle's solution that was not used before; such visitors have
    ceilings of their own, `signup.proven_factor` times as high, so that a flood without solutions
    does not keep them out. Raises `TooMany`; then the caller's transaction is rolled back, and
    nothing was counted.
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
    """Return the name that an address's domain is counted by.

    It is the domain, or a digest of one too long for a counter.
    """
    domain = fold_address(email_key).rpartition("@")[2]
    return domain if len(domain) <= DOMAIN_AT_MOST else hashlib.sha256(domain.encode()).hexdigest()


def count_change(env: Environment, session: Session, subscription_id: int) -> None:
    """Count a change by a subscription's links, each of which writes evidence that stays.

    To unsubscribe is never refused: whoever has unsubscribed must come back first, which is
    counted. Raises `TooMany`; then the caller's transaction is rolled back.
    """
    now = int(env.now.timestamp())
    if increment(session, f"change/{subscription_id}", now=now, seconds=A_DAY) > CHANGES_PER_DAY:
        raise TooMany("too many changes in one day", retry_after=A_DAY - now % A_DAY)


def network_names(ip: str) -> tuple[str, str]:
    """Return the narrow and the wide network of a visitor: the address and its /24.

    Of IPv6 the /64 and its /48, all of which one customer may have.
    """
    place = network(ip)
    if place.endswith("/24"):
        return ip, place
    return place, str(IPv6Network(place).supernet(new_prefix=48)) if place.endswith(
        "/64"
    ) else place


def use_up_solution(session: Session, solved: Solved) -> bool:
    """Tell whether a solution is used for the first time; it is used up by asking."""
    made_at = int(solved.made_at.timestamp())
    return (
        increment(
            session, f"puzzle/{solved.nonce}", now=made_at, seconds=int(LIFETIME.total_seconds())
        )
        == 1
    )
