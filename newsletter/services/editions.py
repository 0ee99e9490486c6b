"""What a digest says: its entries made ready for mail, rendered, and shortened until the mail arrives whole."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from zoneinfo import ZoneInfo

from newsletter.content import clean_html, excerpt, html_to_text, plain, reading_minutes
from newsletter.mail.render import HTML_BUDGET, MailContent
from newsletter.models import Entry
from newsletter.services.environment import Environment
from newsletter.services.messages import ANY_READER, ListView, ReaderView

ENTRIES_AT_MOST = 25
EXCERPT_WORDS = 60
SHORT_WORDS = 20


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


def entry_mail(entry: Entry, *, zone: ZoneInfo, site_url: str) -> EntryMail:
    """An entry with its whole text, cleaned."""
    html = clean_html(entry.content_html or entry.summary_html, base_url=entry.link or site_url)
    words = excerpt(clean_html(entry.summary_html or entry.content_html, base_url=entry.link), words=EXCERPT_WORDS)
    text = html_to_text(html)
    return EntryMail(
        title=plain(entry.title) or plain(words, limit=80) or "A new post",
        link=entry.link,
        html=html,
        text=text,
        excerpt=words,
        image="" if "<img" in html and not entry.video_id else entry.image,
        image_alt=entry.image_alt,
        author=entry.author,
        date_text=_day(entry.published_at, zone),
        minutes=reading_minutes(text) if len(text) > 200 else 0,
        video=bool(entry.video_id),
    )


def _day(moment: datetime | None, zone: ZoneInfo) -> str:
    if moment is None:
        return ""
    local = moment.astimezone(zone)
    return f"{local.day} {local:%B %Y}"


def in_brief(entry: EntryMail, original: Entry, *, words: int) -> EntryMail:
    """The same entry as an excerpt of so many words (0: its title alone), with its picture."""
    short = " ".join(entry.excerpt.split()[:words])
    cut = short + " …" if len(entry.excerpt.split()) > words and words else short
    return replace(entry, html="", text="", excerpt=cut, image=original.image if words else "")


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
    whole = [entry_mail(entry, zone=zone, site_url=site_url) for entry in shown]
    pairs = list(zip(whole, shown, strict=True))
    forms = [whole] if len(whole) == 1 and not more else []
    forms += [
        [in_brief(mail, entry, words=words) for mail, entry in pairs] for words in (EXCERPT_WORDS, SHORT_WORDS, 0)
    ]
    content = None
    for number, form in enumerate(forms):
        context = {
            "list": mailing_list, "reader": reader, "entries": form, "intro": intro, "more": more,
            "more_url": site_url, "shortened": number > 0,
        }  # fmt: skip
        content = env.renderer.render("digest", context)
        if len(content.html.encode()) <= HTML_BUDGET:
            break
    assert content is not None
    return content
