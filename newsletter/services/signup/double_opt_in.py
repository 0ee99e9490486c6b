"""Writing to an address because somebody typed it into a form: once a day, three times in all, then silence; over all
lists, until it confirms (S01). The only place that queues a confirmation."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Set
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, NamedTuple, Protocol, cast

from sqlalchemy import Table, bindparam, delete, insert, select, text, update
from sqlalchemy.orm import Session

from newsletter import outbox
from newsletter.models import Asking, ConsentEvent, Subscriber, Subscription
from newsletter.services.consent import Evidence, note_consent
from newsletter.services.runtime import Environment
from newsletter.services.suppressions import hashes
from newsletter.tokens import message_id, new_handle

AT_MOST = 3
EVERY = timedelta(days=1)
FORGOTTEN_AFTER = timedelta(days=365)

# Past the ORM: a sign-up is what everybody may do, as often as they like.
_subscribers, _subscriptions = cast(Table, Subscriber.__table__), cast(Table, Subscription.__table__)
_askings = cast(Table, Asking.__table__)
_SUBSCRIBER = select(_subscribers.c.id).where(_subscribers.c.email_key == bindparam("key")).with_for_update()
_SUBSCRIPTION = select(_subscriptions.c.id, _subscriptions.c.status, _subscriptions.c.round).where(
    _subscriptions.c.list_id == bindparam("list"), _subscriptions.c.subscriber_id == bindparam("subscriber")
)
_ASKED = (
    select(_askings.c.email_hash, _askings.c.count, _askings.c.last_at)
    .where(_askings.c.email_hash.in_(bindparam("hashes", expanding=True)))
    .limit(1)
    .with_for_update()
)
_COUNTED = text(
    "INSERT INTO askings (email_hash, count, last_at) VALUES (:hash, 1, :now) "
    "ON CONFLICT (email_hash) DO UPDATE SET count = askings.count + 1, last_at = :now"
).bindparams(bindparam("now", type_=_askings.c.last_at.type))
_CHANGED = update(_subscriptions).where(_subscriptions.c.id == bindparam("which"))


@dataclass(frozen=True, slots=True)
class Request:
    """What somebody asked for, and for which address: what the form said and holds. `sender` is the list's address,
    `agreed` maps the author's consent fields that were ticked to their wording."""

    list_id: int
    sender: str
    email: str
    email_key: str
    cadence: str
    wording: str
    evidence: Evidence
    name: str = ""
    language: str = ""
    answers: dict[str, object] = field(default_factory=dict)
    agreed: dict[str, str] = field(default_factory=dict)
    topics: str = ""


class Counted(Protocol):
    """How often an address was asked, and when last."""

    @property
    def count(self) -> int: ...
    @property
    def last_at(self) -> datetime: ...


class Asked(NamedTuple):
    """The same, with the hash that it is known by."""

    email_hash: str
    count: int  # type: ignore[assignment] # a tuple's own `count` is of no use here
    last_at: datetime


class Standing(NamedTuple):
    """What is known of an address on a list: ids, where there are any, and the subscription's state."""

    subscriber_id: int | None = None
    subscription_id: int | None = None
    status: str = "pending"
    round: int = 0


def may_ask(asked: Counted | None, now: datetime) -> bool:
    """Whether an address may be written to. Pure."""
    return asked is None or (asked.count < AT_MOST and now - asked.last_at >= EVERY)


def ask(env: Environment, session: Session, request: Request, *, barred: bool = False) -> None:
    """Takes a request down and queues what its address gets for it: a confirmation, or word that it is subscribed
    already; nothing where it was asked often enough (then a confirmation is owed until it confirms another list), or is
    `barred`. Nobody but its owner changes an active subscription.

    Whoever asks, the same is read and the same is written; what is not his is written for nobody, and taken back, so
    that the time says nothing either (S04).
    """
    standing, asked = _standing(session, request), _asked(env, session, request.email_key)
    asks = not barred and may_ask(asked, env.now)
    own = set() if barred else _steps(standing, asks=asks)
    pen = _Pen(env, session, request, standing, asks=asks)
    known_as = asked.email_hash if asked and not barred else hashes(env, request.email_key)[0]
    held = pen.write(own, standing, known_as)
    nobody = replace(request, email_key=new_handle(), name="", language="")
    with taken_back(session):
        _Pen(env, session, nobody, standing, asks=True).write(STEPS - own, held, hashes(env, nobody.email_key)[0])


STEPS = frozenset({"subscriber", "subscription", "change", "count", "queue", "note"})
"""What taking a request down may consist of."""


def _steps(standing: Standing, *, asks: bool) -> Set[str]:
    """Those that a request comes to. Pure."""
    new = standing.subscription_id is None or standing.status == "unsubscribed"
    steps = {"subscriber"} if standing.subscriber_id is None else set()
    steps.add("subscription" if standing.subscription_id is None else "change")
    return steps | ({"count", "queue"} if asks else set()) | ({"note"} if asks or new else set())


class _Pen:
    """Writes a request down, step by step."""

    def __init__(self, env: Environment, session: Session, request: Request, standing: Standing, *, asks: bool) -> None:
        self.session, self.request, self.now = session, request, env.now
        self.connection = session.connection()
        self.active = standing.status == "active"
        new = standing.subscription_id is None or standing.status == "unsubscribed"
        self.round = standing.round + new
        self.values: dict[str, Any] = {"list_id": request.list_id}
        if asks or new:
            self.values.update(withheld=not asks, confirmation_at=self.now)
        if not self.active:
            self.values.update(
                status="pending", round=self.round, cadence=request.cadence, answers=request.answers,
                topics=request.topics,
            )  # fmt: skip

    def write(self, steps: Set[str], standing: Standing, known_as: str) -> Standing:
        """Does these `steps`, the others having been done to `standing`. Returns what there is then."""
        subscriber, subscription = standing.subscriber_id, standing.subscription_id
        if "subscriber" in steps:
            subscriber = self._subscriber()
        if "subscription" in steps:
            values = {"cadence": self.request.cadence, **self.values, "status": "pending", "subscriber_id": subscriber}
            subscription = self._insert(_subscriptions, values)
        if "change" in steps:
            self.connection.execute(_CHANGED, {"which": subscription, **self.values})
        if "count" in steps:
            _count(self.session, known_as, self.now)
        sent = ""
        if "queue" in steps and subscription is not None:
            mail = "already" if self.active else "confirm"
            sent = _queue(self.session, mail, subscription, self.round, self.request.sender, self.now)
        if "note" in steps and subscription is not None:
            self._note(subscription, sent)
        return standing._replace(subscriber_id=subscriber, subscription_id=subscription)

    def _subscriber(self) -> int:
        person = self.request
        values = {
            "email": person.email,
            "email_key": person.email_key,
            "name": person.name,
            "language": person.language,
        }
        return self._insert(_subscribers, values)

    def _insert(self, table: Table, values: dict[str, Any]) -> int:
        row = {**values, "handle": new_handle(), "created_at": self.now}
        return int(self.connection.execute(insert(table).returning(table.c.id), row).scalar_one())

    def _note(self, subscription: int, sent: str) -> None:
        asked = self.request
        note_consent(
            self.session, subscription, "requested", asked.evidence, self.now, wording=asked.wording, message_id=sent
        )  # fmt: skip
        for name, wording in asked.agreed.items():
            evidence = Evidence(asked.evidence.source, form=asked.evidence.form, note=name)
            note_consent(self.session, subscription, "agreed", evidence, self.now, wording=wording)


@contextmanager
def taken_back(session: Session) -> Iterator[None]:
    """A piece of work that is undone at its end, for the sake of the time it takes."""
    savepoint = session.connection().begin_nested()
    try:
        yield
    finally:
        savepoint.rollback()


def _standing(session: Session, request: Request) -> Standing:
    connection = session.connection()
    subscriber = connection.execute(_SUBSCRIBER, {"key": request.email_key}).scalar()
    found = connection.execute(_SUBSCRIPTION, {"list": request.list_id, "subscriber": subscriber or 0}).one_or_none()
    return Standing(subscriber, *found) if found else Standing(subscriber)


def _asked(env: Environment, session: Session, email_key: str) -> Asked | None:
    found = session.connection().execute(_ASKED, {"hashes": hashes(env, email_key)}).one_or_none()
    return Asked(*found) if found else None


def _count(session: Session, email_hash: str, now: datetime) -> None:
    session.connection().execute(_COUNTED, {"hash": email_hash, "now": now})


def _queue(session: Session, mail: str, subscription_id: int, round_: int, sender: str, now: datetime) -> str:
    """Queues a mail. Returns the Message-ID that it will have."""
    seed = secrets.token_hex(16)
    context = {"round": round_, "seed": seed} if mail == "confirm" else {"seed": seed}
    queued = outbox.enqueue(
        session, mail=mail, subscription_id=subscription_id, now=now, context=context, held=mail == "confirm"
    )
    return message_id(seed, queued, sender.rpartition("@")[2])


def asked_with(session: Session, subscription: Subscription) -> tuple[str, str]:
    """The wording of the request that is being confirmed, and the Message-ID of the mail that asked."""
    events = session.scalars(
        select(ConsentEvent)
        .where(ConsentEvent.subscription_id == subscription.id, ConsentEvent.kind.in_(("requested", "asked")))
        .order_by(ConsentEvent.id.desc())
        .limit(10)
    ).all()
    wording = next((event.wording.text for event in events if event.wording), "")
    return wording, next((event.message_id for event in events if event.message_id), "")


def answered(env: Environment, session: Session, subscriber: Subscriber) -> None:
    """An address has confirmed: its owner is there, and what was counted against it is forgotten. If it waits for a
    confirmation of another list, it gets that now."""
    session.execute(delete(Asking).where(Asking.email_hash.in_(hashes(env, subscriber.email_key))))
    now = env.now
    for other in subscriber.subscriptions:
        if other.withheld and other.status == "pending":
            _count(session, hashes(env, subscriber.email_key)[0], now)
            other.withheld, other.confirmation_at = False, now
            sent = _queue(session, "confirm", other.id, other.round, other.mailing_list.from_email, now)
            note_consent(session, other.id, "asked", Evidence("confirmation"), now, message_id=sent)
            return
