"""Subscribers out of a file of another program, or of our own.

Streamed in batches, a transaction each.

What was read already changes nothing when it is read again: an import that was killed is simply
run once more. Nobody is mailed. A person's own word stands above any file, and the strictest
word of a file above its others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, closing
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from sqlalchemy.orm import Session

from newsletter.addresses import Address, parse_address
from newsletter.db.session import reading, transaction
from newsletter.errors import Conflict, DatabaseError, InvalidInput
from newsletter.import_formats.platforms import OURS
from newsletter.import_formats.reader import SubscriberFile, open_tables
from newsletter.import_formats.spool import open_rereadable
from newsletter.import_formats.statuses import Word
from newsletter.import_formats.table import TableRow
from newsletter.import_formats.types import SubscriberRow
from newsletter.schedule import CADENCES
from newsletter.services.lookup import get_list_slug
from newsletter.services.runtime import Environment
from newsletter.services.signup.address_policy import accept_address
from newsletter.services.transfer.import_batch import Before, ImportBatch
from newsletter.services.transfer.import_known import KnownSubscription
from newsletter.services.transfer.import_report import (
    DUPLICATE,
    NEW,
    REJECTED,
    UPDATED,
    ImportResult,
)

BATCH = 4000
"""Rows in a transaction: each dirties most of the large indexes once, however many there are in it.
"""
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
tried again.
"""

SUPPRESSED_FOR: dict[Word, str] = {
    "bounced": "bounce",
    "complained": "complaint",
    "blocked": "manual",
}


Progress = Callable[[ImportResult], None]


@dataclass(frozen=True, slots=True)
class ImportRequest:
    """What an import was asked for.

    `slug` is the list, empty where the file itself names lists; `because` the author's word that
    all of them have agreed.
    """

    slug: str
    because: str
    dry_run: bool


def import_file(
    env: Environment,
    file: Path,
    *,
    slug: str | None = None,
    platform: str | None = None,
    choices: Mapping[str, str] | None = None,
    because: str = "",
    dry_run: bool = False,
    progress: Progress = lambda done: None,
) -> ImportResult:
    """Read every row of `file` (``-``: standard input); each counts once.

    Without `because` those of whose consent the file says nothing wait as pending.

    `slug` is the list: of a file that names lists itself only its rows are read then; else the only
    list there is. `platform` says whose file it is, where its header does not; `choices` what
    single columns mean (`import_formats.opt_out.CHOICES`).

    Raises `Refused` for what is no table of subscribers, or holds an opt-out that cannot be
    understood: nothing was changed then; `DatabaseError` where the database cannot be written:
    what was read until then is kept, and reading it again changes nothing.
    """
    done, before = ImportResult(), Before()
    with open_rereadable(file) as copy, closing(open_tables(copy, platform, choices)) as opened:
        try:
            for table in opened:
                names_lists = table.platform.name == OURS or "list" in table.uses.values()
                order = ImportRequest(
                    slug if slug else "" if names_lists else get_list_slug(None), because, dry_run
                )
                _read(env, order, table, done, before, progress)
        except DatabaseError as error:
            hint = f"{done.rows} rows were read; run it again when that is mended, it goes on from there"
            raise DatabaseError(error.message, hint=hint) from error
    return done


def _read(
    env: Environment,
    order: ImportRequest,
    table: SubscriberFile,
    done: ImportResult,
    before: Before,
    progress: Progress,
) -> None:
    done.platform, done.encoding, done.passed_over = (
        table.platform.name,
        table.encoding,
        table.passed_over,
    )
    done.tables += [table.name] if table.name else []
    done.columns |= table.uses
    for batch in _batches(table):
        _take(env, order, batch, done, before)
        done.share = table.share()
        progress(done)


def _batches(found: SubscriberFile) -> Iterator[list[SubscriberRow | TableRow]]:
    while batch := list(islice(found.people, BATCH)):
        yield batch


def _take(
    env: Environment,
    order: ImportRequest,
    batch: list[SubscriberRow | TableRow],
    done: ImportResult,
    before: Before,
) -> None:
    """One batch in one transaction, or (dry) in none.

    Where a sign-up comes between, it is done again.
    """
    parsed = [(row, _parse(env, row)) for row in batch]
    keys = [address.key for _, address in parsed if isinstance(address, Address) and address.key]
    erased = [
        row.suppressed_hash
        for row in batch
        if isinstance(row, SubscriberRow) and row.suppressed_hash
    ]
    for tries in range(TRIES):
        try:
            scope: AbstractContextManager[Session] = reading() if order.dry_run else transaction()
            with scope as session:
                roster = ImportBatch(env, session, keys, before if order.dry_run else None, erased)
                results = [_row(order, roster, row, address) for row, address in parsed]
                if not order.dry_run:
                    roster.write()
            break
        except Conflict as conflict:
            if conflict.constraint not in SAME_MOMENT or tries == TRIES - 1:
                raise
    for (row, _address), (result, standing, problem) in zip(parsed, results, strict=True):
        done.count(result, standing)
        done.silent += (
            isinstance(row, SubscriberRow)
            and row.word == "silent"
            and bool(row.email)
            and result != REJECTED
        )
        if problem:
            done.problem(row.line, problem)


def _parse(env: Environment, row: SubscriberRow | TableRow) -> Address | str:
    """The row's address, or why it has none.

    Somebody who was erased has an empty one.
    """
    if isinstance(row, TableRow):
        return row.problem
    if not row.email.strip():
        return Address("", "") if row.suppressed_hash else "there is no address"
    try:
        return (
            parse_address(row.email)
            if row.ours and not row.list
            else accept_address(env, row.email)
        )
    except InvalidInput as error:
        return str(next(iter(error.fields.values())))


def _row(
    order: ImportRequest, roster: ImportBatch, row: SubscriberRow | TableRow, address: Address | str
) -> tuple[str, str, str]:
    """What was done with a row, what its person is now, and the problem if there is one."""
    if isinstance(address, str) or isinstance(row, TableRow):
        return REJECTED, "", str(address)
    if not address.key:
        return (NEW if roster.suppress_hash(row) else DUPLICATE), "suppressed", ""
    if row.ours and not row.list:
        return _take_without_list(roster, row, address)
    slug, problem = _find_list(order, roster, row)
    if problem:
        return REJECTED, "", problem
    here, known = roster.here(address.key, slug), roster.known(address.key)
    again = (
        row.ours and row.suppressed and not here.status and not known.erased
    )  # suppressed there and here alike
    if known.suppressed and not again:
        return DUPLICATE, "suppressed", ""
    status = decide(
        here, _target(row, order.because), left_after_all=_left_after_all(roster, here, row)
    )
    suppress = row.suppressed or (
        SUPPRESSED_FOR.get(row.word, "") if status == "unsubscribed" else ""
    )
    suppress = "" if known.suppressed else suppress
    problem = _tell_problem(roster, here, row, slug)
    same = status == here.status and not suppress and not roster.corrects(row, address.key, slug)
    same = same and not roster.find_new_tags(address.key, row.tags)
    if not same:
        roster.put(row, address, slug, status, note=_note(row, order.because), suppress=suppress)
    result = DUPLICATE if same else UPDATED if here.status else NEW
    return result, "suppressed" if suppress or known.suppressed else status, problem


def _take_without_list(
    roster: ImportBatch, row: SubscriberRow, address: Address
) -> tuple[str, str, str]:
    """Take an address of a file of ours that is on no list: suppressed, or a subscriber of nothing."""
    known = roster.known(address.key)
    if known.suppressed:
        return DUPLICATE, "suppressed", ""
    if row.suppressed:
        roster.suppress(row, address, row.suppressed, row.suppressed_note)
    if row.since is None:
        return NEW, "suppressed", ""
    result = roster.put_subscriber(row, address)
    return (NEW if result else DUPLICATE), "suppressed" if row.suppressed else "unsubscribed", ""


def _find_list(order: ImportRequest, roster: ImportBatch, row: SubscriberRow) -> tuple[str, str]:
    """The list a row is for, and the problem if there is none: nobody joins a list that the file
    does not name.
    """
    if not row.list:
        slug = order.slug or (next(iter(roster.lists)) if len(roster.lists) == 1 else "")
        return slug, "" if slug else "it names no list, and --list does not either"
    if order.slug:
        other = row.list != order.slug and (row.ours or row.list in roster.lists)
        return (
            order.slug,
            f"it is of the list {row.list!r}, and --list reads {order.slug} alone" if other else "",
        )
    return row.list, "" if row.list in roster.lists else f"there is no list {row.list!r}"


def _tell_problem(
    roster: ImportBatch, here: KnownSubscription, row: SubscriberRow, slug: str
) -> str:
    """Something in a row that was not understood, though the row counts."""
    if row.extra:
        kept = "; kept as pending" if row.word == "unknown" else ""
        return f"it has {row.extra} more cells than the header; they were not read{kept}"
    if row.word == "unknown":
        return f"the status {row.status!r} is unknown; kept as pending"
    if row.cadence and row.cadence not in CADENCES:
        return f"the cadence {row.cadence!r} is none of {', '.join(CADENCES)}"
    if not here.status and (names := roster.find_unknown_topics(row, slug)):
        return f"{slug} has no topic {', '.join(sorted(names))}"
    return ""


def _target(row: SubscriberRow, because: str) -> str:
    """What the row alone would make of its person."""
    if row.word == "yes":
        return "active"
    if row.word == "silent":
        return "active" if because else "pending"
    return "pending" if row.word in ("unknown", "pending") else "unsubscribed"


def decide(here: KnownSubscription, target: str, *, left_after_all: bool = True) -> str:
    """What becomes of a subscription that is `here` already, by a row that says `target`.

    Pure.

    Whoever has unsubscribed stays so, and whoever asks anew after that must confirm it herself.
    `left_after_all`: she has not said yes to us after the day on which, so the file, she left.
    """
    if here.status in ("", "unsubscribed") or here.left:
        return here.status or target
    if target == "unsubscribed":
        return target if left_after_all else here.status
    return "active" if "active" in (here.status, target) else here.status


def _left_after_all(roster: ImportBatch, here: KnownSubscription, row: SubscriberRow) -> bool:
    if here.status != "active" or row.left_at is None:
        return True
    said_yes = roster.own_yes(here)
    return said_yes is None or said_yes <= row.left_at


def _note(row: SubscriberRow, because: str) -> str:
    if row.source != "import":
        return row.note
    return "; ".join(part for part in (row.note, because) if part)
