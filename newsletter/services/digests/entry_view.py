"""An entry made ready for mail: whole, cut, as an excerpt, as a link."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
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
from newsletter.i18n import Text, day, direction, say
from newsletter.models import Entry

EXCERPT_WORDS = 60
SHORT_WORDS = 20
EXCERPT_HTML = 20_000
STILLS = re.compile(r"https://i\.ytimg\.com/vi/")
VIDEO_HEIGHT = 402
"""Of YouTube's still pictures (4:3) at the width of a mail."""
CUT_BY_BLOGS = 50
"""Words.

A summary of so many was cut by the blog (WordPress: 55); a shorter one ends where its author ended
it.
"""
CUTS = (60_000, 40_000, 25_000, 12_000, 5_000)
"""How much of one long post is kept, in bytes before styles."""


@dataclass(frozen=True, slots=True)
class EntryForm:
    """How much of an entry is shown: all its text (cut to `limit` bytes), or `words` of an excerpt
    (0: its title).
    """

    whole: bool = False
    limit: int = 0
    words: int = 0


WHOLE, EXCERPT, SHORT, TITLE = (
    EntryForm(whole=True),
    EntryForm(words=EXCERPT_WORDS),
    EntryForm(words=SHORT_WORDS),
    EntryForm(),
)


@dataclass(frozen=True, slots=True)
class EntryMail:
    """An entry as the digest's templates see it (`entries[n].…`).

    `html` and `text` are empty where an excerpt does; `image_height` is 0 where it is not known;
    `plays` says that the image is a still picture of a video; `direction` is ``ltr`` or ``rtl``.
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
    cut: bool
    direction: str


@dataclass(frozen=True, slots=True)
class SectionMail:
    """A heading (may be empty) and the entries below it."""

    title: str
    entries: tuple[EntryMail, ...]


class Presenter:
    """An entry, cleaned once, however often and in whatever form it is shown.

    `language` is its blog's.
    """

    def __init__(self, entry: Entry, *, zone: ZoneInfo, language: str, site_url: str) -> None:
        self.entry = entry
        self.zone = zone
        self.language = language
        self.site_url = site_url
        self._tidied: dict[int, str] = {}

    @cached_property
    def clean(self) -> str:
        """All its text, harmless."""
        source = self.entry.content_html or self.entry.summary_html
        return clean_html(source, base_url=self.entry.link or self.site_url)

    def html(self, level: int) -> str:
        """The same, below a heading of this level."""
        if level not in self._tidied:
            self._tidied[level] = make_accessible(self.clean, below=level)
        return self._tidied[level]

    @cached_property
    def start(self) -> str:
        """What an excerpt is made of, as one line of text."""
        summary = make_excerpt(self.entry.summary_html[:EXCERPT_HTML], words=EXCERPT_WORDS)
        content = self.entry.content_html[:EXCERPT_HTML]
        if not summary or not content:
            return summary or make_excerpt(content, words=EXCERPT_WORDS)
        if not _starts_alike(self.entry.summary_html[:EXCERPT_HTML], content):
            return summary
        count = len(summary.split(" "))
        return (
            make_excerpt(content, words=EXCERPT_WORDS if count >= CUT_BY_BLOGS else count)
            or summary
        )

    def present(self, form: EntryForm, *, language: str, level: int = 2) -> EntryMail:
        """The entry in one of its forms, its title a heading of this level, for readers of
        `language`.
        """
        entry, everything = self.entry, self.html(level) if form.whole else ""
        html = cut_html(everything, form.limit) if form.limit else everything
        own_picture = "<img" in html and not entry.video_id
        shown = "" if form == TITLE or own_picture else _worth_showing(entry.image)
        title = (
            to_plain_line(entry.title)
            or take_first_words(self.start, 8)
            or say(Text("A new post"), language)
        )
        return EntryMail(
            title=title,
            link=make_absolute(entry.link, base_url="") or "",
            html=html,
            text=html_to_text(html) if html else "",
            excerpt=take_first_words(self.start, EXCERPT_WORDS if form.whole else form.words),
            image=shown,
            # No brackets in an attribute: a mail program's parser may be worse than a browser's.
            image_alt=(to_plain_line(entry.image_alt, limit=300) or title)
            .replace("<", "‹")
            .replace(">", "›"),
            image_height=VIDEO_HEIGHT if STILLS.match(shown) else 0,
            author=to_plain_line(entry.author, limit=200),
            date_text=day(entry.published_at, language, self.zone) if entry.published_at else "",
            minutes=self._minutes,
            video=bool(entry.video_id),
            plays=bool(STILLS.match(shown)),
            cut=html != everything,
            direction=find_direction(f"{title} {self.start}", self.language),
        )

    @cached_property
    def _minutes(self) -> int:
        """How long it takes to read, 0 where there is little to read."""
        words = re.sub(r"<[^<>]*>", " ", self.entry.content_html)
        return count_reading_minutes(words) if len(words) > 400 else 0


def _worth_showing(image: str) -> str:
    """Return the address of a picture to show beside a title; "" for one that is an emoji or icon."""
    address = make_absolute(image, base_url="") or ""
    return "" if is_letter_address(address) else address


def _starts_alike(summary: str, content: str) -> bool:
    """Tell whether a summary is only the beginning of the content, without what set its parts
    apart: then the content itself makes the better one.
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
    """Which way a text is written, by its first letter that says so (UAX 9, rule P2); else as
    `language` is.
    """
    for character in text:
        kind = bidirectional(character)
        if kind == "L":
            return "ltr"
        if kind in ("R", "AL"):
            return "rtl"
    return direction(language)
