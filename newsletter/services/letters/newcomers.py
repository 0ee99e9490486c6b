"""Send a letter again, to subscribers who have not received it."""

from __future__ import annotations

from pathlib import Path

from newsletter.authoring.letter_file import parse_letter, replace_lines
from newsletter.db.session import reading
from newsletter.errors import Refused
from newsletter.i18n import Text
from newsletter.services.campaigns import identify
from newsletter.services.letters import drafts, letter_files
from newsletter.services.letters.drafts import LetterDraft
from newsletter.services.lookup import get_list
from newsletter.services.runtime import Environment
from newsletter.vocabulary import CampaignStatus


def load_draft_to_new(
    env: Environment,
    source: int | Path,
    slug: str | None = None,
    *,
    segment: str | None = None,
    offline: bool = False,
) -> LetterDraft:
    """Return the draft of a letter for subscribers who have not received it.

    `source` is a file or a campaign, also one that was sent; `segment` stands in place of the
    letter's own. Raises as `load_draft`, and `Refused` if a campaign of this letter waits to
    start, because that one goes to everybody.
    """
    stored_pictures = draft_id = revision = None
    if isinstance(source, Path):
        letter = letter_files.read_letter(source)
        file = str(source.resolve())
    else:
        with reading() as session:
            campaign = identify.get_campaign(session, source)
            letter = drafts.parse_source(campaign)
            stored_pictures = campaign.pictures
            file = campaign.file
            if campaign.status is CampaignStatus.DRAFT:
                draft_id = campaign.id
                revision = campaign.revision
            slug = campaign.mailing_list.slug
    with reading() as session:
        list_id = get_list(session, slug or letter.slug).id
        earlier = identify.find_earlier(session, list_id, letter, file)
        if waiting := next((row for row in earlier if row.started_at is None), None):
            raise _make_refusal(waiting.id, waiting.status)
        ids = ", ".join(str(row.id) for row in earlier)
    narrowed = _narrow(letter.text, letter.segment if segment is None else segment, ids)
    return drafts.prepare_draft(
        env,
        parse_letter(narrowed, folder=letter.folder),
        slug,
        draft_id,
        file,
        stored_pictures=stored_pictures,
        status=None if draft_id is None else CampaignStatus.DRAFT,
        offline=offline,
        revision=revision,
    )


def _narrow(text: str, segment: str, ids: str) -> str:
    """Return a letter's text with a segment of the subscribers not sent the campaigns `ids`."""
    parts = (segment and f"({segment})", ids and f"not had({ids})")
    return replace_lines(text, {"segment": " and ".join(filter(None, parts))})


def _make_refusal(campaign_id: int, status: CampaignStatus) -> Refused:
    problem = Text("campaign %(id)s is this letter and %(status)s", id=campaign_id, status=status)
    return Refused(problem, hint=Text("it goes to everybody when it starts"))
