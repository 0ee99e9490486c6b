"""Detect conflicting changes of a letter, in browsers and in its file."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy.orm import Session

from newsletter.errors import ChangedMeanwhile
from newsletter.i18n import Text
from newsletter.models import Campaign
from newsletter.services.campaigns import identify


def require_revision(campaign: Campaign, revision: int | None) -> None:
    """Raise `ChangedMeanwhile` if a letter was changed since `revision`; None skips the check."""
    if revision is not None and campaign.revision != revision:
        raise ChangedMeanwhile(
            Text("campaign %(id)s was changed by somebody else meanwhile", id=campaign.id),
            hint=Text("look at it again; nothing of it was overwritten"),
        )


def find_folder(campaign: Campaign) -> Path | None:
    """Return the folder of a letter's file; None without a file, or if it was changed elsewhere.

    Whoever writes in a browser must not mail the files of somebody else's folder.
    """
    in_step = campaign.file and campaign.revision == campaign.filed_revision
    return Path(campaign.file).parent if in_step else None


def find_file_draft(session: Session, list_id: int, file: str, text: str) -> Campaign | None:
    """Return the draft of the same file, if this text may replace it.

    Raises `ChangedMeanwhile` if it was changed elsewhere since: both texts are somebody's work.
    """
    campaign = identify.find_draft(session, list_id, file)
    if campaign is None or campaign.source == text:
        return campaign
    if campaign.revision != campaign.filed_revision:
        raise ChangedMeanwhile(
            Text(
                "campaign %(id)s, made of this file, was changed in a browser since", id=campaign.id
            ),
            hint=Text(
                "`newsletter campaign edit %(id)s` shows its text, and with --file it takes that "
                "of the file",
                id=campaign.id,
            ),
        )
    return campaign
