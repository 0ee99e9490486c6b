"""Back off from recipients' domains that refuse this sender: they rest for a while."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from newsletter.addresses import mask_addresses
from newsletter.models import Campaign, DomainBackoff
from newsletter.services import notifications
from newsletter.services.runtime import Environment

REFUSALS = 3
"""Refusals by a domain, in a row or returned within a day, after which it rests."""
REST_FIRST = timedelta(minutes=15)
REST_AT_MOST = timedelta(hours=4)
"""The longest rest of a domain; it doubles from `REST_FIRST` with each further refusal."""


@dataclass(frozen=True, slots=True)
class RestingDomain:
    """A resting domain: no campaign is mailed to it `until` then; with its last reply."""

    domain: str
    until: datetime
    why: str


def list_resting(session: Session, now: datetime) -> tuple[RestingDomain, ...]:
    """List the domains that rest at `now`, by name."""
    query = select(DomainBackoff).where(DomainBackoff.until > now).order_by(DomainBackoff.domain)
    return tuple(RestingDomain(row.domain, row.until, row.why) for row in session.scalars(query))


def rest_domain(
    env: Environment, session: Session, domain: str, why: str, *, campaign_id: int
) -> datetime:
    """Let a domain rest, longer each time, and notify the author once.

    Returns until when.
    """
    row = session.get(DomainBackoff, domain)
    if row is None:
        row = DomainBackoff(domain=domain, seconds=0, until=env.now, why="")
        session.add(row)
        campaign = session.get_one(Campaign, campaign_id)
        notifications.notify_domain_resting(env, session, campaign, domain, why)
    seconds = max(row.seconds * 2, int(REST_FIRST.total_seconds()))
    row.seconds = min(seconds, int(REST_AT_MOST.total_seconds()))
    row.until = env.now + timedelta(seconds=row.seconds)
    row.why = mask_addresses(why)[:500]
    return row.until
