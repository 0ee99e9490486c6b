"""What a digest says: its entries arranged, rendered, and shortened until the mail arrives whole."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session

from newsletter.authoring import markdown
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
LINKED_AT_MOST = 50
"""What one mail shows, and below that names with a link; the rest is counted, and in the archive.
"""
ROOM = ((SHOWN_AT_MOST, LINKED_AT_MOST), (SHOWN_AT_MOST, 0), (10, 0), (2, 0))
"""How many are shown and named, from what is usual to what fits with the longest titles and
addresses.
"""
ON_THE_WEB_AT_MOST = 500
PREHEADER_AT_MOST = 150


@dataclass(frozen=True, slots=True)
class DigestStyle:
    """How a list's digests are made.

    `headings` pairs the id of a feed or topic with its name, in their order.
    """

    zone: ZoneInfo
    show: str
    order: str
    sections: str
    headings: tuple[tuple[int, str], ...]


def style_of(session: Session, mailing_list: MailingList) -> DigestStyle:
    """The style its author set."""
    headings: list[tuple[int, str]] = []
    if mailing_list.digest_sections == "feed":
        query = (
            select(Feed.id, Feed.title, Feed.url)
            .where(Feed.list_id == mailing_list.id)
            .order_by(Feed.id)
        )
        headings = [(row.id, row.title or row.url) for row in session.execute(query)]
    elif mailing_list.digest_sections == "topic":
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
    """Entries in their places: what is shown by section (title, ids), what is only named, how many
    more there are.
    """

    sections: tuple[tuple[str, tuple[int, ...]], ...]
    also: tuple[int, ...]
    more: int

    @property
    def shown(self) -> tuple[int, ...]:
        """The ids of what is shown, in their order."""
        return tuple(entry for _, entries in self.sections for entry in entries)


def arrange(
    entries: Sequence[Candidate],
    style: DigestStyle,
    *,
    ceiling: int = SHOWN_AT_MOST,
    linked: int = LINKED_AT_MOST,
) -> Arrangement:
    """The newest `ceiling` entries in the order set, under the headings set; what has no heading
    comes first.
    """
    newest = sorted(entries, key=lambda entry: (entry.date, entry.seq), reverse=True)
    shown, rest = newest[:ceiling], newest[ceiling:]
    if style.order == "oldest":
        shown.reverse()
    by_heading: dict[int, list[int]] = {}
    for entry in shown:
        by_heading.setdefault(_heading(entry, style), []).append(entry.id)
    titles = {0: "", **dict(style.headings)}
    sections = [(titles[key], tuple(by_heading[key])) for key in titles if key in by_heading]
    if len(sections) == 1:
        sections = [("", sections[0][1])]
    also = tuple(entry.id for entry in rest[:linked])
    return Arrangement(tuple(sections), also, max(0, len(rest) - linked))


def _heading(entry: Candidate, style: DigestStyle) -> int:
    """The heading an entry stands under: its feed's, or that of the first of its topics; 0: none."""
    keys = [key for key, _ in style.headings]
    if style.sections == "feed":
        return entry.feed_id if entry.feed_id in keys else 0
    return next((key for key in keys if key in entry.topics), 0)


class Editor:
    """Renders the editions of one digest, in the languages of those who get them: what the author
    wrote stays as it is. Reads each entry once and cleans it once, however many editions carry it.
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
        here = mailing_list.site_url or mailing_list.url
        self.intro_html = markdown.render_markdown(intro, base_url=here).html if intro else ""
        self._presenters: dict[int, Presenter] = {}

    def render(self, entries: Sequence[Candidate], language: str = "") -> MailContent:
        """The mail for readers of `language` (else of the list's) who are owed `entries`; less of
        each where the HTML would grow beyond what Gmail shows. Raises `TemplateProblem`.
        """
        shown = self.list.in_language(language)
        for ceiling, linked in ROOM:
            content = self._fitted(
                shown, arrange(entries, self.style, ceiling=ceiling, linked=linked)
            )
            if _fits(content):
                break
        return content

    def _fitted(self, shown: ListContext, placed: Arrangement) -> MailContent:
        """The first of `_steps` that fits, found by halving; the last, if none does."""
        steps = _steps(len(placed.shown), self.style.show)
        low, high = 0, len(steps) - 1
        content = self._rendered(shown, placed, steps[0], shortened=False)
        if _fits(content):
            return content
        while low < high:
            middle = (low + high) // 2
            fits = _fits(self._rendered(shown, placed, steps[middle], shortened=True))
            low, high = (low, middle) if fits else (middle + 1, high)
        return self._rendered(shown, placed, steps[low], shortened=True)

    def web(self, entries: Sequence[Candidate]) -> MailContent:
        """The same for the archive: all of it, and nothing of a reader."""
        placed = arrange(entries, self.style, ceiling=ON_THE_WEB_AT_MOST)
        whole = _steps(len(placed.shown), self.style.show)[0]
        return self._rendered(self.list, placed, whole, shortened=False, web=True)

    def _rendered(
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

        def presented(keys: Sequence[int], level: int) -> tuple[EntryMail, ...]:
            return tuple(
                self._presenters[key].present(form[key], language=language, level=level)
                for key in keys
            )

        sections = [
            SectionMail(title, presented(keys, 1 if single else 3 if title else 2))
            for title, keys in placed.sections
        ]
        shown = [entry for section in sections for entry in section.entries]
        also = [self._presenters[key].present(TITLE, language=language) for key in placed.also]
        context = {
            "list": mailing_list,
            "subscriber": ANY_SUBSCRIBER,
            "web": web,
            "web_url": WEB_URL,
            "intro_html": self.intro_html,
            "intro": html_to_text(self.intro_html) if self.intro_html else "",
            "sections": sections,
            "entries": shown,
            "also": also,
            "more": placed.more,
            "shortened": shortened or any(entry.cut for entry in shown),
        }
        mail = "post" if single else "digest"
        context["preheader"] = self._preheader(shown, single=single)
        return self.env.renderer.render(mail, context | ({"entry": shown[0]} if single else {}))

    def _preheader(self, shown: Sequence[EntryMail], *, single: bool) -> str:
        """What a list of mails shows beside the subject, without saying the same again."""
        if self.intro_html:
            return shorten_text(
                html_to_text(self.intro_html, links=False).replace("\n", " "), PREHEADER_AT_MOST
            )
        if single:
            return shorten_text(shown[0].excerpt, PREHEADER_AT_MOST)
        rest = " · ".join(entry.title for entry in shown[2:]) or shown[0].excerpt
        return shorten_text(rest, PREHEADER_AT_MOST)

    def _load(self, ids: Sequence[int]) -> None:
        missing = [key for key in ids if key not in self._presenters]
        if missing:
            site_url, language = self.list.site_url or self.list.url, self.list.language
            for entry in self.session.scalars(select(Entry).where(Entry.id.in_(missing))):
                shown = Presenter(entry, zone=self.style.zone, language=language, site_url=site_url)
                self._presenters[entry.id] = shown


def _fits(content: MailContent) -> bool:
    return len(content.html.encode()) <= HTML_BUDGET


def _steps(count: int, show: str) -> list[tuple[EntryForm, ...]]:
    """From what was asked for to titles alone: each step shows less than the one before, beginning
    with the last entry. One post is cut before it becomes an excerpt.
    """
    whole = show == "full" or (show == "auto" and count == 1)
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
