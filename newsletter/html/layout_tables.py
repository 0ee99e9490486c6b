"""Replace tables that only arrange content, without two filled cells in any row. Pure.

Pasted mails, captioned pictures and code with line numbers use such tables. The input is the output
of `sanitize.clean_html`: every tag is closed and allow-listed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

_TOKEN = re.compile(r"<(/?)(table|thead|tbody|tfoot|tr|td|th|caption)\b[^<>]*>|<(img|hr)\b")
_WORDS = re.compile(r">(?:[\s\xa0]|&nbsp;)*+[^<>]")
"""Pattern of visible text after a tag."""
_PARTS = frozenset({"thead", "tbody", "tfoot", "tr"})


@dataclass(slots=True)
class _Table:
    """An open HTML table: the positions of its tags, and what is known about its row."""

    tags: list[tuple[int, int, str]] = field(default_factory=list)
    is_data: bool = False
    filled: int = 0
    cell_start: int = 0
    has_picture: bool = False


def take_apart(html: str) -> str:
    """Return `html` with `div` elements in place of tables that are used for layout alone."""
    if "<table" not in html:
        return html
    opened: list[_Table] = []
    edits: list[tuple[int, int, str]] = []
    for match in _TOKEN.finditer(html):
        name = match[2]
        if name is None:
            for table in opened:
                table.has_picture = True
        elif name == "table" and not match[1]:
            opened.append(_Table([(match.start(), match.end(), "<div>")]))
        elif opened:
            _read_tag(html, match, opened[-1])
            if name == "table":
                table = opened.pop()
                edits += [] if table.is_data else table.tags
    parts: list[str] = []
    position = 0
    for start, end, text in sorted(edits):
        parts += [html[position:start], text]
        position = end
    return "".join([*parts, html[position:]])


def _read_tag(html: str, match: re.Match[str], table: _Table) -> None:
    closing = match[1]
    name = match[2]
    if name in ("th", "caption"):
        table.is_data = True
    elif name == "tr" and not closing:
        table.filled = 0
    elif name == "td" and not closing:
        table.cell_start = match.end()
        table.has_picture = False
    elif name == "td":
        is_filled = table.has_picture or _WORDS.search(html, table.cell_start - 1, match.start())
        table.filled += bool(is_filled)
        table.is_data |= table.filled > 1
    text = "" if name in _PARTS else f"<{closing}div>"
    table.tags.append((match.start(), match.end(), text))
