"""Prevent spreadsheets from taking a cell for a formula, and undo it (CWE-1236).

A cell that begins with = + - @ or a control character is prefixed with an apostrophe, and so is one
that looks prefixed already: removing one apostrophe restores the exact text. The same is done after
a semicolon: in locales that write decimal commas, a spreadsheet starts a new cell there, whether
the text is quoted or not.
"""

from __future__ import annotations

import re

_DANGEROUS = "'*[=+\\-@\\t\\r\\n|%＝＋－＠]"
_OPEN = re.compile(rf"(?:\A|(?<=;))(?={_DANGEROUS})")
_CLOSED = re.compile(rf"(?:\A|(?<=;))'(?={_DANGEROUS})")


def guard_cell(text: str) -> str:
    """Return a text that is safe as a cell: one that looks like a formula gets an apostrophe."""
    return _OPEN.sub("'", text)


def unguard_cell(text: str) -> str:
    """Return a cell's text without the apostrophes that `guard_cell` added."""
    return _CLOSED.sub("", text)
