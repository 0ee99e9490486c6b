"""Let authors upload files that are larger than any form, and nobody else.

The form of such a page posts to an address under /author/upload/ with a ticket: a signed word that
stands on the page of an author who may upload. A server reads a large body only with a ticket, so
that a stranger cannot fill a disk before anybody asked who they are; the page itself asks that.
"""

from __future__ import annotations

import hashlib
from urllib.parse import parse_qs

from itsdangerous import BadSignature, TimestampSigner

from newsletter.settings import Settings

PREFIX = "/author/upload/"
FILE_AT_MOST = 100 << 20
"""Bytes of the largest file."""
UPLOAD_AT_MOST = FILE_AT_MOST + (1 << 20)
"""Bytes of a body with a file, and a form around it."""
TICKET_SECONDS = 12 * 3600
TICKET_AT_MOST = 200
_WORD = "upload"


def make_ticket(settings: Settings) -> str:
    """Make a ticket for a page that an author has opened; valid for 12 hours."""
    return _signer(settings).sign(_WORD).decode("ascii")


def find_body_limit(settings: Settings, path: str, query: str, usual: int) -> int:
    """Return how many bytes the body of a request may have, by its path and query."""
    if not path.startswith(PREFIX):
        return usual
    ticket = parse_qs(query[:TICKET_AT_MOST]).get("ticket", [""])[0]
    try:
        _signer(settings).unsign(ticket, max_age=TICKET_SECONDS)
    except BadSignature:
        return usual
    return UPLOAD_AT_MOST


def _signer(settings: Settings) -> TimestampSigner:
    keys = list(reversed(settings.signing_keys))  # itsdangerous signs with the last one
    return TimestampSigner(
        keys, salt="newsletter.author-upload", key_derivation="hmac", digest_method=hashlib.sha256
    )
