"""Render mailed campaigns for the public archive and its feed, without anything personal."""

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

BEGIN = "<!-- content -->"
END = "<!-- /content -->"
"""Marks that templates/emails/layout.html puts around the content of a mail."""


@dataclass(frozen=True, slots=True)
class ArchivePage:
    """A campaign as the archive's feed carries it: `html` without the frame of the mail."""

    handle: str
    subject: str
    sent_at: datetime
    html: str


def render_page(env: Environment, slug: str, handle: str) -> str:
    """Render a campaign as it was mailed, but with nothing personal, as a whole page.

    Raises `NotFound`, also for a campaign to a segment, because it was not for everybody.
    """
    return fill(archived_campaigns.get_archived_html(slug, handle), _make_public_links(env, slug))


def list_newest(env: Environment, slug: str, *, limit: int = 20) -> list[ArchivePage]:
    """Return the last campaigns of a list, newest first.

    Raises `NotFound`.
    """
    pages = []
    for campaign in archived_campaigns.list_archived(slug, limit=limit):
        html = _extract_content(render_page(env, slug, campaign.handle), env.links.to("/"))
        pages.append(ArchivePage(campaign.handle, campaign.subject, campaign.sent_at, html))
    return pages


@lru_cache(maxsize=64)
def _extract_content(html: str, base_url: str) -> str:
    """Return the content of a mail without its frame and styles.

    Cached, because mailed content never changes and anybody may ask for it.
    """
    return clean_html(html.partition(BEGIN)[2].partition(END)[0] or html, base_url=base_url)


def _make_public_links(env: Environment, slug: str) -> Mapping[str, str]:
    """Return values of slots for a page without subscriber: links for everybody, else nothing."""
    anybody = env.links.to("/link")
    links = {
        "preferences_url": anybody,
        "unsubscribe_url": anybody,
        "list_url": env.links.mailing_list(slug),
    }
    return defaultdict(str, links)
