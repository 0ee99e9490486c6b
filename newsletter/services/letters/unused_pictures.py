"""Delete stored pictures that nothing shows, such as those of discarded drafts."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import delete, or_, select, update
from sqlalchemy.orm import Session

from newsletter.db.session import transaction
from newsletter.models import Campaign, DigestIntro, Edition, MailingList, Picture, SeriesLetter
from newsletter.services.runtime import Environment
from newsletter.vocabulary import CampaignStatus

KEPT_FOR = timedelta(days=30)
"""Retention of a picture that nothing shows, counted from when it was last stored."""
AT_ONCE = 50
"""Pictures that one run searches for in mailed content; the next run continues."""
_IS_KEPT = or_(Campaign.status != CampaignStatus.CANCELLED, Campaign.started_at.is_not(None))
"""Condition for letters that are not discarded drafts."""


def delete_unused(env: Environment) -> int:
    """Delete the pictures that nothing has shown for `KEPT_FOR`; return their number.

    Drafts, letters, series, editions (what was mailed, and the archive), intros of digests and
    logos show pictures.
    """
    before = env.now - KEPT_FOR
    with transaction() as session:
        named = _read_named(session)
        query = select(Picture.name).where(Picture.created_at < before).order_by(Picture.created_at)
        unnamed = [name for name in session.scalars(query) if name not in named][:AT_ONCE]
        used = [name for name in unnamed if _is_shown(session, name)]
        _keep_longer(session, used, env.now)
        unused = [name for name in unnamed if name not in used]
        session.execute(
            delete(Picture).where(Picture.name.in_(unused), Picture.created_at < before)
        )
        return len(unused)


def _read_named(session: Session) -> set[str]:
    """Return the names of the pictures that drafts, letters and series refer to."""
    queries = (select(Campaign.pictures).where(_IS_KEPT), select(SeriesLetter.pictures))
    rows = (row for query in queries for row in session.scalars(query) if row)
    return {name for row in rows for name in row.values()}


def _is_shown(session: Session, name: str) -> bool:
    """Tell whether a picture is used in a letter, mailed content, an introduction or as a logo."""
    places = (
        select(Edition.id).where(or_(Edition.html.contains(name), Edition.text.contains(name))),
        select(DigestIntro.id).where(DigestIntro.text.contains(name)),
        select(Campaign.id).where(_IS_KEPT, Campaign.source.contains(name)),
        select(SeriesLetter.id).where(SeriesLetter.source.contains(name)),
        select(MailingList.id).where(MailingList.logo_url.contains(name)),
    )
    return any(session.execute(place.limit(1)).first() is not None for place in places)


def _keep_longer(session: Session, names: list[str], now: datetime) -> None:
    """Postpone the next search for pictures by `KEPT_FOR`, since it reads all mailed content."""
    session.execute(update(Picture).where(Picture.name.in_(names)).values(created_at=now))
