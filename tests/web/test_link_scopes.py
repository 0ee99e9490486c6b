"""Every kind of signed link shows and changes what its purpose's scope says, and after a change of
address nothing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import inspect, select, text

from newsletter import outbox
from newsletter.db.session import db, transaction
from newsletter.link_purposes import LinkPurpose, LinkScope
from newsletter.models import (
    AddressChange,
    Campaign,
    ConsentEvent,
    Delivery,
    MailingList,
    RetiredHandle,
    Subscriber,
    Subscription,
)
from newsletter.services import resources
from newsletter.services.consent import Evidence
from newsletter.services.digests import due as digests
from newsletter.services.lists import topics
from newsletter.services.operations import cleanup
from newsletter.services.runtime import EXTENSION
from newsletter.services.sending import run as sending
from newsletter.services.subscribers import address_change
from newsletter.services.suppressions import hash_address
from newsletter.tokens import Tokens
from newsletter.vocabulary import Cadence, EvidenceSource
from tests.conftest import SECRET
from tests.fakes import START, Clock, Sink, body
from tests.people import add_entry, add_feed, add_list, add_reader
from tests.web.test_opaque import SINGLE

ANA = "ana.privat@example.com"
NEW = "ana.neu@newhome.example"
OTHERS = (
    "Long Talks",
    "talks",
    "Burnout Recovery",
    "burnout",
    "Short Walks",
    "walks",
    "else.example",
    "Ana Geheim",
)
"""Words that a link about the subscription of `blog` must not show."""
MAILED = [
    purpose for purpose in LinkPurpose if purpose.scope not in (LinkScope.LIST, LinkScope.AUTHOR)
]
IN_EVERY_MAIL = [purpose for purpose in MAILED if purpose.scope is LinkScope.SUBSCRIPTION]


@dataclass
class World:
    """Ana's subscriptions: two of one sender, one of another, and a request that waits; and a
    stranger.
    """

    app: Flask
    client: FlaskClient
    clock: Clock
    sink: Sink

    def handle(self, slug: str) -> str:
        with self.app.app_context():
            query = select(Subscription.handle).join(MailingList).join(Subscriber)
            return db.session.scalars(
                query.where(MailingList.slug == slug, Subscriber.name == "Ana Geheim")
            ).one()

    def payload(self, purpose: LinkPurpose, handle: str) -> str:
        rest = {
            "confirm": "1",
            "never": "1",
            "stay": "campaign-one",
            "resources": "guide",
            "answer": "campaign-one.0.0",
            "address": "x",
        }
        return f"{handle}.{rest[purpose]}" if purpose in rest else handle

    def link(self, purpose: LinkPurpose, handle: str) -> str:
        token = Tokens([SECRET]).sign(purpose, self.payload(purpose, handle), self.clock.now)
        return f"/{purpose.path}/{token}"

    def state(self, *, without: tuple[str, ...] = ()) -> dict[str, list[str]]:
        skipped = {"counters", "workers", *without}
        with self.app.app_context():
            names = [name for name in inspect(db.engine).get_table_names() if name not in skipped]
            return {
                name: sorted(map(str, db.session.execute(text(f'SELECT * FROM "{name}"')).all()))
                for name in names
            }

    def of_others(self) -> list[tuple[object, ...]]:
        """All that the scope of a link about `blog` does not reach."""
        with self.app.app_context():
            rows = (
                select(*Subscription.__table__.c)
                .join(MailingList)
                .where(MailingList.slug != "blog")
            )
            subscriptions = [
                tuple(row) for row in db.session.execute(rows.order_by(Subscription.id))
            ]
            people = db.session.execute(select(*Subscriber.__table__.c).order_by(Subscriber.id))
            return subscriptions + [tuple(row) for row in people]

    def move(self) -> None:
        """Ana's address changes, as from her account."""
        with self.app.app_context():
            env = self.app.extensions[EXTENSION]
            mark = hash_address(env, NEW)[0][:16]
            with transaction() as session:
                ana = session.scalars(
                    select(Subscriber).where(Subscriber.name == "Ana Geheim")
                ).one()
                ana.new_email = ana.new_email_key = NEW
                handle = ana.subscriptions[0].handle
            token = env.tokens.sign(LinkPurpose.ADDRESS, f"{handle}.{mark}", env.now)
            assert (
                address_change.confirm_change(env, token, Evidence(EvidenceSource.LINK)).state
                == "done"
            )

    def address(self) -> str:
        with self.app.app_context():
            return db.session.scalars(
                select(Subscriber.email).where(Subscriber.name == "Ana Geheim")
            ).one()

    def statuses(self) -> dict[str, str]:
        with self.app.app_context():
            rows = db.session.execute(
                select(MailingList.slug, Subscription.status)
                .join(Subscription, Subscription.list_id == MailingList.id)
                .join(Subscriber, Subscriber.id == Subscription.subscriber_id)
                .where(Subscriber.name == "Ana Geheim")
            )
            return {row.slug: row.status for row in rows}

    def send(self) -> None:
        with self.app.app_context():
            sending.send_due(self.app.extensions[EXTENSION])


@pytest.fixture
def world(app: Flask, client: FlaskClient, clock: Clock, sink: Sink) -> World:
    with app.app_context():
        env = app.extensions[EXTENSION]
        with transaction() as session:
            blog = add_list(session)
            reader = add_reader(session, blog, ANA, name="Ana Geheim")
            add_reader(session, blog, "bob@example.com")
            others = (
                add_list(session, "talks", title="Long Talks"),
                add_list(
                    session, "burnout", title="Burnout Recovery", from_email="dr@else.example"
                ),
                add_list(session, "walks", title="Short Walks"),
            )
            for number, other in enumerate(others):
                status = "pending" if other.slug == "walks" else "active"
                session.add(
                    Subscription(
                        handle=f"handle-{number}x",
                        list_id=other.id,
                        subscriber_id=reader.subscriber_id,
                        status=status,
                        cadence="weekly",
                        created_at=START,
                        confirmed_at=START if status == "active" else None,
                    )
                )
            session.add(
                Campaign(
                    handle="campaign-one",
                    list_id=blog.id,
                    kind="permission",
                    status="sending",
                    subject="Stay?",
                    seed="s",
                    created_at=START,
                    started_at=START,
                    questions=[{"text": "Good?", "choices": ["yes", "no"]}],
                )
            )
        guide = env.settings.folder / "guide.pdf"
        guide.write_bytes(b"%PDF-1.7 guide")
        resources.add_resource(env, guide, title="Guide")
        for slug in ("blog", "talks"):
            topics.add(slug, "Rest", categories=["rest"])
            topics.add(slug, "Work", categories=["work"])
    return World(app, client, clock, sink)


def fields(world: World) -> dict[str, str]:
    """Everything that any form of ours sends, as it would do most harm."""
    names = set(
        re.findall(
            r'name="([^"]+)"',
            world.client.get(world.link(LinkPurpose.ACCOUNT, world.handle("blog"))).text,
        )
    )
    assert {
        "name",
        "language",
        "address",
        "export",
        "erase",
        "end_all",
        "cadence-talks",
        "leave-talks",
    } <= names
    values = dict.fromkeys(names, "1") | {
        name: "daily" for name in names if name.startswith("cadence-")
    }
    values |= {name: "2026-12-24" for name in names if name.startswith("pause-")}
    return values | {
        "name": "Mallory",
        "language": "ro",
        "address": "mallory@example.com",
        "all": "1",
        "join-walks": "1",
        "reason": "often",
        "undo": "1",
        "cadence": "monthly",
        "break": "1",
        "List-Unsubscribe": "One-Click",
    }


@pytest.mark.parametrize("purpose", IN_EVERY_MAIL)
def test_a_link_about_a_subscription_shows_and_changes_nothing_else(
    world: World, purpose: LinkPurpose
) -> None:
    """Anybody may hold it: mails are forwarded."""
    url = world.link(purpose, world.handle("blog"))
    typed = fields(world)
    before = world.of_others()
    pages = [world.client.get(url, buffered=True)]
    for name, value in typed.items():
        pages.append(world.client.post(url, data={name: value}))
    without_one_click = {name: value for name, value in typed.items() if name != "List-Unsubscribe"}
    pages += [world.client.post(url, data=without_one_click), world.client.post(url, data=typed)]
    for page in pages:
        assert page.status_code < 500
        for word in (*OTHERS, ANA):
            assert not re.search(rf"\b{re.escape(word)}\b", page.get_data(as_text=True)), (
                purpose,
                word,
            )
    assert world.of_others() == before
    world.send()
    assert {outgoing.recipient for outgoing in world.sink.accepted} <= {ANA}


def test_a_mail_about_a_subscription_names_no_other(world: World) -> None:
    """Whatever kind of mail it is: it may be forwarded, with its links and its footer."""
    with world.app.app_context():
        env = world.app.extensions[EXTENSION]
        with transaction() as session:
            mine = select(Subscription.id).where(Subscription.handle == world.handle("blog"))
            number = session.scalars(mine).one()
            blog = session.scalars(select(MailingList).where(MailingList.slug == "blog")).one()
            add_entry(session, add_feed(session, blog), "A post")
            for mail, context in SINGLE.items():
                outbox.enqueue(
                    session, mail=mail, subscription_id=number, now=env.now, context=context
                )
        digests.send_now(env, "blog", Cadence.WEEKLY)
    world.send()
    assert len(world.sink.messages) > len(SINGLE), "each kind but a confirmation, and two digests"
    for message in world.sink.messages:
        text_shown = "\n".join([*map(str, message.values()), body(message), body(message, "html")])
        named = {word for word in OTHERS if word in text_shown} - {"Ana Geheim"}
        assert not named, f"{message['Subject']} names {named}"


def test_every_other_purpose_is_mailed_on_request_and_soon_over() -> None:
    rest = {purpose for purpose in LinkPurpose if purpose.scope is LinkScope.SUBSCRIBER}
    assert rest == {"account", "story", "export", "erase", "address", "address-undo"}
    assert {
        purpose for purpose in rest if (purpose.lifetime or timedelta.max) > timedelta(days=1)
    } == {"address-undo"}


@pytest.mark.parametrize(
    "purpose", [purpose for purpose in MAILED if purpose is not LinkPurpose.UNSUBSCRIBE]
)
@pytest.mark.parametrize("slug", ["blog", "walks"])
def test_after_a_move_links_of_old_mails_end_on_a_general_page(
    world: World, purpose: LinkPurpose, slug: str
) -> None:
    url = world.link(purpose, world.handle(slug))
    typed = fields(world)
    world.move()
    before = world.state()
    general = world.client.get(f"/{purpose.path}/zzzzzzzz.zzzz")
    assert general.status_code == 404
    answers = [world.client.get(url)]
    if purpose is not LinkPurpose.RESOURCE:
        answers += [world.client.post(url), world.client.post(url, data=typed)]
    for answer in answers:
        assert (answer.status_code, answer.data) == (404, general.data)
    assert world.state() == before


def test_after_a_move_an_old_unsubscribe_link_ends_its_subscription_and_shows_nothing(
    world: World,
) -> None:
    url = world.link(LinkPurpose.UNSUBSCRIBE, world.handle("blog"))
    general = world.client.get("/unsubscribe/zzzzzzzz")
    world.move()
    before = world.client.get(url)
    page = before.get_data(as_text=True)
    assert page.count("<button") == 1
    for word in (*OTHERS, "preferences", "example.com", "newhome"):
        assert not re.search(rf"\b{re.escape(word)}\b", page), word
    for useless in ({"undo": "1"}, {"reason": "often"}):
        answer = world.client.post(url, data=useless)
        assert (answer.status_code, answer.data) == (404, general.data)
    assert world.statuses()["blog"] == "active"
    ended = world.client.post(url)
    assert 'name="undo"' not in ended.get_data(as_text=True)
    assert 'name="reason"' not in ended.get_data(as_text=True)
    assert world.statuses() == {
        "blog": "unsubscribed",
        "talks": "active",
        "burnout": "active",
        "walks": "pending",
    }
    assert world.client.get(url).data == before.data, "nor does it say how the subscription stands"
    assert world.client.post(url).data == ended.data
    assert world.client.post(url, data={"undo": "1"}).status_code == 404
    assert world.statuses()["blog"] == "unsubscribed"


def test_after_a_move_one_click_works_in_an_old_mail(world: World) -> None:
    url = world.link(LinkPurpose.UNSUBSCRIBE, world.handle("talks"))
    world.move()
    answer = world.client.post(url, data={"List-Unsubscribe": "One-Click"})
    assert (answer.status_code, answer.data) == (200, b"Unsubscribed.\n")
    assert world.statuses() == {
        "blog": "active",
        "talks": "unsubscribed",
        "burnout": "active",
        "walks": "pending",
    }


@pytest.mark.any_database
def test_an_expired_link_from_before_a_move_has_nothing_mailed(world: World) -> None:
    url = world.link(LinkPurpose.PREFERENCES, world.handle("blog"))
    world.move()
    world.send()
    mailed = len(world.sink.accepted)
    world.clock.forward(timedelta(days=31))
    answer = world.client.post(
        "/link", data={"token": url.rpartition("/")[2], "purpose": "preferences"}
    )
    assert answer.status_code == 200
    world.send()
    assert len(world.sink.accepted) == mailed


def undo_link(world: World) -> str:
    """Return the way back that the old mailbox was sent."""
    world.send()
    message = world.sink.to(ANA)[-1]
    for kind in ("plain", "html"):
        for word in ("newhome", "ana.neu", "a…@"):
            assert word not in body(message, kind), (
                "the old mailbox learns nothing of the new address"
            )
        links = set(re.findall(r"https://news\.example\.com(/[\w-]+/[\w.-]+)", body(message, kind)))
        assert len(links) == 1, "nor has it a link to anything else"
    return links.pop()


def test_the_old_mailbox_may_take_a_move_back_for_a_week(world: World) -> None:
    before = {slug: world.handle(slug) for slug in world.statuses()}
    world.move()
    url = undo_link(world)
    page = world.client.get(url).get_data(as_text=True)
    assert page.count("<button") == 1
    assert "newhome" not in page
    assert world.address() == NEW, "looking changes nothing"
    moved = {slug: world.handle(slug) for slug in before}
    world.clock.forward(timedelta(days=6))
    with world.app.app_context():
        cleanup.clean_up(world.app.extensions[EXTENSION])
    for _ in range(2):
        assert "was taken back" in world.client.post(url).get_data(as_text=True)
    assert world.address() == ANA
    back = {slug: world.handle(slug) for slug in before}
    assert len({*before.values(), *moved.values(), *back.values()}) == 3 * len(before), (
        "and all links are new again"
    )
    world.send()
    left = body(world.sink.to(NEW)[-1])
    assert "no longer come here" in left
    assert "https://news.example.com" not in left, (
        "whoever moved it cannot move it again from there"
    )
    with world.app.app_context():
        bob = db.session.scalars(
            select(Subscription).join(Subscriber).where(Subscriber.email == "bob@example.com")
        )
        retired = set(db.session.scalars(select(RetiredHandle.subscription_id)))
        assert bob.one().id not in retired


def test_taking_back_a_new_address_ends_after_a_week(world: World) -> None:
    world.move()
    url = undo_link(world)
    world.clock.forward(timedelta(days=7, minutes=11))
    assert world.client.post(url).status_code == 410
    assert world.address() == NEW
    world.clock.forward(timedelta(days=2))
    with world.app.app_context():
        cleanup.clean_up(world.app.extensions[EXTENSION])
        assert db.session.scalars(select(AddressChange)).all() == []
        assert db.session.scalars(select(RetiredHandle)).all() != []
        contexts = db.session.scalars(select(Delivery.context).where(Delivery.mail == "moved"))
        assert ANA not in str(list(contexts))


@pytest.mark.any_database
def test_an_address_that_somebody_else_has_since_is_not_taken_back(world: World) -> None:
    world.move()
    url = undo_link(world)
    with world.app.app_context(), transaction() as session:
        add_reader(session, session.scalars(select(MailingList)).first(), ANA)  # type: ignore[arg-type]
    assert "subscribed already" in world.client.post(url).get_data(as_text=True)
    assert world.address() == NEW


@pytest.mark.any_database
def test_the_first_mailbox_takes_back_every_later_move(world: World) -> None:
    """A thief who moves on at once does not cut the owner off."""
    world.move()
    first = undo_link(world)
    world.clock.forward(timedelta(minutes=1))
    with world.app.app_context(), transaction() as session:
        ana = session.scalars(select(Subscriber).where(Subscriber.name == "Ana Geheim")).one()
        address_change.renew_handles(session, ana)
        session.add(
            AddressChange(
                handle="second-move",
                subscriber_id=ana.id,
                list_id=ana.subscriptions[0].list_id,
                old_email=NEW,
                old_email_key=NEW,
                changed_at=world.clock.now,
            )
        )
        ana.email = ana.email_key = "third@example.com"
    world.client.post(first)
    assert world.address() == ANA
    second = Tokens([SECRET]).sign(LinkPurpose.ADDRESS_UNDO, "second-move", world.clock.now)
    world.client.post(f"/address-undo/{second}")
    assert world.address() == ANA


# ── what is written down
# ───────────────────────────────────────────────────────────────────────────


REFERERS = {
    "https://news.example.com/unsubscribe/abcDEF123456.x-y_z": "https://news.example.com/unsubscribe/…",
    "https://mail.example/news/preferences/abc.def/more?x=1": "https://mail.example/news/preferences/…",
    "https://blog.example.com/a-post/?token=secret#frag": "https://blog.example.com/a-post/",
    "https://user:pass@blog.example.com/a-post/": "https://blog.example.com/a-post/",
    f"https://x.example/p/abcDEF123456.{'s' * 32}/y": "https://x.example/p/…/y",
    "https://news.example.com/blog/": "https://news.example.com/blog/",
    "https://[bad/unsubscribe/token": "",
    "": "",
}


@pytest.mark.parametrize("referer", REFERERS)
def test_evidence_holds_where_something_was_said_and_no_token(world: World, referer: str) -> None:
    url = world.link(LinkPurpose.PREFERENCES, world.handle("blog"))
    world.client.post(url, data={"cadence-blog": "daily"}, headers={"Referer": referer})
    with world.app.app_context():
        assert list(db.session.scalars(select(ConsentEvent.page))) == [REFERERS[referer]]


@pytest.mark.parametrize("purpose", MAILED)
def test_no_token_of_any_purpose_reaches_the_record(world: World, purpose: LinkPurpose) -> None:
    """Whatever page of ours somebody comes from, and whatever a form names as its page."""
    page = f"https://news.example.com{world.link(purpose, world.handle('blog'))}"
    token = page.rpartition("/")[2]
    data = {"email": "new@example.com", "page": page, "form": "iframe"}
    world.client.post("/blog/subscribe", data=data, headers={"Referer": page})
    world.client.post(
        world.link(LinkPurpose.UNSUBSCRIBE, world.handle("blog")), headers={"Referer": page}
    )
    for rows in world.state().values():
        assert token not in "".join(rows)


@pytest.mark.parametrize("purpose", MAILED)
def test_a_page_behind_a_link_is_kept_by_nobody(world: World, purpose: LinkPurpose) -> None:
    url = world.link(purpose, world.handle("blog"))
    for answer in (world.client.get(url, buffered=True), world.client.post(url)):
        if answer.status_code != 405:
            assert answer.headers["Cache-Control"] == "no-store", answer.status
            assert "noindex" in answer.headers["X-Robots-Tag"]
