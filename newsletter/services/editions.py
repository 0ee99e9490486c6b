"""What a digest says: its entries made ready for mail, rendered, and shortened until the mail arrives whole."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from zoneinfo import ZoneInfo

from newsletter.content import clean_html, excerpt, html_to_text, plain, reading_minutes
from newsletter.languages import Text, day, say
from newsletter.mail.render import HTML_BUDGET, MailContent
from newsletter.models import Entry
from newsletter.services.environment import Environment
from newsletter.services.messages import ANY_READER, ListView, ReaderView

ENTRIES_AT_MOST = 25
EXCERPT_WORDS = 60
SHORT_WORDS = 20
EXCERPT_HTML = 20_000


@dataclass(frozen=True, slots=True)
class EntryMail:
    """An entry as the digest's templates see it (`entries[n].…`). `html` and `text` are empty where an excerpt does."""

    title: str
    link: str
    html: str
    text: str
    excerpt: str
    image: str
    image_alt: str
    author: str
    date_text: str
    minutes: int
    video: bool


def whole(entry: Entry, *, zone: ZoneInfo, language: str, site_url: str) -> EntryMail:
    """An entry with all its text."""
    html = clean_html(entry.content_html or entry.summary_html, base_url=entry.link or site_url)
    image = "" if "<img" in html and not entry.video_id else entry.image
    brief = in_brief(entry, zone=zone, language=language, words=EXCERPT_WORDS)
    return replace(brief, html=html, text=html_to_text(html), image=image)


def in_brief(entry: Entry, *, zone: ZoneInfo, language: str, words: int) -> EntryMail:
    """An entry as an excerpt of so many words (0: its title alone), with its picture."""
    start = clean_html((entry.summary_html or entry.content_html)[:EXCERPT_HTML], base_url="")
    short = excerpt(start, words=words) if words else ""
    return EntryMail(
        title=plain(entry.title) or excerpt(start, words=8) or say(Text("A new post"), language),
        link=entry.link,
        html="",
        text="",
        excerpt=short,
        image=entry.image if words else "",
        image_alt=entry.image_alt,
        author=entry.author,
        date_text=day(entry.published_at, language, zone) if entry.published_at else "",
        minutes=_minutes(entry.content_html),
        video=bool(entry.video_id),
    )


def _minutes(html: str) -> int:
    """How long an entry takes to read, 0 where there is little to read."""
    words = re.sub(r"<[^<>]*>", " ", html)
    return reading_minutes(words) if len(words) > 400 else 0


def render(
    env: Environment,
    mailing_list: ListView,
    zone: ZoneInfo,
    entries: Sequence[Entry],
    *,
    reader: ReaderView = ANY_READER,
    intro: str = "",
) -> MailContent:
    """The digest of `entries`, in their order. One entry is shown whole, several as excerpts; less of each where the
    HTML would grow beyond what Gmail shows. Raises `TemplateProblem`."""
    shown, more = entries[:ENTRIES_AT_MOST], max(0, len(entries) - ENTRIES_AT_MOST)
    site_url = mailing_list.site_url or mailing_list.url
    forms: list[Callable[[Entry], EntryMail]] = [
        partial(in_brief, zone=zone, language=mailing_list.language, words=words)
        for words in (EXCERPT_WORDS, SHORT_WORDS, 0)
    ]
    if len(entries) == 1:
        forms.insert(0, partial(whole, zone=zone, language=mailing_list.language, site_url=site_url))
    content = None
    for number, form in enumerate(forms):
        context = {
            "list": mailing_list, "reader": reader, "intro": intro, "more": more,
            "entries": [form(entry) for entry in shown], "more_url": site_url, "shortened": number > 0,
        }  # fmt: skip
        content = env.renderer.render("digest", context)
        if len(content.html.encode()) <= HTML_BUDGET:
            break
    assert content is not None
    return content
