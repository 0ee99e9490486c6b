"""Remove invisible characters from a text, so that they hide no word. Pure."""

from __future__ import annotations

import unicodedata


def show_plainly(text: str) -> str:
    """Replace full-width letters by usual ones, and remove invisible characters.

    A word with a soft hyphen or a directional mark in it looks unchanged to a person, and must not
    be missed.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        sign
        for sign in unicodedata.normalize("NFKC", text)
        if sign.isspace() or unicodedata.category(sign) not in ("Cc", "Cf")
    )
