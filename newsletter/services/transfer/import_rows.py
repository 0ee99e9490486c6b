"""Write the collected rows of an import's batch in a few statements."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, cast

from sqlalchemy import Table
from sqlalchemy.orm import Session

from newsletter.db.bulk import insert_rows, reserve_ids
from newsletter.import_formats.types import ConsentRecord
from newsletter.models import ConsentEvent, Subscriber, Subscription, Suppression, Tag
from newsletter.services.consent import store_wording
from newsletter.services.transfer.import_events import ImportedTransition, record_import_batch
from newsletter.services.transfer.import_statements import (
    update_subscribers,
    update_subscriptions,
)
from newsletter.tokens import new_handles
from newsletter.vocabulary import ConsentKind, EvidenceSource, SubscriptionStatus

Key = tuple[str, str]
"""The key of an address, and the slug of a list."""
Columns = dict[str, Any]
"""The values of a row by the names of their columns."""

_subscribers = cast(Table, Subscriber.__table__)
_subscriptions = cast(Table, Subscription.__table__)
_consent_events = cast(Table, ConsentEvent.__table__)
_tags = cast(Table, Tag.__table__)
_SOURCES = {source.value: source for source in EvidenceSource}
_suppressions = cast(Table, Suppression.__table__)


@dataclass(frozen=True, slots=True)
class Transition:
    """A change of a subscription's status; `before` is None for a new subscription."""

    key: Key
    before: SubscriptionStatus | None
    after: SubscriptionStatus


@dataclass(slots=True)
class CollectedRows:
    """The collected rows of a batch: new ones by address, changes by row id."""

    subscribers: dict[str, Columns] = field(default_factory=dict)
    subscriptions: dict[Key, Columns] = field(default_factory=dict)
    subscription_changes: dict[int, Columns] = field(default_factory=dict)
    subscriber_changes: dict[int, Columns] = field(default_factory=dict)
    evidence: list[tuple[Key, ConsentRecord]] = field(default_factory=list)
    transitions: list[Transition] = field(default_factory=list)
    suppressions: dict[str, Columns] = field(default_factory=dict)
    tags: dict[str, set[str]] = field(default_factory=dict)


class RowWriter:
    """Writes the rows of one batch in the caller's transaction.

    `subscriber_ids` and `subscription_ids` are those of rows that exist already; `list_ids` maps
    slugs.
    """

    def __init__(
        self,
        session: Session,
        rows: CollectedRows,
        subscriber_ids: dict[str, int],
        subscription_ids: dict[Key, int],
        list_ids: dict[str, int],
    ) -> None:
        self._session = session
        self._rows = rows
        self._subscriber_ids = dict(subscriber_ids)
        self._subscription_ids = dict(subscription_ids)
        self._list_ids = list_ids

    def write(self, now: datetime) -> None:
        """Write all rows, in the order of addresses.

        Two imports at once wait for each other then, and do not lock each other out. Raises
        `Conflict` if another transaction wrote one of the rows meanwhile.
        """
        self._insert_subscribers()
        self._insert_subscriptions()
        update_subscribers(self._session, self._rows.subscriber_changes)
        update_subscriptions(self._session, self._rows.subscription_changes)
        self._insert_tags()
        self._insert_evidence()
        self._insert_events(now)
        suppressions = self._rows.suppressions
        insert_rows(
            self._session, _suppressions, [suppressions[key] for key in sorted(suppressions)]
        )

    def _insert_subscribers(self) -> None:
        new = self._rows.subscribers
        keys = sorted(new)
        ids = reserve_ids(self._session, _subscribers, len(keys)) if keys else ()
        self._subscriber_ids |= zip(keys, ids, strict=True)
        rows = [
            {"id": id_, "handle": handle, **new[key]}
            for key, id_, handle in zip(keys, ids, new_handles(len(keys)), strict=True)
        ]
        insert_rows(self._session, _subscribers, rows)

    def _insert_subscriptions(self) -> None:
        new = self._rows.subscriptions
        keys = sorted(new)
        ids = reserve_ids(self._session, _subscriptions, len(keys)) if keys else ()
        self._subscription_ids |= zip(keys, ids, strict=True)
        owners = self._subscriber_ids
        rows = [
            {"id": id_, "handle": handle, "subscriber_id": owners[key[0]], **new[key]}
            for key, id_, handle in zip(keys, ids, new_handles(len(keys)), strict=True)
        ]
        insert_rows(self._session, _subscriptions, rows)

    def _insert_tags(self) -> None:
        rows = [
            {"subscriber_id": self._subscriber_ids[key], "tag": tag}
            for key, tags in sorted(self._rows.tags.items())
            for tag in sorted(tags)
        ]
        insert_rows(self._session, _tags, rows)

    def _insert_evidence(self) -> None:
        """Insert the consent records and their wordings."""
        first_used: dict[str, datetime] = {}
        for _, record in self._rows.evidence:
            if record.wording:
                used_at = first_used.get(record.wording, record.at)
                first_used[record.wording] = min(used_at, record.at)
        hashes = {
            wording: store_wording(self._session, wording, at)
            for wording, at in sorted(first_used.items())
        }
        rows = [
            {
                "subscription_id": self._subscription_ids[key],
                "wording_hash": hashes.get(record.wording),
                **_to_columns(record),
            }
            for key, record in self._rows.evidence
        ]
        insert_rows(self._session, _consent_events, rows)

    def _insert_events(self, now: datetime) -> None:
        transitions = [
            ImportedTransition(
                self._subscription_ids[transition.key],
                self._list_ids[transition.key[1]],
                transition.before,
                transition.after,
            )
            for transition in self._rows.transitions
        ]
        record_import_batch(self._session, transitions, now)


def _to_columns(record: ConsentRecord) -> Columns:
    return {
        "kind": ConsentKind(record.kind),
        "at": record.at,
        "source": _read_source(record.source),
        "form": record.form,
        "page": record.page,
        "ip": record.ip,
        "user_agent": record.user_agent,
        "message_id": record.message_id,
        "note": record.note,
    }


def _read_source(text: str) -> EvidenceSource:
    """Return the source named in a file, `IMPORT` if it is unknown."""
    return _SOURCES.get(text, EvidenceSource.IMPORT)
