"""Prevent spreadsheets from taking a cell for a formula, and undo it (CWE-1236).

A cell that begins with = + - @ or a control character gets an apostrophe before it, and so does
one that looks guarded already: taking one apostrophe away gives back exactly what was there. The
same after a semicolon: where lists are written with commas in numbers, a spreadsheet begins a
new cell there, quotation marks or not.
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
    """Undo `guard_cell`."""
    return _CLOSED.sub("", text)
