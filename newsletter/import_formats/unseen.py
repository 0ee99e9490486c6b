"""Leave out the signs of a text that nobody sees, so that they hide no word. Pure."""

from __future__ import annotations

import unicodedata


def show_plainly(text: str) -> str:
    """Write letters of full width as usual ones, and leave out signs that nobody sees.

    A soft hyphen or a mark of direction inside a word hides no word from whoever reads it.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        sign
        for sign in unicodedata.normalize("NFKC", text)
        if sign.isspace() or unicodedata.category(sign) not in ("Cc", "Cf")
    )
