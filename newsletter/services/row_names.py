"""Convert between row ids and the opaque ids in the API and webhooks.

Names and cursors are opaque: they do not tell how many subscribers or events there are, and the
same row has the same name for ever. They are made with the key of this installation that names
messages, and are no secret.
"""

from __future__ import annotations

import hmac
from weakref import WeakKeyDictionary

from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from newsletter.access_vocabulary import NamedRow
from newsletter.db.session import db, reading
from newsletter.errors import NotFound
from newsletter.models import InstallationKey
from newsletter.tokens import RowNames

_KEY = select(InstallationKey.value).where(InstallationKey.name == "deliveries")
_known: WeakKeyDictionary[Engine, dict[NamedRow, RowNames]] = WeakKeyDictionary()


def get_row_names(session: Session) -> dict[NamedRow, RowNames]:
    """Return the converter of each kind of row for a session's database."""
    engine = session.get_bind().engine
    names = _known.get(engine)
    if names is None:
        key = bytes.fromhex(session.scalars(_KEY).one())
        names = _known[engine] = {
            kind: RowNames(hmac.digest(key, b"programs/" + kind.encode(), "sha256"))
            for kind in NamedRow
        }
    return names


def name_row(kind: NamedRow, row_id: int) -> str:
    """Return the opaque id of a row. Not to be called inside a transaction."""
    return _load()[kind].name(row_id)


def get_row_id(kind: NamedRow, name: str) -> int:
    """Return the row id of an opaque id.

    Raises `NotFound` for what is no name of this kind. Not to be called inside a transaction.
    """
    row_id = _load()[kind].find(name)
    if row_id is None:
        raise NotFound(f"there is no such {kind}")
    return row_id


def _load() -> dict[NamedRow, RowNames]:
    if db.engine in _known:
        return _known[db.engine]
    with reading() as session:
        return get_row_names(session)
