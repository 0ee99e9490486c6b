"""Send a letter once more, to those of its list who have not had it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from newsletter.authoring.letter_file import parse_letter, replace_lines
from newsletter.db.session import reading
from newsletter.errors import Refused
from newsletter.services.campaigns import identify
from newsletter.services.letters import drafts
from newsletter.services.letters.drafts import LetterDraft
from newsletter.services.lookup import get_list
from newsletter.services.runtime import Environment


def load_draft_to_new(
    env: Environment,
    which: int | Path,
    slug: str | None = None,
    *,
    segment: str | None = None,
    offline: bool = False,
) -> LetterDraft:
    """Return a letter as it would go now to those of its list who have not had it.

    `which` is a file or a campaign, also one that was sent; `segment` stands in place of the
    letter's own. Raises as `load_draft`, and `Refused` where a campaign of this letter waits to
    start: that one goes to everybody.
    """
    kept: dict[str, Any] | None
    if isinstance(which, Path):
        letter, kept, file, draft_id = drafts.read_letter(which), None, str(which.resolve()), None
    else:
        with reading() as session:
            campaign = identify.get_campaign(session, which)
            letter, kept, file = drafts.letter_of(campaign), campaign.pictures, campaign.file
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
    whom = letter.segment if segment is None else segment
    narrowed = " and ".join(filter(None, (whom and f"({whom})", had and f"not had({had})")))
    text = replace_lines(letter.text, {"segment": narrowed})
    return drafts.prepare_draft(
        env,
        parse_letter(text, folder=letter.folder),
        slug,
        draft_id,
        file,
        kept=kept,
        status="file" if draft_id is None else "draft",
        offline=offline,
    )
