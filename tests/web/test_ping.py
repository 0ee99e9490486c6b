"""Pings: they bring the next poll forward, are bounded, and tell nothing."""

from __future__ import annotations

from datetime import timedelta
from xmlrpc.client import Fault, dumps, loads

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select
from werkzeug.test import TestResponse

from newsletter.db.session import reading, transaction
from newsletter.errors import FeedUnavailable
from newsletter.models import Entry, Feed
from newsletter.services.polling import feeds
from newsletter.services.polling import ping as pings
from newsletter.services.polling import poll as polling
from newsletter.services.runtime import EXTENSION, Environment
from tests.fakes import Clock, FakeFetch
from tests.feeds_server import item, rss
from tests.people import add_list

URL = "https://blog.example.com/feed/"
OTHER = "https://other.example.org/feed/"


@pytest.fixture
def blogs(app: Flask, fake_fetch: FakeFetch, clock: Clock) -> Environment:
    """Two feeds, neither due."""
    env: Environment = app.extensions[EXTENSION]
    fake_fetch.pages |= {URL: rss(item("Old")), OTHER: rss(item("Else"))}
    with app.app_context():
        with transaction() as session:
            add_list(session)
        feeds.add(env, URL)
        feeds.add(env, OTHER)
        with transaction() as session:
            for feed in session.scalars(select(Feed)):
                feed.site_url = feed.url.removesuffix("feed/")
        clock.forward(timedelta(hours=2))
        polling.poll_due(env)
    fake_fetch.requests.clear()
    return env


def due(app: Flask, env: Environment) -> list[str]:
    with app.app_context(), reading() as session:
        query = select(Feed.url).where(Feed.next_poll_at <= env.now).order_by(Feed.id)
        return list(session.scalars(query))


def call(client: FlaskClient, method: str, *parameters: str, ip: str = "192.0.2.1") -> TestResponse:
    return client.post(
        "/ping",
        data=dumps(parameters, method),
        content_type="text/xml",
        environ_base={"REMOTE_ADDR": ip},
    )


def post(client: FlaskClient, url: str, ip: str = "192.0.2.1") -> TestResponse:
    return client.post("/ping", data={"url": url}, environ_base={"REMOTE_ADDR": ip})


@pytest.mark.parametrize(
    ("method", "parameters"),
    [
        ("weblogUpdates.ping", ("My blog", "http://blog.example.com")),
        ("weblogUpdates.extendedPing", ("My blog", "https://x.example.net/", URL)),
        ("weblogUpdates.extendedPing", ("My blog", "https://x.example.net/", "", URL, "tag")),
    ],
)
def test_wordpress_ping_brings_the_poll_forward(
    app: Flask, client: FlaskClient, blogs: Environment, method: str, parameters: tuple[str, ...]
) -> None:
    answer = call(client, method, *parameters)
    assert answer.status_code == 200
    (result,), _ = loads(answer.get_data())
    assert result == {"flerror": False, "message": "Thanks for the ping."}
    assert due(app, blogs) == [URL]


@pytest.mark.parametrize("url", [URL, "blog.example.com", "https://blog.example.com/?utm_source=x"])
def test_a_ping_makes_the_feed_of_a_whole_address_due(
    app: Flask, client: FlaskClient, blogs: Environment, url: str
) -> None:
    assert post(client, url).status_code == 200
    assert due(app, blogs) == ([] if "//" not in url else [URL])


def test_known_and_unknown_addresses_get_the_same_answer(
    app: Flask, client: FlaskClient, blogs: Environment, fake_fetch: FakeFetch
) -> None:
    known = post(client, URL)
    unknown = post(client, "https://nobody.example.net/")
    assert (known.status_code, known.data) == (unknown.status_code, unknown.data)
    names = {name for name, _ in known.headers} - {"X-Request-Id"}
    assert {name: known.headers[name] for name in names} == {
        name: unknown.headers[name] for name in names
    }
    first, second = (
        call(client, "weblogUpdates.ping", "Blog", url)
        for url in (OTHER, "https://nobody.example.net/")
    )
    assert first.data == second.data
    assert fake_fetch.requests == [], "nothing is fetched inside a web request"


def test_a_ping_is_not_believed_as_content(
    app: Flask, client: FlaskClient, blogs: Environment
) -> None:
    call(client, "weblogUpdates.ping", "New post <b>here</b>", URL)
    with app.app_context(), reading() as session:
        assert set(session.scalars(select(Entry.title))) == {"Old", "Else"}


def test_many_pings_from_many_networks_cause_no_more_polls_than_the_ceiling(
    app: Flask, client: FlaskClient, blogs: Environment, fake_fetch: FakeFetch, clock: Clock
) -> None:
    for turn in range(30):
        for number in range(10):
            assert post(client, URL, f"198.51.{turn}.{number}").status_code == 200
        clock.forward(timedelta(seconds=2))
        with app.app_context():
            polling.poll_due(blogs)
    urls = [url for url, *_ in fake_fetch.requests]
    assert urls.count(URL) == pings.POLLS_PER_FEED
    assert OTHER not in urls
    clock.forward(timedelta(hours=1))
    with app.app_context():
        polling.poll_due(blogs)
    assert OTHER in [url for url, *_ in fake_fetch.requests], "polling goes on"


def test_one_network_is_refused_and_another_is_not(
    app: Flask, client: FlaskClient, blogs: Environment
) -> None:
    for number in range(pings.PINGS_PER_NETWORK):
        assert post(client, "https://nobody.example.net/", f"192.0.2.{number}").status_code == 200
    refused = post(client, URL, "192.0.2.200")
    assert refused.status_code == 429
    assert int(refused.headers["Retry-After"]) > 0
    assert due(app, blogs) == []
    assert post(client, URL, "203.0.113.9").status_code == 200
    assert due(app, blogs) == [URL]


def test_a_failing_feed_is_left_to_its_back_off(
    app: Flask, client: FlaskClient, blogs: Environment, fake_fetch: FakeFetch, clock: Clock
) -> None:
    fake_fetch.pages[URL] = FeedUnavailable(URL, "503", status=503)
    clock.forward(timedelta(hours=1))
    with app.app_context():
        polling.poll_due(blogs)
    assert post(client, URL).status_code == 200
    assert due(app, blogs) == []


def test_a_ping_while_its_feed_is_read_is_not_lost(
    app: Flask, blogs: Environment, fake_fetch: FakeFetch, clock: Clock
) -> None:
    def answer(etag: str | None, last_modified: str | None) -> bytes:
        with app.app_context():
            pings.receive_ping(blogs, [URL], "192.0.2.1")
        return rss(item("Old"))

    fake_fetch.pages[URL] = answer
    clock.forward(timedelta(hours=1))
    with app.app_context():
        polling.poll_due(blogs)
    assert due(app, blogs) == [URL]


@pytest.mark.any_database
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<methodCall>",
        b'<!DOCTYPE x [<!ENTITY a "b">]><methodCall>&a;</methodCall>',
        b'<!DOCTYPE x SYSTEM "file:///etc/passwd"><methodCall/>',
        b'<?xml version="1.0" encoding="no-such"?><methodCall/>',
        b"\xff\xfe\x00",
        b"<a>" * 20_000,
        dumps(("My blog", URL), "system.listMethods").encode(),
    ],
)
def test_what_is_no_ping_gets_a_fault(
    app: Flask, client: FlaskClient, blogs: Environment, body: bytes
) -> None:
    answer = client.post("/ping", data=body, content_type="text/xml")
    assert answer.status_code == 200
    with pytest.raises(Fault):
        loads(answer.get_data())
    assert due(app, blogs) == []


def test_large_and_empty_bodies_are_refused(client: FlaskClient, blogs: Environment) -> None:
    large = b"<methodCall>" + b" " * 65_536
    assert client.post("/ping", data=large, content_type="text/xml").status_code == 413
    assert client.post("/ping", data={}).status_code == 400
