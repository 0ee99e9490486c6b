"""The API about lists, feeds, files and suppressions, and "send this post now"."""

from __future__ import annotations

from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import select

from newsletter.db.session import reading, transaction
from newsletter.models import Campaign, Delivery, Entry, Feed, MailingList, Subscriber
from newsletter.services import suppressions
from newsletter.services.digests import asked
from newsletter.services.polling import poll as polling
from newsletter.services.runtime import Environment
from newsletter.services.sending import run as sending
from newsletter.vocabulary import DeliveryStatus, SuppressionReason
from tests.fakes import Clock, FakeFetch, Sink
from tests.feeds_server import item, rss
from tests.people import add_entry, add_reader
from tests.web.test_api import ROOT, Program, blog, find, ids, make

__all__ = ["blog"]


def test_a_list_is_made(blog: Flask, env: Environment) -> None:
    program = make(blog, env, "write")
    body = {"slug": "news", "from": "Ana <ana@example.org>", "cadence": "daily", "hour": 7}
    result = program("POST", "/lists", body)
    assert result.status_code == 201, result.text
    assert (result.json["from_email"], result.json["cadence"]) == ("ana@example.org", "daily")
    assert program("GET", result.headers["Location"]).headers["ETag"] == result.headers["ETag"]
    assert program("POST", "/lists", body).status_code == 409
    for wrong, pointer in (
        ({**body, "slug": "author"}, "#/slug"),
        ({"slug": "x", "from": "nobody"}, "#/from"),
        ({"slug": "x"}, "#/from"),
    ):
        refused = program("POST", "/lists", wrong)
        assert [part["pointer"] for part in refused.json["errors"]] == [pointer], refused.text
    assert make(blog, env, "write", "blog")("POST", "/lists", body).status_code == 403


@pytest.mark.any_database
def test_a_feed_is_added_filtered_paused_polled_and_removed(
    blog: Flask, env: Environment, fake_fetch: FakeFetch, clock: Clock
) -> None:
    fake_fetch.pages["https://new.example.com/feed/"] = rss(item("One"))
    program = make(blog, env, "write", "blog")
    added = program(
        "POST", "/feeds", {"list": "blog", "url": "https://new.example.com/feed/", "backlog": 1}
    )
    assert added.status_code == 201, added.text
    path = f"/feeds/{added.json['id']}"
    tag = added.headers["ETag"]
    changed = program("PATCH", path, {"not_categories": ["Private"]}, If_Match=tag)
    assert changed.json["not_categories"] == ["Private"]
    assert program("PATCH", path, {"not_title": "x"}, If_Match=tag).status_code == 412
    wrong = program("PATCH", path, {"not_title": "("})
    assert [part["pointer"] for part in wrong.json["errors"]] == ["#/not_title"]
    assert program("POST", f"{path}/pause").json["status"] == "paused"
    assert program("POST", f"{path}/resume").json["status"] == "active"
    clock.forward(timedelta(hours=1))
    polling.poll_due(env)
    assert program("POST", f"{path}/poll").status_code == 204
    with reading() as session:
        due = session.scalars(select(Feed.url).where(Feed.next_poll_at <= env.now)).all()
    assert due == ["https://new.example.com/feed/"]
    assert len(program("GET", "/feeds").json["data"]) == 2
    unknown = program("POST", "/feeds", {"list": "blog", "url": "https://none.example.com/"})
    assert [part["pointer"] for part in unknown.json["errors"]] == ["#/url"]
    [foreign] = make(blog, env, "read", "other")("GET", "/feeds").json["data"]
    for method, address in (("GET", ""), ("POST", "/poll"), ("DELETE", "")):
        assert program(method, f"/feeds/{foreign['id']}{address}").status_code == 404
    assert program("DELETE", path).status_code == 204
    assert program("GET", path).status_code == 404


def upload(program: Program, query: str, body: bytes) -> int:
    response = program.client.post(
        f"{ROOT}/resources?{query}",
        data=body,
        headers={**program.headers, "Content-Type": "application/octet-stream"},
    )
    return response.status_code


@pytest.mark.any_database
def test_a_file_is_uploaded_within_bounds(blog: Flask, env: Environment) -> None:
    program = make(blog, env, "write")
    assert upload(program, "filename=guide.pdf&title=The+guide", b"%PDF-1.7") == 201
    [row] = program("GET", "/resources").json["data"]
    assert (row["name"], row["title"], row["size"]) == ("guide", "The guide", 8)
    assert row["content_type"] == "application/pdf"
    assert upload(program, "filename=guide.pdf", b"again") == 409
    for query, body, code in (
        ("filename=page.html", b"<script>", 415),
        ("filename=picture.svg", b"<svg/>", 415),
        ("filename=run.sh", b"#!/bin/sh", 415),
        ("filename=../../etc/x.pdf", b"x", 422),
        ("filename=empty.pdf", b"", 400),
        ("title=x", b"x", 422),
        ("filename=a.pdf&name=Not+good", b"x", 422),
        ("filename=large.pdf", b"x" * (20 * 1024 * 1024 + 1), 413),
    ):
        assert upload(program, query, body) == code, query
    assert upload(make(blog, env, "write", "blog"), "filename=b.pdf", b"x") == 403
    assert program("DELETE", "/resources/guide").status_code == 204
    assert program("GET", "/resources").json == {"data": []}


def test_a_suppression_is_lifted_with_a_fresh_confirmation(
    blog: Flask, env: Environment, sink: Sink
) -> None:
    program = make(blog, env, "write")
    suppressions.suppress(env, "a@example.com", reason=SuppressionReason.BOUNCE)
    suppressions.suppress(env, "x@example.com", reason=SuppressionReason.MANUAL)
    body = {"email": "a@example.com", "because": "she wrote from a new server"}
    assert program("POST", "/suppressions/lift", {**body, "because": ""}).status_code == 422
    assert program("POST", "/suppressions/lift", body).json == {"confirmations": 1}
    assert find(program, "a@example.com")["subscriptions"][0]["status"] == "pending"
    sending.send_due(env)
    assert [message["To"] for message in sink.messages] == ["a@example.com"]
    lifted = program("POST", "/suppressions/lift", {**body, "email": "x@example.com"})
    assert lifted.json == {"confirmations": 0}
    assert find(program, "x@example.com")["subscriptions"][0]["status"] == "active"
    assert program("POST", "/suppressions/lift", body).status_code == 404
    limited = make(blog, env, "send", "blog")
    assert limited("POST", "/suppressions/lift", body).status_code == 403


@pytest.mark.any_database
def test_a_post_is_sent_now_to_every_reader_of_its_list(
    blog: Flask, env: Environment, sink: Sink, fake_fetch: FakeFetch
) -> None:
    with transaction() as session:
        feed = session.scalars(select(Feed).where(Feed.url.contains("blog."))).one()
        row = session.scalars(select(MailingList).where(MailingList.slug == "blog")).one()
        held = add_entry(session, feed, "Held back", fate="held").id
        for entry in session.scalars(select(Entry).where(Entry.fate == "ready")):
            entry.fate = "skipped"
        add_reader(session, row, "daily@example.com", cadence="daily")
        add_reader(session, row, "instant@example.com", cadence="instant")
    publisher = make(blog, env, "publish", "blog")
    foreign = next(number for number in ids(Entry) if number != held)
    assert publisher("GET", f"/entries/{held}").json["at_once"] is False
    asked_for = publisher("POST", f"/entries/{held}/send-now")
    assert (asked_for.json["fate"], asked_for.json["at_once"]) == ("ready", True)
    assert publisher("POST", f"/entries/{held}/send-now").status_code == 200, "twice is once"
    assert ids(Campaign) == [], "nothing is composed inside a request"
    asked.send_asked(env)
    asked.send_asked(env)
    sending.send_due(env)
    readers = ["a@example.com", "b@example.com", "daily@example.com", "instant@example.com"]
    assert sorted(message["To"] for message in sink.messages) == readers
    assert {message["Subject"] for message in sink.messages} == {"Held back"}
    after = publisher("GET", f"/entries/{held}").json
    assert (after["fate"], after["at_once"]) == ("sent", False)
    assert publisher("POST", f"/entries/{held}/send").json["fate"] == "ready", "once more"
    assert publisher("POST", f"/entries/{held}/send").status_code == 409
    assert foreign


@pytest.mark.any_database
def test_a_campaign_is_tried_again_for_those_it_failed_for(
    blog: Flask, env: Environment, sink: Sink
) -> None:
    program = make(blog, env, "send", "blog")
    body = {"list": "blog", "subject": "Hello", "markdown": "Read this."}
    number = program("POST", "/letters", body).json["id"]
    program("POST", f"/letters/{number}/send", {})
    sending.send_due(env)
    assert program("POST", f"/campaigns/{number}/retry").status_code == 409
    with transaction() as session:
        delivery = session.scalars(
            select(Delivery).where(Delivery.campaign_id == number).order_by(Delivery.id)
        ).first()
        assert delivery is not None
        delivery.status = DeliveryStatus.FAILED
    again = program("POST", f"/campaigns/{number}/retry")
    assert (again.json["status"], again.json["waiting"]) == ("sending", 1)
    sending.send_due(env)
    to = [message["To"] for message in sink.messages]
    assert sorted(to) == ["a@example.com", "a@example.com", "b@example.com"]
    assert ids(Subscriber)
