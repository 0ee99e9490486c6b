"""Ceilings that every process on the database shares: so many sign-ups a window, from one network and altogether."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from newsletter.errors import TooMany
from newsletter.models import Counter
from newsletter.services.environment import Environment

HOUR = 3600
PER_ADDRESS = 20
PER_NETWORK = 60
PER_LIST = 3000
OVERALL = 10_000
QUERY_AT_MOST = 4096


def count(session: Session, name: str, *, now: int, seconds: int) -> int:
    """Counts one more of `name` in the window that holds `now` (seconds since 1970). Returns how many there are."""
    insert = sqlite.insert if session.get_bind().dialect.name == "sqlite" else postgresql.insert
    statement = insert(Counter).values(name=name, starts_at=now - now % seconds, count=1)
    statement = statement.on_conflict_do_update(
        index_elements=["name", "starts_at"], set_={"count": Counter.__table__.c.count + 1}
    )
    return int(session.execute(statement.returning(Counter.__table__.c.count)).scalar_one())


def network(ip: str) -> str:
    """The neighbourhood of an address: /24, or /64 for IPv6."""
    try:
        bits = 24 if ip_address(ip).version == 4 else 64
    except ValueError:
        return "unknown"
    return str(ip_network(f"{ip}/{bits}", strict=False))


def sign_up(env: Environment, session: Session, *, list_id: int, ip: str) -> None:
    """Counts a sign-up against every ceiling. Raises `TooMany` where one is reached."""
    now = int(env.now.timestamp())
    single = network(ip) if ":" in ip else ip
    for name, most in (
        (f"signup/ip/{single}", PER_ADDRESS),
        (f"signup/net/{network(ip)}", PER_NETWORK),
        (f"signup/list/{list_id}", PER_LIST),
        ("signup/all", OVERALL),
    ):
        if count(session, name, now=now, seconds=HOUR) > most:
            raise TooMany("too many sign-ups at once; please try again later", retry_after=HOUR - now % HOUR)
