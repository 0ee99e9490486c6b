"""Find a campaign by its number, by the file it was created from, or by its content.

Also tells whether a campaign can still be changed.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from sqlalchemy import and_, or_, select
from sqlalchemy.orm import Session

from newsletter.authoring.letter_file import Letter
from newsletter.db.session import reading
from newsletter.errors import NotFound, Refused
from newsletter.models import Campaign
from newsletter.vocabulary import CampaignKind, CampaignStatus

OPEN = (CampaignStatus.DRAFT, CampaignStatus.SCHEDULED)
"""The statuses in which a campaign can still be changed."""


def get_campaign_id(source: int | Path, slug: str | None = None, *, to_change: bool = False) -> int:
    """Return the id of the campaign created from a file; a number is returned unchanged.

    With `to_change`, only campaigns that can still be changed are looked at.
    Raises `NotFound`, and `Refused` where there are several or none any more.
    """
    if not isinstance(source, Path):
        return source
    query = (
        select(Campaign)
        .where(Campaign.file == _make_stored_path(source), Campaign.kind == CampaignKind.LETTER)
        .order_by(Campaign.id)
    )
    with reading() as session:
        rows = [row for row in session.scalars(query) if slug in (None, row.mailing_list.slug)]
        campaigns = [(row.id, row.status) for row in rows]
        candidates = [(row.id, row.status) for row in rows if not to_change or is_changeable(row)]
    if len(candidates) == 1:
        return candidates[0][0]
    raise _explain_ambiguity(source, campaigns, candidates)


def _explain_ambiguity(
    file: Path,
    campaigns: Sequence[tuple[int, CampaignStatus]],
    candidates: Sequence[tuple[int, CampaignStatus]],
) -> NotFound | Refused:
    if candidates:
        names = ", ".join(f"{campaign_id} ({status})" for campaign_id, status in candidates)
        return Refused(f"{file} became campaigns {names}", hint="say which number")
    if campaigns:
        campaign_id, status = campaigns[-1]
        return Refused(
            f"{file} is campaign {campaign_id}, which is {status}: it cannot be changed any more"
        )
    if file.exists():
        return NotFound(
            f"no campaign was made of {file}",
            hint=f"`newsletter campaign new {file}` makes a draft of it",
        )
    return NotFound(f"there is no file {file}", hint="`newsletter campaign ls` names the numbers")


def _make_stored_path(file: Path) -> str:
    """Return the path of a file in the form that is stored with its campaign."""
    return os.path.realpath(file)[:1000]


def is_changeable(campaign: Campaign) -> bool:
    """Tell whether a letter can still be changed."""
    waits_to_start = campaign.status == CampaignStatus.PAUSED and campaign.started_at is None
    return campaign.kind == CampaignKind.LETTER and (campaign.status in OPEN or waits_to_start)


def require_changeable(campaign: Campaign) -> Campaign:
    """Return `campaign`, or raise `Refused` if it can no longer be changed.

    Raises `Refused`.
    """
    if not is_changeable(campaign):
        raise Refused(f"campaign {campaign.id} is {campaign.status}: it cannot be changed any more")
    return campaign


def find_draft(session: Session, list_id: int, file: str) -> Campaign | None:
    """Return the newest draft that was made of the same file."""
    query = select(Campaign).where(
        Campaign.list_id == list_id, Campaign.status == CampaignStatus.DRAFT
    )
    query = query.where(Campaign.file == file, Campaign.file != "")
    return session.scalars(query.order_by(Campaign.id.desc()).limit(1)).first()


def find_twin(
    session: Session, list_id: int, letter: Letter, campaign_id: int | None
) -> Campaign | None:
    """Return another campaign that sent, or is about to send, the same letter."""
    query = select(Campaign).where(Campaign.list_id == list_id, Campaign.digest == letter.digest)
    query = query.where(
        Campaign.kind == CampaignKind.LETTER,
        Campaign.status != CampaignStatus.DRAFT,
        Campaign.id != (campaign_id or 0),
        or_(Campaign.status != CampaignStatus.CANCELLED, Campaign.started_at.is_not(None)),
    )
    return session.scalars(query.order_by(Campaign.id.desc()).limit(1)).first()


def find_earlier(session: Session, list_id: int, letter: Letter, file: str) -> list[Campaign]:
    """List the campaigns of a list that have sent or will send this letter, by content or file.

    Drafts, and what was cancelled before anybody got it, do not count.
    """
    same_file = and_(Campaign.file == file, Campaign.file != "")
    query = select(Campaign).where(
        Campaign.list_id == list_id,
        Campaign.kind == CampaignKind.LETTER,
        Campaign.status != CampaignStatus.DRAFT,
        or_(Campaign.digest == letter.digest, same_file),
        or_(Campaign.status != CampaignStatus.CANCELLED, Campaign.started_at.is_not(None)),
    )
    return list(session.scalars(query.order_by(Campaign.id)))


def find_waiting(session: Session, list_id: int, file: str, campaign_id: int) -> Campaign | None:
    """Return another campaign of the same file that is still to start.

    If the file were sent now, its subscribers would get two letters.
    """
    query = select(Campaign).where(
        Campaign.list_id == list_id, Campaign.kind == CampaignKind.LETTER
    )
    query = query.where(
        Campaign.file == file,
        Campaign.file != "",
        Campaign.id != campaign_id,
        Campaign.status.in_((CampaignStatus.SCHEDULED, CampaignStatus.PAUSED)),
        Campaign.started_at.is_(None),
    )
    return session.scalars(query.order_by(Campaign.id.desc()).limit(1)).first()


def get_campaign(session: Session, campaign_id: int) -> Campaign:
    """Return a campaign.

    Raises `NotFound`.
    """
    row = session.get(Campaign, campaign_id)
    if row is None:
        raise NotFound(f"there is no campaign {campaign_id}", hint="see `newsletter campaign ls`")
    return row


def lock_campaign(session: Session, campaign_id: int) -> Campaign:
    """Return a campaign with its row locked, to be changed.

    Raises `NotFound`.
    """
    row: Campaign | None = session.scalar(
        select(Campaign)
        .where(Campaign.id == campaign_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    if row is None:
        raise NotFound(f"there is no campaign {campaign_id}", hint="see `newsletter campaign ls`")
    return row
