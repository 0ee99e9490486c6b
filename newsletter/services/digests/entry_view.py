"""Present an entry in a mail: in full, cut, as an excerpt, or as a link."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from html import escape
from unicodedata import bidirectional
from zoneinfo import ZoneInfo

from newsletter.html.accessible import make_accessible
from newsletter.html.links import make_absolute
from newsletter.html.pictures import is_letter_address
from newsletter.html.sanitize import clean_html
from newsletter.html.text import to_plain_line
from newsletter.html.to_text import (
    count_reading_minutes,
    html_to_text,
    make_excerpt,
    take_first_words,
)
from newsletter.html.truncate import cut_html
from newsletter.i18n import Text, format_day, get_direction, say
from newsletter.models import Entry
from newsletter.services.polling.correct_entry import OWN_EXCERPT_AT_MOST

EXCERPT_WORDS = 60
"""Words of an excerpt: a paragraph."""
SHORT_WORDS = 20
"""Words of an excerpt in a digest that would otherwise be too long."""
EXCERPT_HTML = 20_000
"""Characters of HTML that are read for an excerpt, to bound the cost of long posts."""
STILLS = re.compile(r"https://i\.ytimg\.com/vi/")
"""URLs of the still pictures of YouTube's videos."""
VIDEO_HEIGHT = 402
"""Pixels: the height of YouTube's still pictures (4:3) at the width of a mail."""
CUT_BY_BLOGS = 50
"""Words from which a summary counts as cut by the blog (WordPress: 55), not as its author's."""
CUTS = (60_000, 40_000, 25_000, 12_000, 5_000)
"""The lengths that one long post is cut to, in bytes before styles."""


@dataclass(frozen=True, slots=True)
class EntryForm:
    """The form in which an entry is shown.

    `whole`: all its text, cut to `limit` bytes if that is not 0. Otherwise `words` of an excerpt,
    or the title alone (0).
    """

    whole: bool = False
    limit: int = 0
    words: int = 0


WHOLE = EntryForm(whole=True)
EXCERPT = EntryForm(words=EXCERPT_WORDS)
SHORT = EntryForm(words=SHORT_WORDS)
TITLE = EntryForm()


@dataclass(frozen=True, slots=True)
class EntryMail:
    """An entry as the templates of digests see it (`entries[n].title`).

    `html` and `text` are empty if only an excerpt is shown. `image_height` is 0 if it is not known.
    `plays`: the image is a still picture of a video. `audio` is a sound to listen to, "" where
    `html` leads to it; `audio_minutes` is 0 if its length is not known. `direction` is ``ltr`` or
    ``rtl``.
    """

    title: str
    link: str
    html: str
    text: str
    excerpt: str
    image: str
    image_alt: str
    image_height: int
    author: str
    date_text: str
    minutes: int
    video: bool
    plays: bool
    audio: str
    audio_minutes: int
    cut: bool
    direction: str


@dataclass(frozen=True, slots=True)
class SectionMail:
    """A heading (may be empty) and the entries below it."""

    title: str
    entries: tuple[EntryMail, ...]


class Presenter:
    """Presents one entry in several forms, sanitizing it once; `language` is its blog's."""

    def __init__(self, entry: Entry, *, zone: ZoneInfo, language: str, site_url: str) -> None:
        self.entry = entry
        self.zone = zone
        self.language = language
        self.site_url = site_url
        self._tidied: dict[int, str] = {}

    @cached_property
    def clean(self) -> str:
        """Return all text of the entry as sanitized HTML."""
        source = self.entry.content_html or self.entry.summary_html
        return clean_html(source, base_url=self.entry.link or self.site_url)

    def html(self, level: int) -> str:
        """Return the entry's HTML, with headings below `level`."""
        if level not in self._tidied:
            self._tidied[level] = make_accessible(self.clean, below=level)
        return self._tidied[level]

    @cached_property
    def start(self) -> str:
        """Return the beginning of the text as one line, from which excerpts are made."""
        if self.entry.own_excerpt:
            return to_plain_line(self.entry.own_excerpt, limit=OWN_EXCERPT_AT_MOST)
        summary = make_excerpt(self.entry.summary_html[:EXCERPT_HTML], words=EXCERPT_WORDS)
        content = self.entry.content_html[:EXCERPT_HTML]
        if not summary or not content:
            return summary or make_excerpt(content, words=EXCERPT_WORDS)
        if not _is_beginning_of(self.entry.summary_html[:EXCERPT_HTML], content):
            return summary
        count = len(summary.split(" "))
        return (
            make_excerpt(content, words=EXCERPT_WORDS if count >= CUT_BY_BLOGS else count)
            or summary
        )

    def present(self, form: EntryForm, *, language: str, level: int = 2) -> EntryMail:
        """Return the entry in one of its forms, for a mail in `language`.

        Its title is a heading of this level.
        """
        entry = self.entry
        everything = self.html(level) if form.whole else ""
        html = cut_html(everything, form.limit) if form.limit else everything
        has_picture = "<img" in html and not entry.video_id
        image = "" if form == TITLE or has_picture else _find_picture(entry.image)
        title = (
            to_plain_line(entry.own_title or entry.title)
            or take_first_words(self.start, 8)
            or say(Text("A new post"), language)
        )
        return EntryMail(
            title=title,
            link=make_absolute(entry.link, base_url="") or "",
            html=html,
            text=html_to_text(html) if html else "",
            excerpt=take_first_words(self.start, EXCERPT_WORDS if form.whole else form.words),
            image=image,
            # No brackets in an attribute: a mail program's parser may be worse than a browser's.
            image_alt=(to_plain_line(entry.image_alt, limit=300) or title)
            .replace("<", "‹")
            .replace(">", "›"),
            image_height=VIDEO_HEIGHT if STILLS.match(image) else 0,
            author=to_plain_line(entry.author, limit=200),
            date_text=format_day(entry.published_at, language, self.zone)
            if entry.published_at
            else "",
            minutes=self._minutes,
            video=bool(entry.video_id),
            plays=bool(STILLS.match(image)),
            audio="" if form == TITLE or _cut_query(entry.audio) in html else entry.audio,
            audio_minutes=round(entry.audio_seconds / 60),
            cut=html != everything,
            direction=find_direction(f"{title} {self.start}", self.language),
        )

    @cached_property
    def _minutes(self) -> int:
        """Return the minutes that the entry takes to read; 0 for a short text."""
        words = re.sub(r"<[^<>]*>", " ", self.entry.content_html)
        return count_reading_minutes(words) if len(words) > 400 else 0


def _cut_query(address: str) -> str:
    """Return a URL, escaped as in HTML, without its query."""
    return escape(address.partition("?")[0])


def _find_picture(image: str) -> str:
    """Return the URL of a picture to show beside the title; "" for an emoji or icon."""
    address = make_absolute(image, base_url="") or ""
    return "" if is_letter_address(address) else address


def _is_beginning_of(summary: str, content: str) -> bool:
    """Tell whether a summary is only the beginning of the content.

    Then the content makes the better excerpt: the summary has lost what separated its parts.
    """
    first, *others = (
        re.sub(r"\W+", " ", text).split()[:5]
        for text in (
            html_to_text(summary, links=False),
            html_to_text(content, links=False),
            re.sub(r"<[^<>]*>", " ", content),
        )
    )
    return any(first == other[: len(first)] for other in others)


def find_direction(text: str, language: str) -> str:
    """Return the writing direction of a text, by its first strong character (UAX 9, rule P2).

    A text without one has the direction of `language`.
    """
    for character in text:
        kind = bidirectional(character)
        if kind == "L":
            return "ltr"
        if kind in ("R", "AL"):
            return "rtl"
    return get_direction(language)
