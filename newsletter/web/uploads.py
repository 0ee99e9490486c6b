"""Allow larger request bodies for uploads by authors and by programs with a token.

The form of such a page posts to an address under /author/upload/ with a ticket: a signed word that
stands on the page of an author who may upload, and names their log-in. A program names its token. A
server reads a large body only with one of them that is still good, so that a stranger cannot fill a
disk before anybody asked who they are; the page or operation itself asks that.
"""

from __future__ import annotations

import hashlib
from urllib.parse import parse_qs

from itsdangerous import BadSignature, TimestampSigner

from newsletter.services import api_tokens
from newsletter.services.authors import sessions
from newsletter.services.runtime import Environment

PREFIX = "/author/upload/"
FILE_AT_MOST = 100 << 20
"""The most bytes of a file."""
UPLOAD_AT_MOST = FILE_AT_MOST + (1 << 20)
"""The most bytes of a body with a file and a form's other fields."""
TICKET_SECONDS = 12 * 3600
TICKET_AT_MOST = 200
PROGRAM_BODIES: dict[str, int] = {}
"""Limits of the bodies of API operations that take a file, by path, in bytes."""


def make_ticket(env: Environment, session_id: int) -> str:
    """Create the upload ticket of a page, valid for 12 hours and one session."""
    return _make_signer(env).sign(str(session_id)).decode("ascii")


def may_be_large(path: str) -> bool:
    """Tell whether a path accepts bodies larger than a form's."""
    return path.startswith(PREFIX) or path in PROGRAM_BODIES


def find_body_limit(env: Environment, path: str, query: str, authorization: str, usual: int) -> int:
    """Return the limit of a request's body in bytes, by its path, query and token."""
    if path in PROGRAM_BODIES:
        scheme, _, token = authorization.partition(" ")
        may = scheme.lower() == "bearer" and api_tokens.may_write(env, token.strip())
        return PROGRAM_BODIES[path] if may else usual
    if not path.startswith(PREFIX):
        return usual
    ticket = parse_qs(query[:TICKET_AT_MOST]).get("ticket", [""])[0]
    try:
        session_id = int(_make_signer(env).unsign(ticket, max_age=TICKET_SECONDS))
    except BadSignature:
        return usual
    return UPLOAD_AT_MOST if sessions.may_write(env, session_id) else usual


def _make_signer(env: Environment) -> TimestampSigner:
    keys = list(reversed(env.tokens.read_keys()))  # itsdangerous signs with the last one
    return TimestampSigner(
        keys, salt="newsletter.author-upload", key_derivation="hmac", digest_method=hashlib.sha256
    )
