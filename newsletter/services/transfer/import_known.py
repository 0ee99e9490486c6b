"""Read what is known already of the people in one batch of an import, in a few queries."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from newsletter.models import ConsentEvent, MailingList, Subscriber, Subscription, Suppression
from newsletter.services import tags
from newsletter.services.runtime import Environment
from newsletter.services.suppressions import hash_address
from newsletter.vocabulary import EvidenceSource

OWN_WORDS = ("confirmed", "reaffirmed", "resubscribed", "changed", "moved")
"""What subscribers do themselves; where the source is not the author, they have chosen what stands
here.
"""


@dataclass(frozen=True, slots=True)
class KnownAddress:
    """What is known of an address.

    `own`: they have chosen something here themselves, so that a file does not change their language
    or cadence; `erased`: they asked to be forgotten.
    """

    named: bool = False
    language: str = ""
    own: bool = False
    suppressed: bool = False
    erased: bool = False


@dataclass(frozen=True, slots=True)
class KnownSubscription:
    """What is known of an address on a list.

    `status` is empty where nothing is; `left`: unsubscribed once, and not confirmed since.
    """

    status: str = ""
    left: bool = False
    cadence: str = ""
    subscription_id: int | None = None


@dataclass(slots=True)
class KnownSubscribers:
    """The people of a batch as the database has them, by the keys of their addresses; `here` also
    by list.
    """

    ids: dict[str, int]
    people: dict[str, KnownAddress]
    here: dict[tuple[str, str], KnownSubscription]
    tags: dict[str, set[str]]
    hashes: set[str]


def read_known(
    env: Environment, session: Session, keys: Sequence[str], suppressed_hashes: Sequence[str]
) -> KnownSubscribers:
    """Read everything that decides what becomes of these addresses.

    `suppressed_hashes`: which hashes of erased people the file holds; those that are here come back
    in `KnownPeople.hashes`.
    """
    columns = (Subscriber.id, Subscriber.email_key, Subscriber.name, Subscriber.language)
    rows = session.execute(select(*columns).where(Subscriber.email_key.in_(keys))).all()
    ids = {key: id_ for id_, key, _, _ in rows}
    names = {key: (bool(name), language) for _, key, name, language in rows}
    suppressed, erased = _read_suppressed(env, session, keys)
    chosen = _read_own(session, keys)
    people = {
        key: KnownAddress(
            *names.get(key, (False, "")), key in chosen, key in suppressed, key in erased
        )
        for key in names.keys() | suppressed
    }
    tagged = tags.read_tags(session, list(ids.values()))
    present = session.scalars(
        select(Suppression.email_hash).where(Suppression.email_hash.in_(suppressed_hashes))
    )
    return KnownSubscribers(
        ids=ids,
        people=people,
        here=_read_subscriptions(session, keys),
        tags={key: set(tagged.get(id_, ())) for key, id_ in ids.items()},
        hashes=set(present) if suppressed_hashes else set(),
    )


def _read_subscriptions(
    session: Session, keys: Sequence[str]
) -> dict[tuple[str, str], KnownSubscription]:
    columns = (
        Subscriber.email_key,
        MailingList.slug,
        Subscription.id,
        Subscription.status,
        Subscription.unsubscribed_at,
        Subscription.cadence,
    )
    query = select(*columns).join(Subscription.subscriber).join(Subscription.mailing_list)
    return {
        (key, slug): KnownSubscription(
            status, left_at is not None and status != "active", cadence, id_
        )
        for key, slug, id_, status, left_at, cadence in session.execute(
            query.where(Subscriber.email_key.in_(keys))
        )
    }


def _read_own(session: Session, keys: Sequence[str]) -> set[str]:
    """Read which of these people have chosen something themselves."""
    query = (
        select(Subscriber.email_key)
        .join(Subscription, Subscription.subscriber_id == Subscriber.id)
        .join(ConsentEvent, ConsentEvent.subscription_id == Subscription.id)
        .where(Subscriber.email_key.in_(keys), ConsentEvent.kind.in_(OWN_WORDS))
        .where(ConsentEvent.source != EvidenceSource.AUTHOR)
    )
    return set(session.scalars(query.distinct()))


def _read_suppressed(
    env: Environment, session: Session, keys: Sequence[str]
) -> tuple[set[str], set[str]]:
    """Read which of these addresses must never be mailed, and which of those were erased."""
    by_hash = {hashed: key for key in keys for hashed in hash_address(env, key)}
    query = select(Suppression.email_hash, Suppression.email_key)
    rows = session.execute(query.where(Suppression.email_hash.in_(list(by_hash)))).all()
    return {by_hash[hashed] for hashed, _ in rows}, {
        by_hash[hashed] for hashed, key in rows if key is None
    }
