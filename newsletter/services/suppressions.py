"""Who is never mailed again, and why.

Known by a keyed hash, so that it outlives the subscriber.

The hashes have keys of their own (`LastingKey`): replacing `secret_key` must not bring back
anybody.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import bindparam, delete, exists, func, insert, select
from sqlalchemy.orm import Session

from newsletter import outbox
from newsletter.addresses import parse_address
from newsletter.db.session import db, reading, transaction
from newsletter.errors import NotFound
from newsletter.models import LastingKey, Subscriber, Subscription, Suppression
from newsletter.services.runtime import Environment
from newsletter.tokens import keyed_hash

_KEYS = select(LastingKey.key).order_by(LastingKey.id)
_SUPPRESSED = select(
    exists().where(Suppression.email_hash.in_(bindparam("hashes", expanding=True)))
)


@dataclass(frozen=True, slots=True)
class SuppressionView:
    """A suppression; `email` is empty where the person was erased and only the hash is left."""

    email: str
    reason: str
    note: str
    created_at: datetime


def hash_address(env: Environment, email_key: str) -> list[str]:
    """Hash an address with every lasting key; the first hash is the one to store."""
    return [keyed_hash(key, email_key) for key in read_lasting_keys(env)]


def read_lasting_keys(env: Environment) -> tuple[str, ...]:
    """Return the keys of lasting hashes, oldest first.

    The migration makes the first one. Where it is missing a transaction makes it; a look gets one
    that is forgotten at once, because without a key there is no hash to be found either.
    """
    if env.lasting_keys:
        return tuple(env.lasting_keys)
    session = db.session()
    keys = tuple(session.connection().execute(_KEYS).scalars())
    if keys and not session.info.get("new_lasting_key"):  # its own new key may be rolled back still
        env.lasting_keys[:] = keys
    if keys:
        return keys
    new_key = secrets.token_hex(32)
    if session.info.get("writes"):
        session.info["new_lasting_key"] = True
        session.connection().execute(insert(LastingKey), {"key": new_key, "created_at": env.now})
    return (new_key,)


def is_suppressed(env: Environment, session: Session, email_key: str) -> bool:
    """Tell whether an address must never be mailed."""
    return bool(
        session.connection().execute(_SUPPRESSED, {"hashes": hash_address(env, email_key)}).scalar()
    )


def count_suppressed(session: Session, list_id: int) -> int:
    """Count the active subscriptions of a list whose address is never mailed: they are no readers."""
    query = (
        select(func.count())
        .select_from(Suppression)
        .join(Subscriber, Subscriber.email_key == Suppression.email_key)
        .join(Subscription, Subscription.subscriber_id == Subscriber.id)
        .where(Subscription.list_id == list_id, Subscription.status == "active")
    )
    return session.scalar(query) or 0


def suppress(env: Environment, address: str, *, reason: str = "manual", note: str = "") -> bool:
    """Never mails `address` again, and drops what waits for it.

    Returns False where that was so already.
    """
    key = parse_address(address).key
    with transaction() as session:
        if is_suppressed(env, session, key):
            return False
        session.add(
            Suppression(
                email_hash=hash_address(env, key)[0],
                email_key=key,
                reason=reason,
                note=note[:500],
                created_at=env.now,
            )
        )
        waiting = select(Subscription.id).join(Subscriber).where(Subscriber.email_key == key)
        outbox.cancel(session, session.scalars(waiting).all(), now=env.now)
        return True


def lift_suppression(env: Environment, address: str) -> None:
    """Lift a suppression: the owner's word only.

    Nobody is subscribed by it. Raises `NotFound`.
    """
    key = parse_address(address).key
    with transaction() as session:
        found = session.execute(
            delete(Suppression).where(Suppression.email_hash.in_(hash_address(env, key)))
        )
        if found.rowcount == 0:  # type: ignore[attr-defined]
            raise NotFound("this address is not suppressed")


def list_suppressions() -> list[SuppressionView]:
    """Every suppression, newest first."""
    with reading() as session:
        found = session.scalars(select(Suppression).order_by(Suppression.id.desc()))
        return [
            SuppressionView(row.email_key or "", row.reason, row.note, row.created_at)
            for row in found
        ]
