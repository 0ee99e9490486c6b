"""Recognise posts that need a password to be read. Pure.

WordPress's feed has a password form, or nothing, in place of them, and no field that says so.
"""

from __future__ import annotations

import re

from newsletter.i18n import Text

PROTECTED = Text("password-protected on its blog: its text is not in the feed")
"""Why such a post is held."""

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
"""How WordPress begins the title of such a post, in the languages of most blogs ("Protected: %s").
"""
WORDS = 30
"""Words.

A feed of excerpts says in one sentence that there is none.
"""


def is_protected(title: str, content: str, summary: str) -> bool:
    """Tell whether a post, as its feed has it, is hidden behind a password."""
    if _FORM.search(content) or _FORM.search(summary):
        return True
    text = content or summary
    return title.lower().startswith(_TITLES) and len(text.split()) <= WORDS and "<img" not in text
