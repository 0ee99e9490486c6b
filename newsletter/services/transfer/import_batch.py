"""Many people at once: what is known of them, and what is to become of them, written in a few
statements.

For imports. Decides nothing; holds one batch, in the caller's transaction.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, cast

from sqlalchemy import Table, func, select
from sqlalchemy.orm import Session

from newsletter.addresses import Address
from newsletter.html.text import to_plain_line
from newsletter.i18n import known as known_language
from newsletter.import_formats.types import ConsentRecord, SubscriberRow
from newsletter.models import ConsentEvent, MailingList, Subscriber, Subscription, Suppression, Tag
from newsletter.schedule import CADENCES
from newsletter.services import tags
from newsletter.services.consent import store_wording
from newsletter.services.lists.topics import find_offers, pack_topics
from newsletter.services.runtime import Environment
from newsletter.services.subscription_state import ImportedTransition, events_of_import
from newsletter.services.suppressions import hash_address
from newsletter.services.transfer.import_known import KnownAddress, KnownSubscription, read_known
from newsletter.services.transfer.import_statements import (
    insert_rows,
    update_subscribers,
    update_subscriptions,
)
from newsletter.tokens import new_handle
from newsletter.vocabulary import ConsentKind, EvidenceSource, SubscriptionStatus

Key = tuple[str, str]
"""The key of an address, and the slug of a list."""
Before = dict[int, KnownSubscription | KnownAddress]
"""What a dry run made of earlier batches, by the hash of what it is about: a million rows in little
memory.
"""

_subscribers = cast(Table, Subscriber.__table__)
_subscriptions = cast(Table, Subscription.__table__)
_events = cast(Table, ConsentEvent.__table__)
_tags = cast(Table, Tag.__table__)
_suppressions = cast(Table, Suppression.__table__)


class ImportBatch:
    """The people of one batch, by the keys of their addresses.

    `before` is what a dry run made of earlier batches, and is added to; `erased` are the hashes of
    erased people in the batch.
    """

    def __init__(
        self,
        env: Environment,
        session: Session,
        keys: Sequence[str],
        before: Before | None,
        erased: Sequence[str] = (),
    ) -> None:
        self._env, self._session, self._before = env, session, before
        self.lists = {row.slug: row for row in session.scalars(select(MailingList))}
        self._known = read_known(env, session, sorted(set(keys)), sorted(set(erased)))
        self._people: dict[str, dict[str, Any]] = {}
        self._made: dict[Key, dict[str, Any]] = {}
        self._changed: dict[int, dict[str, Any]] = {}
        self._corrected: dict[int, dict[str, Any]] = {}
        self._noted: list[tuple[Key, dict[str, Any], str]] = []
        self._transitions: list[tuple[Key, str, str]] = []
        self._barred: dict[str, dict[str, Any]] = {}
        self._new_tags: dict[str, set[str]] = {}
        self._offered: dict[str, dict[str, int]] = {}

    def here(self, key: str, slug: str) -> KnownSubscription:
        """What is known of an address on a list, this batch's own rows included."""
        earlier = (self._before or {}).get(hash((key, slug)))
        return (
            cast(KnownSubscription | None, earlier) or self._known.here.get((key, slug)) or _NOWHERE
        )

    def known(self, key: str) -> KnownAddress:
        """What is known of an address, this batch's own rows included."""
        earlier = (self._before or {}).get(hash((key, "person")))
        return cast(KnownAddress | None, earlier) or self._known.people.get(key) or _NOBODY

    def own_yes(self, here: KnownSubscription) -> datetime | None:
        """When they said yes to us themselves, the last time."""
        own = select(func.max(ConsentEvent.at)).where(
            ConsentEvent.subscription_id == here.subscription_id,
            ConsentEvent.kind.in_(("confirmed", "reaffirmed", "resubscribed")),
        )
        latest: datetime | None = self._session.scalar(own)
        return latest

    def find_new_tags(self, key: str, words: tuple[str, ...]) -> set[str]:
        """Which of these tags an address has not got yet."""
        missing = set(tags.clean_tags(words)) - self._known.tags.get(key, set())
        return {tag for tag in missing if hash((key, "tag", tag)) not in (self._before or {})}

    def corrects(self, person: SubscriberRow, key: str, slug: str) -> bool:
        """Tell whether a row gives a name or a language that is missing, or, of somebody who has
        chosen nothing here themselves, another language or cadence.
        """
        known, here = self.known(key), self.here(key, slug)
        if person.name and not known.named:
            return True
        return bool(
            self._new_language(person, known)
            or (here.status and self._new_cadence(person, known, here))
        )

    def _new_language(self, person: SubscriberRow, known: KnownAddress) -> str:
        language = _language(person)
        return language if language != known.language and not (known.language and known.own) else ""

    def _new_cadence(
        self, person: SubscriberRow, known: KnownAddress, here: KnownSubscription
    ) -> str:
        cadence = person.cadence if person.cadence in CADENCES else ""
        return cadence if cadence != here.cadence and not known.own else ""

    def put(
        self,
        person: SubscriberRow,
        address: Address,
        slug: str,
        status: str,
        *,
        note: str,
        suppress: str = "",
    ) -> None:
        """Note what is to become of a person on a list; and, where it says so, never to mail the
        address again.
        """
        here, key = self.here(address.key, slug), (address.key, slug)
        self.put_person(person, address)
        cadence = self._new_cadence(person, self.known(address.key), here)
        if status != here.status:
            self._subscribe(key, person, status, here)
            self._transitions.append((key, here.status, status))
            self._note_events(key, person, here, status, note)
        if here.status and cadence:
            self._set_cadence(key, here, cadence)
        if suppress:
            self.suppress(person, address, suppress, note)
        after = KnownSubscription(
            status,
            status == "unsubscribed"
            or (status != "active" and (here.left or self._left_there(person))),
            cadence or here.cadence or self._made.get(key, {}).get("cadence", ""),
            here.subscription_id,
        )
        self._known.here[key] = after
        if self._before is not None:
            self._before[hash(key)] = _share(replace(after, subscription_id=None))

    @staticmethod
    def _left_there(person: SubscriberRow) -> bool:
        return person.ours and person.left_at is not None

    def put_person(self, person: SubscriberRow, address: Address) -> None:
        """Note a person, with what the row corrects in one who is known, and their tags."""
        key, known = address.key, self.known(address.key)
        name, language = ("" if known.named else person.name), self._new_language(person, known)
        if key not in self._known.ids and key not in self._people:
            self._people[key] = {
                "handle": new_handle(),
                "email": address.email,
                "email_key": key,
                "name": person.name,
                "language": language,
                "created_at": person.since or person.created_at or self._env.now,
            }
        elif name or language:
            values = {"name": name} if name else {}
            values |= {"language": language} if language else {}
            row = (
                self._corrected.setdefault(self._known.ids[key], {})
                if key in self._known.ids
                else self._people[key]
            )
            row.update(values)
        self._tag(key, self.find_new_tags(key, person.tags))
        self._remember(
            key,
            replace(
                known, named=known.named or bool(person.name), language=language or known.language
            ),
        )

    def put_subscriber(self, person: SubscriberRow, address: Address) -> bool:
        """Note a subscriber of nothing.

        Returns False where nothing is new.
        """
        is_new = address.key not in self._known.ids and hash((address.key, "subscriber")) not in (
            self._before or {}
        )
        if (
            not is_new
            and not self.find_new_tags(address.key, person.tags)
            and not self.corrects(person, address.key, "")
        ):
            return False
        self.put_person(person, address)
        if self._before is not None:
            self._before[hash((address.key, "subscriber"))] = _NOBODY
        return True

    def _remember(self, key: str, known: KnownAddress) -> None:
        self._known.people[key] = known
        if self._before is not None:
            self._before[hash((key, "person"))] = _share(known)

    def _tag(self, key: str, words: set[str]) -> None:
        self._known.tags.setdefault(key, set()).update(words)
        self._new_tags.setdefault(key, set()).update(words)
        if self._before is not None:
            self._before.update((hash((key, "tag", tag)), _NOBODY) for tag in words)

    def _subscribe(
        self, key: Key, person: SubscriberRow, status: str, here: KnownSubscription
    ) -> None:
        mailing_list, now = self.lists[key[1]], self._env.now
        values: dict[str, Any] = {"status": status}
        if status == "active":
            values |= {"confirmed_at": person.consented_at or now, "unsubscribed_at": None}
        elif status == "unsubscribed":
            values |= {"unsubscribed_at": person.left_at or now}
        if here.subscription_id is not None:
            self._changed.setdefault(here.subscription_id, {}).update(
                values, seq=mailing_list.entry_seq
            )
            return
        row = self._made.setdefault(key, self._new_subscription(mailing_list, person))
        row.update(values)

    def _new_subscription(self, mailing_list: MailingList, person: SubscriberRow) -> dict[str, Any]:
        """What a subscription begins with.

        Of a file of ours the dates are its own; elsewhere somebody who left was never here, and
        counts neither as joined nor as left (`status`).
        """
        return {
            "handle": new_handle(),
            "list_id": mailing_list.id,
            "cadence": person.cadence
            if person.cadence in CADENCES
            else mailing_list.default_cadence,
            "paused_until": person.paused_until,
            "created_at": person.created_at or self._env.now,
            "cursor": mailing_list.entry_seq,
            "joined_seq": mailing_list.entry_seq,
            "topics": self._topics(mailing_list, person),
            "answers": person.answers,
            "confirmed_at": person.consented_at if person.ours else None,
            "unsubscribed_at": person.left_at if person.ours else None,
        }

    def _set_cadence(self, key: Key, here: KnownSubscription, cadence: str) -> None:
        if here.subscription_id is None:
            if key in self._made:
                self._made[key]["cadence"] = cadence
        else:
            self._changed.setdefault(here.subscription_id, {})["cadence"] = cadence

    def find_unknown_topics(self, person: SubscriberRow, slug: str) -> set[str]:
        """Which of the topics that somebody chose a list does not have."""
        return {name for name in person.topics if name.casefold() not in self._offers(slug)}

    def _topics(self, mailing_list: MailingList, person: SubscriberRow) -> str:
        offers = self._offers(mailing_list.slug)
        ids = {offers[name.casefold()] for name in person.topics if name.casefold() in offers}
        return "" if len(ids) == len(offers) else pack_topics(ids)

    def _offers(self, slug: str) -> dict[str, int]:
        if slug not in self._offered:
            topics = find_offers(self._session, self.lists[slug].id)
            self._offered[slug] = {offer.name.casefold(): offer.id for offer in topics}
        return self._offered[slug]

    def _note_events(
        self, key: Key, person: SubscriberRow, here: KnownSubscription, status: str, note: str
    ) -> None:
        """Note the whole record of a subscription that is new here, or one event."""
        if person.events and not here.status:
            self._noted += [(key, _as_row(event), event.wording) for event in person.events]
            return
        kind = "unsubscribed" if here.status and status == "unsubscribed" else "imported"
        event = ConsentRecord(
            kind,
            self._env.now,
            source=person.source[:20],
            ip=person.ip,
            note=to_plain_line(note, limit=500),
        )
        self._noted.append((key, _as_row(event), ""))

    def suppress(self, person: SubscriberRow, address: Address, reason: str, note: str) -> None:
        """Note that an address is never to be mailed again."""
        self._barred[address.key] = {
            "email_hash": hash_address(self._env, address.key)[0],
            "email_key": address.key,
            "reason": reason,
            "note": to_plain_line(person.suppressed_note if person.ours else note, limit=500),
            "created_at": person.suppressed_at or self._env.now,
        }
        self._remember(address.key, replace(self.known(address.key), suppressed=True))

    def suppress_hash(self, person: SubscriberRow) -> bool:
        """Note somebody who was erased, of whom only the hash is left.

        Returns False where that is known already.
        """
        hashed = person.suppressed_hash
        if hashed in self._known.hashes or hash((hashed, "hash")) in (self._before or {}):
            return False
        self._known.hashes.add(hashed)
        if self._before is not None:
            self._before[hash((hashed, "hash"))] = _NOBODY
        self._barred[f"#{hashed}"] = {
            "email_hash": hashed,
            "email_key": None,
            "reason": person.suppressed or "erased",
            "note": person.suppressed_note,
            "created_at": person.suppressed_at or self._env.now,
        }
        return True

    def write(self) -> None:
        """Write everything that was put, in the order of the addresses, so that two imports at once
        wait for each other and do not lock each other out. Raises `Conflict` where somebody was
        quicker.
        """
        returned = insert_rows(
            self._session,
            _subscribers,
            [self._people[key] for key in sorted(self._people)],
            "id",
            "email_key",
        )
        ids = self._known.ids | {key: id_ for id_, key in returned}
        rows = [{"subscriber_id": ids[key[0]], **self._made[key]} for key in sorted(self._made)]
        made = insert_rows(self._session, _subscriptions, rows, "id", "subscriber_id", "list_id")
        new = {(subscriber_id, list_id): id_ for id_, subscriber_id, list_id in made}
        update_subscribers(self._session, self._corrected)
        update_subscriptions(self._session, self._changed)
        tagged = [
            (ids[key], tag) for key in sorted(self._new_tags) for tag in sorted(self._new_tags[key])
        ]
        insert_rows(
            self._session, _tags, [{"subscriber_id": id_, "tag": tag} for id_, tag in tagged]
        )
        self._write_events(ids, new)
        insert_rows(
            self._session, _suppressions, [self._barred[key] for key in sorted(self._barred)]
        )

    def _write_events(self, ids: dict[str, int], new: dict[tuple[int, int], int]) -> None:
        first: dict[str, datetime] = {}
        for _, event, wording in self._noted:
            if wording:
                first[wording] = min(first.get(wording, event["at"]), event["at"])
        versions = {
            wording: store_wording(self._session, wording, at)
            for wording, at in sorted(first.items())
        }
        rows = []
        for key, event, wording in self._noted:
            known = self._known.here[key].subscription_id
            id_ = known if known is not None else new[ids[key[0]], self.lists[key[1]].id]
            rows.append({"subscription_id": id_, **event, "wording_hash": versions.get(wording)})
        insert_rows(self._session, _events, rows)
        self._write_transitions(ids, new)

    def _write_transitions(self, ids: dict[str, int], new: dict[tuple[int, int], int]) -> None:
        """Write the events of the subscriptions whose status changes."""
        transitions = []
        for key, before, after in self._transitions:
            list_id = self.lists[key[1]].id
            known = self._known.here[key].subscription_id
            transitions.append(
                ImportedTransition(
                    known if known is not None else new[ids[key[0]], list_id],
                    list_id,
                    SubscriptionStatus(before) if before else None,
                    SubscriptionStatus(after),
                )
            )
        events_of_import(self._session, transitions, self._env.now)


def _language(person: SubscriberRow) -> str:
    """The language of a row; of another program's file one of ours, or none."""
    return (
        to_plain_line(person.language, limit=20) if person.ours else known_language(person.language)
    )


def _read_source(text: str) -> EvidenceSource:
    """Return the source that a file names, `IMPORT` if it is none of the known ones."""
    return EvidenceSource(text) if text in set(EvidenceSource) else EvidenceSource.IMPORT


def _as_row(event: ConsentRecord) -> dict[str, Any]:
    return {
        "kind": ConsentKind(event.kind),
        "at": event.at,
        "source": _read_source(event.source),
        "form": event.form,
        "page": event.page,
        "ip": event.ip,
        "user_agent": event.user_agent,
        "message_id": event.message_id,
        "note": event.note,
    }


_NOWHERE, _NOBODY = KnownSubscription(), KnownAddress()
_SHARED: dict[KnownSubscription | KnownAddress, KnownSubscription | KnownAddress] = {}
"""One object for each thing that can be known, so that a dry run of a million rows remembers them
in little memory.
"""


def _share(value: KnownSubscription | KnownAddress) -> KnownSubscription | KnownAddress:
    return _SHARED.setdefault(value, value)
