"""Decide the status of a subscription from a row of an import. Pure.

What subscribers did here themselves stands above any file.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import assert_never

from newsletter.addresses import mask_addresses
from newsletter.i18n import Text
from newsletter.import_formats.header import quote_cell
from newsletter.import_formats.types import SubscriberRow
from newsletter.import_formats.vocabulary import StatusWord
from newsletter.schedule import CADENCES
from newsletter.services.transfer.import_known import KnownSubscription
from newsletter.vocabulary import EvidenceSource, SubscriptionStatus, SuppressionReason

SUPPRESSED_FOR: dict[StatusWord, SuppressionReason] = {
    StatusWord.BOUNCED: SuppressionReason.BOUNCE,
    StatusWord.COMPLAINED: SuppressionReason.COMPLAINT,
    StatusWord.BLOCKED: SuppressionReason.MANUAL,
}
"""The suppression reasons for statuses of other programs."""


def choose_status(row: SubscriberRow, because: str) -> SubscriptionStatus:
    """Return the status that a row asks for, regardless of stored data.

    `because` is the author's statement that everybody in the file has agreed.
    """
    match row.word:
        case StatusWord.YES:
            return SubscriptionStatus.ACTIVE
        case StatusWord.SILENT:
            return SubscriptionStatus.ACTIVE if because else SubscriptionStatus.PENDING
        case StatusWord.UNKNOWN | StatusWord.PENDING:
            return SubscriptionStatus.PENDING
        case StatusWord.NO | StatusWord.BOUNCED | StatusWord.BLOCKED | StatusWord.COMPLAINED:
            return SubscriptionStatus.UNSUBSCRIBED
        case _:
            assert_never(row.word)


def decide(
    known: KnownSubscription, target: SubscriptionStatus, *, left_after_all: bool = True
) -> SubscriptionStatus:
    """Decide the status of a `known` subscription, for a row with the status `target`.

    A subscriber who has unsubscribed stays so; one who asked again after that must confirm it
    themselves. `left_after_all`: they have not confirmed here after the day on which they left
    according to the file.
    """
    if known.status is None:
        return target
    if known.status is SubscriptionStatus.UNSUBSCRIBED or known.left:
        return known.status
    if target is SubscriptionStatus.UNSUBSCRIBED:
        return target if left_after_all else known.status
    if SubscriptionStatus.ACTIVE in (known.status, target):
        return SubscriptionStatus.ACTIVE
    return known.status


def has_left_after_all(left_at: datetime | None, confirmed_at: datetime | None) -> bool:
    """Tell whether a subscriber left, by the file, after their last confirmation here."""
    return left_at is None or confirmed_at is None or confirmed_at <= left_at


def make_note(row: SubscriberRow, because: str) -> str:
    """Build the evidence's note from the row and the author's reason."""
    if row.source != EvidenceSource.IMPORT:
        return row.note
    return "; ".join(part for part in (row.note, because) if part)


def choose_list(slug: str, lists: Collection[str], row: SubscriberRow) -> tuple[str, str]:
    """Return the list of a row, and the problem if there is none.

    `slug` is the list that the author named, or "". Nobody joins a list that the file does not
    name.
    """
    if not row.list:
        slug = slug or (next(iter(lists)) if len(lists) == 1 else "")
        return slug, "" if slug else Text("it names no list, and --list does not either")
    if not slug:
        return row.list, "" if row.list in lists else Text(
            "there is no list %(list)s", list=quote_cell(row.list)
        )
    if row.list != slug and (row.ours or row.list in lists):
        problem = Text(
            "it is of the list %(list)s, and --list reads %(slug)s alone",
            list=quote_cell(row.list),
            slug=slug,
        )
        return slug, problem
    return slug, ""


def find_problem(row: SubscriberRow, slug: str, unknown_topics: Collection[str]) -> str:
    """Describe the values of an accepted row that were not understood, or return ""."""
    if row.extra:
        return _describe_extra_cells(row)
    if row.word == StatusWord.UNKNOWN:
        return Text(
            "the status %(status)s is unknown; kept as pending", status=quote_cell(row.status)
        )
    if row.cadence and row.cadence not in CADENCES:
        return Text(
            "the cadence %(cadence)s is unknown; use one of %(names)s",
            cadence=quote_cell(row.cadence),
            names=", ".join(CADENCES),
        )
    if unknown_topics:
        return Text(
            "%(slug)s has no topic %(names)s",
            slug=slug,
            names=mask_addresses(", ".join(sorted(unknown_topics))),
        )
    return ""


def _describe_extra_cells(row: SubscriberRow) -> str:
    if row.word == StatusWord.UNKNOWN:
        return Text(
            "it has %(extra)s more cells than the header; they were not read; kept as pending",
            extra=row.extra,
        )
    return Text("it has %(extra)s more cells than the header; they were not read", extra=row.extra)
