"""Compute fingerprints of the keys for hashes of erased addresses.

A hash can only be recognised by an installation that has its key. A file says which keys that is,
so that an import into another installation can tell its author.
"""

from __future__ import annotations

from hashlib import sha256

from sqlalchemy import select
from sqlalchemy.orm import Session

from newsletter.models import LastingKey

DIGITS = 16
"""Hexadecimal digits of a fingerprint: enough to distinguish installations."""


def fingerprint_keys(session: Session) -> tuple[str, ...]:
    """Return the fingerprint of each lasting key of this installation, oldest first."""
    return tuple(
        sha256(b"newsletter lasting key " + key.encode()).hexdigest()[:DIGITS]
        for key in session.scalars(select(LastingKey.key).order_by(LastingKey.id))
    )
