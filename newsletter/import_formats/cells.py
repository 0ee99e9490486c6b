"""Read a cell of a row that may be shorter than its header, and split a cell into tags."""

from __future__ import annotations

import re
from collections.abc import Sequence

from newsletter.html.text import to_plain_line


def get_cell(cells: Sequence[str], position: int) -> str:
    return cells[position] if position < len(cells) else ""


def split_tags(text: str) -> tuple[str, ...]:
    if not text:
        return ()
    tags = (to_plain_line(tag.strip(" \"'[]"), limit=60) for tag in re.split(r"[,;|]", text))
    return tuple(dict.fromkeys(tag for tag in tags if tag))
