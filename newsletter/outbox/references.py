"""The references that name deliveries to the outside, made with a key of this installation."""

from __future__ import annotations

from weakref import WeakKeyDictionary

from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from newsletter.db.session import db
from newsletter.models import InstallationKey
from newsletter.tokens import References

_KEY = select(InstallationKey.value).where(InstallationKey.name == "deliveries")
_references: WeakKeyDictionary[Engine, References] = WeakKeyDictionary()


def get_references(session: Session) -> References:
    """Return the object that names this database's deliveries to the outside.

    Its key is read once a process: it never changes.
    """
    known = _references.get(db.engine)
    if known is None:
        known = _references[db.engine] = References(bytes.fromhex(session.scalars(_KEY).one()))
    return known
