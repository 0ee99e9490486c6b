"""Convert HTML to plain text, make excerpts of it, and estimate how long reading it takes. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from html.parser import HTMLParser

from newsletter.html.numbering import write_number
from newsletter.html.sanitize import clean_html
from newsletter.html.text import drop_control_characters

WORDS_A_MINUTE = 220
"""Words read a minute, a little below the average of 238 (Brysbaert 2019)."""
_SPACE = re.compile(r"\s+")
_KEPT = re.compile(r" *(?:- |(?:\d+|[a-z]{1,4}|[A-Z]{1,4})\. )|    ")
"""Pattern of lines whose indentation has a meaning: list items and preformatted text."""
_BULLET = re.compile(r"\n *(?:-|\w+\.) $")
QUOTED_AT_MOST = 3
"""Maximum number of levels of nested quotations that are marked; deeper ones join the last."""
_HEADINGS = frozenset({"h1", "h2", "h3", "h4", "h5", "h6"})
_CARD = re.compile(r"<a [^<>]*>(?:<img[^<>]*><br>)?<strong>[▶♫↗] [^<>]*</strong></a>")
_BUTTON = re.compile(r'<a class="button"[^<>]*>[^<]*</a>')
_FILE = re.compile(r"\.(?:jpe?g|png|gif|webp|avif)(?:\?|$)", re.I)
_POWERS = str.maketrans("0123456789+-−", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁻")
_ENDS = tuple('.!?…:;。！？؟۔»”"')


@dataclass(slots=True)
class _List:
    """An open list: the number of its next item (None: bullets), and how numbers are written.

    `items` are the indexes of its numbers in the output, with their indentation.
    """

    number: int | None
    style: str = ""
    reversed: bool = False
    items: list[tuple[int, str]] = field(default_factory=list)


class _TextWriter(HTMLParser):
    """A converter of HTML to readable text: paragraphs, lists, links with their addresses."""

    BREAKS = _HEADINGS | {
        "p",
        "div",
        "ul",
        "ol",
        "table",
        "blockquote",
        "pre",
        "figure",
        "section",
        "article",
        "dl",
        "hr",
    }
    LINES = frozenset({"br", "tr", "figcaption", "caption", "dt", "dd"})
    SILENT = frozenset({"script", "style", "head", "title", "template", "svg", "noscript"})

    def __init__(self, *, links: bool) -> None:
        super().__init__(convert_charrefs=True)
        self.links = links
        self.out: list[str] = []
        self.silent = 0
        self.hrefs: list[tuple[str, int]] = []
        self.lists: list[_List] = []
        self.captured: list[int] = []
        self.quoted = 0
        self.written_out = 0
        self.raised = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if tag in self.SILENT:
            self.silent += 1
        elif tag in ("ul", "ol"):
            self.lists.append(_open_list(tag, values))
        elif tag == "a":
            self.hrefs.append((values.get("href") or "", len(self.out)))
        elif tag == "img" and self.links and values.get("alt"):
            behind_words = self.out and self.out[-1] and not self.out[-1][-1].isspace()
            self.out.append(f"{' ' if behind_words else ''}[{values['alt']}]")
        elif tag == "q":
            self.out.append("“")
        if tag == "li":
            self.out.append("\n" + self._write_bullet(_read_number(values.get("value"))))
        elif tag == "hr":
            self.out.append("\n\n* * *\n\n")
        elif tag in self.LINES:
            self.out.append("\n")
        elif self.written_out and tag == "div":  # a line of code
            if self.out and not self.out[-1].endswith("\n"):
                self.out.append("\n")
        elif self.lists and tag in self.BREAKS and self.out and _BULLET.search(self.out[-1]):
            pass
        elif self.lists and tag in ("p", "div"):
            if self.out:
                self.out.append("\n")
        elif tag in self.BREAKS and len(self.lists) < 2:
            self.out.append("\n\n")
        self.raised += tag == "sup"
        self.written_out += tag == "pre"
        self.quoted += tag == "blockquote"
        if self._is_captured(tag):
            self.captured.append(len(self.out))

    def _is_captured(self, tag: str) -> bool:
        """Tell whether the content of an open element is marked as a whole, at its end."""
        return (
            tag in _HEADINGS
            or (tag == "blockquote" and self.quoted <= QUOTED_AT_MOST)
            or (tag == "pre" and self.written_out == 1)
        )

    def _write_bullet(self, value: int | None) -> str:
        indent = "  " * min(max(len(self.lists) - 1, 0), 5)
        if not self.lists or self.lists[-1].number is None:
            return f"{indent}- "
        numbered = self.lists[-1]
        number = self.lists[-1].number if value is None else value
        numbered.number = number + 1
        numbered.items.append((len(self.out), indent))
        return f"{indent}{write_number(number, numbered.style)}. "

    def _count_down(self, numbered: _List) -> None:
        """Write the numbers of a reversed list, whose last item is 1."""
        number = len(numbered.items)
        for position, indent in numbered.items:
            self.out[position] = f"\n{indent}{write_number(number, numbered.style)}. "
            number -= 1

    def handle_endtag(self, tag: str) -> None:
        if tag in self.SILENT:
            self.silent = max(0, self.silent - 1)
        elif tag in ("ul", "ol") and self.lists:
            numbered = self.lists.pop()
            if numbered.reversed:
                self._count_down(numbered)
        elif tag == "q":
            self.out.append("”")
        elif tag in _HEADINGS and self.captured:
            self._mark("", "== {} ==")
        elif tag == "blockquote":
            if self.quoted <= QUOTED_AT_MOST and self.captured:
                self._mark("> ", "{}")
            self.quoted = max(0, self.quoted - 1)
        elif tag == "pre" and self.written_out:
            if self.written_out == 1 and self.captured:
                start = self.captured.pop()
                text = "".join(self.out[start:]).strip("\n")
                self.out[start:] = [re.sub("^", "    ", text, flags=re.M)]
            self.written_out -= 1
        elif tag == "sup":
            self.raised = max(0, self.raised - 1)
        elif tag == "a" and self.hrefs:
            href, start = self.hrefs.pop()
            label = "".join(self.out[start:]).strip()
            is_picture = (not label or label[0] + label[-1] == "[]") and _FILE.search(href)
            if (
                self.links
                and href.startswith(("http", "mailto:"))
                and href.removeprefix("mailto:") != label
                and not is_picture
            ):
                while len(self.out) > start and not self.out[-1].strip():
                    self.out.pop()
                if len(self.out) > start:
                    self.out[-1] = self.out[-1].rstrip(" ")
                self.out.append(f" <{href}>")
        if self.written_out and tag == "div":
            return
        if tag in self.BREAKS and not (tag in ("ul", "ol") and self.lists):
            self.out.append("\n\n")
        elif tag in ("td", "th"):
            self.out.append("  ")

    def _mark(self, prefix: str, form: str) -> None:
        """Mark what was written since the last mark, by a prefix of its lines or as a heading."""
        start = self.captured.pop()
        text = _normalise_space("".join(self.out[start:]))
        del self.out[start:]
        if text and self.links:
            text = (
                form.format(_SPACE.sub(" ", text))
                if not prefix
                else re.sub("^", prefix, text, flags=re.M)
            )
        self.out.append(text)

    def handle_data(self, data: str) -> None:
        if self.written_out and not self.silent:
            self.out.append(data)
            return
        text = _SPACE.sub(" ", data)
        if self.out and self.out[-1].startswith(" <") and text[:1].isalnum():
            text = f" {text}"
        if self.raised and re.fullmatch(r"[\d+−-]{1,4}", text):
            text = text.translate(_POWERS)
        if self.out and self.out[-1].endswith(("\n", " ")):
            text = text.lstrip(" ")
        if not self.silent and text:
            self.out.append(text)


def _open_list(tag: str, values: dict[str, str | None]) -> _List:
    if tag == "ul":
        return _List(None)
    start = _read_number(values.get("start"))
    counts_down = "reversed" in values and start is None
    return _List(1 if start is None else start, values.get("type") or "", counts_down)


def _read_number(value: str | None) -> int | None:
    return int(value) if value and value.isdecimal() and len(value) < 5 else None


def html_to_text(html: str, *, links: bool = True) -> str:
    """Convert `html` to readable plain text.

    Links stand behind their words as ``<address>`` unless `links` is False.
    """
    writer = _TextWriter(links=links)
    # Cleaned first: HTMLParser takes quadratic time over tags that never end.
    writer.feed(clean_html(html, base_url=""))
    writer.close()
    return _normalise_space(drop_control_characters("".join(writer.out)).replace("\xa0", " "))


def _normalise_space(text: str) -> str:
    """Return `text` without spaces around its lines and without more than one empty line."""
    rows = [row.rstrip() if _KEPT.match(row) else row.strip() for row in text.split("\n")]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(rows)).strip("\n")


class _Excerpter(HTMLParser):
    """A collector of the running text of HTML: paragraphs and list items, separately."""

    APART = frozenset({"figcaption", "caption", "cite", "table", "pre", "sup"}) | _HEADINGS
    """Elements beside the running text: captions, sources, tables, code, footnotes, headings."""
    BLOCKS = frozenset(
        {
            "p",
            "li",
            "div",
            "blockquote",
            "figure",
            "br",
            "hr",
            "dt",
            "dd",
            "section",
            "article",
            "ul",
            "ol",
            "dl",
        }
    ) | APART - {"sup", "cite"}

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.blocks: list[list[str]] = [[]]
        self.apart = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.apart += tag in self.APART
        if tag in self.BLOCKS:
            self.blocks.append([])

    def handle_endtag(self, tag: str) -> None:
        self.apart -= tag in self.APART
        if tag in self.BLOCKS:
            self.blocks.append([])

    def handle_data(self, data: str) -> None:
        if not self.apart:
            self.blocks[-1].append(data)


def make_excerpt(html: str, *, words: int = 60) -> str:
    """Return the first `words` words of `html` as one line of plain text.

    Items and paragraphs that do not end as a sentence does are set apart by a dot in the middle;
    headings, captions, tables and code are left out, unless there is nothing else.
    """
    cleaned = clean_html(html, base_url="")
    excerpter = _Excerpter()
    excerpter.feed(_BUTTON.sub("", _CARD.sub("", cleaned)))
    excerpter.close()
    blocks = [
        _SPACE.sub(" ", drop_control_characters("".join(block))).strip()
        for block in excerpter.blocks
    ]
    pieces: list[str] = []
    for block in filter(None, blocks):
        if pieces:
            pieces.append(" " if pieces[-1].endswith(_ENDS) else " · ")
        pieces.append(block)
    text = "".join(pieces) or _SPACE.sub(" ", html_to_text(cleaned, links=False)).strip()
    return take_first_words(text, words)


def take_first_words(text: str, words: int) -> str:
    """Return the first `words` words of a line, with an ellipsis if there are more.

    No words are returned as "", without an ellipsis.
    """
    parts = text.split(" ")
    count = 0
    for position, part in enumerate(parts):
        count += part != "·"
        if count > words:
            return " ".join(parts[:position]).rstrip(",;:–-· ") + (" …" if words else "")
    return text


def count_reading_minutes(text: str) -> int:
    """Return the reading time of a text in minutes, at least 1."""
    return max(1, round(len(text.split()) / WORDS_A_MINUTE))
