"""Cells that no spreadsheet takes for a formula, and back again (CWE-1236).

A cell that begins with = + - @ or a control character gets an apostrophe before it, and so does one that looks guarded
already: taking one apostrophe away gives back exactly what was there.
"""

from __future__ import annotations

import re

_DANGEROUS = re.compile(r"'*[=+\-@\t\r\n|%＝＋－＠]")


def guarded(text: str) -> str:
    """`text` as it may stand in a cell."""
    return f"'{text}" if _DANGEROUS.match(text) else text


def unguarded(text: str) -> str:
    """What `guarded` was given."""
    return text[1:] if text.startswith("'") and _DANGEROUS.match(text) else text
