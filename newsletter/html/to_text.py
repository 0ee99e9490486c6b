"""HTML written down for people who read text: whole, as an excerpt, and how long it takes. Pure."""

from __future__ import annotations

import re
from html.parser import HTMLParser

from newsletter.html.sanitize import clean_html, printable

WORDS_A_MINUTE = 220
_SPACE = re.compile(r"\s+")
_ITEM = re.compile(r" *(?:- |\d+\. )")


class _Reader(HTMLParser):
    """Writes HTML down as text that reads well: paragraphs, lists, links with their address."""

    BREAKS = frozenset({"p", "div", "ul", "ol", "table", "blockquote", "pre", "figure", "section", "article", "dl",
              "hr", "h1", "h2", "h3", "h4", "h5", "h6"})  # fmt: skip
    SILENT = frozenset({"script", "style", "head", "title", "template", "svg", "noscript"})

    def __init__(self, *, links: bool) -> None:
        super().__init__(convert_charrefs=True)
        self.links = links
        self.out: list[str] = []
        self.silent = 0
        self.hrefs: list[tuple[str, int]] = []
        self.lists: list[int | None] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if tag in self.SILENT:
            self.silent += 1
        elif tag in ("ul", "ol"):
            self.lists.append(1 if tag == "ol" else None)
        elif tag == "a":
            self.hrefs.append((values.get("href") or "", len(self.out)))
        elif tag == "img" and self.links and values.get("alt"):
            self.out.append(f"[{values['alt']}]")
        if tag == "li":
            self.out.append("\n" + self._bullet())
        elif tag == "br":
            self.out.append("\n")
        elif tag == "hr":
            self.out.append("\n\n* * *\n\n")
        elif tag == "tr":
            self.out.append("\n")
        elif tag in self.BREAKS and not (self.lists and (tag == "p" or len(self.lists) > 1)):
            self.out.append("\n\n")

    def _bullet(self) -> str:
        indent = "  " * min(max(len(self.lists) - 1, 0), 5)
        if self.lists and (number := self.lists[-1]) is not None:
            self.lists[-1] = number + 1
            return f"{indent}{number}. "
        return f"{indent}- "

    def handle_endtag(self, tag: str) -> None:
        if tag in self.SILENT:
            self.silent = max(0, self.silent - 1)
        elif tag in ("ul", "ol") and self.lists:
            self.lists.pop()
        elif tag == "a" and self.hrefs:
            href, start = self.hrefs.pop()
            shown = "".join(self.out[start:]).strip()
            if self.links and href.startswith(("http", "mailto:")) and href.removeprefix("mailto:") != shown:
                self.out.append(f" <{href}>")
        if tag in self.BREAKS and not (tag in ("ul", "ol") and self.lists):
            self.out.append("\n\n")
        elif tag in ("td", "th"):
            self.out.append("  ")

    def handle_data(self, data: str) -> None:
        text = _SPACE.sub(" ", data)
        if not self.silent and not (text == " " and self.out and self.out[-1].endswith(("\n", " "))):
            self.out.append(text)


def html_to_text(html: str, *, links: bool = True) -> str:
    """`html` written for reading. Links stand behind their words as ``<address>`` unless `links` is False."""
    reader = _Reader(links=links)
    # Cleaned first: HTMLParser takes quadratic time over tags that never end.
    reader.feed(clean_html(html, base_url=""))
    reader.close()
    text = printable("".join(reader.out)).replace("\xa0", " ")
    found = [line.rstrip() if _ITEM.match(line) else line.strip() for line in text.split("\n")]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(found)).strip()


def excerpt(html: str, *, words: int = 60) -> str:
    """The first `words` words of `html` as one line of plain text."""
    text = _SPACE.sub(" ", html_to_text(html, links=False)).strip()
    parts = text.split(" ")
    return text if len(parts) <= words else " ".join(parts[:words]).rstrip(",;:–-") + " …"


def reading_minutes(text: str) -> int:
    """How long a text takes to read, at 220 words a minute; at least 1."""
    return max(1, round(len(text.split()) / WORDS_A_MINUTE))
