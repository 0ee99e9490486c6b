"""Hubs (W3C WebSub): subscribe, verify, renew, and believe no push but for its moment."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import NoReturn
from urllib.parse import parse_qs

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Engine, event, select

from newsletter.app import create_app
from newsletter.db.session import db, reading, transaction
from newsletter.feeds.fetch import Fetched
from newsletter.feeds.hub import Hub, find_hub
from newsletter.feeds.parse import parse_feed
from newsletter.feeds.post import Posted, Poster
from newsletter.models import Entry, Feed, HubSubscription
from newsletter.services.polling import feeds, ping, websub
from newsletter.services.polling import poll as polling
from newsletter.services.polling.ping import POLLS_PER_FEED
from newsletter.services.runtime import EXTENSION, Environment
from newsletter.settings import Settings
from tests.fakes import Clock, FakeFetch
from tests.feeds_server import item, rss
from tests.people import add_list
from tests.receiver import running_receiver

URL = "https://blog.example.com/feed/"
OTHER = "https://other.example.org/feed/"
HUB = "https://hub.example.net/"
LINKS = f'<{HUB}>; rel="hub", <{URL}>; rel="self"'


@dataclass
class FakeHub:
    """Keeps what it was asked, and answers with `status`."""

    status: int = 202
    requests: list[dict[str, str]] = field(default_factory=list)

    def __call__(self, url: str, body: bytes, headers: Mapping[str, str]) -> Posted:
        assert url == HUB
        self.requests.append({name: values[0] for name, values in parse_qs(body.decode()).items()})
        return Posted(self.status)


@dataclass
class World:
    """A feed with a hub, beside one without."""

    app: Flask
    client: FlaskClient
    env: Environment
    hub: FakeHub
    clock: Clock

    @property
    def row(self) -> HubSubscription:
        with reading() as session:
            row = session.scalars(select(HubSubscription)).one()
            session.expunge(row)
            return row

    def ask(self) -> int:
        with self.app.app_context():
            return websub.ask_hubs(self.env)

    def poll(self) -> None:
        with self.app.app_context():
            polling.poll_due(self.env)

    def answer(self, **changes: str) -> tuple[int, str]:
        """Return the hub's question after its last request."""
        request = self.hub.requests[-1]
        fields = {
            "hub.mode": "subscribe",
            "hub.topic": request["hub.topic"],
            "hub.challenge": "a <b>challenge",
            "hub.lease_seconds": "864000",
        } | {f"hub.{name}": value for name, value in changes.items()}
        path = request["hub.callback"].removeprefix("https://news.example.com")
        answer = self.client.get(path, query_string=fields)
        return answer.status_code, answer.get_data(as_text=True)

    def push(self, body: bytes, signature: str | None = None, method: str = "sha256") -> int:
        request = self.hub.requests[-1]
        mac = hmac.new(request["hub.secret"].encode(), body, method).hexdigest()
        path = request["hub.callback"].removeprefix("https://news.example.com")
        value = f"{method}={mac}" if signature is None else signature
        return self.client.post(path, data=body, headers={"X-Hub-Signature": value}).status_code

    @property
    def due(self) -> list[str]:
        with self.app.app_context(), reading() as session:
            return list(session.scalars(select(Feed.url).where(Feed.next_poll_at <= self.env.now)))

    @property
    def minutes_to_poll(self) -> float:
        with self.app.app_context(), reading() as session:
            moment = session.scalars(select(Feed.next_poll_at).where(Feed.url == URL)).one()
            return (moment - self.env.now).total_seconds() / 60


@pytest.fixture
def world(app: Flask, fake_fetch: FakeFetch, clock: Clock) -> World:
    hub = FakeHub()
    env: Environment = replace(app.extensions[EXTENSION], ask_hub=hub)
    fake_fetch.pages[URL] = lambda etag, modified: Fetched(URL, 200, rss(item("Old")), links=LINKS)
    fake_fetch.pages[OTHER] = rss(item("Else"))
    with app.app_context():
        with transaction() as session:
            add_list(session)
        feeds.add(env, URL)
        feeds.add(env, OTHER)
        clock.forward(timedelta(hours=2))
        polling.poll_due(env)
    return World(app, app.test_client(), env, hub, clock)


def test_a_hub_is_asked_and_verifies(world: World) -> None:
    assert world.ask() == 1
    [request] = world.hub.requests
    assert request["hub.mode"] == "subscribe"
    assert request["hub.topic"] == URL
    assert request["hub.callback"].startswith("https://news.example.com/websub/")
    assert len(request["hub.secret"]) >= 32
    assert world.answer() == (200, "a <b>challenge")
    assert world.answer()[0] == 404, "one answer for one question"
    assert world.ask() == 0, "the lease holds"


def test_a_lease_is_renewed_before_its_end(world: World) -> None:
    world.ask()
    world.answer(lease_seconds="86400")
    world.clock.forward(timedelta(hours=18))
    assert world.ask() == 0
    world.clock.forward(timedelta(hours=2))
    assert world.ask() == 1
    assert world.hub.requests[0]["hub.secret"] == world.hub.requests[1]["hub.secret"]


@pytest.mark.parametrize("lease", ["0", "-1", "", "x", "9" * 40])
def test_a_strange_lease_is_bounded(world: World, lease: str) -> None:
    world.ask()
    assert world.answer(lease_seconds=lease)[0] == 200
    assert world.ask() == 0
    world.clock.forward(websub.LEASE)
    assert world.ask() == 1


@pytest.mark.parametrize(
    "changes",
    [{"topic": OTHER}, {"mode": "unsubscribe"}, {"mode": ""}, {"topic": ""}],
)
def test_what_was_not_asked_for_is_not_verified(world: World, changes: dict[str, str]) -> None:
    world.ask()
    assert world.answer(**changes)[0] == 404
    with world.app.app_context():
        assert world.row.leased_until is None


def test_nobody_else_verifies(world: World) -> None:
    world.ask()
    fields = {"hub.mode": "subscribe", "hub.topic": URL, "hub.challenge": "x"}
    assert world.client.get("/websub/AAAAAAAAAAAA", query_string=fields).status_code == 404
    world.clock.forward(timedelta(hours=3))
    assert world.answer()[0] == 404, "too late"


def test_a_hub_that_does_not_verify_is_asked_less_and_less_often(world: World) -> None:
    world.hub.status = 500
    for _ in range(14 * 24):
        world.ask()
        world.clock.forward(timedelta(hours=1))
    assert 15 <= len(world.hub.requests) <= 20


def test_a_denied_subscription_ends(world: World) -> None:
    world.ask()
    assert world.answer(mode="denied")[0] == 200
    with world.app.app_context():
        assert world.row.leased_until is None
    assert world.answer()[0] == 404


@pytest.mark.parametrize("method", ["sha1", "sha256", "sha384", "sha512"])
def test_a_signed_push_makes_the_poll_come_now(world: World, method: str) -> None:
    world.ask()
    world.answer()
    assert world.push(rss(item("From the hub")), method=method) == 202
    assert world.due == [URL]
    world.poll()
    with world.app.app_context(), reading() as session:
        assert set(session.scalars(select(Entry.title))) == {"Old", "Else"}, "it is not believed"


@pytest.mark.parametrize("signature", ["", "sha256=", "sha256=00", "md5=00", "sha1=é", "x"])
def test_a_push_with_a_wrong_signature_changes_nothing(world: World, signature: str) -> None:
    world.ask()
    world.answer()
    assert world.push(b"<feed/>", signature) == 202, "it is not told"
    assert world.due == []
    with world.app.app_context():
        assert world.row.pushed_at is None


def test_pushes_have_a_ceiling_and_a_size(world: World) -> None:
    world.ask()
    world.answer()
    polls = 0
    for _ in range(POLLS_PER_FEED + 10):
        assert world.push(b"x" * 100_000) == 202
        polls += world.due == [URL]
        world.clock.forward(timedelta(seconds=1))
        world.poll()
    assert polls == POLLS_PER_FEED
    assert world.push(b"x" * 1_100_000) == 413
    assert world.client.post("/websub/AAAAAAAAAAAA", data=b"").status_code == 404


def test_pings_of_strangers_use_up_no_push(world: World) -> None:
    world.ask()
    world.answer()
    for _ in range(POLLS_PER_FEED + 1):
        assert world.client.post("/ping", data={"url": URL}).status_code == 200
        world.poll()
        world.clock.forward(timedelta(seconds=1))
    assert world.due == []
    assert world.push(b"<feed/>") == 202
    assert world.due == [URL]
    world.poll()
    with world.app.app_context(), reading() as session:
        feed_id = session.scalars(select(Feed.id).where(Feed.url == URL)).one()
        ping.poll_soon(world.env, feed_id)
    assert world.due == [URL]


def test_what_is_pushed_beyond_the_ceiling_writes_nothing(world: World) -> None:
    """Whoever owns a feed owns its hub, and may push without end while mail is going out."""
    world.ask()
    world.answer()
    for _ in range(POLLS_PER_FEED):
        world.push(b"x")
        world.poll()
        world.clock.forward(timedelta(seconds=1))
    written: list[str] = []

    def note(connection: object, cursor: object, statement: str, *_: object) -> None:
        if statement.split()[0] in ("INSERT", "UPDATE", "DELETE"):
            written.append(statement)

    event.listen(Engine, "before_cursor_execute", note)
    try:
        assert world.push(b"x") == 202
    finally:
        event.remove(Engine, "before_cursor_execute", note)
    assert written == []
    assert world.due == []


def test_polls_are_rarer_only_where_a_hub_is_alive(world: World) -> None:
    world.ask()
    world.answer()
    world.clock.forward(timedelta(minutes=20))
    world.poll()
    assert world.minutes_to_poll < 20, "it has never pushed"
    world.push(b"<feed/>")
    world.poll()
    assert 60 <= world.minutes_to_poll <= 66
    world.clock.forward(websub.LEASE + timedelta(hours=1))
    world.poll()
    assert world.minutes_to_poll < 20, "its lease is over"


def test_a_feed_that_names_another_hub_or_none(world: World, fake_fetch: FakeFetch) -> None:
    with world.app.app_context():
        before = world.row.handle
    for body, links, count in (
        (rss(item("Two")), LINKS, 1),
        (rss(item("Three")), LINKS.replace("hub.example", "hub2.example"), 1),
        (rss(item("Four")), "", 0),
    ):
        fake_fetch.pages[URL] = Fetched(URL, 200, body, links=links)
        world.clock.forward(timedelta(hours=1))
        world.poll()
        with world.app.app_context(), reading() as session:
            handles = list(session.scalars(select(HubSubscription.handle)))
            assert len(handles) == count
            assert (before in handles) == ("hub.example" in links)


@pytest.mark.parametrize("webhooks", [False, True])
def test_a_hub_in_a_private_network_is_not_asked(
    world: World, settings: Settings, webhooks: bool
) -> None:
    """Nor where an author's webhooks may lead there: hubs are named by strangers."""
    with running_receiver() as receiver:
        allowed = {"allow_private_addresses": webhooks}
        trusting = settings.model_copy(
            update={"webhooks": settings.webhooks.model_copy(update=allowed)}
        )
        app = create_app(trusting, clock=world.clock)
        with app.app_context():
            with transaction() as session:
                for row in session.scalars(select(HubSubscription)):
                    row.hub = receiver.url
            assert websub.ask_hubs(app.extensions[EXTENSION]) == 0
            assert world.row.failures == 1
            db.session.remove()
            db.engine.dispose()  # PostgreSQL's connections would end in another test
        assert receiver.requests == []


@pytest.mark.parametrize(
    ("hub", "why"),
    [
        ("https://hub.example.net:25/", "usual ports"),
        ("http://hub.example.net:6379/", "usual ports"),
        ("https://a:b@hub.example.net/", "user or password"),
        ("ftp://hub.example.net/", "only http"),
        ("http://[::1/", "not a web address"),
    ],
)
def test_a_hub_at_an_unusual_address_is_not_asked(hub: str, why: str) -> None:
    def never(*_: object, **__: object) -> NoReturn:
        raise AssertionError("asked")

    ask = Poster(user_agent="x", for_strangers=True, resolve=never, connect=never)
    posted = ask(hub, b"hub.mode=subscribe", {})
    assert posted.status == 0
    assert why in str(posted.why)


ATOM = (
    '<feed xmlns="http://www.w3.org/2005/Atom"><title>x</title><link rel="hub" href="{hub}"/>'
    '<link rel="self" href="https://blog.example.com/atom"/></feed>'
)


@pytest.mark.parametrize(
    ("body", "links", "hub"),
    [
        (ATOM.format(hub=HUB), "", Hub(HUB, "https://blog.example.com/atom")),
        (
            ATOM.format(hub=HUB),
            f"<{HUB}2>;rel=hub",
            Hub(f"{HUB}2", "https://blog.example.com/atom"),
        ),
        (
            rss(
                extra='<atom:link xmlns:atom="http://www.w3.org/2005/Atom" rel="hub" '
                f'href="{HUB}"/>'
            ).decode(),
            "",
            Hub(HUB, URL),
        ),
        (
            rss().decode(),
            '</>; rel="x", <https://h.example/>; rel="alternate HUB"; a="b"',
            Hub("https://h.example/", URL),
        ),
        (rss().decode(), "<<<>>>;;rel=hub,,=", None),
        (ATOM.format(hub="javascript:alert(1)"), "", None),
        (rss().decode(), f"<https://h.example/{'x' * 2001}>; rel=hub", None),
        (rss().decode(), "", None),
    ],
)
def test_where_a_hub_is_named(body: str, links: str, hub: Hub | None) -> None:
    fetched = Fetched(URL, 200, body.encode(), links=links)
    assert find_hub(fetched, parse_feed(fetched.body, url=URL)) == hub
