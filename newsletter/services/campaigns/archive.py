"""Read campaigns for the public archive: its pages, its feed and the sitemap.

Nothing of a subscriber is in them.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from sqlalchemy import ColumnElement, Select, select
from sqlalchemy.orm import Session

from newsletter.db.session import reading
from newsletter.errors import NotFound
from newsletter.html.sanitize import clean_html, find_first_picture
from newsletter.html.text import shorten_text, to_plain_line
from newsletter.html.to_text import make_excerpt
from newsletter.mail.slots import fill
from newsletter.models import Campaign, Edition, Entry, MailingList
from newsletter.models.campaigns import WEB
from newsletter.services.lists import archived_campaigns
from newsletter.services.lists.archived_campaigns import ArchivedCampaign
from newsletter.services.runtime import Environment
from newsletter.vocabulary import CampaignKind

BEGIN = "<!-- content -->"
END = "<!-- /content -->"
"""The marks that templates/emails/layout.html puts around the content of a mail."""
DESCRIPTION_AT_MOST = 160
"""Characters of a description: what searchers and link previews show of it."""
_FACTS = re.compile(r"</h1>\s{0,99}<p>(?:</?bdi\b[^<>]{0,20}>|[^<.!?]){0,160}</p>")
"""The line of author, date and length below a post's title, which a description leaves out."""
_BUTTON = re.compile(
    r"<div>\s{0,9}<div><a [^<>]{1,3000}>[^<>]{1,99}</a></div>\s{0,9}</div>\s{0,9}\Z"
)
"""The button below a post, which a description leaves out."""
SITEMAP_AT_MOST = 5000
"""Newest campaigns in the sitemap; the protocol's limit is 50,000 addresses a file."""


@dataclass(frozen=True, slots=True)
class ArchivedContent:
    """A campaign in the archive's feed; `html` is its content without the layout of the mail."""

    handle: str
    name: str
    subject: str
    sent_at: datetime
    html: str


@dataclass(frozen=True, slots=True)
class ArchivePage:
    """A campaign's page in the archive, with the metadata for search engines.

    `canonical` is the address that searchers are to list: the post's own where the campaign is one
    post. `picture` is its lead picture, else the list's logo, else empty. `indexed`: searchers may
    list it. `has_heading`: the content begins with a heading of its own.
    """

    subject: str
    sent_at: datetime
    description: str
    picture: str
    canonical: str
    indexed: bool
    has_heading: bool
    campaign_id: int
    previous: ArchivedCampaign | None
    next: ArchivedCampaign | None


@dataclass(frozen=True, slots=True)
class SitemapEntry:
    """A public page in the sitemap: its path, and its date if that is known."""

    path: str
    made_at: datetime | None


def find_path(slug: str, handle: str) -> str:
    """Return the path of the archive page of the campaign with a `handle`, or ""."""
    query = (
        _select_public(slug)
        .with_only_columns(Campaign.archive_name)
        .where(Campaign.handle == handle)
    )
    with reading() as session:
        name = session.scalar(query)
    return f"/{slug}/archive/{name}" if name else ""


def get_page(env: Environment, slug: str, name: str) -> tuple[ArchivePage, str]:
    """Return the archive page of the campaign with this name, and its content as HTML.

    Raises `NotFound`, for what went to a segment, too: it was not for everybody.
    """
    with reading() as session:
        campaign = _get_public(session, slug, Campaign.archive_name == name)
        campaign_id = campaign.id
        mailing_list = campaign.mailing_list
        posts = _list_posts(session, campaign)
        links = [link for link, _ in posts]
        neighbours = archived_campaigns.find_neighbours(session, campaign)
        listed = ArchivedCampaign(
            campaign.handle, name, campaign.subject, campaign.started_at or campaign.created_at
        )
        preheader = campaign.preheader
        titles = [title for _, title in posts]
        logo = mailing_list.logo_url
        about = mailing_list.description or mailing_list.title
        several = campaign.kind is CampaignKind.DIGEST and len(links) > 1
        indexed = not campaign.repeats and (not several or mailing_list.digest_indexed)
    content = _load_content(env, slug, listed)
    url = env.links.archive(slug, name)
    page = ArchivePage(
        listed.subject,
        listed.sent_at,
        _describe(preheader or (" · ".join(titles) if several else ""), content.html) or about,
        find_first_picture(content.html, base_url=url)[0] or logo,
        links[0] if len(links) == 1 and links[0] else url,
        indexed,
        "<h1" in content.html,
        campaign_id,
        neighbours.previous,
        neighbours.next,
    )
    return page, content.html


def list_newest(env: Environment, slug: str, *, limit: int = 20) -> list[ArchivedContent]:
    """Return the last campaigns of a list, newest first.

    Raises `NotFound`.
    """
    listed = archived_campaigns.list_archived(slug, limit=limit)
    return [_load_content(env, slug, campaign) for campaign in listed]


def list_sitemap() -> list[SitemapEntry]:
    """Return the public pages of the sitemap: lists, their archives, and campaigns."""
    with reading() as session:
        slugs = session.scalars(select(MailingList.slug).order_by(MailingList.id)).all()
        rows = session.execute(
            select(MailingList.slug, Campaign.archive_name, Campaign.started_at)
            .join(MailingList, MailingList.id == Campaign.list_id)
            .where(
                *archived_campaigns.LISTED,
                (Campaign.kind == CampaignKind.LETTER) | MailingList.digest_indexed,
            )
            .order_by(Campaign.id.desc())
            .limit(SITEMAP_AT_MOST)
        ).all()
    lists = [
        SitemapEntry(path, None) for slug in slugs for path in (f"/{slug}/", f"/{slug}/archive/")
    ]
    pages = [SitemapEntry(f"/{slug}/archive/{name}", sent_at) for slug, name, sent_at in rows]
    return [SitemapEntry("/", None), *lists, *pages]


def render_mail(env: Environment, slug: str, handle: str) -> str:
    """Return the whole HTML of a campaign's mail, without any subscriber's data.

    Raises `NotFound`, for what went to a segment, too: it was not for everybody.
    """
    return fill(
        archived_campaigns.get_archived_html(slug, handle), _make_impersonal_values(env, slug)
    )


def _select_public(slug: str) -> Select[Campaign]:
    return (
        select(Campaign)
        .join(MailingList)
        .where(MailingList.slug == slug, *archived_campaigns.PUBLIC)
    )


def _get_public(session: Session, slug: str, condition: ColumnElement[bool]) -> Campaign:
    campaign = session.scalar(_select_public(slug).where(condition))
    if campaign is None:
        raise NotFound("there is no such campaign in the archive")
    return campaign


def _list_posts(session: Session, campaign: Campaign) -> list[tuple[str, str]]:
    """Return the URL and title of each post in a digest, in its order; none for a letter.

    An address of another kind than a page's is empty.
    """
    numbers: list[int] = (
        session.scalar(
            select(Edition.entries).where(Edition.campaign_id == campaign.id, Edition.cursor == WEB)
        )
        or []
    )
    rows = session.execute(
        select(Entry.id, Entry.link, Entry.title).where(Entry.id.in_(numbers))
    ).all()
    posts = {
        number: (link if link.startswith(("https://", "http://")) else "", title)
        for number, link, title in rows
    }
    return [posts[number] for number in numbers if number in posts]


def _load_content(env: Environment, slug: str, listed: ArchivedCampaign) -> ArchivedContent:
    html = _extract_content(render_mail(env, slug, listed.handle), env.links.to("/"))
    return ArchivedContent(listed.handle, listed.name, listed.subject, listed.sent_at, html)


def _describe(preheader: str, html: str) -> str:
    content = _BUTTON.sub("", _FACTS.sub("</h1>", html, count=1))
    if not preheader and content.count("<h1") == 1:  # its card has the title already
        content = content.partition("</h1>")[2]
    text = preheader or make_excerpt(content, words=60)
    return shorten_text(to_plain_line(text, limit=1000), DESCRIPTION_AT_MOST)


@lru_cache(maxsize=64)
def _extract_content(html: str, base_url: str) -> str:
    """Return the content of a mail, without its layout and styles.

    Cached: what was mailed never changes, and anybody may ask.
    """
    return clean_html(html.partition(BEGIN)[2].partition(END)[0] or html, base_url=base_url)


def _make_impersonal_values(env: Environment, slug: str) -> Mapping[str, str]:
    """Return the values of slots for a page without a subscriber: public links."""
    anybody = env.links.to("/link")
    links = {
        "preferences_url": anybody,
        "unsubscribe_url": anybody,
        "why_url": anybody,
        "list_url": env.links.mailing_list(slug),
    }
    return defaultdict(str, links)
