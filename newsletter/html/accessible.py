"""Clean HTML set right for those who listen to it: headings in steps, lists of items, links with a
name. Pure.

What it is given has been through `content.clean_html`: every tag is closed, and none is strange.
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


class _Open:
    """A tag that is open: what it became, where its start stands in the output, whether anything in
    it has a name, and the headings above it.
    """

    __slots__ = ("above", "at", "given", "name", "named")

    def __init__(self, given: str, name: str, at: int, above: list[tuple[int, int]]) -> None:
        self.given, self.name, self.at, self.above = given, name, at, above
        self.named = False


class _Tidier(HTMLParser):
    def __init__(self, below: int) -> None:
        super().__init__(convert_charrefs=False)
        self.below = below
        self.out: list[str] = []
        self.open: list[_Open] = []
        self.headings: list[tuple[int, int]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        raw = self.get_starttag_text() or ""
        self._item(tag)
        if tag in _VOID:
            if tag == "img" and _ALT.search(raw):
                self._name()
            self.out.append(raw)
            return
        if _HEADING.fullmatch(tag):
            self._end_heading()
        above = list(self.headings)
        name = self._became(tag)
        self.open.append(_Open(tag, name, len(self.out), above))
        self.out.append(raw if name == tag else f"<{name}>")

    def _became(self, tag: str) -> str:
        inside_list = bool(self.open) and self.open[-1].name in _LISTS
        if tag in _BOXES or (tag == "li" and not inside_list):
            return "div"
        return f"h{self._step(int(tag[1]))}" if _HEADING.fullmatch(tag) else tag

    def _step(self, level: int) -> int:
        """One deeper than the heading above it, however deep its author began."""
        while self.headings and self.headings[-1][0] >= level:
            self.headings.pop()
        step = min((self.headings[-1][1] if self.headings else self.below) + 1, 6)
        self.headings.append((level, step))
        return step

    def _end_heading(self) -> None:
        """A heading within a heading ends it."""
        while any(_HEADING.fullmatch(tag.name) for tag in self.open):
            self._close()

    def _item(self, tag: str) -> None:
        """Put what stands in a list, and is no item, into one."""
        if self.open and self.open[-1].given == "" and tag == "li":
            self._close()
        if self.open and self.open[-1].name in _LISTS and tag != "li":
            self.open.append(_Open("", "li", len(self.out), []))
            self.out.append("<li>")

    def _name(self) -> None:
        for tag in self.open:
            tag.named = True

    def handle_endtag(self, tag: str) -> None:
        if not any(found.given == tag for found in self.open):
            return
        while self.open[-1].given != tag:
            self._close()
        self._close()

    def _close(self) -> None:
        tag = self.open.pop()
        if not tag.named and (tag.name == "a" or _HEADING.fullmatch(tag.name)):
            self.out[tag.at] = (
                ""  # nothing in it can be read out: a link or a heading without a name
            )
            self.headings = tag.above if tag.name != "a" else self.headings
        elif not tag.named and tag.name == "th":
            self.out[tag.at] = self.out[tag.at].replace("<th", "<td", 1)
            self.out.append("</td>")
        else:
            self.out.append(f"</{tag.name}>")

    def handle_data(self, data: str) -> None:
        if data.strip():
            self._item("")
            self._name()
        self.out.append(data)

    def handle_entityref(self, name: str) -> None:
        if name != "nbsp":
            self._item("")
            self._name()
        self.out.append(f"&{name};")

    def handle_charref(self, name: str) -> None:
        self.handle_entityref(f"#{name}")


def make_accessible(html: str, *, below: int) -> str:
    """`html` with its headings in steps under one of level `below`, whatever they were; items in
    lists and nowhere else; and no link, heading or table heading that says nothing.
    """
    tidier = _Tidier(below)
    tidier.feed(html)
    tidier.close()
    while tidier.open:
        tidier._close()
    return "".join(tidier.out)
