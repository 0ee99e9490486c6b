"""What was mailed, for everybody: a page, and entries of the archive's own feed; with nothing of
any reader in it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from newsletter.html.sanitize import clean_html
from newsletter.mail.slots import fill
from newsletter.services.lists import archived_campaigns
from newsletter.services.runtime import Environment

BEGIN, END = "<!-- content -->", "<!-- /content -->"
"""What templates/emails/layout.html puts around what a mail says."""


@dataclass(frozen=True, slots=True)
class ArchivePage:
    """A mailing as the archive's feed carries it: `html` without the frame of the mail."""

    handle: str
    subject: str
    sent_at: datetime
    html: str


def render_page(env: Environment, slug: str, handle: str) -> str:
    """One mailing as it was mailed, but for its reader: a whole page.

    Raises `NotFound`, for what went to a segment, too: it was not for everybody.
    """
    return fill(archived_campaigns.get_archived_html(slug, handle), _nobody(env, slug))


def list_newest(env: Environment, slug: str, *, limit: int = 20) -> list[ArchivePage]:
    """The last mailings of a list, newest first.

    Raises `NotFound`.
    """
    found = []
    for mailing in archived_campaigns.list_archived(slug, limit=limit):
        html = _said(render_page(env, slug, mailing.handle), env.links.to("/"))
        found.append(ArchivePage(mailing.handle, mailing.subject, mailing.sent_at, html))
    return found


@lru_cache(maxsize=64)
def _said(html: str, base_url: str) -> str:
    """What a mail says, without its frame and styles.

    Kept: what was mailed never changes, and anybody may ask.
    """
    return clean_html(html.partition(BEGIN)[2].partition(END)[0] or html, base_url=base_url)


def _nobody(env: Environment, slug: str) -> Mapping[str, str]:
    """What stands in the slots where there is no reader: links for everybody, and nothing else."""
    anybody = env.links.to("/link")
    links = {
        "preferences_url": anybody,
        "unsubscribe_url": anybody,
        "list_url": env.links.mailing_list(slug),
    }
    return defaultdict(str, links)
