"""Many people at once: what is known of them, read in a few queries, and what is to become of them, written in a few.

For imports. Decides nothing; holds one batch, in the caller's transaction.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, cast

from sqlalchemy import Table, bindparam, func, insert, select, update
from sqlalchemy.orm import Session

from newsletter.addresses import Address
from newsletter.html.sanitize import plain
from newsletter.import_formats.row import Person
from newsletter.models import ConsentEvent, MailingList, Subscriber, Subscription, Suppression, Tag
from newsletter.schedule import CADENCES
from newsletter.services import tags
from newsletter.services.digests.selection import packed
from newsletter.services.lists.topics import topics_of
from newsletter.services.runtime import Environment
from newsletter.services.suppressions import hashes
from newsletter.tokens import new_handle

Key = tuple[str, str]
"""The key of an address, and the slug of a list."""

_subscribers = cast(Table, Subscriber.__table__)
_subscriptions = cast(Table, Subscription.__table__)
_events = cast(Table, ConsentEvent.__table__)
_tags = cast(Table, Tag.__table__)
_suppressions = cast(Table, Suppression.__table__)


@dataclass(frozen=True, slots=True)
class Here:
    """What is known of an address on a list. `status` is empty where nothing is; `left`: unsubscribed once, and not
    confirmed since."""

    status: str = ""
    left: bool = False
    named: bool = False
    suppressed: bool = False
    subscription_id: int | None = None


class Roster:
    """The people of one batch, by the keys of their addresses. `before` is what a dry run
    made of earlier batches, and is added to."""

    def __init__(self, env: Environment, session: Session, keys: Sequence[str], before: dict[int, Here] | None) -> None:
        self._env, self._session, self._before = env, session, before
        self.lists = {row.slug: row for row in session.scalars(select(MailingList))}
        self._ids: dict[str, int] = {}
        self._here: dict[Key, Here] = {}
        self._people: dict[str, dict[str, Any]] = {}
        self._made: dict[Key, dict[str, Any]] = {}
        self._changed: dict[int, dict[str, Any]] = {}
        self._names: dict[int, str] = {}
        self._noted: list[tuple[Key, dict[str, Any]]] = []
        self._barred: dict[str, dict[str, Any]] = {}
        self._new_tags: dict[str, set[str]] = {}
        self._offered: dict[str, dict[str, int]] = {}
        self._read(sorted(set(keys)))

    def _read(self, keys: list[str]) -> None:
        people = select(Subscriber.id, Subscriber.email_key, Subscriber.name).where(Subscriber.email_key.in_(keys))
        found = self._session.execute(people).all()
        self._ids = {key: id_ for id_, key, _ in found}
        self._named = {key for _, key, name in found if name}
        tagged = tags.of(self._session, list(self._ids.values()))
        self._tagged = {key: set(tagged.get(id_, ())) for key, id_ in self._ids.items()}
        self._suppressed = barred(self._env, self._session, keys)
        columns = (
            Subscriber.email_key, MailingList.slug, Subscription.id, Subscription.status, Subscription.unsubscribed_at,
        )  # fmt: skip
        query = select(*columns).join(Subscription.subscriber).join(Subscription.mailing_list)
        for key, slug, id_, status, left_at in self._session.execute(query.where(Subscriber.email_key.in_(keys))):
            left = left_at is not None and status != "active"
            self._here[key, slug] = Here(status, left, subscription_id=id_)

    def here(self, key: str, slug: str) -> Here:
        """What is known of an address on a list, this batch's own rows included."""
        found = (self._before or {}).get(hash((key, slug))) or self._here.get((key, slug)) or _NOBODY
        named, suppressed = found.named or key in self._named, found.suppressed or key in self._suppressed
        return replace(found, named=named, suppressed=suppressed) if (named or suppressed) else found

    def own_yes(self, here: Here) -> datetime | None:
        """When she said yes to us herself, the last time."""
        own = select(func.max(ConsentEvent.at)).where(
            ConsentEvent.subscription_id == here.subscription_id,
            ConsentEvent.kind.in_(("confirmed", "reaffirmed", "resubscribed")),
        )
        found: datetime | None = self._session.scalar(own)
        return found

    def untagged(self, key: str, wanted: tuple[str, ...]) -> set[str]:
        """Which of these tags an address has not got yet."""
        missing = set(tags.clean(wanted)) - self._tagged.get(key, set())
        return {tag for tag in missing if hash((key, "tag", tag)) not in (self._before or {})}

    def _tag(self, key: str, wanted: set[str]) -> None:
        self._tagged.setdefault(key, set()).update(wanted)
        self._new_tags.setdefault(key, set()).update(wanted)
        if self._before is not None:
            self._before.update((hash((key, "tag", tag)), _NOBODY) for tag in wanted)

    def put(self, person: Person, address: Address, slug: str, status: str, *, note: str, suppress: str = "") -> None:
        """Notes what is to become of a person on a list; and, where it says so, never to mail the address again."""
        here, key = self.here(address.key, slug), (address.key, slug)
        self._name(person, address)
        self._tag(address.key, self.untagged(address.key, person.tags))
        if status != here.status:
            self._subscribe(key, person, status, here)
            kind = "unsubscribed" if here.status and status == "unsubscribed" else "imported"
            self._noted.append((key, self._event(kind, person, note)))
        if suppress:
            self._suppress(address.key, suppress, note)
        left = status == "unsubscribed"
        after = Here(status, left, bool(person.name) or here.named, bool(suppress), here.subscription_id)
        self._here[key] = after
        if self._before is not None:
            kept = replace(after, subscription_id=None)
            self._before[hash(key)] = _SAME.setdefault(kept, kept)

    def _name(self, person: Person, address: Address) -> None:
        key, now = address.key, self._env.now
        if key not in self._ids and key not in self._people:
            self._people[key] = {
                "handle": new_handle(), "email": address.email, "email_key": key, "name": person.name,
                "language": plain(person.language, limit=20), "created_at": person.created_at or now,
            }  # fmt: skip
        elif person.name and key not in self._named:
            if key in self._ids:
                self._names[self._ids[key]] = person.name
            else:
                self._people[key]["name"] = person.name
        if person.name:
            self._named.add(key)

    def _subscribe(self, key: Key, person: Person, status: str, here: Here) -> None:
        mailing_list, now = self.lists[key[1]], self._env.now
        left_at = (person.left_at or now) if status == "unsubscribed" else None
        confirmed_at = (person.consented_at or now) if status == "active" else person.consented_at
        if here.subscription_id is None and key not in self._made:
            cadence = person.cadence if person.cadence in CADENCES else mailing_list.default_cadence
            self._made[key] = {
                "handle": new_handle(), "list_id": mailing_list.id, "cadence": cadence,
                "paused_until": person.paused_until, "created_at": person.created_at or now,
                "cursor": mailing_list.entry_seq, "joined_seq": mailing_list.entry_seq,
                "topics": self._topics(mailing_list, person), "answers": person.answers,
            }  # fmt: skip
        values = {"status": status, "confirmed_at": confirmed_at, "unsubscribed_at": left_at}
        if here.subscription_id is None:
            self._made[key] |= values
        else:
            self._changed.setdefault(here.subscription_id, {}).update(values, seq=mailing_list.entry_seq)

    def untold(self, person: Person, slug: str) -> set[str]:
        """Which of the topics that somebody chose a list does not have."""
        return {name for name in person.topics if name.casefold() not in self._offers(slug)}

    def _topics(self, mailing_list: MailingList, person: Person) -> str:
        offers = self._offers(mailing_list.slug)
        ids = {offers[name.casefold()] for name in person.topics if name.casefold() in offers}
        return "" if len(ids) == len(offers) else packed(ids)

    def _offers(self, slug: str) -> dict[str, int]:
        if slug not in self._offered:
            found = topics_of(self._session, self.lists[slug].id)
            self._offered[slug] = {offer.name.casefold(): offer.id for offer in found}
        return self._offered[slug]

    def _event(self, kind: str, person: Person, note: str) -> dict[str, Any]:
        return {
            "kind": kind, "at": self._env.now, "source": person.source[:20], "ip": person.ip,
            "note": plain(note, limit=500),
        }  # fmt: skip

    def _suppress(self, key: str, reason: str, note: str) -> None:
        self._barred[key] = {
            "email_hash": hashes(self._env, key)[0], "email_key": key, "reason": reason, "note": plain(note, limit=500),
            "created_at": self._env.now,
        }  # fmt: skip
        self._suppressed.add(key)

    def write(self) -> None:
        """Everything that was put, in the order of the addresses, so that two imports at once wait for each other and
        do not lock each other out. Raises `Conflict` where somebody was quicker."""
        returned = self._insert(_subscribers, [self._people[key] for key in sorted(self._people)], "id", "email_key")
        self._ids |= {key: id_ for id_, key in returned}
        rows = [{"subscriber_id": self._ids[key[0]], **self._made[key]} for key in sorted(self._made)]
        made = self._insert(_subscriptions, rows, "id", "subscriber_id", "list_id")
        ids = {(subscriber_id, list_id): id_ for id_, subscriber_id, list_id in made}
        self._update()
        tagged = [(self._ids[key], tag) for key in sorted(self._new_tags) for tag in sorted(self._new_tags[key])]
        self._insert(_tags, [{"subscriber_id": id_, "tag": tag} for id_, tag in tagged])
        events = [{"subscription_id": self._subscription_id(key, ids), **event} for key, event in self._noted]
        self._insert(_events, events)
        self._insert(_suppressions, [self._barred[key] for key in sorted(self._barred)])

    def _subscription_id(self, key: Key, ids: dict[tuple[int, int], int]) -> int:
        known = self._here[key].subscription_id
        return known if known is not None else ids[self._ids[key[0]], self.lists[key[1]].id]

    def _insert(self, table: Table, rows: list[dict[str, Any]], *wanted: str) -> Sequence[Any]:
        if not rows:
            return []
        statement = insert(table)
        if not wanted:
            self._session.connection().execute(statement, rows)
            return []
        return self._session.connection().execute(statement.returning(*(table.c[name] for name in wanted)), rows).all()

    def _update(self) -> None:
        if self._names:
            named = update(_subscribers).where(_subscribers.c.id == bindparam("row")).values(name=bindparam("new"))
            rows = [{"row": id_, "new": name} for id_, name in sorted(self._names.items())]
            self._session.connection().execute(named, rows)
        changed = update(_subscriptions).where(_subscriptions.c.id == bindparam("row"))
        for id_, values in sorted(self._changed.items()):
            seq = values.pop("seq")
            cursor = {"cursor": seq, "joined_seq": seq} if values["status"] == "active" else {}
            self._session.connection().execute(changed.values(**values, **cursor), {"row": id_})


_NOBODY = Here()
_SAME: dict[Here, Here] = {}
"""One object for each thing that can be known, so that a dry run of a million rows remembers them in little memory."""


def barred(env: Environment, session: Session, keys: Sequence[str]) -> set[str]:
    """Which of these addresses must never be mailed."""
    by_hash = {found: key for key in keys for found in hashes(env, key)}
    hashed = session.scalars(select(Suppression.email_hash).where(Suppression.email_hash.in_(list(by_hash))))
    return {by_hash[found] for found in hashed}
