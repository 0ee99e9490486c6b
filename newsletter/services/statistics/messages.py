"""Count a campaign's messages by time, domain and reply code, and store the counts.

Counted a slice at a time by the worker: while a campaign is sent, and for two days after it, until
the last message is settled. Domains with fewer than five recipients are put together, so that no
total names somebody.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import and_, or_, select
from sqlalchemy.orm import Session

from newsletter import outbox
from newsletter.db.session import reading, transaction
from newsletter.models import Campaign, CampaignFigures
from newsletter.services.campaigns.totals import FINISHED, RECOUNTED_FOR
from newsletter.services.figures import OTHERS
from newsletter.services.runtime import Environment
from newsletter.vocabulary import CampaignStatus, DeliveryStatus

DELIVERIES_AT_ONCE = 20_000
FEW = 5
"""Recipients below which a domain is not listed separately."""
DOMAINS_AT_MOST = 40
CODES_AT_MOST = 40
MINUTES_AT_MOST = 1000
"""The most ten-minute intervals that are stored: a week."""
CAMPAIGNS_AT_ONCE = 20
SMALL = 20_000
COUNT_SMALL_EVERY = timedelta(seconds=55)
COUNT_LARGE_EVERY = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class DomainCount:
    """The recipients of a campaign at one domain; "…" stands for all small ones together.

    `deferred` of them were refused for now before they were accepted or refused.
    """

    domain: str
    accepted: int
    deferred: int
    refused: int


@dataclass(frozen=True, slots=True)
class CodeCount:
    """Recipients whose message was permanently refused with one code."""

    code: int | None
    count: int


@dataclass(frozen=True, slots=True)
class MinuteCount:
    """The ten minutes of a campaign that begin `minute` minutes after its start."""

    minute: int
    accepted: int
    deferred: int
    refused: int


@dataclass(slots=True)
class _Sums:
    minutes: Counter[tuple[str, DeliveryStatus]] = field(default_factory=Counter)
    domains: dict[str, Counter[str]] = field(default_factory=dict)
    codes: Counter[int | None] = field(default_factory=Counter)


def count_due(env: Environment, stop: Callable[[], bool] = lambda: False) -> None:
    """Count the campaigns with changes since their last count."""
    with reading() as session:
        ids = _find_due(session, env.now)
    for campaign_id in ids:
        if stop():
            return
        count_messages(env, campaign_id, stop)


def _find_due(session: Session, now: datetime) -> list[int]:
    sending = Campaign.status.in_((CampaignStatus.SENDING, CampaignStatus.PAUSED))
    ended = Campaign.status.in_(FINISHED)
    lately = and_(ended, Campaign.finished_at > now - RECOUNTED_FOR)
    never = and_(ended, CampaignFigures.counted_at.is_(None))
    query = (
        select(Campaign.id, Campaign.recipients, Campaign.finished_at, CampaignFigures.counted_at)
        .outerjoin(CampaignFigures, CampaignFigures.campaign_id == Campaign.id)
        .where(Campaign.started_at.is_not(None), Campaign.last_id > 0)
        .where(or_(sending, lately, never))
        .order_by(Campaign.id.desc())
    )
    due = [row.id for row in session.execute(query) if _is_due(row, now)]
    return due[:CAMPAIGNS_AT_ONCE]


def _is_due(row: Any, now: datetime) -> bool:
    """Tell whether a campaign is due to be counted; a finished one is counted once more later."""
    if row.counted_at is None:
        return True
    if row.finished_at is not None and row.counted_at >= row.finished_at + COUNT_LARGE_EVERY:
        return False
    every = COUNT_SMALL_EVERY if row.recipients <= SMALL else COUNT_LARGE_EVERY
    return bool(row.counted_at <= now - every)


def count_messages(
    env: Environment, campaign_id: int, stop: Callable[[], bool] = lambda: False
) -> None:
    """Count a campaign's messages, and replace the stored numbers."""
    sums = _Sums()
    now = env.now
    first_id = 0
    while True:
        with reading() as session:
            campaign = session.get(Campaign, campaign_id)
            if campaign is None or campaign.started_at is None:
                return
            first_id = first_id or campaign.first_id
            last_id = min(first_id + DELIVERIES_AT_ONCE - 1, campaign.last_id)
            _add_slice(session, campaign, first_id, last_id, sums)
            is_last = last_id >= campaign.last_id
        if is_last:
            break
        if stop():
            return
        first_id = last_id + 1
    with transaction() as session:
        if session.get(Campaign, campaign_id) is not None:
            row = CampaignFigures(campaign_id=campaign_id, counted_at=now, figures=_to_json(sums))
            session.merge(row)


def _add_slice(
    session: Session, campaign: Campaign, first_id: int, last_id: int, sums: _Sums
) -> None:
    for name, status, count in outbox.count_minutes(session, campaign, first_id, last_id):
        sums.minutes[name, status] += count
    for row in outbox.count_replies(session, campaign, first_id, last_id):
        counts = sums.domains.setdefault(row.domain, Counter())
        counts[row.status] += row.recipients
        counts["deferred"] += row.deferred
        if row.status is DeliveryStatus.FAILED:
            sums.codes[row.code] += row.recipients


def _to_json(sums: _Sums) -> dict[str, Any]:
    moments = sorted({name for name, _ in sums.minutes})[:MINUTES_AT_MOST]
    return {
        "minutes": [
            [
                name,
                sums.minutes[name, DeliveryStatus.SENT],
                sums.minutes[name, DeliveryStatus.FAILED],
            ]
            for name in moments
        ],
        "domains": _group_domains(sums.domains),
        "codes": [[code, count] for code, count in sums.codes.most_common(CODES_AT_MOST)],
    }


def _group_domains(domains: Mapping[str, Counter[str]]) -> list[list[object]]:
    """Return the largest domains as [domain, accepted, deferred, refused], the others as one."""
    sizes = Counter(
        {
            domain: counts[DeliveryStatus.SENT] + counts[DeliveryStatus.FAILED]
            for domain, counts in domains.items()
            if domain
        }
    )
    apart = [domain for domain, size in sizes.most_common(DOMAINS_AT_MOST) if size >= FEW]
    others: Counter[str] = Counter()
    for domain, counts in domains.items():
        if domain not in apart:
            others.update(counts)
    rows = [_to_row(domain, domains[domain]) for domain in apart]
    return [*rows, _to_row(OTHERS, others)] if others else rows


def _to_row(domain: str, counts: Counter[str]) -> list[object]:
    accepted = counts[DeliveryStatus.SENT]
    refused = counts[DeliveryStatus.FAILED]
    return [domain, accepted, counts["deferred"], refused]
