"""Merge suppressions, departures and erasures of the replaced database into a restored one.

That is: unsubscriptions, suppressions, erasures, changes of address, consents withdrawn, breaks,
access that was ended, and what was counted for each mailbox. Writes into the restored database,
which is not in use yet.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import exists, func, select
from sqlalchemy.orm import Session

from newsletter.models import ConsentEvent, LastingKey, Subscriber, Subscription, Suppression
from newsletter.services.consent import Evidence
from newsletter.services.operations import merge_access
from newsletter.services.operations.merge_mailboxes import merge_mailboxes
from newsletter.services.operations.replaced_database import (
    OldRow,
    ReplacedDatabase,
    parse_stored_moment,
)
from newsletter.services.subscribers.privacy import delete_subscriber
from newsletter.services.subscription_state import end_subscription, record_change
from newsletter.tokens import make_keyed_hash
from newsletter.vocabulary import ConsentKind, EvidenceSource, SubscriptionStatus, SuppressionReason

YES = (ConsentKind.CONFIRMED, ConsentKind.REAFFIRMED, ConsentKind.RESUBSCRIBED)
"""Evidence with which a subscriber agrees, or agrees again, to be mailed."""
TAKEN_OVER = Evidence(EvidenceSource.RESTORE, note="taken over from the database that was replaced")


@dataclass(slots=True)
class Merged:
    """The numbers of merged items.

    `unread` is the reason why something of the replaced database could not be read.
    """

    left: int = 0
    suppressed: int = 0
    erased: int = 0
    moved: int = 0
    unread: str = ""


class Merger:
    """Merges the database `old` into the restored one of `session`.

    `signing_keys` made hashes before lasting keys were there.
    """

    def __init__(
        self, session: Session, old: ReplacedDatabase, signing_keys: Sequence[str], now: datetime
    ) -> None:
        self.session = session
        self.old = old
        self.now = now
        self.signing_keys = signing_keys
        self.merged = Merged()
        self.same = False
        self.old_keys: list[str] = []
        self.keys = list(session.scalars(select(LastingKey.key).order_by(LastingKey.id)))

    def __call__(self) -> Merged:
        """Merge everything that can be read; an unreadable table does not stop the others."""
        steps: tuple[Callable[[], None], ...] = (
            self._take_keys,
            self._suppress,
            self._erase,
            self._merge_address_changes,
            self._unsubscribe,
            self._end_access,
            self._keep_counts,
        )
        for step in steps:
            try:
                step()
                self.session.flush()
            except (sqlite3.Error, ValueError, TypeError) as error:
                self.merged.unread = self.merged.unread or " ".join(str(error).split())[:200]
        return self.merged

    # ── keys
    # ───────────────────────────────────────────────────────────────────────────────────────

    def _take_keys(self) -> None:
        """Copy the replaced database's hash keys, so that its hashes are recognised."""
        self.old_keys = [
            row["key"] for row in self.old.read_rows("lasting_keys", ["id", "key"]) if row["key"]
        ]
        self.same = bool(set(self.old_keys) & set(self.keys))
        for key in self.old_keys:
            if key not in self.keys:
                self.session.add(LastingKey(key=key, created_at=self.now))
                self.keys.append(key)
        self.old_keys = self.old_keys or list(self.signing_keys)

    # ── suppressions and erasures
    # ──────────────────────────────────────────────────────────────────

    def _suppress(self) -> None:
        columns = ["email_hash", "email_key", "reason", "note", "created_at"]
        for rows in self.old.read_batches("suppressions", columns):
            by_hash = {row["email_hash"]: row for row in rows}
            ours = {
                row.email_hash: row
                for row in self._find_suppressions(Suppression.email_hash, by_hash)
            }
            keys = {row["email_key"] for row in rows if row["email_key"]}
            known = {row.email_key for row in self._find_suppressions(Suppression.email_key, keys)}
            for email_hash, row in by_hash.items():
                if email_hash in ours:
                    self._forget_address(ours[email_hash], row)
                elif row["email_key"] not in known:
                    self._add_suppression(row)

    def _find_suppressions(self, column: Any, values: Iterable[str]) -> Sequence[Suppression]:
        return self.session.scalars(select(Suppression).where(column.in_(list(values)))).all()

    def _forget_address(self, ours: Suppression, row: OldRow) -> None:
        if ours.email_key and not row["email_key"]:  # erased since
            ours.email_key = None
            ours.note = ""

    def _add_suppression(self, row: OldRow) -> None:
        email_key = row["email_key"]
        hashes = (
            [make_keyed_hash(key, email_key) for key in self.keys]
            if email_key
            else [row["email_hash"]]
        )
        if self._find_suppressions(Suppression.email_hash, hashes):
            return
        self.session.add(
            Suppression(
                email_hash=hashes[0],
                email_key=email_key,
                reason=row["reason"],
                note=row["note"] or "",
                created_at=parse_stored_moment(row["created_at"]) or self.now,
            )
        )
        self.merged.suppressed += 1

    def _erase(self) -> None:
        """Erase subscribers whom the replaced database knows by a hash alone."""
        rows = self.old.read_rows("suppressions", ["email_hash", "email_key"])
        gone = {row["email_hash"] for row in rows if not row["email_key"]}
        if not gone:
            return
        query = select(Subscriber.id, Subscriber.email_key)
        erased = [
            id_
            for id_, email_key in self.session.execute(query)
            if any(make_keyed_hash(key, email_key) in gone for key in self.old_keys)
        ]
        for id_ in erased:
            subscriber = self.session.get_one(Subscriber, id_)
            self._remember_erased(subscriber.email_key)
            delete_subscriber(self.session, subscriber, self.now)
        self.merged.erased += len(erased)

    def _remember_erased(self, email_key: str) -> None:
        """Store the hash of an erased address under the restored database's keys."""
        hashes = [make_keyed_hash(key, email_key) for key in self.keys]
        if not self._find_suppressions(Suppression.email_hash, hashes):
            self.session.add(
                Suppression(
                    email_hash=hashes[0], reason=SuppressionReason.ERASED, created_at=self.now
                )
            )

    # ── addresses
    # ──────────────────────────────────────────────────────────────────────────────────

    def _merge_address_changes(self) -> None:
        """Merge changes of address, confirmed or requested, and newer handles."""
        if not self.same:
            return
        columns = ["id", "created_at", "handle", "email", "email_key", "new_email", "new_email_key"]
        for rows in self.old.read_batches("subscribers", columns):
            ours = self._read_by_id(Subscriber, rows)
            for row in rows:
                subscriber = ours.get(row["id"])
                if subscriber is None or subscriber.created_at != parse_stored_moment(
                    row["created_at"]
                ):
                    continue
                subscriber.handle = row["handle"] or subscriber.handle
                subscriber.new_email = row["new_email"]
                subscriber.new_email_key = row["new_email_key"]
                if row["email_key"] and row["email_key"] != subscriber.email_key:
                    self._change_address(subscriber, row)
            self.session.flush()

    def _change_address(self, subscriber: Subscriber, row: OldRow) -> None:
        self.session.flush()
        if self.session.scalar(select(exists().where(Subscriber.email_key == row["email_key"]))):
            for subscription in subscriber.subscriptions:  # the address has an entry of its own
                self._end(subscription, self.now, subscription.round)
            return
        subscriber.email = row["email"]
        subscriber.email_key = row["email_key"]
        for subscription in subscriber.subscriptions:
            record_change(
                self.session,
                subscription,
                "address",
                TAKEN_OVER,
                self.now,
                kind=ConsentKind.MOVED,
            )
        self.merged.moved += 1

    # ── subscriptions
    # ──────────────────────────────────────────────────────────────────────────────

    def _unsubscribe(self) -> None:
        columns = [
            "id",
            "created_at",
            "handle",
            "status",
            "unsubscribed_at",
            "round",
            "list_id",
            "subscriber_id",
            "paused_until",
            "answers",
        ]
        for rows in self.old.read_batches("subscriptions", columns):
            pairs = list(self._match_rows(rows))
            for row, subscription in pairs:
                if self.same and row["handle"]:
                    subscription.handle = row["handle"]
            self.session.flush()
            merge_access.withdraw_consents(self.session, pairs, TAKEN_OVER, self.now)
            for row, subscription in pairs:
                self._keep_pause(row, subscription)
                if (
                    row["status"] == SubscriptionStatus.UNSUBSCRIBED
                    and subscription.status != SubscriptionStatus.UNSUBSCRIBED
                ):
                    left_at = parse_stored_moment(row["unsubscribed_at"])
                    if left_at is None or not self._has_agreed_since(subscription, left_at):
                        self._end(subscription, left_at or self.now, row["round"] or 1)

    def _keep_pause(self, row: OldRow, subscription: Subscription) -> None:
        """Keep the later end of a pause, which may have been set since the backup."""
        paused_until = parse_stored_moment(row["paused_until"])
        if paused_until and paused_until > (subscription.paused_until or self.now):
            subscription.paused_until = paused_until

    def _end_access(self) -> None:
        """Merge ended access of authors and programs, and the handles of old mailboxes."""
        if self.same:
            merge_access.keep_retired_handles(self.session, self.old)
            merge_access.end_access(self.session, self.old, self.now)

    def _keep_counts(self) -> None:
        """Merge the mails counted for each mailbox since the backup."""
        merge_mailboxes(self.session, self.old, self.now)

    def _match_rows(self, rows: list[OldRow]) -> Iterator[tuple[OldRow, Subscription]]:
        """Match old rows to restored subscriptions.

        Within one installation they match by id, else by list and address.
        """
        if self.same:
            ours = self._read_by_id(Subscription, rows)
            for row in rows:
                subscription = ours.get(row["id"])
                if subscription is not None and subscription.created_at == parse_stored_moment(
                    row["created_at"]
                ):
                    yield row, subscription
            return
        slugs = self.old.read_slugs()
        people = self.old.read_addresses({row["subscriber_id"] for row in rows})
        query = select(Subscription).join(Subscription.subscriber).join(Subscription.mailing_list)
        known = {
            (subscription.mailing_list.slug, subscription.subscriber.email_key): subscription
            for subscription in self.session.scalars(
                query.where(Subscriber.email_key.in_(people.values()))
            )
        }
        for row in rows:
            pair = (slugs.get(row["list_id"], ""), people.get(row["subscriber_id"], ""))
            if pair in known:
                yield row, known[pair]

    def _read_by_id(self, model: Any, rows: list[OldRow]) -> dict[int, Any]:
        query = select(model).where(model.id.in_([row["id"] for row in rows]))
        return {row.id: row for row in self.session.scalars(query)}

    def _has_agreed_since(self, subscription: Subscription, left_at: datetime) -> bool:
        """Tell whether the restored database has consent given after the withdrawal."""
        query = select(func.max(ConsentEvent.at)).where(
            ConsentEvent.subscription_id == subscription.id, ConsentEvent.kind.in_(YES)
        )
        yes = self.session.scalar(query) or subscription.confirmed_at
        return yes is not None and yes > left_at

    def _end(self, subscription: Subscription, left_at: datetime, round_: int) -> None:
        end_subscription(
            self.session,
            subscription,
            ConsentKind.UNSUBSCRIBED,
            TAKEN_OVER,
            self.now,
            ended_at=left_at,
        )
        subscription.round = max(subscription.round, round_)
        self.merged.left += 1
