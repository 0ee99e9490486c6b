"""Hubs on either side of each limit of time and number, beside a feed whose hub is not asked."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from threading import Barrier
from urllib.parse import parse_qs

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from newsletter.db.session import db, reading, transaction
from newsletter.feeds.hub import Hub
from newsletter.feeds.post import Posted
from newsletter.models import Feed, HubSubscription
from newsletter.services.polling import websub
from newsletter.services.runtime import Environment
from tests.fakes import START
from tests.people import add_feed, add_list
from tests.waiting import PATIENCE

SECOND = timedelta(seconds=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
TOPIC = "https://blog.example.com/feed/"
LEASED = START + 9 * DAY


@dataclass
class FakeHub:
    """Keeps the addresses and requests it got, and answers with `status`."""

    status: int = 202
    urls: list[str] = field(default_factory=list)
    requests: list[dict[str, str]] = field(default_factory=list)

    def __call__(self, url: str, body: bytes, headers: Mapping[str, str]) -> Posted:
        self.urls.append(url)
        self.requests.append({name: values[0] for name, values in parse_qs(body.decode()).items()})
        return Posted(self.status)


@pytest.fixture
def hub() -> FakeHub:
    return FakeHub()


@pytest.fixture
def world(env: Environment, hub: FakeHub) -> Environment:
    """Make the feed "ana" whose hub is to be asked now, beside "zoe", whose hub is not."""
    with transaction() as session:
        add_hub(session, "zoe", ask_at=START + SECOND, asked_at=START, leased_until=LEASED)
        add_hub(session, "ana", ask_at=START)
    return replace(env, ask_hub=hub)


def add_hub(session: Session, name: str, **values: object) -> HubSubscription:
    feed = add_feed(session, add_list(session, name), f"https://{name}.example.com/feed/")
    row = HubSubscription(
        feed_id=feed.id,
        handle=name,
        hub=f"https://hub.example.net/{name}",
        topic=TOPIC,
        secret="secret",
        **values,
    )
    session.add(row)
    session.flush()
    return row


def read_row(name: str = "ana") -> HubSubscription:
    with reading() as session:
        query = select(HubSubscription).where(HubSubscription.handle == name)
        row = session.scalars(query).one()
        session.expunge(row)
        return row


def change(name: str = "ana", **values: object) -> None:
    with transaction() as session:
        query = select(HubSubscription).where(HubSubscription.handle == name)
        row = session.scalars(query).one()
        for column, value in values.items():
            setattr(row, column, value)


def test_a_hub_is_asked_once_its_moment_has_come(world: Environment, hub: FakeHub) -> None:
    assert websub.ask_hubs(world) == 1
    assert hub.urls == ["https://hub.example.net/ana"]
    assert hub.requests == [
        {
            "hub.mode": "subscribe",
            "hub.topic": TOPIC,
            "hub.callback": "https://news.example.com/websub/ana",
            "hub.secret": "secret",
            "hub.lease_seconds": "864000",
        }
    ]
    row = read_row()
    assert (row.asked_at, row.failures, row.ask_at) == (START, 1, START + HOUR)
    assert read_row("zoe").failures == 0
    assert websub.ask_hubs(world) == 0
    assert len(hub.urls) == 1


@pytest.mark.parametrize(("status", "accepted"), [(199, 0), (200, 1), (299, 1), (300, 0)])
def test_a_hub_accepts_with_any_answer_of_success(
    world: Environment, hub: FakeHub, status: int, accepted: int
) -> None:
    hub.status = status
    assert websub.ask_hubs(world) == accepted


@pytest.mark.parametrize(
    ("failures", "wait"),
    [(0, HOUR), (1, 2 * HOUR), (4, 16 * HOUR), (5, DAY), (10, DAY), (11, DAY), (5000, DAY)],
)
def test_the_wait_for_a_silent_hub_doubles_up_to_a_day(
    world: Environment, failures: int, wait: timedelta
) -> None:
    change(failures=failures)
    websub.ask_hubs(world)
    row = read_row()
    assert (row.ask_at, row.failures) == (START + wait, failures + 1)


def test_a_feed_that_rests_has_no_hub_asked_and_the_longest_wait_is_asked_first(
    world: Environment, hub: FakeHub
) -> None:
    with transaction() as session:
        for number in range(websub.ASKED_AT_ONCE):
            add_hub(session, f"b{number:02}", ask_at=START - timedelta(minutes=number + 1))
        resting = add_hub(session, "rest", ask_at=START - DAY)
        session.get_one(Feed, resting.feed_id).status = "paused"
    assert websub.ask_hubs(world) == websub.ASKED_AT_ONCE
    assert sorted(url[-3:] for url in hub.urls) == [f"b{number:02}" for number in range(20)]
    assert websub.ask_hubs(world) == 1
    assert hub.urls[-1].endswith("/ana")


def test_hubs_that_stall_are_waited_for_together_and_an_error_is_of_one_alone(
    world: Environment, hub: FakeHub
) -> None:
    """One after the other they would hold up the end of the process, and mail after them."""
    with transaction() as session:
        for number in range(4):
            add_hub(session, f"b{number}", ask_at=START - timedelta(minutes=number + 1))
    all_asked = Barrier(5)

    def stall(url: str, body: bytes, headers: Mapping[str, str]) -> Posted:
        all_asked.wait(PATIENCE)
        if url.endswith("/b2"):
            raise ZeroDivisionError
        return hub(url, body, headers)

    with pytest.raises(ZeroDivisionError):
        websub.ask_hubs(replace(world, ask_hub=stall))
    assert sorted(url[-3:] for url in hub.urls) == ["/b0", "/b1", "/b3", "ana"]
    assert read_row("b2").ask_at == START + HOUR


@pytest.mark.parametrize(
    ("lease", "seconds"),
    [
        ("600", 600),
        ("599", 600),
        ("0", 600),
        ("601", 601),
        ("863999", 863_999),
        ("864000", 864_000),
        ("864001", 864_000),
        ("000086400", 86_400),
        ("", 864_000),
        ("-1", 864_000),
        ("²", 864_000),
    ],
)
def test_a_lease_lasts_as_long_as_the_hub_says_within_bounds(
    world: Environment, lease: str, seconds: int
) -> None:
    change(asked_at=START, failures=3)
    assert websub.verify(world, "ana", "subscribe", TOPIC, lease)
    row = read_row()
    assert row.leased_until == START + timedelta(seconds=seconds)
    assert row.ask_at == START + timedelta(seconds=seconds * 0.8)
    assert (row.asked_at, row.failures) == (None, 0)
    other = read_row("zoe")
    assert (other.leased_until, other.asked_at) == (LEASED, START)


@pytest.mark.parametrize(
    ("handle", "mode", "topic", "ago", "is_verified"),
    [
        ("ana", "subscribe", TOPIC, HOUR, True),
        ("ana", "subscribe", TOPIC, HOUR + SECOND, False),
        ("ana", "subscribe", TOPIC, None, False),
        ("ana", "subscribe", "https://zoe.example.com/feed/", HOUR, False),
        ("ana", "unsubscribe", TOPIC, HOUR, False),
        ("eve", "subscribe", TOPIC, HOUR, False),
        ("ana", "denied", "https://zoe.example.com/feed/", HOUR, False),
    ],
)
def test_a_hub_verifies_what_it_was_asked_within_an_hour(
    world: Environment,
    handle: str,
    mode: str,
    topic: str,
    ago: timedelta | None,
    is_verified: bool,
) -> None:
    change(asked_at=None if ago is None else START - ago, leased_until=START + DAY)
    assert websub.verify(world, handle, mode, topic, "86399") is is_verified
    row = read_row()
    lease = timedelta(seconds=86_399) if is_verified else DAY
    assert row.leased_until == START + lease


def test_a_denied_subscription_has_no_lease_and_nothing_to_verify(world: Environment) -> None:
    change(asked_at=None, leased_until=START + DAY)
    assert websub.verify(world, "ana", "denied", TOPIC, "")
    row = read_row()
    assert (row.leased_until, row.asked_at) == (None, None)
    change(asked_at=START)
    assert websub.verify(world, "ana", "denied", TOPIC, "")
    assert not websub.verify(world, "ana", "subscribe", TOPIC, "")
    assert read_row("zoe").leased_until == LEASED


@pytest.mark.parametrize(
    ("leased", "pushed", "alive"),
    [
        (SECOND, -timedelta(days=30) + SECOND, True),
        (SECOND, -timedelta(days=30), False),
        (timedelta(), timedelta(), False),
        (SECOND, None, False),
        (None, timedelta(), False),
    ],
)
def test_a_hub_is_alive_that_has_a_lease_and_has_pushed_lately(
    world: Environment, leased: timedelta | None, pushed: timedelta | None, alive: bool
) -> None:
    change("zoe", pushed_at=START)
    change(
        leased_until=None if leased is None else START + leased,
        pushed_at=None if pushed is None else START + pushed,
    )
    with reading() as session:
        assert websub.is_alive(world, session, read_row().feed_id) is alive
        assert websub.is_alive(world, session, read_row("zoe").feed_id)


def push(env: Environment, handle: str = "ana", secret: bytes = b"secret", **changes: str) -> bool:
    method = changes.get("method", "sha256")
    digest = hmac.new(secret, b"<feed/>", method).hexdigest()
    signature = changes.get("signature", f"{method}={digest}")
    return websub.receive_push(env, handle, b"<feed/>", signature)


def read_next_polls() -> dict[str, datetime]:
    with reading() as session:
        rows = session.execute(select(Feed.url, Feed.next_poll_at)).all()
        return {url.split("//")[1][:3]: moment for url, moment in rows}


@pytest.mark.parametrize(
    ("changes", "is_signed"),
    [
        ({}, True),
        ({"method": "sha512"}, True),
        ({"method": "md5"}, False),
        ({"signature": "sha256=" + "0" * 64}, False),
        ({"signature": ""}, False),
    ],
)
def test_a_signed_push_brings_the_poll_of_its_own_feed_forward(
    world: Environment, changes: dict[str, str], is_signed: bool
) -> None:
    later = START + HOUR
    with transaction() as session:
        for feed in session.scalars(select(Feed)):
            feed.next_poll_at = later
    assert push(world, **changes), "a wrong signature is told to nobody"
    assert read_next_polls() == {"ana": START if is_signed else later, "zoe": later}
    assert read_row().pushed_at == (START if is_signed else None)
    assert read_row("zoe").pushed_at is None
    assert not push(world, "eve")


@pytest.mark.parametrize(("ago", "is_noted"), [(59, False), (60, True)])
def test_a_push_is_written_down_once_a_minute(world: Environment, ago: int, is_noted: bool) -> None:
    before = START - timedelta(seconds=ago)
    change(pushed_at=before)
    push(world)
    assert read_row().pushed_at == (START if is_noted else before)


@pytest.mark.parametrize(
    ("hub", "is_kept"),
    [
        (Hub("https://hub.example.net/ana", TOPIC), True),
        (Hub("https://hub.example.net/new", TOPIC), False),
        (Hub("https://hub.example.net/ana", "https://blog.example.com/other/"), False),
        (None, False),
    ],
)
def test_a_hub_that_a_feed_names_anew_is_asked_with_a_secret_of_its_own(
    world: Environment, hub: Hub | None, is_kept: bool
) -> None:
    feed_id = read_row().feed_id
    change(ask_at=START + DAY)
    with transaction() as session:
        websub.note_hub(world, session, session.get_one(Feed, feed_id), hub)
    with reading() as session:
        query = select(HubSubscription).where(HubSubscription.feed_id == feed_id)
        row = session.scalars(query).one_or_none()
        assert (row is None) is (hub is None)
        assert (row is not None and row.handle == "ana") is is_kept
        if row is not None and hub is not None:
            assert (row.hub, row.topic) == (hub.url, hub.topic)
            assert row.ask_at == (START + DAY if is_kept else START)
            assert (len(row.secret) == 43) is not is_kept
    db.session.rollback()
    assert read_row("zoe").leased_until == LEASED
