"""Hold confirmations and other mails to strangers during a flood of sign-ups.

A mail to a stranger leaves only if its domain takes mail and the installation has allowance left.
All lists together may send `signup.free_confirmations` in six hours, and earn five more with each
subscriber who confirms: a popular post earns its own allowance, a robot with a list of strangers
does not, and the author is notified. So that a flood does not close the form to everybody, half as
many more are reserved for visitors whose browser solved a puzzle, and as many for networks that
have hardly signed up. Held mails leave when there is allowance, or when the author releases them.
"""

from __future__ import annotations

import heapq
import logging
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum

from sqlalchemy.orm import Session

from newsletter.addresses import GMAIL
from newsletter.db.session import reading, transaction
from newsletter.models import MailingList
from newsletter.outbox import held
from newsletter.outbox.held import HeldMail
from newsletter.services import counters, notifications, request_limits
from newsletter.services.runtime import Environment

log = logging.getLogger("newsletter.gate")

WINDOW = timedelta(hours=6)
EARNED = 5
"""Mails allowed for each confirmed sign-up: below one in five, a flood is assumed."""
NEWCOMER = 3
"""Mails in the window below which a network may use the allowance reserved for new networks."""
PROVEN_AT_MOST = 9
"""The most mails for one network from the allowance of visitors who solved a puzzle: a robot can
solve puzzles, too.
"""
SHARE_OF_DOMAIN = 2
"""Share of a reserved allowance that one recipient domain may use: one in so many."""
AT_ONCE = 500
HELD_AT_MOST = 20_000
"""Held mails read by one run, oldest first, to bound memory during a flood."""
TOLD_EVERY = timedelta(hours=24)
NO_SUCH = "the subscriber was removed"


@dataclass(slots=True)
class GateRun:
    """The result of a run: mails released, dropped (no mail server), and held by list."""

    let_go: int = 0
    dropped: int = 0
    held: dict[int, int] = field(default_factory=dict)


@dataclass(slots=True)
class Usage:
    """The mails released in the window: in total, by network and by recipient domain.

    `newcomers` and `proven` count those that used the reserved allowances.
    """

    total: int = 0
    newcomers: int = 0
    proven: int = 0
    networks: Counter[str] = field(default_factory=Counter)
    domains: Counter[str] = field(default_factory=Counter)


class GateAllowance(StrEnum):
    """The allowance from which a mail is released; counters are named by it."""

    ALL = "all"
    PROVEN = "proven"
    """Reserved for visitors whose browser solved a puzzle."""

    NEW = "new"
    """Reserved for networks with few sign-ups."""


def count_room(*, mailed: int, confirmed: int, free: int) -> int:
    """Return the number of mails that may still be released in the window, after `mailed`.

    Pure.
    """
    return max(0, free + EARNED * confirmed - mailed)


def choose(
    waiting: Iterable[HeldMail], used: Usage, *, confirmed: int, free: int
) -> list[tuple[HeldMail, GateAllowance]]:
    """Choose the mails to release now, each with its allowance, and count them in `used`.

    The order: proven visitors first, then the network and the domain with the fewest mails, then
    the oldest. Pure.
    """
    heap = [(_rank(mail, used), mail.id, mail) for mail in waiting]
    heapq.heapify(heap)
    chosen = []
    while heap:
        rank, id_, mail = heapq.heappop(heap)
        if (now_ranked := _rank(mail, used)) != rank:
            heapq.heappush(heap, (now_ranked, id_, mail))
            continue
        if allowance := _choose_allowance(mail, used, confirmed=confirmed, free=free):
            _use(mail, used, allowance)
            chosen.append((mail, allowance))
    return chosen


def _rank(mail: HeldMail, used: Usage) -> tuple[bool, int, int]:
    return not mail.proven, used.networks[mail.network], used.domains[_name_domain(mail)]


def _choose_allowance(
    mail: HeldMail, used: Usage, *, confirmed: int, free: int
) -> GateAllowance | None:
    if count_room(mailed=used.total, confirmed=confirmed, free=free):
        return GateAllowance.ALL
    reserved = free // 2
    from_network = used.networks[mail.network]
    if used.domains[_name_domain(mail)] >= free + reserved // SHARE_OF_DOMAIN:
        return None
    if mail.proven and used.proven < reserved and from_network < PROVEN_AT_MOST:
        return GateAllowance.PROVEN
    is_new = used.newcomers < reserved and from_network < NEWCOMER
    return GateAllowance.NEW if is_new else None


def _use(mail: HeldMail, used: Usage, allowance: GateAllowance) -> None:
    used.total += 1
    used.newcomers += allowance is GateAllowance.NEW
    used.proven += allowance is GateAllowance.PROVEN
    used.networks[mail.network] += 1
    used.domains[_name_domain(mail)] += 1


def _name_domain(mail: HeldMail) -> str:
    domain = mail.domain or ""
    return GMAIL[0] if domain in GMAIL else domain


def open_gate(env: Environment) -> GateRun:
    """Release the held mails that the allowances cover.

    Every worker and every sender calls this; a mail is released once, whoever finds it. Asks DNS
    outside any transaction, and notifies authors of a flood.
    """
    done = GateRun()
    with reading() as session:
        waiting = read_held(session)
    if waiting:
        _pass(env, waiting, done)
    for list_id, count in done.held.items():
        _notify_flood(env, list_id, count)
    return done


def read_held(session: Session) -> list[HeldMail]:
    mails: list[HeldMail] = []
    while len(mails) < HELD_AT_MOST:
        page = held.list_held(session, after_id=mails[-1].id if mails else 0, limit=AT_ONCE)
        mails += page
        if len(page) < AT_ONCE:
            break
    return mails


def _pass(env: Environment, waiting: Sequence[HeldMail], done: GateRun) -> None:
    refused = _group_refused(waiting, env.domains({mail.domain for mail in waiting if mail.domain}))
    out = {id_ for ids in refused.values() for id_ in ids}
    ids = [mail.id for mail in waiting if mail.id not in out]
    chosen: list[tuple[HeldMail, GateAllowance]] = []
    with reading() as session:
        still = _find_still_held(session, ids)
        rest = [mail for mail in waiting if mail.id in still]
        idle = not _choose(env, session, rest)
    if (
        refused or not idle
    ):  # else nothing is written: while a flood is held, the gate looks every second
        with transaction() as session:
            nobodys = [mail.id for mail in waiting if mail.to_nobody and mail.id in out]
            _delete_nobodys(session, nobodys)
            for why, dropped in refused.items():
                for part in split_parts(dropped):
                    done.dropped += held.drop(session, part, why, now=env.now)
            _lock(env, session)
            still = _find_still_held(session, ids)
            rest = [mail for mail in rest if mail.id in still]
            chosen = _choose(env, session, rest)
            _delete_nobodys(session, [mail.id for mail, _ in chosen if mail.to_nobody])
            for part in split_parts([mail.id for mail, _ in chosen if not mail.to_nobody]):
                done.let_go += held.release(session, part, now=env.now)
            _count(env, session, chosen)
    gone = {mail.id for mail, _ in chosen}
    for mail in rest:
        if mail.id not in gone and mail.list_id is not None:
            done.held[mail.list_id] = done.held.get(mail.list_id, 0) + 1


def _delete_nobodys(session: Session, ids: list[int]) -> None:
    for part in split_parts(ids):
        held.delete_nobodys(session, part)


def _choose(
    env: Environment, session: Session, waiting: Sequence[HeldMail]
) -> list[tuple[HeldMail, GateAllowance]]:
    used, confirmed = read_usage(env, session, waiting)
    return choose(waiting, used, confirmed=confirmed, free=env.settings.signup.free_confirmations)


def _group_refused(waiting: Sequence[HeldMail], refusing: dict[str, str]) -> dict[str, list[int]]:
    """Group the mails that must be dropped by the reason."""
    refused: dict[str, list[int]] = {}
    for mail in waiting:
        why = NO_SUCH if mail.domain is None else refusing.get(mail.domain)
        if why:
            refused.setdefault(why, []).append(mail.id)
    return refused


def split_parts(ids: list[int]) -> Iterable[list[int]]:
    return (ids[start : start + AT_ONCE] for start in range(0, len(ids), AT_ONCE))


def _lock(env: Environment, session: Session) -> None:
    """Lock the gate, so that two workers do not use the same allowance."""
    counters.add_count(
        session, "mailed/all", 0, now=int(env.now.timestamp()), seconds=counters.HOUR
    )


def _find_still_held(session: Session, ids: list[int]) -> set[int]:
    """Return the mails that no other worker has released."""
    return {id_ for part in split_parts(ids) for id_ in held.find_still_held(session, part)}


def read_usage(
    env: Environment, session: Session, waiting: Sequence[HeldMail]
) -> tuple[Usage, int]:
    """Read the released mails of the window that concern `waiting`, and the confirmed sign-ups."""
    since = int((env.now - WINDOW).timestamp())
    networks = {f"mailed/net/{mail.network}": mail.network for mail in waiting}
    domains = {
        f"mailed/domain/{request_limits.name_domain(f'@{mail.domain}')}": _name_domain(mail)
        for mail in waiting
    }
    names = ["mailed/all", "mailed/new", "mailed/proven", "confirmed/all", *networks, *domains]
    counts = counters.count_since(session, names, since=since)
    used = Usage(counts["mailed/all"], counts["mailed/new"], counts["mailed/proven"])
    used.networks.update({network: counts[name] for name, network in networks.items()})
    used.domains.update({domain: counts[name] for name, domain in domains.items()})
    return used, counts["confirmed/all"]


def _count(
    env: Environment, session: Session, chosen: Sequence[tuple[HeldMail, GateAllowance]]
) -> None:
    counts: Counter[str] = Counter()
    for mail, allowance in chosen:
        counts[f"mailed/net/{mail.network}"] += 1
        counts[f"mailed/domain/{request_limits.name_domain(f'@{mail.domain}')}"] += 1
        counts["mailed/all"] += 1
        if allowance is not GateAllowance.ALL:
            counts[f"mailed/{allowance}"] += 1
    now = int(env.now.timestamp())
    for name in sorted(counts):
        counters.add_count(session, name, counts[name], now=now, seconds=counters.HOUR)


def count_confirmed(env: Environment, session: Session) -> None:
    """Count a confirmed sign-up, which allows more mails to others."""
    counters.increment(
        session, "confirmed/all", now=int(env.now.timestamp()), seconds=counters.HOUR
    )


def _notify_flood(env: Environment, list_id: int, count: int) -> None:
    """Notify the author of a flood, once a day."""
    with transaction() as session:
        row = session.get_one(MailingList, list_id, with_for_update=True)
        if row.flood_told_at is not None and env.now - row.flood_told_at < TOLD_EVERY:
            return
        row.flood_told_at = env.now
        log.warning("a flood of sign-ups on %s: %d confirmations are held", row.slug, count)
        notifications.notify_flood(env, session, row, count)
