"""List, release and drop the confirmations that are held during a flood."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from sqlalchemy.orm import Session

from newsletter.db.session import reading, transaction
from newsletter.outbox import held
from newsletter.outbox.held import HeldMail
from newsletter.services.lookup import get_list
from newsletter.services.runtime import Environment
from newsletter.services.signup.confirmation_gate import (
    count_room,
    read_held,
    read_usage,
    split_parts,
)


@dataclass(frozen=True, slots=True)
class GateState:
    """The state of a list's gate: `room` mails may be sent over all lists, `waiting` are held."""

    waiting: int
    room: int


@dataclass(frozen=True, slots=True)
class Selection:
    """A filter of held mails: by networks, domains, and whether a puzzle was solved.

    An empty selection means all.
    """

    networks: tuple[str, ...] = ()
    domains: tuple[str, ...] = ()
    proven: bool = False

    def holds(self, mail: HeldMail) -> bool:
        """Tell whether the filter matches a held mail.

        Pure.
        """
        return (
            (not self.networks or mail.network in self.networks)
            and (not self.domains or (mail.domain or "") in self.domains)
            and (not self.proven or mail.proven)
        )


EVERYTHING = Selection()


@dataclass(frozen=True, slots=True)
class Origin:
    """Held mails from one network to one recipient domain; `proven` of them solved a puzzle."""

    network: str
    domain: str
    count: int
    proven: int


def read_gate(env: Environment, slug: str) -> GateState:
    """Return the state of a list's gate.

    Raises `NotFound`.
    """
    with reading() as session:
        mailing_list = get_list(session, slug)
        used, confirmed = read_usage(env, session, ())
        free = env.settings.signup.free_confirmations
        return GateState(
            held.count_held(session, mailing_list.id),
            count_room(mailed=used.total, confirmed=confirmed, free=free),
        )


def count_origins(slug: str, selection: Selection = EVERYTHING) -> list[Origin]:
    """Count the held mails of a list by origin, the most frequent first.

    Raises `NotFound`.
    """
    with reading() as session:
        waiting = _list_waiting(session, slug, selection)
    counts = Counter((mail.network, mail.domain or "") for mail in waiting)
    proven = Counter((mail.network, mail.domain or "") for mail in waiting if mail.proven)
    return [Origin(*key, count, proven[key]) for key, count in counts.most_common()]


def release_held(env: Environment, slug: str, selection: Selection = EVERYTHING) -> int:
    """Release held mails of a list regardless of a flood, and return their number.

    Raises `NotFound`.
    """
    with transaction() as session:
        ids = [mail.id for mail in _list_waiting(session, slug, selection)]
        return sum(held.release(session, part, now=env.now) for part in split_parts(ids))


def drop_held(env: Environment, slug: str, selection: Selection = EVERYTHING) -> int:
    """Drop held mails of a list, and return their number.

    The sign-ups expire as any that nobody confirmed, and a new request sends a new mail. Raises
    `NotFound`.
    """
    why = "dropped by the author in a flood"
    with transaction() as session:
        ids = [mail.id for mail in _list_waiting(session, slug, selection)]
        return sum(held.drop(session, part, why, now=env.now) for part in split_parts(ids))


def _list_waiting(session: Session, slug: str, selection: Selection) -> list[HeldMail]:
    list_id = get_list(session, slug).id
    return [
        mail for mail in read_held(session) if mail.list_id == list_id and selection.holds(mail)
    ]
