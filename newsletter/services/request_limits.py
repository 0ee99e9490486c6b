"""Limit the requests of visitors per hour: by network, domain, list and in total.

Every process on the database shares the counts. A puzzle's solution raises these ceilings, once.
A subscription's links have a ceiling of changes a day.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv6Network

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from newsletter.addresses import fold_address
from newsletter.captcha import LIFETIME, Solved
from newsletter.db.looks import read_alone
from newsletter.db.prepared import Prepared
from newsletter.errors import TooMany
from newsletter.models import Counter
from newsletter.services.consent import cut_to_network
from newsletter.services.counters import A_DAY, HOUR, increment, increment_shared
from newsletter.services.runtime import Environment

ELSEWHERE = 0
"""The name for requests without a list: links and changes of address."""
CHANGES_PER_DAY = 30
"""Changes a day by one subscription's links, including undone unsubscriptions."""
DOMAIN_AT_MOST = 80
"""Characters of a domain that fit into a counter's name."""

KINDS = ("ip", "net", "domain", "list", "overall")
"""The kinds of limits that a request counts against, narrow before wide."""
_COUNTS = Prepared(
    select(Counter.name, Counter.count).where(
        Counter.name.in_([bindparam(kind) for kind in KINDS]),
        Counter.starts_at == bindparam("starts_at"),
    )
)


@dataclass(frozen=True, slots=True)
class Visit:
    """The attributes of a request that are counted.

    `list_id` is the list or `ELSEWHERE`, `email_key` the address that it may cause mail to,
    `solved` the solution of a puzzle, where the visitor brought one.
    """

    list_id: int
    ip: str
    email_key: str
    solved: Solved | None = None


def require_room(env: Environment, visit: Visit) -> None:
    """Raise `TooMany` if a ceiling is reached already, without counting the request.

    A flood must not slow what is being sent. `count_request` decides, inside the transaction.
    Raises `TooMany`.
    """
    now = int(env.now.timestamp())
    most = _list_ceilings(env, visit, proven=visit.solved is not None)
    names = dict(zip(KINDS, most, strict=True))
    rows = read_alone(_COUNTS, {**names, "starts_at": now - now % HOUR})
    if any(row.count >= most[row.name] for row in rows):
        raise _make_too_many(now)


def count_request(env: Environment, session: Session, visit: Visit) -> bool:
    """Count a visitor's request against every ceiling.

    Return whether they brought a puzzle's solution that was not used before; such visitors have
    ceilings of their own, `signup.proven_factor` times as high, so that a flood without solutions
    does not keep them out. Raises `TooMany`; then the caller's transaction is rolled back, and what
    was counted is taken back.
    """
    now = int(env.now.timestamp())
    proven = visit.solved is not None and _count_solution(session, visit.solved) == 1
    most = _list_ceilings(env, visit, proven=proven)
    names = list(most)
    counts = increment_shared(session, names, now - now % HOUR)
    if any(counts[name] > ceiling for name, ceiling in most.items()):
        increment_shared(session, names, now - now % HOUR, by=-1)
        if visit.solved is not None:
            _count_solution(session, visit.solved, by=-1)
        raise _make_too_many(now)
    return proven


def _list_ceilings(env: Environment, visit: Visit, *, proven: bool) -> dict[str, int]:
    """List the counters of a request with their ceilings, narrow before wide."""
    ceilings = env.settings.signup
    kind, factor = ("proven", ceilings.proven_factor) if proven else ("signup", 1)
    single, place = name_networks(visit.ip)
    most = {
        f"{kind}/ip/{single}": ceilings.per_ip,
        f"{kind}/net/{place}": ceilings.per_network,
        f"{kind}/domain/{name_domain(visit.email_key)}": ceilings.per_domain
        or max(1, ceilings.per_list // 3),
        f"{kind}/list/{visit.list_id}": ceilings.per_list,
        f"{kind}/overall": ceilings.overall,
    }
    return {name: ceiling * factor for name, ceiling in most.items()}


def _make_too_many(now: int) -> TooMany:
    return TooMany(
        "too many requests at once; please try again later", retry_after=HOUR - now % HOUR
    )


def name_domain(email_key: str) -> str:
    """Return the name under which an address's domain is counted.

    It is the domain, or a digest of one too long for a counter.
    """
    domain = fold_address(email_key).rpartition("@")[2]
    return domain if len(domain) <= DOMAIN_AT_MOST else hashlib.sha256(domain.encode()).hexdigest()


def count_change(env: Environment, session: Session, subscription_id: int) -> None:
    """Count a change by a subscription's links against its daily limit.

    To unsubscribe is never refused: whoever has unsubscribed must come back first, which is
    counted. Raises `TooMany`; then the caller's transaction is rolled back.
    """
    now = int(env.now.timestamp())
    if increment(session, f"change/{subscription_id}", now=now, seconds=A_DAY) > CHANGES_PER_DAY:
        raise TooMany("too many changes in one day", retry_after=A_DAY - now % A_DAY)


@lru_cache(maxsize=16)
def name_networks(ip: str) -> tuple[str, str]:
    """Return the two networks by which a visitor is counted: of IPv4 the address and its /24.

    Of IPv6 the /64 and its /48, all of which one customer may have. A sign-up asks three times.
    """
    place = cut_to_network(ip)
    if place.endswith("/24"):
        return ip, place
    return place, str(IPv6Network(place).supernet(new_prefix=48)) if place.endswith(
        "/64"
    ) else place


def _count_solution(session: Session, solved: Solved, *, by: int = 1) -> int:
    """Count the uses of a puzzle's solution, of which only the first is valid."""
    name = f"puzzle/{solved.nonce}"
    made_at = int(solved.made_at.timestamp())
    starts_at = made_at - made_at % int(LIFETIME.total_seconds())
    return increment_shared(session, [name], starts_at, by=by)[name]
