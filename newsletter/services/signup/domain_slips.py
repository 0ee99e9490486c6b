"""Suggest corrections of misspelt mail domains. Pure."""

from __future__ import annotations

WELL_KNOWN = (
    "gmail.com",
    "googlemail.com",
    "yahoo.com",
    "yahoo.de",
    "yahoo.fr",
    "yahoo.es",
    "hotmail.com",
    "hotmail.de",
    "hotmail.fr",
    "hotmail.es",
    "outlook.com",
    "outlook.de",
    "outlook.fr",
    "live.com",
    "live.de",
    "live.fr",
    "msn.com",
    "icloud.com",
    "me.com",
    "mac.com",
    "aol.com",
    "gmx.de",
    "gmx.net",
    "gmx.at",
    "gmx.ch",
    "web.de",
    "t-online.de",
    "freenet.de",
    "posteo.de",
    "mailbox.org",
    "orange.fr",
    "wanadoo.fr",
    "free.fr",
    "laposte.net",
    "sfr.fr",
    "proton.me",
    "protonmail.com",
    "fastmail.com",
)
"""Domains whose misspellings are corrected, the most common first."""
OTHERS = frozenset(
    {"mail.com", "ymail.com", "gmx.com", "email.com", "mac.de", "life.de", "love.com"}
)
"""Real mail domains that look like misspellings of those."""
SHORT = 6
"""Length of a domain up to which one different letter may as well be another domain."""


def find_intended_domain(domain: str) -> str:
    """Return the well-known domain that `domain` misspells by one letter, or "".

    A slip is a letter too many, too few, another, or two letters in the wrong order.
    """
    if domain in WELL_KNOWN or domain in OTHERS or len(domain) <= SHORT:
        return ""
    return next((known for known in WELL_KNOWN if _is_one_slip(domain, known)), "")


def _is_one_slip(typed: str, meant: str) -> bool:
    if abs(len(typed) - len(meant)) > 1:
        return False
    start = 0
    while start < min(len(typed), len(meant)) and typed[start] == meant[start]:
        start += 1
    left = typed[start:]
    right = meant[start:]
    swapped = left[:2] == right[:2][::-1] and left[2:] == right[2:]
    return left[1:] == right[1:] or left[1:] == right or left == right[1:] or swapped
