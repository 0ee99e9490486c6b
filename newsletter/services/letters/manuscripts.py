"""Store drafts that are written in a browser, valid or not.

What the command line and the API store was rendered before; this is not, so that nobody loses half
a sentence. What is wrong with it is said by the preflight, and nothing of it can be sent.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from newsletter.authoring.letter_fields import EMPTY, LetterFields, read_fields, write_fields
from newsletter.authoring.letter_file import parse_letter
from newsletter.db.session import reading, transaction
from newsletter.errors import InvalidInput, NotFound, Refused
from newsletter.i18n import Text
from newsletter.models import Campaign, MailingList
from newsletter.services.campaigns import identify, state
from newsletter.services.letters import revisions
from newsletter.services.lookup import get_list
from newsletter.services.runtime import Environment
from newsletter.vocabulary import CampaignKind, CampaignStatus

PAGE = 25
WAITING = (CampaignStatus.SCHEDULED, CampaignStatus.PAUSED)
"""Statuses in which a letter that has not started can be unscheduled."""


@dataclass(frozen=True, slots=True)
class Manuscript:
    """A letter that has not started, with its text for an editor.

    `revision` is the number of its last change; `pictures` are the names of those it may show.
    """

    id: int
    list: str
    timezone: str
    hour: int
    status: CampaignStatus
    reason: str
    revision: int
    text: str
    fields: LetterFields
    pictures: tuple[str, ...]
    scheduled_at: datetime | None

    @property
    def is_draft(self) -> bool:
        """Tell whether it can be changed here."""
        return self.status is CampaignStatus.DRAFT


@dataclass(frozen=True, slots=True)
class ManuscriptLine:
    """A letter that has not started, in a listing."""

    id: int
    list: str
    subject: str
    status: CampaignStatus
    created_at: datetime
    scheduled_at: datetime | None
    timezone: str


@dataclass(frozen=True, slots=True)
class ManuscriptPage:
    """A page of letters, newest first; `next` is the key of the following page, 0 on the last."""

    letters: tuple[ManuscriptLine, ...]
    next: int


def list_page(list_ids: Collection[int], *, before: int = 0) -> ManuscriptPage:
    """List the letters of these lists that have not started, before a key (0: the newest)."""
    query = (
        select(
            Campaign.id,
            MailingList.slug,
            Campaign.subject,
            Campaign.status,
            Campaign.created_at,
            Campaign.scheduled_at,
            MailingList.timezone,
        )
        .join(MailingList, MailingList.id == Campaign.list_id)
        .where(
            Campaign.list_id.in_(list_ids),
            Campaign.kind == CampaignKind.LETTER,
            or_(Campaign.status == CampaignStatus.DRAFT, Campaign.status.in_(WAITING)),
            Campaign.started_at.is_(None),
        )
        .order_by(Campaign.id.desc())
        .limit(PAGE + 1)
    )
    if before:
        query = query.where(Campaign.id < before)
    with reading() as session:
        lines = [ManuscriptLine(*row) for row in session.execute(query)]
    page = tuple(lines[:PAGE])
    return ManuscriptPage(page, page[-1].id if len(lines) > PAGE else 0)


def get_manuscript(campaign_id: int) -> Manuscript:
    """Return a letter with its text.

    Raises `NotFound` for what is no letter, or was sent; `InvalidInput` if its front matter cannot
    be read.
    """
    with reading() as session:
        return _describe(_require_letter(identify.get_campaign(session, campaign_id)))


def start_draft(env: Environment, slug: str, fields: LetterFields | None = None) -> int:
    """Create an empty draft for a list, and return its id.

    Raises `NotFound`, `InvalidInput` by field.
    """
    fields = fields or LetterFields()
    text = write_fields(EMPTY, fields)
    with transaction() as session:
        mailing_list = get_list(session, slug)
        campaign = state.add_campaign(
            session, list_id=mailing_list.id, kind=CampaignKind.LETTER, now=env.now
        )
        _store(campaign, text, fields)
        session.flush()
        return campaign.id


def save_draft(campaign_id: int, fields: LetterFields, revision: int) -> int:
    """Replace the text of a draft, if it is still at `revision`.

    Returns the number of the new one. Raises `ChangedMeanwhile` if it was changed since, `Refused`
    if it is no draft any more, `NotFound`, and `InvalidInput` by field; nothing is overwritten
    then.
    """
    with transaction() as session:
        campaign = _lock(session, campaign_id)
        text = write_fields(campaign.source, fields)
        if text == campaign.source:
            return campaign.revision
        if campaign.status is not CampaignStatus.DRAFT:
            raise _refuse_edit(campaign)
        revisions.require_revision(campaign, revision)
        _store(campaign, text, fields)
        return campaign.revision


def discard_draft(env: Environment, campaign_id: int) -> None:
    """Cancel a draft, which removes it from listings.

    Raises `NotFound`, `Refused` if it is no draft any more.
    """
    with transaction() as session:
        state.cancel(session, lock_draft(session, campaign_id), env.now)


def append_text(campaign_id: int, markdown: str) -> None:
    """Append a paragraph to a draft.

    Raises as `save_draft` does.
    """
    with transaction() as session:
        campaign = lock_draft(session, campaign_id)
        fields = read_fields(campaign.source)
        body = f"{fields.body.rstrip()}\n\n{markdown}\n".lstrip("\n")
        fields = replace(fields, body=body)
        _store(campaign, write_fields(campaign.source, fields), fields)


def lock_draft(session: Session, campaign_id: int) -> Campaign:
    """Return a draft with its row locked, to be changed.

    Raises `NotFound`, and `Refused` if it is no draft any more.
    """
    campaign = _lock(session, campaign_id)
    if campaign.status is not CampaignStatus.DRAFT:
        raise _refuse_edit(campaign)
    return campaign


def _refuse_edit(campaign: Campaign) -> Refused:
    return Refused(
        Text(
            "campaign %(id)s is %(status)s and can no longer be edited",
            id=campaign.id,
            status=campaign.status,
        ),
        hint=Text("start a new letter"),
    )


def _lock(session: Session, campaign_id: int) -> Campaign:
    return _require_letter(identify.lock_campaign(session, campaign_id))


def _require_letter(campaign: Campaign) -> Campaign:
    """Return `campaign` if it is a letter that has not started.

    Raises `NotFound`.
    """
    ended = campaign.status in (CampaignStatus.SENT, CampaignStatus.CANCELLED)
    if campaign.kind is not CampaignKind.LETTER or campaign.started_at is not None or ended:
        raise NotFound(f"there is no letter {campaign.id} that could be changed")
    return campaign


def _describe(campaign: Campaign) -> Manuscript:
    return Manuscript(
        id=campaign.id,
        list=campaign.mailing_list.slug,
        timezone=campaign.mailing_list.timezone,
        hour=campaign.mailing_list.send_hour,
        status=campaign.status,
        reason=campaign.reason,
        revision=campaign.revision,
        text=campaign.source,
        fields=read_fields(campaign.source),
        pictures=tuple(campaign.pictures or ()),
        scheduled_at=campaign.scheduled_at,
    )


def _store(campaign: Campaign, text: str, fields: LetterFields) -> None:
    """Store a text, valid or not, and the columns derived from it."""
    campaign.source = text
    campaign.subject = fields.subject[:500]
    campaign.preheader = fields.preheader[:500]
    campaign.segment = fields.segment[:1000]
    campaign.subject_b = fields.subject_b[:500]
    campaign.revision = (campaign.revision or 0) + 1
    try:
        letter = parse_letter(text)
    except (InvalidInput, Refused):
        campaign.digest = ""
        campaign.share = 0
        return
    campaign.digest = letter.digest
    campaign.share = letter.share
