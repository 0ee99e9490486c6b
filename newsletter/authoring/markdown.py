"""Render an author's Markdown as HTML and plain text for mail.

Pure. The Markdown is CommonMark with tables, footnotes, struck-out text and bare addresses as
links; ``![alt](picture.jpg){width=300}``; ``[Label](https://…){.button}`` on a line of its own,
which is a button; a link to a video on a line of its own, which is a card; and questions with
choices (questions.py). Raw HTML is displayed as text, so that the result consists only of tags of
this program.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from markdown_it.token import Token

from newsletter.authoring import plain_text
from newsletter.authoring.markdown_parser import (
    COLUMN_WIDTH,
    LETTER_AT_MOST,
    parse_markdown,
    render_tokens,
)
from newsletter.authoring.questions import Question
from newsletter.html.links import make_absolute
from newsletter.html.text import to_plain_lines
from newsletter.i18n import SOURCE, Text, say


@dataclass(frozen=True, slots=True)
class PlacedPicture:
    """The URL that serves a picture, and the picture's natural width in pixels (0: unknown)."""

    url: str
    width: int = 0


@dataclass(frozen=True, slots=True)
class LetterLink:
    """A link or picture as its author wrote it, and its absolute URL (empty if it has none)."""

    written: str
    url: str


@dataclass(frozen=True, slots=True)
class ShownPicture:
    """A picture in a letter: its address as the author wrote it and resolved, and its alt text."""

    written: str
    url: str
    alt: str


@dataclass(frozen=True, slots=True)
class RenderedLetter:
    """A letter's body as HTML and as text, with its links, pictures and questions."""

    html: str
    text: str
    links: tuple[LetterLink, ...]
    pictures: tuple[ShownPicture, ...]
    questions: tuple[Question, ...] = ()


def _keep_address(address: str) -> str:
    return address


@dataclass(slots=True)
class _Place:
    """The context in which a letter is rendered, which collects the letter's links and pictures."""

    base_url: str
    pictures: Mapping[str, PlacedPicture]
    prepare: Callable[[str], str]
    language: str
    answer: Callable[[int, int], str] | None
    questions: list[Question] = field(default_factory=list)
    links: list[LetterLink] = field(default_factory=list)
    shown_pictures: list[ShownPicture] = field(default_factory=list)

    def add_link(self, written: str) -> str:
        prepared = self.prepare(written)
        address = make_absolute(prepared, base_url=self.base_url, mail=True) or ""
        self.links.append(LetterLink(written, address))
        return address

    def add_question(self, token: Token) -> None:
        """Add a URL to each choice of a question, if the context has them."""
        question = token.meta["question"]
        number = len(self.questions)
        self.questions.append(question)
        if self.answer:
            token.meta["links"] = [
                self.answer(number, choice) for choice in range(len(question.choices))
            ]

    def add_picture(self, token: Token) -> None:
        """Set the URL and width of a picture."""
        written = str(token.attrs.get("src", ""))
        placed = self.pictures.get(written) or PlacedPicture(
            make_absolute(written, base_url=self.base_url) or ""
        )
        stated_width = str(token.attrs.get("width", "")).removesuffix("px")
        width = (
            int(stated_width)
            if stated_width.isdecimal() and 0 < int(stated_width) <= COLUMN_WIDTH
            else min(placed.width, COLUMN_WIDTH)
        )
        alt = "".join(child.content for child in token.children or ())
        self.shown_pictures.append(ShownPicture(written, placed.url, alt))
        token.meta.update(url=placed.url, width=width, alt=alt)


def get_video_key(video: str) -> str:
    """Return the key of a video's preview image in `pictures`."""
    return f"video:{video}"


def find_pictures(source: str) -> tuple[str, ...]:
    """Return the address of every picture in `source`, as written, once and in order.

    The preview image of a video is ``video:ID``.
    """
    pictures: dict[str, None] = {}
    for token in parse_markdown(source):
        if token.type == "video":
            pictures[get_video_key(token.meta["video"])] = None
        for child in token.children or ():
            if child.type == "image":
                pictures[str(child.attrs.get("src", ""))] = None
    return tuple(pictures)


def render_markdown(
    source: str,
    *,
    base_url: str,
    pictures: Mapping[str, PlacedPicture] | None = None,
    prepare: Callable[[str], str] = _keep_address,
    addresses_at_end: bool = True,
    language: str = SOURCE,
    answer: Callable[[int, int], str] | None = None,
) -> RenderedLetter:
    """Render Markdown as HTML and text; the program's own words in it are in `language`.

    Relative links are resolved against `base_url`; `pictures` tells where local pictures are
    served; `prepare` changes each link's address first. In the text, addresses are listed at the
    end, or (if parts of the letter may be left out) follow their words. `answer` returns the URL of
    a question's choice, both counted from 0; without it, questions have no links.
    """
    tokens = parse_markdown(source)
    place = _Place(base_url, pictures or {}, prepare, language, answer)
    for token in tokens:
        _settle_addresses(token, place)
    html = render_tokens(tokens)
    text = plain_text.write_plain_text(tokens, addresses_at_end=addresses_at_end, language=language)
    # Once more: an entity ("&#xE000;") is no character before it is parsed, and the mark of a slot
    # afterwards.
    html, text = (to_plain_lines(body, limit=10 * LETTER_AT_MOST).strip() for body in (html, text))
    return RenderedLetter(
        html, text, tuple(place.links), tuple(place.shown_pictures), tuple(place.questions)
    )


def _settle_addresses(token: Token, place: _Place) -> None:
    """Resolve every URL in `token` and its children, and remove all other attributes."""
    if token.type == "video":
        still = place.pictures.get(get_video_key(token.meta["video"]))
        title = token.meta["label"]
        label = say(
            Text("Watch: %(title)s", title=title) if title else Text("Watch the video"),
            place.language,
        )
        token.meta.update(url=place.add_link(token.meta["href"]), picture=still, label=label)
    elif token.type == "button":
        token.meta["url"] = place.add_link(token.meta["href"])
    elif token.type == "question":
        place.add_question(token)
    leads_nowhere = False
    for child in token.children or ():
        if child.type == "image":
            place.add_picture(child)
        elif child.type == "link_open":
            title = child.attrs.get("title")
            child.attrs = {"href": place.add_link(str(child.attrs.get("href", "")))}
            if title:
                child.attrs["title"] = title
            child.hidden = leads_nowhere = not child.attrs["href"]
        elif child.type == "link_close":
            child.hidden = leads_nowhere
