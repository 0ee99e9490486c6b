"""Decide what becomes of a subscription by what a row of a file says. Pure.

What subscribers did here themselves stands above any file.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import assert_never

from newsletter.import_formats.statuses import Word
from newsletter.import_formats.types import SubscriberRow
from newsletter.services.transfer.import_known import KnownSubscription
from newsletter.vocabulary import SubscriptionStatus, SuppressionReason

SUPPRESSED_FOR: dict[Word, SuppressionReason] = {
    "bounced": SuppressionReason.BOUNCE,
    "complained": SuppressionReason.COMPLAINT,
    "blocked": SuppressionReason.MANUAL,
}
"""The reason to suppress an address for a word of another program's."""


def target_status(row: SubscriberRow, because: str) -> SubscriptionStatus:
    """Return the status that a row alone would give.

    `because` is the author's statement that everybody in the file has agreed.
    """
    match row.word:
        case "yes":
            return SubscriptionStatus.ACTIVE
        case "silent":
            return SubscriptionStatus.ACTIVE if because else SubscriptionStatus.PENDING
        case "unknown" | "pending":
            return SubscriptionStatus.PENDING
        case "no" | "bounced" | "blocked" | "complained":
            return SubscriptionStatus.UNSUBSCRIBED
        case _:
            assert_never(row.word)


def decide(
    known: KnownSubscription, target: SubscriptionStatus, *, left_after_all: bool = True
) -> SubscriptionStatus:
    """Decide the status of a subscription that is `known`, by a row whose status is `target`.

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
    """Tell whether a subscriber has not confirmed here since they left according to the file."""
    return left_at is None or confirmed_at is None or confirmed_at <= left_at


def make_note(row: SubscriberRow, because: str) -> str:
    """Make the note of the evidence from what the row and the author say."""
    if row.source != "import":
        return row.note
    return "; ".join(part for part in (row.note, because) if part)


def choose_list(slug: str, lists: Collection[str], row: SubscriberRow) -> tuple[str, str]:
    """Return the list that a row is for, and the problem if there is none.

    `slug` is the list that the author named, or "". Nobody joins a list that the file does not
    name.
    """
    if not row.list:
        slug = slug or (next(iter(lists)) if len(lists) == 1 else "")
        return slug, "" if slug else "it names no list, and --list does not either"
    if not slug:
        return row.list, "" if row.list in lists else f"there is no list {row.list!r}"
    if row.list != slug and (row.ours or row.list in lists):
        problem = f"it is of the list {row.list!r}, and --list reads {slug} alone"
        return slug, problem
    return slug, ""
