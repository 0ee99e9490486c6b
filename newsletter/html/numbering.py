"""Number the items of a list as browsers do. Pure."""

from __future__ import annotations

STYLES = frozenset("1aAiI")
"""Values of the attribute `type` of an `ol`."""
_ROMAN = (
    (1000, "m"),
    (900, "cm"),
    (500, "d"),
    (400, "cd"),
    (100, "c"),
    (90, "xc"),
    (50, "l"),
    (40, "xl"),
    (10, "x"),
    (9, "ix"),
    (5, "v"),
    (4, "iv"),
    (1, "i"),
)


def write_number(number: int, style: str) -> str:
    """Return the number of an item in the style of its list: 3, c, C, iii or III."""
    if style in ("a", "A") and 0 < number < 10_000:
        written = _write_letters(number)
    elif style in ("i", "I") and 0 < number < 4000:
        written = _write_roman(number)
    else:
        return str(number)
    return written.upper() if style.isupper() else written


def _write_letters(number: int) -> str:
    written = ""
    while number:
        number, letter = divmod(number - 1, 26)
        written = chr(ord("a") + letter) + written
    return written


def _write_roman(number: int) -> str:
    written = ""
    for value, letters in _ROMAN:
        count, number = divmod(number, value)
        written += letters * count
    return written
