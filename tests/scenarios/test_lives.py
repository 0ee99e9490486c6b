"""Random lives of readers: whatever they do and whenever we crash, each entry reaches each of them
at most once, and who stays gets every entry of her topics exactly once by the end.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta

import pytest
from sqlalchemy import select

from newsletter.db.session import transaction
from newsletter.mail.render import MailContent, Renderer
from newsletter.models import Entry, Feed, MailingList, Subscription
from newsletter.schedule import CADENCES
from newsletter.services.digests import due as digests
from newsletter.services.digests import intros
from newsletter.services.lists import lists, topics
from newsletter.services.polling import entries, entry_state, store
from newsletter.services.runtime import Environment
from newsletter.services.sending import run as sending
from newsletter.services.subscribers import admin as subscribers
from newsletter.services.subscribers.correct import Correction, correct_subscriber
from tests.fakes import Clock, Sink, body
from tests.people import add_entry, add_feed, add_list

TOPICS = ("sleep", "breath", "food")


class Crash(Exception):
    """The power went out."""


@dataclass
class Brittle:
    """A clock that fails on its n-th look: somewhere within a transaction, or before or after
    it.
    """

    clock: Clock
    left: int

    def __call__(self) -> object:
        self.left -= 1
        if self.left == 0:
            raise Crash
        return self.clock()


class BrittleRenderer(Renderer):
    """A renderer that fails on its n-th mail."""

    def __init__(self, inner: Renderer, left: int) -> None:
        self.inner = inner
        self.left = left

    def render(self, mail: str, context: Mapping[str, object]) -> MailContent:
        self.left -= 1
        if self.left == 0:
            raise Crash
        return self.inner.render(mail, context)


@dataclass
class Life:
    """One run: what was published, and what each reader must have got by the end (`owed`)."""

    env: Environment
    clock: Clock
    sink: Sink
    dice: random.Random
    topics_of: dict[str, str] = field(default_factory=dict)
    chosen: dict[str, set[str]] = field(default_factory=dict)
    owed: dict[str, set[str]] = field(default_factory=dict)
    everyone: list[str] = field(default_factory=list)
    step: int = 0

    def join(self) -> None:
        email = f"r{self.step}@example.com"
        subscribers.add_subscriber(
            self.env,
            subscribers.Addition(email, because="asked", cadence=self.dice.choice(CADENCES)),
        )
        result = set(self.dice.sample(TOPICS, self.dice.choice([0, 0, 1, 2])))
        with transaction() as session:
            topics.choose_topics(session, self._subscription(session, email), result)
        self.everyone.append(email)
        self.chosen[email] = result
        self.owed[email] = set()

    def publish(self) -> None:
        title = f"Entry number {self.step}."
        about = self.dice.choice(["", *TOPICS])
        with transaction() as session:
            feed = session.scalars(select(Feed)).one()
            entry = add_entry(session, feed, title, now=self.clock.now)
            entry.categories = [about] if about else []
        self.topics_of[title] = about
        self._owe(title)

    def _owe(self, title: str) -> None:
        about = self.topics_of[title]
        for email, titles in self.owed.items():
            if not about or not self.chosen[email] or about in self.chosen[email]:
                titles.add(title)

    def switch(self) -> None:
        if self.everyone:
            correct_subscriber(
                self.env,
                self.dice.choice(self.everyone),
                Correction(cadence=self.dice.choice(CADENCES)),
            )

    def pause(self) -> None:
        if self.everyone:
            with transaction() as session:
                someone = self._subscription(session, self.dice.choice(self.everyone))
                someone.paused_until = self.clock.now + timedelta(days=self.dice.randint(1, 20))

    def leave(self) -> None:
        if self.everyone:
            email = self.dice.choice(self.everyone)
            subscribers.unsubscribe(self.env, email, "blog")
            self.owed.pop(email, None)

    def correct(self) -> None:
        """Edit an entry, which makes no new one, whether or not it was mailed."""
        with transaction() as session:
            if rows := session.scalars(select(Entry)).all():
                self.dice.choice(rows).content_html = f"<p>Corrected at step {self.step}</p>"

    def hold(self) -> None:
        ready = [row for row in entries.list_entries(limit=500) if row.fate == "ready"]
        if ready:
            entries.hold(self.env, self.dice.choice(ready).id)

    def release(self) -> None:
        """Release what was held, for everybody who reads now."""
        held = entries.list_entries(limit=500, fate="held")
        if held:
            self._owe(entries.release(self.env, self.dice.choice(held).id).title)

    def vanish(self, share: float = 0.3) -> None:
        """Take some of what it had, mailed or not, out of the feed."""
        with transaction() as session:
            rows = session.scalars(
                select(Entry).where(Entry.withdrawn_at.is_(None), Entry.by_hand.is_(False))
            ).all()
            lost = [
                entry.id
                for entry in rows
                if entry.fate in ("ready", "sent") and self.dice.random() < share
            ]
            store.withdraw_entries(self.env, session, lost)

    def reappear(self, share: float = 0.5) -> None:
        """Put some of it back: what nobody had is new for everybody who reads now, the rest for
        whom it was.
        """
        with transaction() as session:
            for entry in session.scalars(
                select(Entry).where(Entry.withdrawn_at.is_not(None)).order_by(Entry.id)
            ).all():
                if self.dice.random() < share:
                    if entry.fate == "skipped":
                        self._owe(entry.title)
                    entry_state.return_to_feed(self.env, session, entry)

    def flicker(self) -> None:
        """Serve an empty feed at the very moment one is composed, or a crash strikes."""
        self.vanish(share=self.dice.choice([0.5, 1.0]))
        self.dice.choice([self.tick, self.crash, self.by_hand, self.asleep])()
        self.reappear(share=self.dice.choice([0.5, 1.0]))

    def introduce(self) -> None:
        intros.write_intro(self.env, None, "A word before")

    def by_hand(self) -> None:
        digests.send_now(self.env)

    def tick(self) -> None:
        digests.compose_due(self.env)
        sending.send_due(self.env)

    def crash(self) -> None:
        """Let a worker die while it composes; the next one goes on."""
        brittle = BrittleRenderer(self.env.renderer, self.dice.randint(1, 4))
        broken = (
            replace(self.env, clock=Brittle(self.clock, self.dice.randint(1, 12)))
            if self.dice.random() < 0.6
            else replace(self.env, make_renderer=lambda: brittle)
        )
        try:
            self.dice.choice([digests.compose_due, digests.send_now])(broken)  # type: ignore[operator]
        except Crash:
            return

    def asleep(self) -> None:
        self.clock.forward(timedelta(days=3))
        self.tick()

    def _subscription(self, session, email: str) -> Subscription:  # type: ignore[no-untyped-def]
        result = select(Subscription).where(Subscription.subscriber.has(email=email))
        subscription: Subscription = session.scalars(result).one()
        return subscription

    def live(self, steps: int) -> None:
        acts: list[Callable[[], None]] = [
            self.join,
            self.join,
            self.publish,
            self.publish,
            self.publish,
            self.switch,
            self.pause,
            self.leave,
            self.correct,
            self.hold,
            self.release,
            self.introduce,
            self.by_hand,
            self.tick,
            self.tick,
            self.tick,
            self.crash,
            self.crash,
            self.asleep,
            self.vanish,
            self.reappear,
            self.flicker,
            self.flicker,
        ]
        for self.step in range(steps):
            self.clock.forward(timedelta(hours=self.dice.choice([0, 1, 7, 20, 50])))
            self.dice.choice(acts)()
        self.reappear(share=1.0)
        while entries.list_entries(limit=500, fate="held"):
            self.release()
        for _ in range(65):
            self.clock.forward(timedelta(hours=23))
            self.tick()

    def got(self) -> dict[str, Counter[str]]:
        titles_of = {email: Counter[str]() for email in self.everyone}
        for outgoing, message in zip(self.sink.accepted, self.sink.messages, strict=True):
            if message["List-ID"] and "Welcome" not in message["Subject"]:
                text = body(message)
                titles_of[outgoing.recipient].update(
                    title for title in self.topics_of if f"{title}\n" in text
                )
        return titles_of


@pytest.mark.lives
@pytest.mark.parametrize("seed", range(5))
def test_each_entry_once_to_each_reader(
    env: Environment, clock: Clock, sink: Sink, seed: int
) -> None:
    dice = random.Random(seed)
    with transaction() as session:
        add_feed(
            session,
            add_list(session, timezone=dice.choice(["UTC", "Europe/Berlin", "America/Sao_Paulo"])),
        )
    if seed % 2:
        lists.edit(env, "blog", {"min_entries": "3", "max_wait": "14", "monthday": "31"})
    for name in TOPICS:
        topics.add(None, name, categories=[name])
    life = Life(env, clock, sink, dice)
    life.live(90)
    received = life.got()
    for email in life.everyone:
        assert max(received[email].values(), default=0) <= 1, email
    for email, titles in life.owed.items():
        assert set(received[email]) == titles, email
    with transaction() as session:
        assert session.scalars(select(MailingList)).one().entry_seq >= len(life.topics_of)
