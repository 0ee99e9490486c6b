"""Choose the readable address of a campaign's page in the public archive."""

from __future__ import annotations

import re
import unicodedata
from datetime import datetime
from itertools import count

from sqlalchemy import select
from sqlalchemy.orm import Session

from newsletter.mail.slots import SLOT_PATTERN
from newsletter.models import Campaign

TITLE_AT_MOST = 60
"""Characters of the subject in an address, so that it stays whole where it is shared."""
_SPELLED_OUT = str.maketrans({"ß": "ss", "æ": "ae", "ø": "o", "đ": "d", "ł": "l", "ı": "i"})


def choose_archive_name(session: Session, campaign: Campaign, now: datetime) -> str:
    """Return a name that no other campaign of the list has, like ``2026-11-29-going-slowly``.

    The day is the list's own. A second campaign of the same day and subject gets ``-2``.
    """
    day = now.astimezone(campaign.mailing_list.zone).date().isoformat()
    base = "-".join(filter(None, (day, make_slug(campaign.subject))))
    query = select(Campaign.archive_name).where(
        Campaign.list_id == campaign.list_id,
        Campaign.archive_name.startswith(base, autoescape=True),
        Campaign.id != campaign.id,
    )
    others = set(session.scalars(query))
    names = (base if number == 1 else f"{base}-{number}" for number in count(1))
    return next(name for name in names if name not in others)


def make_slug(subject: str) -> str:
    """Spell a subject in the letters and digits that stay readable in an address.

    Empty where it has none of them, as in Arabic.
    """
    plain = SLOT_PATTERN.sub(" ", subject).casefold().translate(_SPELLED_OUT)
    letters = unicodedata.normalize("NFKD", plain).encode("ascii", "ignore").decode()
    words = re.findall(r"[a-z0-9]+", letters.replace("'", ""))
    slug = ""
    for word in words:
        if len(slug) + len(word) >= TITLE_AT_MOST:
            break
        slug = f"{slug}-{word}" if slug else word
    return slug or "".join(words[:1])[:TITLE_AT_MOST]
