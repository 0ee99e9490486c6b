"""List campaigns, and pause, resume, cancel or retry one."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from newsletter import outbox
from newsletter.db.session import reading, transaction
from newsletter.errors import NotFound, Refused
from newsletter.i18n import Text
from newsletter.mail.render import MailContent
from newsletter.mail.slots import SLOT_PATTERN
from newsletter.models import Campaign, Edition, MailingList
from newsletter.outbox import Totals
from newsletter.services.bounce_events import Returned, count_returned, count_returned_by_campaign
from newsletter.services.campaigns import identify, state
from newsletter.services.campaigns.state import PauseCause
from newsletter.services.campaigns.totals import read_totals
from newsletter.services.lookup import get_list
from newsletter.services.runtime import Environment
from newsletter.vocabulary import CampaignKind, CampaignStatus


@dataclass(frozen=True, slots=True)
class SubjectView:
    """One of the two subjects of an A/B test.

    `sent` counts those who tried it out and got it, `left` those of them who have left the list
    since; whoever gets the better subject later is in neither.
    """

    letter: str
    subject: str
    sent: int
    left: int
    picked: bool


@dataclass(frozen=True, slots=True)
class CampaignView:
    """A campaign with its recipients counted by delivery status."""

    id: int
    list: str
    kind: CampaignKind
    subject: str
    status: CampaignStatus
    reason: str
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    scheduled_at: datetime | None
    segment: str
    subjects: tuple[SubjectView, ...]
    timezone: str
    totals: Totals
    returned: Returned

    @property
    def undecided(self) -> bool:
        """Tell whether an A/B test waits for its author to pick the better subject."""
        tried = (
            self.status is CampaignStatus.PAUSED
            and self.started_at is not None
            and not self.totals.waiting
        )
        return (
            tried and bool(self.subjects) and not any(subject.picked for subject in self.subjects)
        )


@dataclass(frozen=True, slots=True)
class CampaignFilter:
    """The filter of a listing; `since` is the earliest creation time.

    `before_id` is the campaign that the page before ended with.
    """

    slug: str | None = None
    status: CampaignStatus | None = None
    since: datetime | None = None
    kind: CampaignKind | None = None
    before_id: int | None = None


def list_campaigns(
    criteria: CampaignFilter = CampaignFilter(), *, limit: int | None = None
) -> list[CampaignView]:
    """List the campaigns that `criteria` describes, newest first, all or the first `limit`."""
    query = select(Campaign).order_by(Campaign.id.desc()).limit(limit)
    with reading() as session:
        rows = session.scalars(query.where(*_filter_clauses(session, criteria))).all()
        return describe_campaigns(session, rows)


def count_campaigns(criteria: CampaignFilter) -> int:
    """Count the campaigns that `criteria` describes."""
    with reading() as session:
        query = select(func.count(Campaign.id)).where(*_filter_clauses(session, criteria))
        return session.scalar(query) or 0


def _filter_clauses(session: Session, criteria: CampaignFilter) -> list[ColumnElement[bool]]:
    clauses: list[ColumnElement[bool]] = []
    if criteria.slug:
        clauses.append(Campaign.list_id == get_list(session, criteria.slug).id)
    if criteria.status:
        clauses.append(Campaign.status == criteria.status)
    if criteria.since:
        clauses.append(Campaign.created_at >= criteria.since)
    if criteria.kind:
        clauses.append(Campaign.kind == criteria.kind)
    if criteria.before_id is not None:
        clauses.append(Campaign.id < criteria.before_id)
    return clauses


def list_under_way(slug: str, statuses: Collection[CampaignStatus]) -> list[CampaignView]:
    """List a list's campaigns that have one of `statuses`, oldest first."""
    query = (
        select(Campaign)
        .join(MailingList)
        .where(MailingList.slug == slug, Campaign.status.in_(statuses))
        .order_by(Campaign.id)
    )
    with reading() as session:
        return [describe_campaign(session, row) for row in session.scalars(query)]


def get_campaign(campaign_id: int) -> CampaignView:
    """Return one campaign.

    Raises `NotFound`.
    """
    with reading() as session:
        return describe_campaign(session, identify.get_campaign(session, campaign_id))


def get_content(campaign_id: int) -> MailContent:
    """Return the content of a campaign's widest edition, with slots.

    Raises `NotFound`.
    """
    with reading() as session:
        identify.get_campaign(session, campaign_id)
        query = (
            select(Edition)
            .where(Edition.campaign_id == campaign_id)
            .order_by(Edition.cursor, Edition.language)
            .limit(1)
        )
        edition = session.scalar(query)
        if edition is None:
            raise NotFound(f"campaign {campaign_id} has no content yet")
        return MailContent(edition.subject, edition.text, edition.html)


def pause(env: Environment, campaign_id: int) -> CampaignView:
    """Pause a campaign: sending stops within two seconds, and `resume` continues with the rest.

    Raises `NotFound`, `Refused`.
    """
    with transaction() as session:
        campaign = identify.lock_campaign(session, campaign_id)
        state.pause(session, campaign, Text("paused by hand"), PauseCause.AUTHOR, env.now)
        return describe_campaign(session, campaign)


def resume(env: Environment, campaign_id: int) -> CampaignView:
    """Resume a paused campaign where it stopped.

    Raises `NotFound`, and `Refused` for a letter whose better subject has to be picked first.
    """
    with transaction() as session:
        campaign = identify.lock_campaign(session, campaign_id)
        undecided = campaign.subject_b and not campaign.picked and campaign.recipients
        if (
            campaign.status is CampaignStatus.PAUSED
            and undecided
            and outbox.is_worked_through(session, campaign)
        ):
            raise Refused(
                Text("both subjects are tried"),
                hint=Text(
                    "pick one: newsletter campaign pick %(campaign_id)s a", campaign_id=campaign_id
                ),
            )
        state.resume(session, campaign, env.now)
        return describe_campaign(session, campaign)


def take_back(env: Environment, campaign_id: int) -> CampaignView:
    """Unschedule a letter: it becomes a draft again, and nobody is mailed.

    Raises `NotFound`, and `Refused` where the first message may have left.
    """
    with transaction() as session:
        campaign = identify.lock_campaign(session, campaign_id)
        state.unschedule(session, campaign, env.now)
        return describe_campaign(session, campaign)


def cancel(env: Environment, campaign_id: int) -> CampaignView:
    """Cancel a campaign for good: remaining recipients are not mailed.

    Raises `NotFound`, `Refused`.
    """
    with transaction() as session:
        campaign = identify.lock_campaign(session, campaign_id)
        state.cancel(session, campaign, env.now)
        outbox.cancel_campaign(session, campaign, now=env.now)
        campaign.leased_id = campaign.last_id
        return describe_campaign(session, campaign)


def retry(env: Environment, campaign_id: int) -> CampaignView:
    """Queue a campaign again for recipients whose delivery failed or is in doubt.

    Raises `Refused` where there are none.
    """
    with transaction() as session:
        campaign = identify.lock_campaign(session, campaign_id)
        if campaign.status == CampaignStatus.CANCELLED or not outbox.retry(
            session, campaign, now=env.now
        ):
            raise Refused(
                Text("campaign %(campaign_id)s has nobody to try again", campaign_id=campaign_id)
            )
        state.reopen(session, campaign, env.now)
        return describe_campaign(session, campaign)


def describe_campaigns(session: Session, rows: Sequence[Campaign]) -> list[CampaignView]:
    """Describe several campaigns with their recipients' counts, read in a few queries."""
    returned = count_returned_by_campaign(session, [row.id for row in rows])
    return [describe_campaign(session, row, returned[row.id]) for row in rows]


def describe_campaign(
    session: Session, row: Campaign, returned: Returned | None = None
) -> CampaignView:
    """Describe one campaign with its recipients' counts."""
    session.flush()
    return CampaignView(
        id=row.id,
        list=row.mailing_list.slug,
        kind=row.kind,
        subject=row.subject,
        status=row.status,
        reason=row.reason,
        created_at=row.created_at,
        started_at=row.started_at,
        finished_at=row.finished_at,
        scheduled_at=row.scheduled_at,
        segment=row.segment,
        subjects=_describe_subjects(session, row),
        timezone=row.mailing_list.timezone,
        totals=read_totals(session, row),
        returned=returned or count_returned(session, row.id),
    )


def _describe_subjects(session: Session, row: Campaign) -> tuple[SubjectView, ...]:
    """Describe the two subjects of a letter's A/B test with their counts."""
    if not row.subject_b:
        return ()
    counts = outbox.count_by_edition(session, row)
    names = session.scalars(
        select(Edition.subject)
        .where(Edition.campaign_id == row.id, Edition.cursor >= 0, Edition.language == "")
        .order_by(Edition.cursor)
    ).all() or (row.subject, row.subject_b)
    return tuple(
        SubjectView(
            letter, hide_slots(subject), *counts.get(number, (0, 0)), picked=row.picked == letter
        )
        for number, (letter, subject) in enumerate(zip("ab", names, strict=False))
    )


def to_json(row: CampaignView) -> dict[str, object]:
    """Return a campaign as `--json` prints it."""
    head = {
        "id": row.id,
        "list": row.list,
        "kind": row.kind,
        "subject": row.subject,
        "status": row.status,
    }
    details: dict[str, object] = {
        "reason": row.reason,
        "segment": row.segment,
        "started_at": row.started_at,
    }
    details |= {"scheduled_at": row.scheduled_at, "finished_at": row.finished_at}
    if row.subjects:
        details["subjects"] = [asdict(subject) for subject in row.subjects]
    return {**head, **asdict(row.totals), **asdict(row.returned), **details}


def hide_slots(text: str) -> str:
    """Return `text` with an ellipsis in place of each slot for a subscriber's data."""
    return SLOT_PATTERN.sub("…", text)
