"""Recognise posts that need a password to be read. Pure.

In WordPress's feed such a post has a password form as its text, or none, and no field marks it.
"""

from __future__ import annotations

import re

from newsletter.i18n import Text

PROTECTED = Text("password-protected on its blog: its text is not in the feed")
"""The reason for holding a password-protected post."""

_FORM = re.compile(r"post-password-form|action=postpass|\bname=[\"']?post_password\b", re.I)
_TITLES = (
    "protected:",
    "geschützt:",
    "protégé :",
    "protégé\xa0:",
    "protegido:",
    "protegida:",
    "protejat:",
    "protetto:",
    "beveiligd:",
    "zabezpieczony:",
    "skyddad:",
    "beskyttet:",
    "suojattu:",
    "chráněno:",
    "védett:",
    "korumalı:",
    "защищено:",
    "захищено:",
    "محمي:",
    "protegit:",
    "保護中:",
    "受保护:",
    "비밀글:",
)
"""Beginnings of titles of such posts in WordPress's most common languages ("Protected: %s")."""
WORDS = 30
"""Words of a feed's excerpt up to which it counts as WordPress's sentence that there is no
excerpt."""


def is_protected(title: str, content: str, summary: str) -> bool:
    """Tell whether a feed's entry is a post that is hidden behind a password."""
    if _FORM.search(content) or _FORM.search(summary):
        return True
    text = content or summary
    return title.lower().startswith(_TITLES) and len(text.split()) <= WORDS and "<img" not in text
