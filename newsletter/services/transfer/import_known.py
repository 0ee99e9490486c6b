"""Read the stored data about the addresses in one batch of an import.

Read from the database in a few queries; then the batch adds what its own rows change, and a dry run
what earlier batches would have changed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

from sqlalchemy import select
from sqlalchemy.orm import Session

from newsletter.models import ConsentEvent, MailingList, Subscriber, Subscription, Suppression
from newsletter.services import tags
from newsletter.services.runtime import Environment
from newsletter.services.suppressions import hash_address
from newsletter.vocabulary import Cadence, ConsentKind, EvidenceSource, SubscriptionStatus

CHOICES = (
    ConsentKind.CONFIRMED,
    ConsentKind.REAFFIRMED,
    ConsentKind.RESUBSCRIBED,
    ConsentKind.CHANGED,
    ConsentKind.MOVED,
)
"""Evidence of choices by subscribers themselves, unless its source is the author."""


@dataclass(frozen=True, slots=True)
class KnownAddress:
    """The stored state of an address before a row is applied.

    `chosen`: the subscriber has chosen something here, so that a file does not change their
    language or cadence. `erased`: only the hash of the address is left.
    """

    named: bool = False
    language: str = ""
    chosen: bool = False
    suppressed: bool = False
    erased: bool = False


@dataclass(frozen=True, slots=True)
class KnownSubscription:
    """The stored state of a subscription before a row is applied.

    `status` is None if there is no subscription. `left`: it ended once and was not confirmed since.
    """

    status: SubscriptionStatus | None = None
    left: bool = False
    cadence: Cadence | None = None
    subscription_id: int | None = None


Before = dict[int, KnownSubscription | KnownAddress]
"""The results of a dry run's earlier batches, by hash to save memory."""


class BatchKnowledge:
    """The stored state of the addresses `keys` and of the hashes `erased`.

    `before` is what a dry run made of earlier batches, and is added to; None for a real run.
    """

    def __init__(
        self,
        env: Environment,
        session: Session,
        keys: Sequence[str],
        erased: Sequence[str],
        before: Before | None,
    ) -> None:
        self._before = before
        columns = (Subscriber.id, Subscriber.email_key, Subscriber.name, Subscriber.language)
        rows = session.execute(select(*columns).where(Subscriber.email_key.in_(keys))).all()
        self.subscriber_ids: dict[str, int] = {key: id_ for id_, key, _, _ in rows}
        names = {key: (bool(name), language) for _, key, name, language in rows}
        self._addresses = _read_addresses(env, session, keys, names)
        self._subscriptions = _read_subscriptions(session, list(names))
        tagged = tags.read_tags(session, list(self.subscriber_ids.values()))
        self._tags = {key: set(tagged.get(id_, ())) for key, id_ in self.subscriber_ids.items()}
        self._hashes = _read_hashes(session, erased)

    def find_subscription(self, key: str, slug: str) -> KnownSubscription:
        """Return the state of an address on a list."""
        earlier = cast(KnownSubscription | None, self._find_before((key, slug)))
        return earlier or self._subscriptions.get((key, slug)) or _NO_SUBSCRIPTION

    def set_subscription(self, key: str, slug: str, known: KnownSubscription) -> None:
        """Replace the state of an address on a list."""
        self._subscriptions[key, slug] = known
        if self._before is not None:
            self._keep_for_dry_run((key, slug), replace(known, subscription_id=None))

    def list_subscription_ids(self) -> dict[tuple[str, str], int]:
        """Return the ids of stored subscriptions, by address and list."""
        return {
            key: known.subscription_id
            for key, known in self._subscriptions.items()
            if known.subscription_id is not None
        }

    def find_address(self, key: str) -> KnownAddress:
        """Return the state of an address."""
        earlier = cast(KnownAddress | None, self._find_before((key, "address")))
        return earlier or self._addresses.get(key) or _NO_ADDRESS

    def set_address(self, key: str, known: KnownAddress) -> None:
        """Replace the state of an address."""
        self._addresses[key] = known
        self._keep_for_dry_run((key, "address"), known)

    def is_subscriber(self, key: str) -> bool:
        """Tell whether an address is stored, or an earlier batch of a dry run would store it."""
        return key in self.subscriber_ids or self._find_before((key, "subscriber")) is not None

    def add_subscriber(self, key: str) -> None:
        """Record for later batches of a dry run that an address would be stored."""
        self._keep_for_dry_run((key, "subscriber"), _NO_ADDRESS)

    def find_new_tags(self, key: str, words: tuple[str, ...]) -> set[str]:
        """Return the tags that an address does not have yet."""
        if not words:
            return set()
        missing = set(tags.clean_tags(words)) - self._tags.get(key, set())
        return {tag for tag in missing if self._find_before((key, "tag", tag)) is None}

    def add_tags(self, key: str, words: set[str]) -> None:
        """Record that an address has these tags."""
        self._tags.setdefault(key, set()).update(words)
        for tag in words:
            self._keep_for_dry_run((key, "tag", tag), _NO_ADDRESS)

    def has_hash(self, email_hash: str) -> bool:
        """Tell whether the hash of an erased address is stored."""
        return email_hash in self._hashes or self._find_before((email_hash, "hash")) is not None

    def add_hash(self, email_hash: str) -> None:
        """Record that the hash of an erased address is stored."""
        self._hashes.add(email_hash)
        self._keep_for_dry_run((email_hash, "hash"), _NO_ADDRESS)

    def _find_before(self, subject: tuple[str, ...]) -> KnownSubscription | KnownAddress | None:
        return self._before.get(hash(subject)) if self._before else None

    def _keep_for_dry_run(
        self, subject: tuple[str, ...], value: KnownSubscription | KnownAddress
    ) -> None:
        if self._before is not None:
            self._before[hash(subject)] = _SHARED.setdefault(value, value)


_NO_SUBSCRIPTION = KnownSubscription()
_NO_ADDRESS = KnownAddress()
_SHARED: dict[Any, Any] = {}
"""Interned values, to save memory in a dry run of a million rows."""


def _read_addresses(
    env: Environment,
    session: Session,
    keys: Sequence[str],
    names: dict[str, tuple[bool, str]],
) -> dict[str, KnownAddress]:
    suppressed = _read_suppressed(env, session, keys)
    chosen = _read_choosers(session, list(names))
    addresses = {}
    for key in names.keys() | suppressed.keys():
        named, language = names.get(key, (False, ""))
        addresses[key] = KnownAddress(
            named=named,
            language=language,
            chosen=key in chosen,
            suppressed=key in suppressed,
            erased=suppressed.get(key, False),
        )
    return addresses


def _read_subscriptions(
    session: Session, keys: Sequence[str]
) -> dict[tuple[str, str], KnownSubscription]:
    if not keys:
        return {}
    columns = (
        Subscriber.email_key,
        MailingList.slug,
        Subscription.id,
        Subscription.status,
        Subscription.unsubscribed_at,
        Subscription.cadence,
    )
    query = select(*columns).join(Subscription.subscriber).join(Subscription.mailing_list)
    rows = session.execute(query.where(Subscriber.email_key.in_(keys)))
    return {
        (key, slug): KnownSubscription(
            status,
            left_at is not None and status is not SubscriptionStatus.ACTIVE,
            cadence,
            id_,
        )
        for key, slug, id_, status, left_at, cadence in rows
    }


def _read_choosers(session: Session, keys: Sequence[str]) -> set[str]:
    """Return the addresses whose subscribers have made choices themselves."""
    if not keys:
        return set()
    query = (
        select(Subscriber.email_key)
        .join(Subscription, Subscription.subscriber_id == Subscriber.id)
        .join(ConsentEvent, ConsentEvent.subscription_id == Subscription.id)
        .where(Subscriber.email_key.in_(keys), ConsentEvent.kind.in_(CHOICES))
        .where(ConsentEvent.source != EvidenceSource.AUTHOR)
    )
    return set(session.scalars(query.distinct()))


def _read_suppressed(env: Environment, session: Session, keys: Sequence[str]) -> dict[str, bool]:
    """Map each suppressed address to whether it was erased."""
    by_hash = {email_hash: key for key in keys for email_hash in hash_address(env, key)}
    query = select(Suppression.email_hash, Suppression.email_key)
    rows = session.execute(query.where(Suppression.email_hash.in_(list(by_hash)))).all()
    erased = {by_hash[email_hash] for email_hash, key in rows if key is None}
    return {by_hash[email_hash]: by_hash[email_hash] in erased for email_hash, _ in rows}


def _read_hashes(session: Session, hashes: Sequence[str]) -> set[str]:
    if not hashes:
        return set()
    query = select(Suppression.email_hash).where(Suppression.email_hash.in_(hashes))
    return set(session.scalars(query))
