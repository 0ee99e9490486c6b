"""`explain campaign ID ADDR`: the twenty cases, each with other lists, campaigns and addresses."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

import pytest
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from newsletter import outbox
from newsletter.authoring.letter_file import parse_letter
from newsletter.db.session import transaction
from newsletter.errors import TransportError
from newsletter.mail.smtp.reply_parser import Reply
from newsletter.mail.smtp.types import Outcome
from newsletter.models import Delivery, DigestPeriod, MailingList, Subscription
from newsletter.services import suppressions, tags
from newsletter.services.campaigns import campaigns
from newsletter.services.campaigns.delivery_case import DeliveryFinding
from newsletter.services.campaigns.explain_delivery import explain_delivery
from newsletter.services.letters import send as letters
from newsletter.services.operations.hold import hold_installation
from newsletter.services.runtime import Environment
from newsletter.services.sending import run as sending
from newsletter.services.subscribers import admin, privacy
from newsletter.settings import Settings
from newsletter.vocabulary import DeliveryStatus, MailKind, SubscriptionStatus
from tests.fakes import Clock, Sink
from tests.people import add_list, add_reader

ANA = "ana@example.com"


@dataclass
class World:
    """An installation with two lists, and a letter of another list that everybody of it got."""

    env: Environment
    sink: Sink
    clock: Clock
    ids: dict[str, int]

    def send(self, lines: str = "", slug: str = "blog") -> int:
        """Start a letter, whose messages wait."""
        self.clock.forward(timedelta(minutes=1))
        text = f"---\nsubject: Hello {self.clock.now}\n{lines}---\n\nText"
        return letters.send_letter(self.env, parse_letter(text), slug)

    def deliver(self, campaign_id: int) -> None:
        sending.send_due(self.env, campaign_id=campaign_id)
        self.clock.forward(timedelta(minutes=1))

    def change(self, **values: object) -> None:
        """Change Ana's subscription."""
        with transaction() as session:
            query = update(Subscription).where(Subscription.id == self.ids[ANA])
            session.execute(query.values(**values))

    def tag(self, address: str, name: str) -> None:
        with transaction() as session:
            tags.add_tags(session, self._subscriber_id(session, address), [name])

    def untag(self, address: str, name: str) -> None:
        with transaction() as session:
            tags.remove_tags(session, self._subscriber_id(session, address), [name])

    def _subscriber_id(self, session: Session, address: str) -> int:
        return session.get_one(Subscription, self.ids[address]).subscriber_id

    def confirmation(self, **values: object) -> None:
        """Make Ana unconfirmed, with a confirmation in this state."""
        self.change(status=SubscriptionStatus.PENDING, confirmed_at=None)
        with transaction() as session:
            delivery_id = outbox.enqueue(
                session,
                mail=MailKind.CONFIRM,
                subscription_id=self.ids[ANA],
                now=self.env.now,
            )
            session.execute(update(Delivery).where(Delivery.id == delivery_id).values(**values))

    def message(self, campaign_id: int, **values: object) -> None:
        """Change Ana's message of a campaign."""
        with transaction() as session:
            query = update(Delivery).where(
                Delivery.campaign_id == campaign_id, Delivery.subscription_id == self.ids[ANA]
            )
            session.execute(query.values(**values))


@pytest.fixture
def settings(settings: Settings, request: pytest.FixtureRequest) -> Settings:
    more = getattr(request, "param", {})
    return settings.model_copy(update={"smtp": settings.smtp.model_copy(update=more)})


@pytest.fixture
def world(env: Environment, sink: Sink, clock: Clock) -> World:
    ids = {}
    with transaction() as session:
        blog = add_list(session)
        other = add_list(session, "other")
        add_reader(session, other, "zoe@example.com")
        for name in ("ben", "ana", "cleo", "dan", "eva"):
            email = f"{name}@example.com"
            ids[email] = add_reader(session, blog, email).id
    world = World(env, sink, clock, ids)
    world.deliver(world.send(slug="other"))
    return world


def server_down(world: World) -> int:
    campaign_id = world.send()
    error = TransportError("mail.example:587", "connection refused")
    error.rests_for = 600.0
    world.sink.script = lambda outgoing: error
    sending.send_due(world.env)
    return campaign_id


def refused_for_now(world: World) -> int:
    world.sink.script = lambda outgoing: (
        Outcome(outgoing.id, "refused", "RCPT", Reply(450, "4.2.2", "Mailbox full"), "sink")
        if outgoing.recipient == ANA
        else None
    )
    campaign_id = world.send()
    world.deliver(campaign_id)
    return campaign_id


def waits_for_subject(world: World) -> int:
    campaign_id = world.send("subject_b: Other words\nshare: 40\n")
    with transaction() as session:
        tried = select(Delivery).where(
            Delivery.campaign_id == campaign_id, Delivery.subscription_id == world.ids[ANA]
        )
        row = session.scalars(tried).first()
        if row is not None:  # drawn by lot: let somebody else try it in Ana's place
            chosen = select(Delivery.subscription_id).where(Delivery.campaign_id == campaign_id)
            free = set(world.ids.values()) - set(session.scalars(chosen))
            row.subscription_id = min(free)
    world.deliver(campaign_id)
    return campaign_id


def not_in_segment(world: World) -> int:
    world.tag("ben@example.com", "berlin")
    campaign_id = world.send("segment: '\"berlin\" in tags'\n")
    world.deliver(campaign_id)
    world.tag(ANA, "berlin")
    return campaign_id


def left_segment(world: World) -> int:
    world.tag(ANA, "berlin")
    campaign_id = world.send("segment: '\"berlin\" in tags'\n")
    world.deliver(campaign_id)
    world.untag(ANA, "berlin")
    return campaign_id


def suppressed_before(world: World) -> int:
    suppressions.suppress(world.env, ANA)
    campaign_id = world.send()
    world.deliver(campaign_id)
    return campaign_id


def suppressed_since(world: World) -> int:
    campaign_id = world.send()
    world.clock.forward(timedelta(minutes=1))
    suppressions.suppress(world.env, ANA)
    return campaign_id


def removed_since(world: World) -> int:
    campaign_id = world.send()
    world.deliver(campaign_id)
    admin.remove_subscriber(world.env, ANA)
    return campaign_id


def on_break(world: World) -> int:
    world.change(paused_until=world.env.now + timedelta(days=3))
    campaign_id = world.send()
    world.deliver(campaign_id)
    world.clock.forward(timedelta(days=5))
    return campaign_id


def confirmation_bounced(world: World) -> int:
    world.confirmation(status=DeliveryStatus.FAILED, code=550, text="no such user", due_at=None)
    return world.send()


def confirmation_held(world: World) -> int:
    world.confirmation(due_at=None)
    return world.send()


def never_confirmed(world: World) -> int:
    world.confirmation(status=DeliveryStatus.SENT, due_at=None)
    return world.send()


def confirmed_after(world: World) -> int:
    world.change(status=SubscriptionStatus.PENDING, confirmed_at=None)
    campaign_id = world.send()
    world.clock.forward(timedelta(hours=1))
    world.change(status=SubscriptionStatus.ACTIVE, confirmed_at=world.env.now)
    return campaign_id


def other_cadence(world: World) -> int:
    world.change(status=SubscriptionStatus.UNSUBSCRIBED)
    campaign_id = world.send()
    world.change(status=SubscriptionStatus.ACTIVE)
    with transaction() as session:
        list_id = session.scalars(select(MailingList.id).where(MailingList.slug == "blog")).one()
        session.add(
            DigestPeriod(
                list_id=list_id,
                cadence="daily",
                key="2026-11-24",
                campaign_id=campaign_id,
                why="",
                composed_at=world.env.now,
            )
        )
    return campaign_id


def cancelled(world: World) -> int:
    campaign_id = world.send()
    campaigns.cancel(world.env, campaign_id)
    return campaign_id


def in_doubt(world: World) -> int:
    campaign_id = world.send()
    world.message(campaign_id, status=DeliveryStatus.IN_DOUBT, doubts=1, due_at=world.env.now)
    return campaign_id


def held_back(world: World) -> int:
    campaign_id = world.send()
    hold_installation(world.env, "restored from a backup")
    return campaign_id


def erased(world: World) -> int:
    campaign_id = world.send()
    world.deliver(campaign_id)
    privacy.erase_address(world.env, ANA)
    return campaign_id


def plain(world: World) -> int:
    campaign_id = world.send()
    world.deliver(campaign_id)
    return campaign_id


Story = Callable[[World], int]
CASES: list[tuple[Story, str, DeliveryFinding, bool | None, str]] = [
    (server_down, ANA, DeliveryFinding.SERVER_DOWN, None, "connection refused"),
    (refused_for_now, ANA, DeliveryFinding.REFUSED_FOR_NOW, None, "450"),
    (waits_for_subject, ANA, DeliveryFinding.WAITS_FOR_SUBJECT, None, "two subjects"),
    (not_in_segment, ANA, DeliveryFinding.NOT_IN_SEGMENT, False, "they are in it now"),
    (left_segment, ANA, DeliveryFinding.SENT, True, "took the message"),
    (suppressed_before, ANA, DeliveryFinding.SUPPRESSED_BEFORE, False, "suppressed since 2026"),
    (suppressed_since, ANA, DeliveryFinding.SUPPRESSED_SINCE, False, "was withdrawn"),
    (removed_since, ANA, DeliveryFinding.REMOVED_SINCE, None, "1 recipients"),
    (on_break, ANA, DeliveryFinding.ON_BREAK, False, "on a break until"),
    (confirmation_bounced, ANA, DeliveryFinding.CONFIRMATION_FAILED, False, "no such user"),
    (confirmation_held, ANA, DeliveryFinding.CONFIRMATION_HELD, False, "held back"),
    (never_confirmed, ANA, DeliveryFinding.NEVER_CONFIRMED, False, "never confirmed"),
    (
        confirmed_after,
        ANA,
        DeliveryFinding.CONFIRMED_AFTER,
        False,
        "after the campaign had started",
    ),
    (other_cadence, ANA, DeliveryFinding.OTHER_CADENCE, False, "the daily digest"),
    (cancelled, ANA, DeliveryFinding.CANCELLED, False, "withdrawn"),
    (in_doubt, ANA, DeliveryFinding.IN_DOUBT, None, "sent once more"),
    (held_back, ANA, DeliveryFinding.HELD, None, "restored from a backup"),
    (erased, ANA, DeliveryFinding.ERASED, None, "erased"),
    (
        plain,
        "zoe@example.com",
        DeliveryFinding.OTHER_LIST,
        False,
        "subscribes to other, not to blog",
    ),
    (plain, "nobody@example.com", DeliveryFinding.UNKNOWN_ADDRESS, False, "not known"),
]


@pytest.mark.parametrize(
    ("story", "address", "finding", "expected", "words"),
    CASES,
    ids=[case[2].value for case in CASES],
)
def test_explain_tells_the_truth(
    world: World,
    story: Story,
    address: str,
    finding: DeliveryFinding,
    expected: bool | None,
    words: str,
) -> None:
    campaign_id = story(world)
    explanation = explain_delivery(world.env, campaign_id, address)
    assert (explanation.case, explanation.has_received) == (finding, expected), explanation.verdict
    assert words in explanation.verdict


@pytest.mark.parametrize("settings", [{"max_per_hour": 3}], indirect=True)
def test_explain_knows_that_a_ceiling_is_reached(world: World) -> None:
    campaign_id = world.send()
    sending.send_due(world.env)
    explanation = explain_delivery(world.env, campaign_id, "eva@example.com")
    assert (explanation.case, explanation.has_received) == (DeliveryFinding.CEILING, None)
    assert "smtp.max_per_hour (3) is reached" in explanation.verdict
    assert explain_delivery(world.env, campaign_id, "ben@example.com").has_received is True
