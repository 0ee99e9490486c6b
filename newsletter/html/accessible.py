"""Correct the structure of clean HTML for screen readers: headings, lists and links. Pure.

The input is the output of `sanitize.clean_html`: every tag is closed and allow-listed.
"""

from __future__ import annotations

import re
from html.parser import HTMLParser

_VOID = {"br", "hr", "img"}
_LISTS = {"ul", "ol"}
# Structure that mail programs know less than a plain box.
_BOXES = {"article", "section", "dl", "dt", "dd"}
_HEADING = re.compile(r"h[1-6]")
_ALT = re.compile(r'\balt="[^"]*[^\s"]')


class _OpenTag:
    """An open HTML tag, as `_Tidier` keeps track of it.

    `source` is the tag in the input ("" for one that was added), `name` the one in the output, and
    `position` the index of its start there; `named` is true once it contains text or an alt text;
    `above` are the headings above it.
    """

    __slots__ = ("above", "name", "named", "position", "source")

    def __init__(self, source: str, name: str, position: int, above: list[tuple[int, int]]) -> None:
        self.source = source
        self.name = name
        self.position = position
        self.above = above
        self.named = False


class _Tidier(HTMLParser):
    def __init__(self, below: int) -> None:
        super().__init__(convert_charrefs=False)
        self.below = below
        self.out: list[str] = []
        self.open: list[_OpenTag] = []
        self.headings: list[tuple[int, int]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        raw = self.get_starttag_text() or ""
        self._fit_into_list(tag)
        if tag in _VOID:
            if tag == "img" and _ALT.search(raw):
                self._mark_named()
            self.out.append(raw)
            return
        if _HEADING.fullmatch(tag):
            self._end_heading()
        above = list(self.headings)
        name = self._choose_name(tag)
        self.open.append(_OpenTag(tag, name, len(self.out), above))
        self.out.append(raw if name == tag else f"<{name}>")

    def _choose_name(self, tag: str) -> str:
        inside_list = bool(self.open) and self.open[-1].name in _LISTS
        if tag in _BOXES or (tag == "li" and not inside_list):
            return "div"
        return f"h{self._get_step(int(tag[1]))}" if _HEADING.fullmatch(tag) else tag

    def _get_step(self, level: int) -> int:
        """Return a heading level one deeper than the heading above, whatever the author used."""
        while self.headings and self.headings[-1][0] >= level:
            self.headings.pop()
        step = min((self.headings[-1][1] if self.headings else self.below) + 1, 6)
        self.headings.append((level, step))
        return step

    def _end_heading(self) -> None:
        """Close an open heading, because a heading cannot contain another one."""
        while any(_HEADING.fullmatch(tag.name) for tag in self.open):
            self._close()

    def _fit_into_list(self, tag: str) -> None:
        """Wrap content that stands in a list outside of any item into an item."""
        if self.open and self.open[-1].source == "" and tag == "li":
            self._close()
        if self.open and self.open[-1].name in _LISTS and tag != "li":
            self.open.append(_OpenTag("", "li", len(self.out), []))
            self.out.append("<li>")

    def _mark_named(self) -> None:
        for tag in self.open:
            tag.named = True

    def handle_endtag(self, tag: str) -> None:
        if not any(element.source == tag for element in self.open):
            return
        while self.open[-1].source != tag:
            self._close()
        self._close()

    def _close(self) -> None:
        tag = self.open.pop()
        if not tag.named and (tag.name == "a" or _HEADING.fullmatch(tag.name)):
            self.out[tag.position] = ""  # a link or heading without anything to read out
            self.headings = tag.above if tag.name != "a" else self.headings
        elif not tag.named and tag.name == "th":
            self.out[tag.position] = self.out[tag.position].replace("<th", "<td", 1)
            self.out.append("</td>")
        else:
            self.out.append(f"</{tag.name}>")

    def handle_data(self, data: str) -> None:
        if data.strip():
            self._fit_into_list("")
            self._mark_named()
        self.out.append(data)

    def handle_entityref(self, name: str) -> None:
        if name != "nbsp":
            self._fit_into_list("")
            self._mark_named()
        self.out.append(f"&{name};")

    def handle_charref(self, name: str) -> None:
        self.handle_entityref(f"#{name}")


def make_accessible(html: str, *, below: int) -> str:
    """Return `html` with consecutive heading levels below a heading of level `below`.

    List items are only in lists, and lists contain only items; links, headings and table headings
    without text are removed.
    """
    tidier = _Tidier(below)
    tidier.feed(html)
    tidier.close()
    while tidier.open:
        tidier._close()
    return "".join(tidier.out)
