"""An author's Markdown as mail carries it: HTML for the design, and text that reads well aloud.

Pure.

CommonMark with tables, footnotes, struck-out text and bare addresses as links;
``![alt](picture.jpg){width=300}``; ``[Label](https://…){.button}`` on a line of its own is a
button; a link to a video on a line of its own is a card. Raw HTML is shown as text, so that what
leaves here is built of our own tags alone.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape

from markdown_it import MarkdownIt
from markdown_it.rules_core import StateCore
from markdown_it.token import Token
from mdit_py_plugins.attrs import attrs_plugin
from mdit_py_plugins.footnote import footnote_plugin

from newsletter.authoring import plain_text
from newsletter.errors import Refused
from newsletter.html import video_embeds
from newsletter.html.links import make_absolute
from newsletter.html.text import to_plain_lines
from newsletter.html.video_embeds import find_video_id
from newsletter.i18n import SOURCE, Text, say

LETTER_AT_MOST = 300_000
PARTS_AT_MOST = 100_000
"""Of Markdown; a long letter has two thousand.

What is more takes minutes to write down.
"""
WIDTH = 536
"""How wide a letter's column is, in pixels; no picture is wider."""


@dataclass(frozen=True, slots=True)
class PlacedPicture:
    """Where a picture is served, and how wide it is by nature (0: unknown)."""

    url: str
    width: int = 0


@dataclass(frozen=True, slots=True)
class LetterLink:
    """A link or picture as its author wrote it, and the address it leads to (empty: nowhere)."""

    written: str
    url: str


@dataclass(frozen=True, slots=True)
class ShownPicture:
    """A picture in a letter: as its author wrote it, where it comes from, and what it shows in
    words.
    """

    written: str
    url: str
    alt: str


@dataclass(frozen=True, slots=True)
class RenderedLetter:
    """A letter's body, twice the same, and what is in it."""

    html: str
    text: str
    links: tuple[LetterLink, ...]
    pictures: tuple[ShownPicture, ...]


def _unchanged(address: str) -> str:
    return address


@dataclass(slots=True)
class _Place:
    """What rendering needs to know of where the letter stands, and what it finds on the way."""

    base_url: str
    pictures: Mapping[str, PlacedPicture]
    prepare: Callable[[str], str]
    language: str
    links: list[LetterLink] = field(default_factory=list)
    shown: list[ShownPicture] = field(default_factory=list)

    def link(self, written: str) -> str:
        prepared = self.prepare(written)
        found = (
            prepared
            if _CALL.fullmatch(prepared)
            else make_absolute(prepared, base_url=self.base_url, mail=True) or ""
        )
        self.links.append(LetterLink(written, found))
        return found

    def picture(self, token: Token) -> None:
        """Give a picture its address and its width."""
        written = str(token.attrs.get("src", ""))
        placed = self.pictures.get(written) or PlacedPicture(
            make_absolute(written, base_url=self.base_url) or ""
        )
        asked = str(token.attrs.get("width", "")).removesuffix("px")
        width = (
            int(asked)
            if asked.isdecimal() and 0 < int(asked) <= WIDTH
            else min(placed.width, WIDTH)
        )
        alt = "".join(child.content for child in token.children or ())
        self.shown.append(ShownPicture(written, placed.url, alt))
        token.meta.update(url=placed.url, width=width, alt=alt)


def video_key(video: str) -> str:
    """The name under which a video's still picture is looked up in `pictures`."""
    return f"video:{video}"


def find_pictures(source: str) -> tuple[str, ...]:
    """Every picture that `source` shows, as written; a video's still as ``video:ID``.

    Each once, in order.
    """
    found: dict[str, None] = {}
    for token in _parse(source):
        if token.type == "video":
            found[video_key(token.meta["video"])] = None
        for child in token.children or ():
            if child.type == "image":
                found[str(child.attrs.get("src", ""))] = None
    return tuple(found)


def render_markdown(
    source: str,
    *,
    base_url: str,
    pictures: Mapping[str, PlacedPicture] | None = None,
    prepare: Callable[[str], str] = _unchanged,
    addresses_at_end: bool = True,
    language: str = SOURCE,
) -> RenderedLetter:
    """`source` as HTML and text, what is said around the author's words in `language`.

    Relative links are read against `base_url`; `pictures` says where local ones are served;
    `prepare` is shown each link's address first. In the text, addresses stand in a list at the end,
    or (where parts of the letter may be left out) behind their words.
    """
    tokens = _parse(source)
    place = _Place(base_url, pictures or {}, prepare, language)
    for token in tokens:
        _settle(token, place)
    html = _MARKDOWN.renderer.render(tokens, _MARKDOWN.options, {})
    text = plain_text.write_plain_text(tokens, addresses_at_end=addresses_at_end, language=language)
    # Once more: an entity ("&#xE000;") is no character before it is parsed, and the mark of a slot
    # afterwards.
    html, text = (
        to_plain_lines(found, limit=10 * LETTER_AT_MOST).strip() for found in (html, text)
    )
    return RenderedLetter(html, text, tuple(place.links), tuple(place.shown))


def _parse(source: str) -> list[Token]:
    tokens = _MARKDOWN.parse(to_plain_lines(source, limit=LETTER_AT_MOST))
    if sum(1 + len(token.children or ()) for token in tokens) > PARTS_AT_MOST:
        raise Refused(
            f"the letter has more than {PARTS_AT_MOST:,} parts (words set apart, links, cells of tables)"
        )
    return tokens


_CALL = re.compile(r"tel:\+?[\d().-]{3,25}")


def _settle(token: Token, place: _Place) -> None:
    """Fix every address in `token` and below it, and leaves no attribute that is not ours."""
    if token.type == "video":
        still = place.pictures.get(video_key(token.meta["video"]))
        title = token.meta["label"]
        label = say(
            Text("Watch: %(title)s", title=title) if title else Text("Watch the video"),
            place.language,
        )
        token.meta.update(url=place.link(token.meta["href"]), picture=still, label=label)
    elif token.type == "button":
        token.meta["url"] = place.link(token.meta["href"])
    leads_nowhere = False
    for child in token.children or ():
        if child.type == "image":
            place.picture(child)
        elif child.type == "link_open":
            title = child.attrs.get("title")
            child.attrs = {"href": place.link(str(child.attrs.get("href", "")))}
            if title:
                child.attrs["title"] = title
            child.hidden = leads_nowhere = not child.attrs["href"]
        elif child.type == "link_close":
            child.hidden = leads_nowhere


_WORDS = ("text", "code_inline", "em_open", "em_close", "strong_open", "strong_close")

# ── what a paragraph of one link is
# ────────────────────────────────────────────────────────────────


def _alone(state: StateCore) -> None:
    """A paragraph that is nothing but a button, or a link to a video, becomes that."""
    out: list[Token] = []
    tokens = state.tokens
    for number, token in enumerate(tokens):
        if token.type == "inline" and number and tokens[number - 1].type == "paragraph_open":
            made = _made_of(token.children or [])
            if made:
                out.pop()
                out.append(made)
                continue
        if (
            token.type == "paragraph_close"
            and out
            and out[-1].type in ("button", "video")
            and not out[-1].meta["done"]
        ):
            out[-1].meta["done"] = True
            continue
        out.append(token)
    state.tokens = out


def _made_of(children: Sequence[Token]) -> Token | None:
    if len(children) < 3 or (children[0].type, children[-1].type) != ("link_open", "link_close"):
        return None
    inside = children[1:-1]
    if any(child.type not in _WORDS for child in inside):
        return None
    href, label = str(children[0].attrs.get("href", "")), "".join(child.content for child in inside)
    meta = {"href": href, "label": label, "done": False}
    if "button" in str(children[0].attrs.get("class", "")).split():
        return Token("button", "", 0, meta=meta, block=True)
    if video := find_video_id(href):
        title = "" if label.rstrip("/") == href.rstrip("/") else label
        return Token("video", "", 0, meta=meta | {"label": title, "video": video}, block=True)
    return None


# ── HTML
# ───────────────────────────────────────────────────────────────────────────────────────────


def _image_html(self: object, tokens: Sequence[Token], number: int, *_: object) -> str:
    meta = tokens[number].meta
    if not meta.get("url"):
        return escape(meta.get("alt", ""))
    width = f' width="{meta["width"]}"' if meta["width"] else ""
    return f'<img src="{escape(meta["url"])}" alt="{escape(meta["alt"])}"{width}>'


def _button_html(self: object, tokens: Sequence[Token], number: int, *_: object) -> str:
    meta = tokens[number].meta
    if not meta["url"]:
        return f"<p>{escape(meta['label'])}</p>\n"
    return (
        '<table role="presentation" cellpadding="0" cellspacing="0" style="margin: 8px 0 24px;"><tr>'
        '<td class="button" align="center" style="padding: 0; border: 0;">'
        f'<a href="{escape(meta["url"])}">{escape(meta["label"])}</a></td></tr></table>\n'
    )


def _video_html(self: object, tokens: Sequence[Token], number: int, *_: object) -> str:
    meta = tokens[number].meta
    if not meta["url"]:
        return f"<p>{escape(meta['label'])}</p>\n"
    still = meta["picture"] or PlacedPicture("")
    media = video_embeds.Media("video", meta["url"], meta["label"])
    return f"<p>{video_embeds.render_card(media, picture=still.url, width=min(still.width or WIDTH, WIDTH))}</p>\n"


def _note_html(self: object, tokens: Sequence[Token], number: int, *_: object) -> str:
    return f'<sup style="line-height: 0;">{plain_text.get_note_number(tokens[number])}</sup>'


def _whatever(address: str) -> bool:
    """Every address is a link: `_Place.link` decides whether it leads anywhere, and the preflight
    says so if not.
    """
    return True


def _says(html: str) -> Callable[..., str]:
    return lambda *_: html


def _markdown() -> MarkdownIt:
    made = MarkdownIt("commonmark", {"html": False, "linkify": True, "xhtmlOut": False})
    made.enable(["table", "strikethrough", "linkify"]).use(footnote_plugin)
    made.use(attrs_plugin, after=("image", "link_close"), allowed=["width", "class"])
    made.validateLink = _whatever  # type: ignore[assignment, method-assign]
    assert made.linkify is not None
    made.linkify.set(
        {"fuzzy_link": False, "fuzzy_email": False}
    )  # an address is what begins with https://
    made.core.ruler.push("alone", _alone)
    made.add_render_rule("image", _image_html)
    made.add_render_rule("button", _button_html)
    made.add_render_rule("video", _video_html)
    made.add_render_rule("footnote_ref", _note_html)
    # Links from a note to its place and back fail in many mail programs: the numbers speak for
    # themselves.
    made.add_render_rule("footnote_anchor", _says(""))
    made.add_render_rule("footnote_block_open", _says('<hr>\n<ol style="font-size: 14px;">\n'))
    made.add_render_rule("footnote_block_close", _says("</ol>\n"))
    made.add_render_rule("footnote_open", _says("<li>"))
    made.add_render_rule("footnote_close", _says("</li>\n"))
    return made


_MARKDOWN = _markdown()
