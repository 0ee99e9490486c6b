"""Collect the changes of one batch of an import, from stored data and the batch's rows.

Decides nothing about consent (`import_subscribers.decide`); works in the caller's transaction.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import assert_never

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from newsletter.addresses import Address
from newsletter.closed_sets import find_member
from newsletter.html.text import to_plain_line
from newsletter.i18n import find_language
from newsletter.import_formats.types import ConsentRecord, SubscriberRow
from newsletter.models import ConsentEvent, MailingList
from newsletter.services.lists.topics import find_offers, pack_topics
from newsletter.services.runtime import Environment
from newsletter.services.suppressions import hash_address
from newsletter.services.transfer.import_known import (
    BatchKnowledge,
    Before,
    KnownAddress,
    KnownSubscription,
)
from newsletter.services.transfer.import_rows import (
    CollectedRows,
    Columns,
    Key,
    RowWriter,
    Transition,
)
from newsletter.vocabulary import Cadence, ConsentKind, SubscriptionStatus, SuppressionReason

CONFIRMATIONS = (ConsentKind.CONFIRMED, ConsentKind.REAFFIRMED, ConsentKind.RESUBSCRIBED)
"""Evidence that a subscriber agreed here to be mailed."""


class ImportBatch:
    """The changes of one batch; `known` holds stored data, updated by earlier rows.

    `list_ids` are those of the lists that its rows are of.

    `before` is what a dry run made of earlier batches, and is added to; `erased` are the hashes of
    erased addresses in the batch.
    """

    def __init__(
        self,
        env: Environment,
        session: Session,
        keys: Sequence[str],
        before: Before | None,
        erased: Sequence[str] = (),
    ) -> None:
        self._env = env
        self._session = session
        self.lists = {row.slug: row for row in session.scalars(select(MailingList))}
        self.known = BatchKnowledge(env, session, sorted(set(keys)), sorted(set(erased)), before)
        self.list_ids: set[int] = set()
        self._rows = CollectedRows()
        self._topic_ids: dict[str, dict[str, int]] = {}

    def find_last_confirmation(self, known: KnownSubscription) -> datetime | None:
        """Return the time at which the subscriber last confirmed this subscription here."""
        query = select(func.max(ConsentEvent.at)).where(
            ConsentEvent.subscription_id == known.subscription_id,
            ConsentEvent.kind.in_(CONFIRMATIONS),
        )
        latest: datetime | None = self._session.scalar(query)
        return latest

    def find_unknown_topics(self, row: SubscriberRow, slug: str) -> set[str]:
        """Return the topics of a row that the list does not have."""
        if not row.topics:
            return set()
        offers = self._read_topics(slug)
        return {name for name in row.topics if name.casefold() not in offers}

    def corrects(self, row: SubscriberRow, key: str, slug: str) -> bool:
        """Tell whether a row changes the name, language or cadence.

        A missing name or language is added. What subscribers have chosen here themselves is kept.
        """
        address = self.known.find_address(key)
        subscription = self.known.find_subscription(key, slug)
        if row.name and not address.named:
            return True
        return bool(
            _find_new_language(row, address)
            or (subscription.status and _find_new_cadence(row, address, subscription))
        )

    # ── collecting ───────────────────────────────────────────────────────────

    def put(
        self,
        row: SubscriberRow,
        address: Address,
        slug: str,
        status: SubscriptionStatus,
        *,
        note: str,
        suppress: SuppressionReason | None = None,
    ) -> None:
        """Collect the new state of a row's subscription; `suppress` suppresses the address."""
        known = self.known.find_subscription(address.key, slug)
        key = (address.key, slug)
        self.put_address(row, address)
        cadence = _find_new_cadence(row, self.known.find_address(address.key), known)
        if status != known.status:
            self._set_status(key, row, status, known)
            self._rows.transitions.append(Transition(key, known.status, status))
            self._add_evidence(key, row, known, status, note)
        if known.status and cadence:
            self._set_cadence(key, known, cadence)
        if suppress:
            self.suppress(row, address, suppress, note)
        has_left = status is SubscriptionStatus.UNSUBSCRIBED or (
            status is not SubscriptionStatus.ACTIVE and (known.left or _has_left_there(row))
        )
        new_cadence = self._rows.subscriptions.get(key, {}).get("cadence")
        cadence = cadence or known.cadence or new_cadence
        after = KnownSubscription(status, has_left, cadence, known.subscription_id)
        self.known.set_subscription(address.key, slug, after)

    def put_address(self, row: SubscriberRow, address: Address) -> None:
        """Collect a new subscriber with tags, or a row's corrections of a known one."""
        key = address.key
        known = self.known.find_address(key)
        language = _find_new_language(row, known)
        values = {} if known.named or not row.name else {"name": row.name}
        values |= {"language": language} if language else {}
        if key in self.known.subscriber_ids:
            if values:
                self._rows.subscriber_changes.setdefault(self.known.subscriber_ids[key], {}).update(
                    values
                )
        elif key in self._rows.subscribers:
            self._rows.subscribers[key].update(values)
        else:
            self._rows.subscribers[key] = {
                "email": address.email,
                "email_key": key,
                "name": row.name,
                "language": language,
                "created_at": row.since or row.created_at or self._env.now,
            }
        if new_tags := self.known.find_new_tags(key, row.tags):
            self.known.add_tags(key, new_tags)
            self._rows.tags.setdefault(key, set()).update(new_tags)
        if (row.name and not known.named) or language:
            named = known.named or bool(row.name)
            language = language or known.language
            self.known.set_address(key, replace(known, named=named, language=language))

    def put_subscriber(self, row: SubscriberRow, address: Address) -> bool:
        """Collect a subscriber without a subscription; return False if nothing is new."""
        if (
            self.known.is_subscriber(address.key)
            and not self.known.find_new_tags(address.key, row.tags)
            and not self.corrects(row, address.key, "")
        ):
            return False
        self.put_address(row, address)
        self.known.add_subscriber(address.key)
        return True

    def suppress(
        self, row: SubscriberRow, address: Address, reason: SuppressionReason, note: str
    ) -> None:
        """Collect the suppression of an address."""
        self._rows.suppressions[address.key] = {
            "email_hash": hash_address(self._env, address.key)[0],
            "email_key": address.key,
            "reason": reason,
            "note": to_plain_line(row.suppressed_note if row.ours else note, limit=500),
            "created_at": row.suppressed_at or self._env.now,
        }
        self.known.set_address(
            address.key, replace(self.known.find_address(address.key), suppressed=True)
        )

    def suppress_hash(self, row: SubscriberRow) -> bool:
        """Collect the hash of an erased address; return False if it is stored already."""
        if self.known.has_hash(row.suppressed_hash):
            return False
        self.known.add_hash(row.suppressed_hash)
        self._rows.suppressions[f"#{row.suppressed_hash}"] = {
            "email_hash": row.suppressed_hash,
            "email_key": None,
            "reason": row.suppressed or SuppressionReason.ERASED,
            "note": row.suppressed_note,
            "created_at": row.suppressed_at or self._env.now,
        }
        return True

    def write(self) -> None:
        """Write all collected changes.

        Raises `Conflict` if another transaction wrote one of the rows meanwhile.
        """
        subscription_ids = self.known.list_subscription_ids()
        list_ids = {slug: row.id for slug, row in self.lists.items()}
        RowWriter(
            self._session, self._rows, self.known.subscriber_ids, subscription_ids, list_ids
        ).write(self._env.now)

    # ── one subscription ─────────────────────────────────────────────────────

    def _set_status(
        self, key: Key, row: SubscriberRow, status: SubscriptionStatus, known: KnownSubscription
    ) -> None:
        mailing_list = self.lists[key[1]]
        values: Columns = {"status": status}
        match status:
            case SubscriptionStatus.PENDING:
                pass
            case SubscriptionStatus.ACTIVE:
                values["confirmed_at"] = row.consented_at or self._env.now
                values["unsubscribed_at"] = None
            case SubscriptionStatus.UNSUBSCRIBED:
                values["unsubscribed_at"] = row.left_at or self._env.now
            case _:
                assert_never(status)
        if known.subscription_id is None:
            if key not in self._rows.subscriptions:
                self._rows.subscriptions[key] = self._make_subscription(mailing_list, row)
            self._rows.subscriptions[key].update(values)
            return
        changes = self._rows.subscription_changes.setdefault(known.subscription_id, {})
        changes.update(values, seq=mailing_list.entry_seq)

    def _make_subscription(self, mailing_list: MailingList, row: SubscriberRow) -> Columns:
        """Return the columns of a new subscription.

        A file of this program brings its dates. Whoever left elsewhere was never subscribed here,
        and counts neither as joined nor as left (`status`).
        """
        return {
            "list_id": mailing_list.id,
            "cadence": find_member(Cadence, row.cadence) or mailing_list.default_cadence,
            "paused_until": row.paused_until,
            "created_at": row.created_at or self._env.now,
            "cursor": mailing_list.entry_seq,
            "joined_seq": mailing_list.entry_seq,
            "topics": self._pack_topics(mailing_list, row),
            "answers": row.answers,
            "confirmed_at": row.consented_at if row.ours else None,
            "unsubscribed_at": row.left_at if row.ours else None,
        }

    def _set_cadence(self, key: Key, known: KnownSubscription, cadence: Cadence) -> None:
        if known.subscription_id is not None:
            changes = self._rows.subscription_changes.setdefault(known.subscription_id, {})
            changes["cadence"] = cadence
        elif key in self._rows.subscriptions:
            self._rows.subscriptions[key]["cadence"] = cadence

    def _pack_topics(self, mailing_list: MailingList, row: SubscriberRow) -> str:
        if not row.topics:
            return ""
        ids = self._read_topics(mailing_list.slug)
        chosen = {ids[name.casefold()] for name in row.topics if name.casefold() in ids}
        return "" if len(chosen) == len(ids) else pack_topics(chosen)

    def _read_topics(self, slug: str) -> dict[str, int]:
        if slug not in self._topic_ids:
            offers = find_offers(self._session, self.lists[slug].id)
            self._topic_ids[slug] = {offer.name.casefold(): offer.id for offer in offers}
        return self._topic_ids[slug]

    def _add_evidence(
        self,
        key: Key,
        row: SubscriberRow,
        known: KnownSubscription,
        status: SubscriptionStatus,
        note: str,
    ) -> None:
        """Collect the consent record of a new subscription, or one event of a known one."""
        if row.events and not known.status:
            self._rows.evidence += [(key, record) for record in row.events]
            return
        ends = known.status and status is SubscriptionStatus.UNSUBSCRIBED
        record = ConsentRecord(
            ConsentKind.UNSUBSCRIBED if ends else ConsentKind.IMPORTED,
            self._env.now,
            source=row.source[:20],
            ip=row.ip,
            note=to_plain_line(note, limit=500),
        )
        self._rows.evidence.append((key, record))


def _find_new_language(row: SubscriberRow, known: KnownAddress) -> str:
    """Return the language that a row changes to, or "".

    A file of another program gives only languages that this program knows.
    """
    language = to_plain_line(row.language, limit=20) if row.ours else find_language(row.language)
    return language if language != known.language and not (known.language and known.chosen) else ""


def _find_new_cadence(
    row: SubscriberRow, address: KnownAddress, known: KnownSubscription
) -> Cadence | None:
    cadence = find_member(Cadence, row.cadence)
    return cadence if cadence != known.cadence and not address.chosen else None


def _has_left_there(row: SubscriberRow) -> bool:
    return row.ours and row.left_at is not None
