"""Import subscribers from a file of this or another program.

The file is streamed in batches, one transaction each. Reading rows a second time changes nothing,
so an import that was killed is simply run again. Nobody is mailed. What subscribers did here
themselves stands above any file, and the strictest word of a file above its others.
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
from newsletter.i18n import Text
from newsletter.import_formats.platforms import OURS
from newsletter.import_formats.spool import open_rereadable
from newsletter.import_formats.subscriber_file import SubscriberFile, open_tables
from newsletter.import_formats.table import TableRow
from newsletter.import_formats.types import SubscriberRow
from newsletter.import_formats.vocabulary import StatusWord
from newsletter.services.lookup import get_list_slug
from newsletter.services.runtime import Environment
from newsletter.services.signup.address_policy import accept_address
from newsletter.services.transfer.hash_keys import fingerprint_keys
from newsletter.services.transfer.import_batch import ImportBatch
from newsletter.services.transfer.import_events import record_import_finished
from newsletter.services.transfer.import_known import Before, KnownSubscription
from newsletter.services.transfer.import_report import (
    ImportResult,
    RowOutcome,
    RowResult,
    RowStanding,
)
from newsletter.services.transfer.import_rules import (
    SUPPRESSED_FOR,
    choose_list,
    choose_status,
    decide,
    find_problem,
    has_left_after_all,
    make_note,
)
from newsletter.vocabulary import SubscriptionStatus, SuppressionReason

BATCH = 4000
"""Rows in a transaction; each transaction rewrites most pages of the large indexes."""
TRIES = 5
"""Tries of a batch while other processes write the same rows."""
SAME_MOMENT = (
    "uq_subscribers_email_key",
    "uq_subscriptions_list_id_subscriber_id",
    "pk_subscriber_tags",
    "uq_suppressions_email_hash",
    "fk_subscriptions_subscriber_id_subscribers",
    "fk_subscriber_tags_subscriber_id_subscribers",
    "fk_consent_events_subscription_id_subscriptions",
    "fk_events_subscription_id_subscriptions",
)
"""Constraints that a concurrent sign-up, erasure or import may break: the batch is tried again."""
FOREIGN_HASH = Text(
    "an erased address whose hash was made with the key of another installation; it is stored, "
    "but the address cannot be recognised here and may be added again"
)

Progress = Callable[[ImportResult], None]
"""A callback after each batch, with the result so far."""


@dataclass(frozen=True, slots=True)
class ImportRequest:
    """The options of an import.

    `slug` is the list, empty if the file itself names lists; `because` is the author's statement
    that everybody in the file has agreed; `hash_keys` are the fingerprints of our lasting keys.
    """

    slug: str
    because: str
    dry_run: bool
    hash_keys: tuple[str, ...] = ()


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
    """Import every row of `file` (``-`` for standard input).

    Without `because`, a subscriber of whose consent the file says nothing waits as pending.

    `slug` is the list: of a file that names lists only its rows are read then; else the only list
    there is. `platform` says whose file it is, if its header does not; `choices` what single
    columns mean (`import_formats.opt_out.CHOICES`).

    Raises `Refused` for a file that is no table of subscribers, or holds an opt-out that cannot be
    understood: nothing was changed then; `DatabaseError` if the database cannot be written: what
    was read until then is kept, and reading it again changes nothing.
    """
    done = ImportResult()
    before = Before()
    list_ids: set[int] = set()
    with reading() as session:
        hash_keys = fingerprint_keys(session)
    with open_rereadable(file) as copy, closing(open_tables(copy, platform, choices)) as tables:
        try:
            for table in tables:
                names_lists = table.platform.name == OURS or "list" in table.uses.values()
                list_slug = slug or ("" if names_lists else get_list_slug(None))
                request = ImportRequest(list_slug, because, dry_run, hash_keys)
                list_ids |= _import_table(env, request, table, done, before, progress)
        except DatabaseError as error:
            hint = (
                "a dry run changes nothing"
                if dry_run
                else f"{done.rows} rows were read; run the import again when that is corrected: "
                "it goes on from there"
            )
            raise DatabaseError(error.message, hint=hint) from error
    if not dry_run:
        with transaction() as session:
            record_import_finished(session, list_ids, done.platform, env.now)
    return done


def _import_table(
    env: Environment,
    request: ImportRequest,
    table: SubscriberFile,
    done: ImportResult,
    before: Before,
    progress: Progress,
) -> set[int]:
    """Import the rows of a table, and return the ids of their lists."""
    list_ids: set[int] = set()
    done.platform = table.platform.name
    done.encoding = table.encoding
    done.passed_over = table.passed_over
    done.tables += [table.name] if table.name else []
    done.columns |= table.uses
    for batch in _split(table):
        list_ids |= _import_batch(env, request, batch, done, before)
        done.share = table.share()
        progress(done)
    return list_ids


def _split(table: SubscriberFile) -> Iterator[list[SubscriberRow | TableRow]]:
    while batch := list(islice(table.people, BATCH)):
        yield batch


def _import_batch(
    env: Environment,
    request: ImportRequest,
    rows: list[SubscriberRow | TableRow],
    done: ImportResult,
    before: Before,
) -> set[int]:
    """Import one batch in one transaction; a dry run only reads.

    Returns the ids of the lists that its rows are of. If another transaction writes one of the same
    rows meanwhile, the batch is tried again.
    """
    parsed = [(row, _parse_address(env, row)) for row in rows]
    keys = [address.key for _, address in parsed if isinstance(address, Address) and address.key]
    erased = [
        row.suppressed_hash
        for row in rows
        if isinstance(row, SubscriberRow) and row.suppressed_hash
    ]
    for tries in range(TRIES):
        try:
            scope: AbstractContextManager[Session] = reading() if request.dry_run else transaction()
            with scope as session:
                earlier = before if request.dry_run else None
                batch = ImportBatch(env, session, keys, earlier, erased)
                outcomes = [_import_row(request, batch, row, address) for row, address in parsed]
                if not request.dry_run:
                    batch.write()
            break
        except Conflict as conflict:
            if conflict.constraint not in SAME_MOMENT or tries == TRIES - 1:
                raise
    for row, outcome in zip(rows, outcomes, strict=True):
        done.count(row.line, outcome)
        done.silent += _is_silent(row) and outcome.result is not RowResult.REJECTED
    return batch.list_ids


def _is_silent(row: SubscriberRow | TableRow) -> bool:
    return isinstance(row, SubscriberRow) and row.word == StatusWord.SILENT and bool(row.email)


def _parse_address(env: Environment, row: SubscriberRow | TableRow) -> Address | str:
    """Return the row's address, or the problem; an erased address is empty."""
    if isinstance(row, TableRow):
        return row.problem
    if not row.email.strip():
        return Address("", "") if row.suppressed_hash else Text("there is no address")
    try:
        if row.ours and not row.list:
            return parse_address(row.email)
        return accept_address(env, row.email)
    except InvalidInput as error:
        return str(next(iter(error.fields.values())))


def _import_row(
    request: ImportRequest,
    batch: ImportBatch,
    row: SubscriberRow | TableRow,
    address: Address | str,
) -> RowOutcome:
    """Collect the changes of a row, and return its result."""
    if isinstance(address, str) or isinstance(row, TableRow):
        return RowOutcome(RowResult.REJECTED, problem=str(address))
    if not address.key:
        return _import_hash(request, batch, row)
    if row.ours and not row.list:
        return _import_without_list(batch, row, address)
    slug, problem = choose_list(request.slug, batch.lists, row)
    if problem:
        return RowOutcome(RowResult.REJECTED, problem=problem)
    return _import_subscription(request, batch, row, address, slug)


def _import_subscription(
    request: ImportRequest, batch: ImportBatch, row: SubscriberRow, address: Address, slug: str
) -> RowOutcome:
    batch.list_ids.add(batch.lists[slug].id)
    subscription = batch.known.find_subscription(address.key, slug)
    known = batch.known.find_address(address.key)
    is_own_record = row.ours and row.suppressed and not subscription.status and not known.erased
    if known.suppressed and not is_own_record:
        return RowOutcome(RowResult.DUPLICATE, RowStanding.SUPPRESSED)
    left_after_all = _has_left_after_all(batch, subscription, row)
    target = choose_status(row, request.because)
    status = decide(subscription, target, left_after_all=left_after_all)
    suppress = None if known.suppressed else _find_suppression(row, status)
    is_same = (
        status is subscription.status
        and suppress is None
        and not batch.corrects(row, address.key, slug)
        and not batch.known.find_new_tags(address.key, row.tags)
    )
    unknown = () if subscription.status else batch.find_unknown_topics(row, slug)
    problem = find_problem(row, slug, unknown)
    if not is_same:
        note = make_note(row, request.because)
        batch.put(row, address, slug, status, note=note, suppress=suppress)
    known_result = RowResult.UPDATED if subscription.status else RowResult.NEW
    standing = RowStanding.SUPPRESSED if suppress or known.suppressed else RowStanding(status)
    return RowOutcome(RowResult.DUPLICATE if is_same else known_result, standing, problem)


def _find_suppression(row: SubscriberRow, status: SubscriptionStatus) -> SuppressionReason | None:
    if row.suppressed:
        return SuppressionReason(row.suppressed)
    return SUPPRESSED_FOR.get(row.word) if status is SubscriptionStatus.UNSUBSCRIBED else None


def _import_hash(request: ImportRequest, batch: ImportBatch, row: SubscriberRow) -> RowOutcome:
    """Collect the hash of an erased address; report one made with another installation's key."""
    if not batch.suppress_hash(row):
        return RowOutcome(RowResult.DUPLICATE, RowStanding.SUPPRESSED)
    is_ours = bool(row.hash_keys) and set(row.hash_keys) <= set(request.hash_keys)
    return RowOutcome(RowResult.NEW, RowStanding.SUPPRESSED, "" if is_ours else FOREIGN_HASH)


def _import_without_list(batch: ImportBatch, row: SubscriberRow, address: Address) -> RowOutcome:
    """Collect an address without a list from an export: suppressed or unsubscribed."""
    if batch.known.find_address(address.key).suppressed:
        return RowOutcome(RowResult.DUPLICATE, RowStanding.SUPPRESSED)
    if row.suppressed:
        batch.suppress(row, address, SuppressionReason(row.suppressed), row.suppressed_note)
    if row.since is None:
        return RowOutcome(RowResult.NEW, RowStanding.SUPPRESSED)
    is_new = batch.put_subscriber(row, address)
    standing = RowStanding.SUPPRESSED if row.suppressed else RowStanding.UNSUBSCRIBED
    return RowOutcome(RowResult.NEW if is_new else RowResult.DUPLICATE, standing)


def _has_left_after_all(
    batch: ImportBatch, subscription: KnownSubscription, row: SubscriberRow
) -> bool:
    if subscription.status is not SubscriptionStatus.ACTIVE or row.left_at is None:
        return True
    return has_left_after_all(row.left_at, batch.find_last_confirmation(subscription))
