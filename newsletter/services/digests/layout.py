"""Arrange and render the entries of a digest, shortened until the mail is small enough."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session

from newsletter.authoring import markdown
from newsletter.digest_vocabulary import DigestOrder, DigestSections, DigestShow
from newsletter.html.text import shorten_text
from newsletter.html.to_text import html_to_text
from newsletter.mail.render import HTML_BUDGET, WEB_URL, MailContent
from newsletter.models import Entry, Feed, MailingList, Topic
from newsletter.services.digests.entry_view import (
    CUTS,
    EXCERPT,
    SHORT,
    TITLE,
    WHOLE,
    EntryForm,
    EntryMail,
    Presenter,
    SectionMail,
)
from newsletter.services.digests.selection import Candidate
from newsletter.services.mail_context import ANY_SUBSCRIBER, ListContext
from newsletter.services.runtime import Environment

SHOWN_AT_MOST = 25
"""The most entries that one mail shows; the others are linked or counted."""
LINKED_AT_MOST = 50
"""The most entries that one mail links below those shown; the archive has the rest."""
ROOM = ((SHOWN_AT_MOST, LINKED_AT_MOST), (SHOWN_AT_MOST, 0), (10, 0), (2, 0))
"""Numbers of entries that are shown and linked, from the usual to what fits with long titles."""
ON_THE_WEB_AT_MOST = 500
"""The most entries that a page of the archive shows, as after a long downtime."""
JUMPS_FROM = 5
"""Number of entries from which a digest begins with a linked list of headlines."""
PREHEADER_AT_MOST = 150
"""Characters of the preheader: as many as the widest mail client shows beside a subject."""


@dataclass(frozen=True, slots=True)
class DigestStyle:
    """The style of a list's digests; `headings` are ids of feeds or topics with names, in order."""

    zone: ZoneInfo
    show: DigestShow
    order: DigestOrder
    sections: DigestSections
    headings: tuple[tuple[int, str], ...]


def read_style(session: Session, mailing_list: MailingList) -> DigestStyle:
    """Return the style that a list's author set."""
    headings: list[tuple[int, str]] = []
    if mailing_list.digest_sections == DigestSections.FEED:
        query = (
            select(Feed.id, Feed.title, Feed.url)
            .where(Feed.list_id == mailing_list.id)
            .order_by(Feed.id)
        )
        headings = [(row.id, row.title or row.url) for row in session.execute(query)]
    elif mailing_list.digest_sections == DigestSections.TOPIC:
        named = select(Topic.id, Topic.name).where(Topic.list_id == mailing_list.id)
        headings = [
            (row.id, row.name) for row in session.execute(named.order_by(Topic.position, Topic.id))
        ]
    first = mailing_list.section_order
    headings.sort(
        key=lambda heading: first.index(str(heading[0])) if str(heading[0]) in first else len(first)
    )
    return DigestStyle(
        mailing_list.zone,
        mailing_list.digest_show,
        mailing_list.digest_order,
        mailing_list.digest_sections,
        tuple(headings),
    )


@dataclass(frozen=True, slots=True)
class Arrangement:
    """The entries of a digest grouped under headings.

    `sections` hold the ids shown under each title; `also` are named with a link; `more` counts the
    rest.
    """

    sections: tuple[tuple[str, tuple[int, ...]], ...]
    also: tuple[int, ...]
    more: int

    @property
    def shown(self) -> tuple[int, ...]:
        """The ids of the entries that are shown, in their order."""
        return tuple(entry for _, entries in self.sections for entry in entries)


def arrange(
    entries: Sequence[Candidate],
    style: DigestStyle,
    *,
    ceiling: int = SHOWN_AT_MOST,
    linked: int = LINKED_AT_MOST,
) -> Arrangement:
    """Group the newest `ceiling` entries under the headings of a style, in its order.

    Entries without a heading come first.
    """
    newest = sorted(entries, key=lambda entry: (entry.date, entry.seq), reverse=True)
    full = newest[:ceiling]
    rest = newest[ceiling:]
    if style.order is DigestOrder.OLDEST:
        full.reverse()
    by_heading: dict[int, list[int]] = {}
    for entry in full:
        by_heading.setdefault(_find_heading(entry, style), []).append(entry.id)
    titles = {0: "", **dict(style.headings)}
    sections = [(titles[key], tuple(by_heading[key])) for key in titles if key in by_heading]
    if len(sections) == 1:
        sections = [("", sections[0][1])]
    also = tuple(entry.id for entry in rest[:linked])
    return Arrangement(tuple(sections), also, max(0, len(rest) - linked))


def _find_heading(entry: Candidate, style: DigestStyle) -> int:
    """Return the heading of an entry: its feed's or that of its first topic; 0 if it has none."""
    keys = [key for key, _ in style.headings]
    if style.sections is DigestSections.FEED:
        return entry.feed_id if entry.feed_id in keys else 0
    return next((key for key in keys if key in entry.topics), 0)


class Editor:
    """Renders the editions of one digest in the languages of its subscribers.

    What the author wrote is not translated. Each entry is read and cleaned once, however many
    editions carry it.
    """

    def __init__(
        self,
        env: Environment,
        session: Session,
        mailing_list: ListContext,
        style: DigestStyle,
        intro: str = "",
    ) -> None:
        self.env = env
        self.session = session
        self.list = mailing_list
        self.style = style
        base_url = mailing_list.site_url or mailing_list.url
        self.intro_html = markdown.render_markdown(intro, base_url=base_url).html if intro else ""
        self._presenters: dict[int, Presenter] = {}

    def render(self, entries: Sequence[Candidate], language: str = "") -> MailContent:
        """Render the mail with `entries` in `language`, or else in the list's.

        Entries are shortened where the HTML would grow beyond what Gmail shows. Raises
        `TemplateProblem`.
        """
        mailing_list = self.list.in_language(language)
        for ceiling, linked in ROOM:
            content = self._fit(
                mailing_list, arrange(entries, self.style, ceiling=ceiling, linked=linked)
            )
            if _fits(content):
                break
        return content

    def _fit(self, mailing_list: ListContext, placed: Arrangement) -> MailContent:
        """Render the first of `_list_steps` that fits, found by bisection, or else the last."""
        steps = _list_steps(len(placed.shown), self.style.show)
        low = 0
        high = len(steps) - 1
        content = self._render(mailing_list, placed, steps[0], shortened=False)
        if _fits(content):
            return content
        while low < high:
            middle = (low + high) // 2
            fits = _fits(self._render(mailing_list, placed, steps[middle], shortened=True))
            if fits:
                high = middle
            else:
                low = middle + 1
        return self._render(mailing_list, placed, steps[low], shortened=True)

    def render_web(self, entries: Sequence[Candidate]) -> MailContent:
        """Render the page in the archive: all entries, and nothing of any subscriber."""
        placed = arrange(entries, self.style, ceiling=ON_THE_WEB_AT_MOST)
        whole = _list_steps(len(placed.shown), self.style.show)[0]
        return self._render(self.list, placed, whole, shortened=False, web=True)

    def _render(
        self,
        mailing_list: ListContext,
        placed: Arrangement,
        forms: Sequence[EntryForm],
        *,
        shortened: bool,
        web: bool = False,
    ) -> MailContent:
        self._load((*placed.shown, *placed.also))
        form = dict(zip(placed.shown, forms, strict=True))
        single = len(placed.shown) == 1 and not placed.also
        language = mailing_list.language

        def present(keys: Sequence[int], level: int) -> tuple[EntryMail, ...]:
            return tuple(
                self._presenters[key].present(form[key], language=language, level=level)
                for key in keys
            )

        sections = [
            SectionMail(title, present(keys, 1 if single else 3 if title else 2))
            for title, keys in placed.sections
        ]
        entries = [entry for section in sections for entry in section.entries]
        also = [self._presenters[key].present(TITLE, language=language) for key in placed.also]
        context = {
            "list": mailing_list,
            "subscriber": ANY_SUBSCRIBER,
            "web": web,
            "web_url": WEB_URL,
            "intro_html": self.intro_html,
            "intro": html_to_text(self.intro_html) if self.intro_html else "",
            "sections": sections,
            "entries": entries,
            "jumps": not web and len(entries) >= JUMPS_FROM,
            "also": also,
            "more": placed.more,
            "shortened": shortened or any(entry.cut for entry in entries),
        }
        mail = "post" if single else "digest"
        context["preheader"] = self._write_preheader(entries, single=single)
        return self.env.renderer.render(mail, context | ({"entry": entries[0]} if single else {}))

    def _write_preheader(self, entries: Sequence[EntryMail], *, single: bool) -> str:
        """Return the text beside the subject in a list of mails, without repeating the subject."""
        if self.intro_html:
            intro = html_to_text(self.intro_html, links=False)
            return shorten_text(intro.replace("\n", " "), PREHEADER_AT_MOST)
        if single:
            return shorten_text(entries[0].excerpt, PREHEADER_AT_MOST)
        rest = " · ".join(entry.title for entry in entries[2:]) or entries[0].excerpt
        return shorten_text(rest, PREHEADER_AT_MOST)

    def _load(self, ids: Sequence[int]) -> None:
        """Load the entries that are not loaded yet."""
        missing = [key for key in ids if key not in self._presenters]
        if missing:
            site_url = self.list.site_url or self.list.url
            for entry in self.session.scalars(select(Entry).where(Entry.id.in_(missing))):
                self._presenters[entry.id] = Presenter(
                    entry, zone=self.style.zone, language=self.list.language, site_url=site_url
                )


def _fits(content: MailContent) -> bool:
    return len(content.html.encode()) <= HTML_BUDGET


def _list_steps(count: int, show: DigestShow) -> list[tuple[EntryForm, ...]]:
    """List the ways to show `count` entries, from the most to titles alone.

    Each step shows less than the one before, beginning with the last entry. A single post is cut
    before it becomes an excerpt.
    """
    whole = show == DigestShow.FULL or (show == DigestShow.AUTO and count == 1)
    forms = [WHOLE if whole else EXCERPT] * count
    steps = [tuple(forms)]
    if count == 1 and whole:
        steps += [(replace(WHOLE, limit=limit),) for limit in CUTS]
    for form in (EXCERPT, SHORT, TITLE):
        if form == forms[0]:
            continue
        for position in reversed(range(count)):
            forms[position] = form
            steps.append(tuple(forms))
    return steps
