"""Read and change the installation's state: the fingerprint of its signing key, a hold on mail."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from newsletter import outbox
from newsletter.db.session import reading, transaction
from newsletter.errors import NotFound, Refused
from newsletter.i18n import Text
from newsletter.models import Campaign, Installation
from newsletter.outbox import single_mails
from newsletter.outbox.types import DeliveryRow
from newsletter.services.runtime import Environment
from newsletter.tokens import fingerprint
from newsletter.vocabulary import CampaignStatus

RELEASE = "newsletter db release"
FOREIGN_KEY = Text(
    "secret_key is not the key that signed this installation's links: "
    "links in mails sent so far do not open"
)
FOREIGN_KEY_HINT = Text(
    "put the old key into secret_key_fallbacks; if it is lost, newsletter db accept-key"
)


class KeyState(StrEnum):
    """The relation of the configured signing key to the one recorded in the database."""

    NEW = "new"
    """No key is recorded yet."""
    SAME = "same"
    ROTATED = "rotated"
    """The recorded key is configured as a fallback."""
    FOREIGN = "foreign"
    """The recorded key is not configured: links in mails sent so far do not open."""


@dataclass(frozen=True, slots=True)
class Hold:
    """A hold on all mail since `at`.

    `waiting` messages and `paused` campaigns wait for the author.
    """

    at: datetime
    because: str
    waiting: int
    paused: int


# ── the key that signs
# ─────────────────────────────────────────────────────────────────────────────


def compare_keys(stored: str, signing_keys: tuple[str, ...]) -> KeyState:
    """Compare the recorded fingerprint with the keys of the settings.

    Pure.
    """
    current, *fallbacks = [fingerprint(key) for key in signing_keys]
    if not stored:
        return KeyState.NEW
    if stored == current:
        return KeyState.SAME
    return KeyState.ROTATED if stored in fallbacks else KeyState.FOREIGN


def find_key_state(env: Environment) -> KeyState:
    """Return how `secret_key` relates to the recorded key, without changing it."""
    with reading() as session:
        row = session.get(Installation, 1)
        return compare_keys(row.key_fingerprint if row else "", env.settings.signing_keys)


def record_key(env: Environment) -> KeyState:
    """Record the signing key's fingerprint, if it is the first or replaces a recorded one.

    A known one is a fallback of the settings.
    """
    state = find_key_state(env)
    if state in (KeyState.NEW, KeyState.ROTATED):
        accept_key(env)
    return state


def accept_key(env: Environment) -> None:
    """Record the current signing key, whatever key signed before."""
    with transaction() as session:
        _get_or_add(session).key_fingerprint = fingerprint(env.settings.signing_keys[0])


# ── the hold
# ───────────────────────────────────────────────────────────────────────────────────────


def hold_mail(session: Session, because: str, now: datetime) -> None:
    """Hold all mail; campaigns are paused by services/operations/hold.py."""
    row = _get_or_add(session)
    row.held_at = now
    row.held_because = because[:500]


def is_held(session: Session) -> bool:
    """Tell whether all mail is held."""
    return session.scalar(select(Installation.held_at).where(Installation.id == 1)) is not None


def find_hold() -> Hold | None:
    """Return the hold on mail with its reason and the number of waiting mails, or None."""
    with reading() as session:
        row = session.get(Installation, 1)
        if row is None or row.held_at is None:
            return None
        paused = (
            session.scalar(select(func.count()).where(Campaign.status == CampaignStatus.PAUSED))
            or 0
        )
        return Hold(row.held_at, row.held_because, outbox.count_waiting(session), int(paused))


def list_waiting_mails(*, limit: int | None = None) -> list[DeliveryRow]:
    """List the single mails that go out on release, oldest first."""
    with reading() as session:
        return single_mails.list_waiting_mails(session, limit=limit)


def count_waiting_mails() -> int:
    """Count the single mails that go out on release."""
    with reading() as session:
        return single_mails.count_waiting_mails(session)


def drop_waiting_mails(env: Environment, ids: Collection[int] | None) -> int:
    """Cancel held single mails, all or those of `ids`; return their number.

    Raises `Refused` where nothing is held, `NotFound` if one of `ids` does not wait.
    """
    with transaction() as session:
        if not is_held(session):
            raise Refused(
                "mail is not held: there is nothing to drop", hint="see `newsletter status`"
            )
        dropped = single_mails.drop_waiting_mails(
            session, ids, "dropped by the author after a restore", now=env.now
        )
        if ids is not None and dropped < len(set(ids)):
            raise NotFound(
                "not all of these mails wait", hint="`newsletter db release --show` lists them"
            )
        return dropped


def release_mail() -> None:
    """End the hold on mail; paused campaigns stay paused.

    Raises `Refused` where nothing is held.
    """
    with transaction() as session:
        if not is_held(session):
            raise Refused(
                "mail is not held: there is nothing to release", hint="see `newsletter status`"
            )
        session.execute(update(Installation).values(held_at=None, held_because=""))


def _get_or_add(session: Session) -> Installation:
    row = session.get(Installation, 1)
    if row is None:
        row = Installation(id=1, key_fingerprint="", held_because="")
        session.add(row)
    return row
