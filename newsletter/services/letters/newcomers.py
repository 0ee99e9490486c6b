"""Send a letter once more, to those of its list who have not had it."""

from __future__ import annotations

from pathlib import Path

from newsletter.authoring.letter_file import parse_letter, replace_lines
from newsletter.db.session import reading
from newsletter.errors import Refused
from newsletter.services.campaigns import identify
from newsletter.services.letters import drafts, letter_files
from newsletter.services.letters.drafts import LetterDraft
from newsletter.services.lookup import get_list
from newsletter.services.runtime import Environment


def load_draft_to_new(
    env: Environment,
    source: int | Path,
    slug: str | None = None,
    *,
    segment: str | None = None,
    offline: bool = False,
) -> LetterDraft:
    """Return a letter as it would go now to those of its list who have not had it.

    `source` is a file or a campaign, also one that was sent; `segment` stands in place of the
    letter's own. Raises as `load_draft`, and `Refused` if a campaign of this letter waits to
    start, because that one goes to everybody.
    """
    stored_pictures = None
    draft_id = None
    if isinstance(source, Path):
        letter = letter_files.read_letter(source)
        file = str(source.resolve())
    else:
        with reading() as session:
            campaign = identify.get_campaign(session, source)
            letter = drafts.parse_source(campaign)
            stored_pictures = campaign.pictures
            file = campaign.file
            draft_id = campaign.id if campaign.status == "draft" else None
            slug = campaign.mailing_list.slug
    with reading() as session:
        mailing_list = get_list(session, slug or letter.slug)
        earlier = identify.find_earlier(session, mailing_list.id, letter, file)
        if waiting := next((row for row in earlier if row.started_at is None), None):
            raise Refused(
                f"campaign {waiting.id} is this letter and {waiting.status}",
                hint="it goes to everybody when it starts",
            )
        had = ", ".join(str(row.id) for row in earlier)
    condition = letter.segment if segment is None else segment
    parts = (condition and f"({condition})", had and f"not had({had})")
    narrowed = " and ".join(filter(None, parts))
    text = replace_lines(letter.text, {"segment": narrowed})
    return drafts.prepare_draft(
        env,
        parse_letter(text, folder=letter.folder),
        slug,
        draft_id,
        file,
        stored_pictures=stored_pictures,
        status="file" if draft_id is None else "draft",
        offline=offline,
    )
