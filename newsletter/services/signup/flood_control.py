"""The gate that every mail to a stranger passes on its way out: its domain must take mail, and no
flood may be on.

All lists together have so many mails free (`signup.free_confirmations` in six hours), and earn five
more with each subscriber who confirms. A post that everybody talks about pays for itself; a robot
with a list of strangers stops at once, and the author is told. So that a flood does not close the
form to everyone, half as many more are kept for visitors whose browser solved a puzzle, and as many
for networks that have hardly asked. What waits is lost for nobody: it goes as soon as there is
room, or when the author says so.
"""

from __future__ import annotations

import heapq
import logging
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from sqlalchemy.orm import Session

from newsletter.addresses import GMAIL
from newsletter.db.session import reading, transaction
from newsletter.models import MailingList
from newsletter.outbox import held
from newsletter.outbox.held import HeldMail
from newsletter.services import counters, notifications
from newsletter.services.lookup import get_list
from newsletter.services.runtime import Environment

log = logging.getLogger("newsletter.gate")

WINDOW = timedelta(hours=6)
EARNED = 5
"""Confirmations that one confirmed subscriber pays for: below a fifth of answers, a flood is on."""
NEWCOMER = 3
"""A network that has had fewer mails than this in the window may use what is kept for newcomers."""
PROVEN_AT_MOST = 9
"""Visitors with a puzzle's solution may use what is kept for them up to so many mails for one
network: a robot can solve puzzles too.
"""
SHARE_OF_DOMAIN = 2
"""One recipient domain gets at most one in so many of what is kept."""
AT_ONCE = 500
HELD_AT_MOST = 20_000
"""So many held mails are looked at, oldest first, so that a flood costs bounded memory."""
TOLD_EVERY = timedelta(hours=24)
NO_SUCH = "the subscriber was removed"


@dataclass(slots=True)
class GateRun:
    """What the gate did: mails let go, dropped (their domain takes no mail), and held, by list."""

    let_go: int = 0
    dropped: int = 0
    held: dict[int, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class GateState:
    """A list's gate as its author sees it: `room` mails may go now over all lists, `waiting` are
    held.
    """

    waiting: int
    room: int


@dataclass(slots=True)
class Usage:
    """How many mails went in the window: `total`, of them from what is kept for newcomers and for
    the proven, by the visitors' network and by recipient domain.
    """

    total: int = 0
    newcomers: int = 0
    proven: int = 0
    networks: Counter[str] = field(default_factory=Counter)
    domains: Counter[str] = field(default_factory=Counter)


def count_room(*, mailed: int, confirmed: int, free: int) -> int:
    """How many more may go, after so many went and were answered in the window.

    Pure.
    """
    return max(0, free + EARNED * confirmed - mailed)


def choose(
    waiting: Iterable[HeldMail], used: Usage, *, confirmed: int, free: int
) -> list[tuple[HeldMail, str]]:
    """Choose what may go now: first the proven, then whoever's network, then whoever's domain had
    least, then the oldest. Returns each with the allowance it uses: ``all``, ``proven`` or ``new``.
    Counts it in `used`. Pure.
    """
    heap = [(_rank(each, used), each.id, each) for each in waiting]
    heapq.heapify(heap)
    chosen = []
    while heap:
        rank, id_, each = heapq.heappop(heap)
        if (now_ranked := _rank(each, used)) != rank:
            heapq.heappush(heap, (now_ranked, id_, each))
            continue
        if allowance := _allowance(each, used, confirmed=confirmed, free=free):
            _use(each, used, allowance)
            chosen.append((each, allowance))
    return chosen


def _rank(each: HeldMail, used: Usage) -> tuple[bool, int, int]:
    return not each.proven, used.networks[each.network], used.domains[_domain(each)]


def _allowance(each: HeldMail, used: Usage, *, confirmed: int, free: int) -> str:
    if count_room(mailed=used.total, confirmed=confirmed, free=free):
        return "all"
    kept, from_network = free // 2, used.networks[each.network]
    if used.domains[_domain(each)] >= free + kept // SHARE_OF_DOMAIN:
        return ""
    if each.proven and used.proven < kept and from_network < PROVEN_AT_MOST:
        return "proven"
    return "new" if used.newcomers < kept and from_network < NEWCOMER else ""


def _use(each: HeldMail, used: Usage, allowance: str) -> None:
    used.total += 1
    used.newcomers += allowance == "new"
    used.proven += allowance == "proven"
    used.networks[each.network] += 1
    used.domains[_domain(each)] += 1


def _domain(each: HeldMail) -> str:
    domain = each.domain or ""
    return GMAIL[0] if domain in GMAIL else domain


def open_gate(env: Environment) -> GateRun:
    """Let go what may go.

    Every worker and every sender calls this; what two of them find is let go once.

    Asks DNS, outside any transaction, and tells authors of a flood.
    """
    done = GateRun()
    with reading() as session:
        waiting = _held(session)
    if waiting:
        _pass(env, waiting, done)
    for list_id, count in done.held.items():
        _tell(env, list_id, count)
    return done


def _held(session: Session) -> list[HeldMail]:
    found: list[HeldMail] = []
    while len(found) < HELD_AT_MOST:
        page = held.list_held(session, after_id=found[-1].id if found else 0, limit=AT_ONCE)
        found += page
        if len(page) < AT_ONCE:
            break
    return found


def _pass(env: Environment, waiting: Sequence[HeldMail], done: GateRun) -> None:
    refused = _refused(waiting, env.domains({each.domain for each in waiting if each.domain}))
    out = {id_ for ids in refused.values() for id_ in ids}
    ids = [each.id for each in waiting if each.id not in out]
    chosen: list[tuple[HeldMail, str]] = []
    with reading() as session:
        still = _still_held(session, ids)
        rest = [each for each in waiting if each.id in still]
        idle = not _choose(env, session, rest)
    if (
        refused or not idle
    ):  # else nothing is written: while a flood is held, the gate looks every second
        with transaction() as session:
            for why, dropped in refused.items():
                for part in _parts(dropped):
                    done.dropped += held.drop(session, part, why, now=env.now)
            _lock(env, session)
            still = _still_held(session, ids)
            rest = [each for each in rest if each.id in still]
            chosen = _choose(env, session, rest)
            for part in _parts([each.id for each, _ in chosen]):
                done.let_go += held.let_go(session, part, now=env.now)
            _count(env, session, chosen)
    gone = {each.id for each, _ in chosen}
    for each in rest:
        if each.id not in gone and each.list_id is not None:
            done.held[each.list_id] = done.held.get(each.list_id, 0) + 1


def _choose(
    env: Environment, session: Session, waiting: Sequence[HeldMail]
) -> list[tuple[HeldMail, str]]:
    used, confirmed = _usage(env, session, waiting)
    return choose(waiting, used, confirmed=confirmed, free=env.settings.signup.free_confirmations)


def _refused(found: Sequence[HeldMail], refusing: dict[str, str]) -> dict[str, list[int]]:
    """Those that must not go, by reason."""
    refused: dict[str, list[int]] = {}
    for each in found:
        why = NO_SUCH if each.domain is None else refusing.get(each.domain)
        if why:
            refused.setdefault(why, []).append(each.id)
    return refused


def _parts(ids: list[int]) -> Iterable[list[int]]:
    return (ids[start : start + AT_ONCE] for start in range(0, len(ids), AT_ONCE))


def _lock(env: Environment, session: Session) -> None:
    """Make other workers wait: what both count must not be used twice."""
    counters.add_count(
        session, "mailed/all", 0, now=int(env.now.timestamp()), seconds=counters.HOUR
    )


def _still_held(session: Session, ids: list[int]) -> set[int]:
    """Those that no other worker let go meanwhile."""
    return {id_ for part in _parts(ids) for id_ in held.find_still_held(session, part)}


def _usage(env: Environment, session: Session, waiting: Sequence[HeldMail]) -> tuple[Usage, int]:
    """What went in the window, as far as `waiting` needs it; and how many were confirmed."""
    since = int((env.now - WINDOW).timestamp())
    networks = {f"mailed/net/{each.network}": each.network for each in waiting}
    domains = {
        f"mailed/domain/{counters.domain_name(f'@{each.domain}')}": _domain(each)
        for each in waiting
    }
    names = ["mailed/all", "mailed/new", "mailed/proven", "confirmed/all", *networks, *domains]
    counts = counters.count_since(session, names, since=since)
    used = Usage(counts["mailed/all"], counts["mailed/new"], counts["mailed/proven"])
    used.networks.update({network: counts[name] for name, network in networks.items()})
    used.domains.update({domain: counts[name] for name, domain in domains.items()})
    return used, counts["confirmed/all"]


def _count(env: Environment, session: Session, chosen: Sequence[tuple[HeldMail, str]]) -> None:
    counts: Counter[str] = Counter()
    for each, allowance in chosen:
        counts[f"mailed/net/{each.network}"] += 1
        counts[f"mailed/domain/{counters.domain_name(f'@{each.domain}')}"] += 1
        counts["mailed/all"] += 1
        if allowance != "all":
            counts[f"mailed/{allowance}"] += 1
    now = int(env.now.timestamp())
    for name in sorted(counts):
        counters.add_count(session, name, counts[name], now=now, seconds=counters.HOUR)


def count_confirmed(env: Environment, session: Session) -> None:
    """Count that somebody has confirmed, which allows more mails to others."""
    counters.increment(
        session, "confirmed/all", now=int(env.now.timestamp()), seconds=counters.HOUR
    )


def _tell(env: Environment, list_id: int, count: int) -> None:
    """Tell the author of a flood, once a day as long as it lasts."""
    with transaction() as session:
        row = session.get_one(MailingList, list_id, with_for_update=True)
        if row.flood_told_at is not None and env.now - row.flood_told_at < TOLD_EVERY:
            return
        row.flood_told_at = env.now
        log.warning("a flood of sign-ups on %s: %d confirmations are held", row.slug, count)
        notifications.notify_flood(env, session, row, count)


@dataclass(frozen=True, slots=True)
class Selection:
    """Which held mails are meant: those of all of these `networks` and `domains` that are named,
    and with `proven` only those whose visitors brought a puzzle's solution. Nothing said: all.
    """

    networks: tuple[str, ...] = ()
    domains: tuple[str, ...] = ()
    proven: bool = False

    def holds(self, each: HeldMail) -> bool:
        """Tell whether a held mail is meant.

        Pure.
        """
        return (
            (not self.networks or each.network in self.networks)
            and (not self.domains or (each.domain or "") in self.domains)
            and (not self.proven or each.proven)
        )


EVERYTHING = Selection()


@dataclass(frozen=True, slots=True)
class Origin:
    """Held mails that came from one network for one recipient domain, `proven` of them with a
    puzzle's solution.
    """

    network: str
    domain: str
    count: int
    proven: int


def read_gate(env: Environment, slug: str) -> GateState:
    """How a list's gate stands.

    Raises `NotFound`.
    """
    with reading() as session:
        found = get_list(session, slug)
        used, confirmed = _usage(env, session, ())
        free = env.settings.signup.free_confirmations
        return GateState(
            held.count_held(session, found.id),
            count_room(mailed=used.total, confirmed=confirmed, free=free),
        )


def count_origins(slug: str, selection: Selection = EVERYTHING) -> list[Origin]:
    """Count where a list's held mails come from, most first.

    Raises `NotFound`.
    """
    with reading() as session:
        waiting = _waiting(session, slug, selection)
    counts = Counter((each.network, each.domain or "") for each in waiting)
    proven = Counter((each.network, each.domain or "") for each in waiting if each.proven)
    return [Origin(*key, count, proven[key]) for key, count in counts.most_common()]


def release_held(env: Environment, slug: str, selection: Selection = EVERYTHING) -> int:
    """Let go what waits for a list, flood or not.

    Returns how many. Raises `NotFound`.
    """
    with transaction() as session:
        ids = [each.id for each in _waiting(session, slug, selection)]
        return sum(held.let_go(session, part, now=env.now) for part in _parts(ids))


def drop_held(env: Environment, slug: str, selection: Selection = EVERYTHING) -> int:
    """Never send what waits for a list; the sign-ups are forgotten as any that nobody confirmed,
    and asking once more sends again. Returns how many. Raises `NotFound`.
    """
    why = "dropped by the author in a flood"
    with transaction() as session:
        ids = [each.id for each in _waiting(session, slug, selection)]
        return sum(held.drop(session, part, why, now=env.now) for part in _parts(ids))


def _waiting(session: Session, slug: str, selection: Selection) -> list[HeldMail]:
    list_id = get_list(session, slug).id
    return [each for each in _held(session) if each.list_id == list_id and selection.holds(each)]
