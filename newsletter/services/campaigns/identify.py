"""Which campaign is meant: by its number, by the file it was made of, by its content; and whether
it can be changed.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from newsletter.authoring.letter_file import Letter
from newsletter.db.session import reading
from newsletter.errors import NotFound, Refused
from newsletter.models import Campaign

OPEN = ("draft", "scheduled")
"""A campaign in one of these states can still be changed."""


def number_of(which: int | Path, slug: str | None = None, *, to_change: bool = False) -> int:
    """The number of the campaign that a file became; `to_change`: among those that still can be
    changed. A number is itself. Raises `NotFound`, `Refused` where there are several, or none any
    more.
    """
    if not isinstance(which, Path):
        return which
    query = (
        select(Campaign)
        .where(Campaign.file == _kept_as(which), Campaign.kind == "letter")
        .order_by(Campaign.id)
    )
    with reading() as session:
        rows = [row for row in session.scalars(query) if slug in (None, row.mailing_list.slug)]
        made = [(row.id, row.status) for row in rows]
        found = [(row.id, row.status) for row in rows if not to_change or is_open(row)]
    if len(found) == 1:
        return found[0][0]
    raise _why_none(which, made, found)


def _why_none(
    file: Path, made: Sequence[tuple[int, str]], found: Sequence[tuple[int, str]]
) -> NotFound | Refused:
    if found:
        several = ", ".join(f"{number} ({status})" for number, status in found)
        return Refused(f"{file} became campaigns {several}", hint="say which number")
    if made:
        number, status = made[-1]
        return Refused(
            f"{file} is campaign {number}, which is {status}: it cannot be changed any more"
        )
    if file.exists():
        return NotFound(
            f"no campaign was made of {file}",
            hint=f"`newsletter campaign new {file}` makes a draft of it",
        )
    return NotFound(f"there is no file {file}", hint="`newsletter campaign ls` names the numbers")


def _kept_as(file: Path) -> str:
    """A file as campaigns remember it."""
    return os.path.realpath(file)[:1000]


def is_open(campaign: Campaign) -> bool:
    """Tell whether a letter can still be changed."""
    waiting = campaign.status == "paused" and campaign.started_at is None
    return campaign.kind == "letter" and (campaign.status in OPEN or waiting)


def changeable(campaign: Campaign) -> Campaign:
    if not is_open(campaign):
        raise Refused(f"campaign {campaign.id} is {campaign.status}: it cannot be changed any more")
    return campaign


def draft_of(session: Session, list_id: int, file: str) -> Campaign | None:
    """The draft that was made of the same file before."""
    query = select(Campaign).where(Campaign.list_id == list_id, Campaign.status == "draft")
    found: Campaign | None = session.scalar(
        query.where(Campaign.file == file, Campaign.file != "")
        .order_by(Campaign.id.desc())
        .limit(1)
    )
    return found


def twin_of(
    session: Session, list_id: int, letter: Letter, campaign_id: int | None
) -> Campaign | None:
    """A campaign that had, or is about to have, this very letter."""
    query = select(Campaign).where(Campaign.list_id == list_id, Campaign.digest == letter.digest)
    query = query.where(
        Campaign.kind == "letter", Campaign.status != "draft", Campaign.id != (campaign_id or 0)
    )
    query = query.where(or_(Campaign.status != "cancelled", Campaign.started_at.is_not(None)))
    twin: Campaign | None = session.scalar(query.order_by(Campaign.id.desc()).limit(1))
    return twin


def waiting_of(session: Session, list_id: int, file: str, campaign_id: int) -> Campaign | None:
    """A campaign of the same file that waits for its moment: sending the file would send two
    letters.
    """
    query = select(Campaign).where(Campaign.list_id == list_id, Campaign.kind == "letter")
    query = query.where(Campaign.file == file, Campaign.file != "", Campaign.id != campaign_id)
    query = query.where(Campaign.status.in_(("scheduled", "paused")), Campaign.started_at.is_(None))
    found: Campaign | None = session.scalar(query.order_by(Campaign.id.desc()).limit(1))
    return found


def found(session: Session, campaign_id: int) -> Campaign:
    """A campaign.

    Raises `NotFound`.
    """
    row = session.get(Campaign, campaign_id)
    if row is None:
        raise NotFound(f"there is no campaign {campaign_id}", hint="see `newsletter campaign ls`")
    return row


def locked(session: Session, campaign_id: int) -> Campaign:
    """A campaign, to be changed.

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
