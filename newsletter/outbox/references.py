"""Opaque references to deliveries in Message-IDs and return paths."""

from __future__ import annotations

import hmac
from weakref import WeakKeyDictionary

from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from newsletter.db.session import db
from newsletter.models import InstallationKey
from newsletter.tokens import RowNames


class References:
    """Converts between ids of deliveries and their references in Message-IDs and return paths.

    Others learn the Message-ID, because mail programs copy it into what is forwarded or answered
    (References, In-Reply-To). Nobody finds the other name by it.
    """

    def __init__(self, key: bytes) -> None:
        self._messages = RowNames(key)
        self._reports = RowNames(hmac.digest(key, b"reports", "sha256"))

    def name_report(self, delivery: int) -> str:
        """Return the reference for return path, envelope id and CFBL-Feedback-ID."""
        return self._reports.name(delivery)

    def find_report(self, reference: str) -> int | None:
        """Return the id of the delivery of a reference from `name_report`, or None."""
        return self._reports.find(reference)

    def find_message(self, reference: str) -> int | None:
        """Return the id of the delivery of a Message-ID's local part, or None."""
        return self._messages.find(reference)

    def message_id(self, delivery: int, domain: str) -> str:
        """Return the Message-ID of a delivery, without angle brackets.

        It is the same however often the message is sent (RFC 5322 section 3.6.4).
        """
        return f"{self._messages.name(delivery)}@{domain}"


_KEY = select(InstallationKey.value).where(InstallationKey.name == "deliveries")
_references: WeakKeyDictionary[Engine, References] = WeakKeyDictionary()


def get_references(session: Session) -> References:
    """Return the converter of references for a session's database.

    Its key is read once a process: it never changes.
    """
    known = _references.get(db.engine)
    if known is None:
        known = _references[db.engine] = References(bytes.fromhex(session.scalars(_KEY).one()))
    return known
