"""Reduce clean HTML to what a mail can show. Pure.

Controls and hidden parts are removed; frames, video and audio become cards. The input is well
formed (every tag is closed, no attribute contains an angle bracket). In it, sanitize.py leaves
notes as attributes: `hidden="hidden"` (removed), `hidden="found"` and `style="hidden"` (of a block:
its text is kept, because a page may show it on a click or in a search), `class="button"`,
`class="again"` (a repeated link), `class="beside"` (useful on a web page only), `class="heard"`
(text for screen readers), `class="gallery"` (a list of pictures), `class="apart"` (text beside
other text), `class="panel"` (a part that opens on a click), `class="note"` (a note in the margin),
the notes of style_notes.py, `data-name` (of a form that asks something), `href="#place"` (a link
within the page).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from html import unescape

from newsletter.html import video_embeds
from newsletter.html.jumps import write_jump
from newsletter.html.pictures import is_placeholder
from newsletter.html.players import MediaKind
from newsletter.html.style_notes import MEANT

_FRAME_SOURCES = ("data-src", "data-lazy-src", "src")
_DROPPED = ("again", "beside", "heard")
_BLOCK = re.compile(r"<(?:blockquote|div|figure|h[1-6]|ol|p|pre|section|table|ul)[ >]")
FORM_AT_MOST = 2000
"""Characters of text in a form that is replaced by a link.

What is longer is a whole page inside a form (or one that was never closed): its text is kept.
"""
VOID = frozenset({"br", "embed", "hr", "img", "source"})
_INLINE = frozenset(
    {
        "a",
        "b",
        "bdi",
        "bdo",
        "cite",
        "code",
        "del",
        "em",
        "i",
        "ins",
        "kbd",
        "mark",
        "q",
        "s",
        "small",
        "span",
        "strong",
        "sub",
        "sup",
        "u",
    }
)
_PARAGRAPHS = frozenset({"p", "h1", "h2", "h3", "h4", "h5", "h6", "pre"})
_NAMED_BY_BUTTONS = _PARAGRAPHS - {"p", "pre"} | {"a"}
"""Elements whose text may be inside a button: links, and headings that expand on a click."""
_MEDIA = frozenset({"audio", "video", "object"})
_PLAYS_ANYWHERE = re.compile(r"\.(?:mp4|mp3|m4a)(?:\?|$)", re.I)
"""Pattern of files that every browser plays; of several sources, one of these is linked."""
_HELD = _MEDIA | {"form", "select", "button", "summary"}
_TAG = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9]*+)([^<>]*+)>")
_ATTRIBUTE = re.compile(r' ([a-z-]+)="([^"]*)"')
_NEEDED = re.compile(
    r"<(?:audio|button|embed|form|iframe|object|select|summary|video|source)[ >]|"
    r' (?:hidden|style|class)="|</a><a | href="#|<nav>|<span (?:dir|role)='
)
_LINE = re.compile(r"\n([ \xa0]{0,40})")


@dataclass(slots=True)
class _Element:
    """An open HTML element.

    If it is `held`, its content is collected in `out` until its replacement is known; `written` is
    the tag that replaces it, and `after` the text after its content.
    """

    name: str
    attributes: dict[str, str]
    held: bool = False
    written: str = ""
    after: str = ""
    out: list[str] = field(default_factory=list)
    source: str = ""


def reduce_html(html: str, *, base_url: str = "") -> str:
    """Return `html` without forms and hidden parts, and with a card for each frame, film and sound.

    Buttons that are not links are removed, too. `base_url` is the post's page. Runs in one pass, in
    time linear in the length of `html`.
    """
    return _Reducer(base_url).reduce(html) if _NEEDED.search(html) else html


def _choose_tag(name: str, attributes: dict[str, str], around: _Element | None) -> str:
    """Return the tag that replaces an element's, by its style, its class and its parent."""
    style = attributes.get("style", "")
    is_in_figure = name == "ul" and around is not None and around.name == "figure"
    if attributes.get("class") == "gallery" or is_in_figure:
        return "div-list"
    if name == "li" and around and around.written == "div-list":
        return "div"
    if name == "span":
        return style if style in MEANT else "bdi" if "dir" in attributes else name
    return "span" if style == "plain" else name


def _is_dim(attributes: dict[str, str]) -> bool:
    """Tell whether an element is hidden in a way that a page may reverse."""
    hidden = attributes.get("style") == "hidden" or attributes.get("hidden") == "found"
    return hidden and attributes.get("class") != "panel"


class _Reducer:
    def __init__(self, base_url: str) -> None:
        self.base_url = base_url
        self.out: list[str] = []
        self.open: list[_Element] = []
        self.targets = [self.out]
        self.unseen = 0
        """Open blocks hidden by their style: their text is kept, their pictures are not."""
        self.lined = 0
        """Open blocks whose line breaks are preserved."""

    def reduce(self, html: str) -> str:
        position = 0
        match = _TAG.search(html)
        while match:
            if match.start() > position:
                self._write_text(html[position : match.start()])
            position = match.end()
            name = match[2].lower()
            if name == "iframe" and not match[1]:  # what stands in it is raw text, no tags
                end = html.find("</iframe>", position)
                position = len(html) if end < 0 else end + len("</iframe>")
                self._replace_frame(dict(_ATTRIBUTE.findall(match[3])), "iframe")
            elif match[1]:
                self._write_end(name)
            else:
                self._write_start(name, match[0], dict(_ATTRIBUTE.findall(match[3])))
            match = _TAG.search(html, position)
        self.targets[-1].append(html[position:])
        while self.open:
            self._close(self.open.pop())
        return "".join(self.out)

    def _write(self, text: str) -> None:
        self.targets[-1].append(text)

    def _write_text(self, text: str) -> None:
        if self.lined and "\n" in text.strip() and not self._is_within({"pre"}):
            start = len(text) - len(text.lstrip())
            lines = _LINE.sub(lambda match: "<br>" + "&nbsp;" * len(match[1]), text.strip())
            text = text[:start] + lines + text[start + len(text.strip()) :]
        self._write(text)

    def _write_start(self, name: str, tag: str, attributes: dict[str, str]) -> None:
        note = attributes.get("class", "")
        is_label = note == "heard" and not self._follows_words()
        note = "" if is_label else note
        hidden = attributes.get("hidden") == "hidden" and note != "panel"
        if name in VOID:
            if not hidden:
                self._write_void(name, tag, attributes)
            return
        dim = _is_dim(attributes)
        place = attributes.get("href", "").startswith("#")
        held = hidden or note in _DROPPED or name in _HELD or place or (dim and name in _INLINE)
        around = self.open[-1] if self.open else None
        written = _choose_tag(name, attributes, around)
        after = " " if is_label and not self._is_within({"a"}) else ""
        element = _Element(name, attributes, held, written, ")" if note == "note" else after)
        self.open.append(element)
        self.unseen += dim
        self.lined += attributes.get("style") == "lines"
        if held:
            self.targets.append(element.out)
            return
        if name == "a" and self._last_written() == "</a>":
            self._write(" ")  # two links side by side would read as one word
        if (note == "apart" or "role" in attributes) and self._follows_words():
            self._write(" · ")
        if note == "note":
            self._write(" (")
        plain = re.sub(r' (?:style|class|hidden|role)="[^"]*"', "", tag)
        if written not in (name, "bdi"):
            plain = f"<{written.removesuffix('-list')}>"
        plain = plain.replace("<span", "<bdi", 1) if written == "bdi" else plain
        self._write(plain.replace("<a", '<a class="button"', 1) if note == "button" else plain)

    def _follows_words(self) -> bool:
        """Tell whether text written now would follow other text without a space."""
        last = self._last_written("<span>")
        return bool(last.strip()) and (last[0] != "<" or last in ("</span>", "</bdi>"))

    def _last_written(self, *passed: str) -> str:
        """Return the last written piece, ignoring spans and other unimportant tags."""
        passed = passed or ("<span>", "</span>")
        return next((part for part in reversed(self.targets[-1]) if part not in passed), "")

    def _write_void(self, name: str, tag: str, attributes: dict[str, str]) -> None:
        if name == "source":
            for element in reversed(self.open):
                if element.name in _MEDIA:
                    source = attributes.get("src", "")
                    if not element.source or _PLAYS_ANYWHERE.search(source):
                        element.source = source
                    break
        elif name == "embed":
            self._replace_frame(attributes, name)
        elif not (name == "img" and self.unseen):
            self._write(tag)

    def _write_end(self, name: str) -> None:
        if not any(element.name == name for element in self.open):
            return
        while (element := self.open.pop()).name != name:
            self._close(element)
        self._close(element)

    def _close(self, element: _Element) -> None:
        self.unseen -= _is_dim(element.attributes)
        self.lined -= element.attributes.get("style") == "lines"
        if element.held:
            self.targets.pop()
            self._write(self._replace(element))
            return
        self._write(f"{element.after}</{element.written.removesuffix('-list')}>")

    def _replace(self, element: _Element) -> str:
        """Return the replacement of an element whose content was collected."""
        inside = "".join(element.out)
        attributes = element.attributes
        plain = not (_is_dim(attributes) or "hidden" in attributes)
        if element.held and attributes.get("class") in _DROPPED:
            is_sign = attributes["class"] == "heard" and not re.search(r"\w", inside)
            return inside if is_sign else ""
        if plain and attributes.get("href", "").startswith("#"):
            last = self.targets[-1][-1] if self.targets[-1] else ""
            return write_jump(
                attributes["href"],
                inside,
                base_url=self.base_url,
                raised=self._is_within({"sup"}),
                starts=last.startswith(("<p", "<li")),
            )
        match element.name:
            case "summary" if plain:
                return inside if _BLOCK.search(inside) else f"<p><strong>{inside}</strong></p>"
            case "form" if plain:
                is_page = len(re.sub(r"<[^<>]*>|\s+", "", inside)) > FORM_AT_MOST
                return inside if is_page else self._replace_form(attributes.get("data-name", ""))
            case "button" if plain:
                return inside if "<a " in inside or self._is_within(_NAMED_BY_BUTTONS) else ""
            case "audio" | "video" | "object" if plain:
                return self._replace_media(element) or inside
        return ""

    def _replace_form(self, name: str) -> str:
        """Return a link to the post for a form in it, which no mail can show; `name` is escaped."""
        if not name or not self.base_url:
            return ""
        words = "" if name == "?" else unescape(name)
        return self._render_card(video_embeds.describe_form(self.base_url, words))

    def _replace_media(self, element: _Element) -> str:
        attributes = element.attributes
        url = (
            attributes.get("src")
            or attributes.get("data-src")
            or attributes.get("data")
            or element.source
        )
        if not url:
            return ""
        title = unescape(attributes.get("title") or attributes.get("aria-label") or "")
        if element.name == "object":
            return self._render_card(video_embeds.describe_frame(unescape(url), title))
        picture = unescape(attributes.get("poster", ""))
        picture = "" if is_placeholder(picture) else picture
        kind = MediaKind.VIDEO if element.name == "video" else MediaKind.AUDIO
        return self._render_card(video_embeds.describe_file(kind, unescape(url), title, picture))

    def _replace_frame(self, attributes: dict[str, str], name: str) -> None:
        url = next((attributes[name] for name in _FRAME_SOURCES if attributes.get(name)), "")
        page = unescape(attributes.get("data-page", ""))
        sizes = [
            int(attributes[side])
            for side in ("width", "height")
            if attributes.get(side, "").isdecimal()
        ]
        if (
            url
            and "hidden" not in attributes
            and not attributes.get("style")
            and min(sizes, default=99) > 2
        ):
            self._write(
                self._render_card(
                    video_embeds.describe_frame(
                        unescape(url), unescape(attributes.get("title", "")), page=page
                    )
                )
            )

    def _render_card(self, media: video_embeds.Media) -> str:
        if self.unseen or self._is_within({"a"}):
            return ""
        html = video_embeds.render_card(media)
        return html if self._is_within(_PARAGRAPHS) else f"<p>{html}</p>"

    def _is_within(self, names: frozenset[str] | set[str]) -> bool:
        return any(element.name in names for element in self.open)
