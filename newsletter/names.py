"""Clean names typed by visitors before they are used in mails. Pure."""

from __future__ import annotations

import re
import unicodedata

NAME_AT_MOST = 60
"""The most letters of a name: enough for people, too few for a message to a stranger."""
_APOSTROPHES = str.maketrans({"\u2019": "'", "\u02bc": "'"})
_NO_END_AFTER_DOT = re.compile(r"\.[^ .'-]")


def clean_name(typed: str) -> str:
    """Return a typed name in a form that is safe in mails, or "".

    The rule keeps a sign-up form from carrying text or links to other people. A name has at most 60
    letters, marks, spaces, ``'``, ``-`` and ``.``, and no letter directly after a dot.
    """
    if len(typed) > 4 * NAME_AT_MOST:
        return ""
    name = " ".join(unicodedata.normalize("NFC", typed).translate(_APOSTROPHES).split())
    if len(name) > NAME_AT_MOST or _NO_END_AFTER_DOT.search(name):
        return ""
    if not all(letter in " '-." or unicodedata.category(letter)[0] in "LM" for letter in name):
        return ""
    return name if any(unicodedata.category(letter)[0] == "L" for letter in name) else ""
