"""Subscribers out of a file of another program, or of our own. Streamed in batches, a transaction each.

What was read already changes nothing when it is read again: an import that was killed is simply run once more. Nobody
is mailed. A person's own word stands above any file, and the strictest word of a file above its others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from sqlalchemy.orm import Session

from newsletter.addresses import Address
from newsletter.db.session import reading, transaction
from newsletter.errors import Conflict, DatabaseError, InvalidInput
from newsletter.import_formats.reader import SubscriberFile, tables
from newsletter.import_formats.row import Person
from newsletter.import_formats.statuses import Word
from newsletter.import_formats.table import Row
from newsletter.services.runtime import Environment
from newsletter.services.signup.address_policy import accepted
from newsletter.services.transfer.import_batch import Here, Roster

BATCH = 4000
"""Rows in a transaction: each dirties most of the large indexes once, however many there are in it."""
PROBLEMS_SHOWN = 20
TRIES = 5
SAME_MOMENT = (
    "uq_subscribers_email_key",
    "uq_subscriptions_list_id_subscriber_id",
    "pk_subscriber_tags",
    "uq_suppressions_email_hash",
    "fk_subscriptions_subscriber_id_subscribers",
    "fk_subscriber_tags_subscriber_id_subscribers",
    "fk_consent_events_subscription_id_subscriptions",
)
"""Constraints that a sign-up, an erasure or another import at the same moment breaks: the batch is
tried again."""

SUPPRESSED_FOR: dict[Word, str] = {"bounced": "bounce", "complained": "complaint", "blocked": "manual"}
REJECTED, DUPLICATE, NEW, UPDATED = "rejected", "duplicate", "new", "updated"


@dataclass(slots=True)
class Imported:
    """What an import did, or would do.

    rows = new + updated + duplicate + rejected, and rows = active + inactive + rejected, where
    inactive = pending + unsubscribed + suppressed: what became of the person in the row. `silent`: rows that
    say nothing of consent. `problems`: the first, by line. `share` of the file is read, from 0 to 1. `tables`: the
    names of those that were read, where a file holds several; `passed_over`: of those that were not.
    """

    platform: str = ""
    encoding: str = ""
    rows: int = 0
    new: int = 0
    updated: int = 0
    duplicate: int = 0
    rejected: int = 0
    silent: int = 0
    active: int = 0
    inactive: int = 0
    pending: int = 0
    unsubscribed: int = 0
    suppressed: int = 0
    share: float = 0.0
    problems: list[str] = field(default_factory=list)
    tables: list[str] = field(default_factory=list)
    passed_over: tuple[str, ...] = ()

    def count(self, result: str, standing: str) -> None:
        """One row more: what was done with it, and what its person is now (empty where it was rejected)."""
        self.rows += 1
        setattr(self, result, getattr(self, result) + 1)
        if standing:
            setattr(self, standing, getattr(self, standing) + 1)
            self.inactive += standing != "active"

    def problem(self, line: int, said: str) -> None:
        """Something a person should look at."""
        if len(self.problems) < PROBLEMS_SHOWN:
            where = f"{self.tables[-1]}, " if self.tables else ""
            self.problems.append(f"{where}line {line}: {said}")


Progress = Callable[[Imported], None]


@dataclass(frozen=True, slots=True)
class Order:
    """What an import was asked for. `slug` is the list (a file of ours may name others, where `told_list` is False);
    `because` the author's word that all of them have agreed."""

    slug: str
    told_list: bool
    because: str
    dry_run: bool


def import_file(
    env: Environment,
    file: Path,
    *,
    slug: str,
    told_list: bool = True,
    platform: str | None = None,
    because: str = "",
    dry_run: bool = False,
    progress: Progress = lambda done: None,
) -> Imported:
    """Reads every row of `file`; each counts once. Without `because` those of whose consent the file says nothing wait
    as pending. `platform` says whose file it is, where its header does not.

    Raises `Refused` for what is no table of subscribers, `DatabaseError` where the database cannot be written: what
    was read until then is kept, and reading it again changes nothing.
    """
    order = Order(slug, told_list, because, dry_run)
    done, before = Imported(), dict[int, Here]()
    with closing(tables(file, platform)) as found:
        try:
            for table in found:
                _read(env, order, table, done, before, progress)
        except DatabaseError as error:
            hint = f"{done.rows} rows were read; run it again when that is mended, it goes on from there"
            raise DatabaseError(error.message, hint=hint) from error
    return done


def _read(
    env: Environment, order: Order, table: SubscriberFile, done: Imported, before: dict[int, Here], progress: Progress
) -> None:
    done.platform, done.encoding, done.passed_over = table.platform.name, table.encoding, table.passed_over
    done.tables += [table.name] if table.name else []
    for batch in _batches(table):
        _take(env, order, batch, done, before)
        done.share = table.share()
        progress(done)


def _batches(found: SubscriberFile) -> Iterator[list[Person | Row]]:
    while batch := list(islice(found.people, BATCH)):
        yield batch


def _take(env: Environment, order: Order, batch: list[Person | Row], done: Imported, before: dict[int, Here]) -> None:
    """One batch in one transaction, or (dry) in none. Where a sign-up comes between, it is done again."""
    parsed = [(row, _parsed(env, row)) for row in batch]
    for tries in range(TRIES):
        try:
            scope: AbstractContextManager[Session] = reading() if order.dry_run else transaction()
            with scope as session:
                keys = [address.key for _, address in parsed if isinstance(address, Address)]
                roster = Roster(env, session, keys, before if order.dry_run else None)
                counted = [_row(env, order, roster, row, address) for row, address in parsed]
                if not order.dry_run:
                    roster.write()
            break
        except Conflict as conflict:
            if conflict.constraint not in SAME_MOMENT or tries == TRIES - 1:
                raise
    for (row, _address), (result, standing, problem) in zip(parsed, counted, strict=True):
        done.count(result, standing)
        done.silent += isinstance(row, Person) and row.word == "silent" and result != REJECTED
        if problem:
            done.problem(row.line, problem)


def _parsed(env: Environment, row: Person | Row) -> Address | str:
    """The row's address, or why it has none."""
    if isinstance(row, Row):
        return row.problem
    if not row.email.strip():
        return "there is no address"
    try:
        return accepted(env, row.email)
    except InvalidInput as error:
        return str(next(iter(error.fields.values())))


def _row(
    env: Environment, order: Order, roster: Roster, row: Person | Row, address: Address | str
) -> tuple[str, str, str]:
    """What was done with a row, what its person is now, and the problem if there is one."""
    if isinstance(address, str) or isinstance(row, Row):
        return REJECTED, "", str(address)
    slug = row.list if row.list and not order.told_list else order.slug
    if slug not in roster.lists:
        return REJECTED, "", f"there is no list {slug!r}"
    here = roster.here(address.key, slug)
    if here.suppressed:
        return DUPLICATE, "suppressed", ""
    target = _target(row, order.because)
    status = decide(here, target, left_after_all=_left_after_all(roster, here, row))
    suppress = row.suppressed or (SUPPRESSED_FOR.get(row.word, "") if status == "unsubscribed" else "")
    same = status == here.status and not suppress and (here.named or not row.name)
    same = same and not roster.untagged(address.key, row.tags)
    if not same:
        roster.put(row, address, slug, status, note=_note(row, order.because), suppress=suppress)
    problem = f"the status {row.status!r} is unknown; kept as pending" if row.word == "unknown" else ""
    if not here.status and (untold := roster.untold(row, slug)):
        problem = f"{slug} has no topic {', '.join(sorted(untold))}"
    result = DUPLICATE if same else UPDATED if here.status else NEW
    return result, "suppressed" if suppress else status, problem


def _target(row: Person, because: str) -> str:
    """What the row alone would make of its person."""
    if row.word == "yes":
        return "active"
    if row.word == "silent":
        return "active" if because else "pending"
    return "pending" if row.word in ("unknown", "pending") else "unsubscribed"


def decide(here: Here, target: str, *, left_after_all: bool = True) -> str:
    """What becomes of a subscription that is `here` already, by a row that says `target`. Pure.

    Whoever has unsubscribed stays so, and whoever asks anew after that must confirm it herself. `left_after_all`: she
    has not said yes to us after the day on which, so the file, she left.
    """
    if here.status in ("", "unsubscribed") or here.left:
        return here.status or target
    if target == "unsubscribed":
        return target if left_after_all else here.status
    return "active" if "active" in (here.status, target) else here.status


def _left_after_all(roster: Roster, here: Here, row: Person) -> bool:
    if here.status != "active" or row.left_at is None:
        return True
    said_yes = roster.own_yes(here)
    return said_yes is None or said_yes <= row.left_at


def _note(row: Person, because: str) -> str:
    if row.source != "import":
        return row.note
    return "; ".join(part for part in (row.note, because) if part)
