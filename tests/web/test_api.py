"""The API: what each token may do, once, page by page, and never more than its lists."""

from __future__ import annotations

import json
import logging
import re
import threading
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Engine, event, func, select
from werkzeug.test import TestResponse

from newsletter import models
from newsletter.access_vocabulary import NamedRow, TokenScope
from newsletter.db.session import reading, transaction
from newsletter.models import (
    ApiToken,
    Campaign,
    Delivery,
    Entry,
    IdempotencyKey,
    MailingList,
    Subscriber,
    Subscription,
)
from newsletter.services import api_tokens, idempotency, row_names
from newsletter.services.operations import cleanup
from newsletter.services.runtime import Environment
from newsletter.services.sending import requested_tests
from newsletter.services.sending import run as sending
from newsletter.services.signup import forms
from newsletter.services.subscribers import admin, correct, privacy
from tests.fakes import Clock, Sink
from tests.people import add_entry, add_feed, add_list, add_reader

ROOT = "/api/v1"


class Program:
    """A program that calls the API with one token."""

    def __init__(self, app: Flask, token: str) -> None:
        self.client: FlaskClient = app.test_client()
        self.token = token
        self.headers = {"Authorization": f"Bearer {token}"}

    def __call__(self, method: str, path: str, body: object = None, **headers: str) -> TestResponse:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        response: TestResponse = self.client.open(
            path if path.startswith("/api") else ROOT + path,
            method=method,
            json=body,
            headers={**self.headers, **named},
        )
        return response


@pytest.fixture
def blog(app: Flask, env: Environment) -> Flask:
    """Two lists with a feed, entries and subscribers each."""
    with transaction() as session:
        for slug, names in (("blog", "ab"), ("other", "xy")):
            mailing_list = add_list(session, slug)
            feed = add_feed(session, mailing_list, f"https://{slug}.example.com/feed/")
            for number in range(3):
                add_entry(session, feed, f"{slug} {number}")
            for name in names:
                add_reader(session, mailing_list, f"{name}@example.com")
    forms.add_field("blog", "town", "text", "Town")
    return app


def make(app: Flask, env: Environment, scope: str, *lists: str) -> Program:
    name = f"{scope} {len(api_tokens.list_tokens())}"
    return Program(app, api_tokens.add_token(env, name, TokenScope(scope), lists))


def ids(model: type) -> list[int]:
    with reading() as session:
        return list(session.scalars(select(model.id).order_by(model.id)))  # type: ignore[attr-defined]


def add_letter(program: Program, **more: object) -> int:
    body = {"list": "blog", "subject": "Hello", "markdown": "Read this.", **more}
    response = program("POST", "/letters", body)
    assert response.status_code == 201, response.text
    number: int = response.json["id"]  # type: ignore[index]
    return number


# ── tokens ───────────────────────────────────────────────────────────────────


def test_a_token_is_stored_as_a_hash_expires_and_is_revoked(
    blog: Flask, env: Environment, clock: Clock
) -> None:
    token = api_tokens.add_token(env, "shop", TokenScope.READ)
    for_ever = api_tokens.add_token(env, "old shop", TokenScope.READ, expires=False)
    with reading() as session:
        for row in session.scalars(select(ApiToken)):
            assert token[4:] not in str(vars(row))
    assert [row.last_used_at for row in api_tokens.list_tokens()] == [None, None]
    assert Program(blog, token)("GET", "/lists").status_code == 200
    assert api_tokens.list_tokens()[1].last_used_at == env.now
    clock.now += timedelta(days=365, minutes=1)
    assert Program(blog, token)("GET", "/lists").status_code == 401
    assert Program(blog, for_ever)("GET", "/lists").status_code == 200
    api_tokens.revoke_token("old shop")
    assert Program(blog, for_ever)("GET", "/lists").status_code == 401


@pytest.mark.parametrize(
    "authorization", ["", "Bearer", "Bearer nlt_x", "Basic YTpi", "Bearer " + "nlt_" + "a" * 43]
)
def test_without_a_valid_token_there_is_nothing(
    blog: Flask, env: Environment, authorization: str
) -> None:
    headers = {"Authorization": authorization} if authorization else {}
    response = blog.test_client().get(f"{ROOT}/lists", headers=headers)
    assert response.status_code == 401
    assert response.mimetype == "application/problem+json"
    assert response.headers["WWW-Authenticate"].startswith("Bearer")


def test_whoever_guesses_tokens_is_turned_away(blog: Flask, env: Environment) -> None:
    guesser = Program(blog, "nlt_" + "a" * 43)
    codes = [guesser("GET", "/lists").status_code for _ in range(32)]
    assert codes[-1] == 429
    assert codes[:30] == [401] * 30


def test_a_token_has_a_ceiling_and_says_so(
    blog: Flask, env: Environment, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api_tokens, "REQUESTS_PER_MINUTE", 3)
    reader = make(blog, env, "read")
    other = make(blog, env, "read")
    answers = [reader("GET", "/lists") for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert answers[0].headers["RateLimit-Policy"] == '"token";q=3;w=60'
    assert answers[0].headers["RateLimit"].startswith('"token";r=2;t=')
    assert 0 < int(answers[3].headers["Retry-After"]) <= 60
    assert other("GET", "/lists").status_code == 200
    clock.now += timedelta(minutes=1)
    assert reader("GET", "/lists").status_code == 200


def test_a_limited_token_keeps_the_domain_that_a_list_writes_from(
    blog: Flask, env: Environment
) -> None:
    foreign = {"from": "Ana <ana@else.example.net>"}
    for program, status in (
        (make(blog, env, "write", "blog"), 422),
        (make(blog, env, "write"), 200),
    ):
        sender = program("GET", "/lists/blog").json["from_email"]
        change = {"from": f"Ana <new@{sender.rpartition('@')[2]}>"}
        assert program("PATCH", "/lists/blog", change).status_code == 200
        assert program("PATCH", "/lists/blog", foreign).status_code == status


def test_what_is_refused_writes_nothing(
    blog: Flask, env: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A flood of requests, with a token or without, must not slow the mail that is going out."""
    monkeypatch.setattr(api_tokens, "REQUESTS_PER_MINUTE", 3)
    monkeypatch.setattr(api_tokens, "FAILURES_PER_MINUTE", 3)
    calls = (make(blog, env, "read"), Program(blog, "nlt_" + "a" * 43), Program(blog, "x"))
    for call in calls:
        for _ in range(5):
            call("GET", "/lists")
    written: list[str] = []

    def note(connection: object, cursor: object, statement: str, *_: object) -> None:
        if not statement.startswith("SELECT"):
            written.append(statement)

    event.listen(Engine, "before_cursor_execute", note)
    try:
        codes = [call("GET", "/lists").status_code for call in calls]
    finally:
        event.remove(Engine, "before_cursor_execute", note)
    assert codes == [429] * 3
    assert [line for line in written if not line.startswith(("PRAGMA", "BEGIN"))] == []
    with reading() as session:
        assert set(
            session.scalars(select(models.Counter.count).where(models.Counter.name.like("api/%")))
        ) == {3}


def named(argument: str) -> str:
    """Return the first row of a kind, as programs name it."""
    kind = argument.removesuffix("_id")
    if kind not in ("subscriber", "subscription"):
        return "1"
    number = ids(Subscriber if kind == "subscriber" else Subscription)[0]
    return row_names.name_row(NamedRow(kind), number)


def find(program: Program, email: str) -> dict[str, Any]:
    subscriber: dict[str, Any] = program("POST", "/subscribers/search", {"email": email}).json  # type: ignore[assignment]
    return subscriber


def operations(app: Flask) -> list[tuple[str, str, tuple[str, ...]]]:
    """Every operation: method, path with number 1 and the list blog, scopes."""
    listed = []
    for rule in app.url_map.iter_rules():
        scopes = getattr(app.view_functions[rule.endpoint], "scopes", None)
        if scopes:
            path = rule.rule
            for argument in rule.arguments:
                value = "blog" if argument == "slug" else named(argument)
                path = re.sub(rf"<([^<>]+:)?{argument}>", value, path)
            method = next(iter((rule.methods or set()) - {"HEAD", "OPTIONS"}))
            listed.append((method, path, tuple(scope.value for scope in scopes)))
    assert len(listed) > 30
    return listed


@pytest.mark.parametrize("scope", ["read", "write", "send", "publish"])
def test_a_token_of_each_scope_tries_everything(blog: Flask, env: Environment, scope: str) -> None:
    program = make(blog, env, scope, "blog")
    covers = {
        "read": {"read"},
        "write": {"read", "write"},
        "send": {"read", "write", "send", "publish"},
        "publish": {"publish"},
    }
    before = snapshot()
    for method, path, scopes in operations(blog):
        allowed = bool(covers[scope] & set(scopes))
        body = None if method in ("GET", "DELETE") else {}
        response = program(method, path, body)
        if not allowed:
            assert response.status_code == 403, (method, path, response.text)
        assert response.status_code < 500, (method, path, response.text)
        if scope in ("read", "publish"):
            assert "@example.com" not in response.text.replace("ana@news.example.com", "")
    if scope == "read":
        assert snapshot() == before


def snapshot() -> dict[str, int]:
    with reading() as session:
        return {
            model.__name__: session.scalar(select(func.count()).select_from(model)) or 0
            for model in (Subscriber, Subscription, Campaign, Delivery, Entry)
        } | {"active": session.scalar(select(func.count()).where(Subscription.status == "active"))}


def test_every_operation_wants_a_token(blog: Flask, env: Environment) -> None:
    stranger = Program(blog, "nlt_" + "a" * 43)
    for method, path, _ in operations(blog)[: api_tokens.FAILURES_PER_MINUTE]:
        response = stranger(method, path, None if method in ("GET", "DELETE") else {})
        assert response.status_code == 401, (method, path)


def test_a_token_of_a_list_sees_no_other(blog: Flask, env: Environment) -> None:
    with transaction() as session:
        other = session.scalars(select(MailingList).where(MailingList.slug == "other")).one()
        both = session.scalars(select(Subscriber).where(Subscriber.email == "a@example.com")).one()
        session.add(
            Subscription(
                handle="abcdefghijkl",
                list_id=other.id,
                subscriber_id=both.id,
                status="active",
                cadence="daily",
                created_at=env.now,
            )
        )
        foreign_entry = session.scalars(
            select(Entry.id).where(Entry.list_id == other.id).limit(1)
        ).one()
    program = make(blog, env, "send", "blog")
    everything = make(blog, env, "send")
    _require_nothing_of_other(program, everything, foreign_entry)
    data = program("POST", "/subscribers/search", {"email": "a@example.com"}).json
    assert [row["list"] for row in data["subscriptions"]] == ["blog"]
    assert {row["list"] for row in program("GET", "/events").json["data"]} <= {"blog"}
    assert [row["slug"] for row in program("GET", "/lists").json["data"]] == ["blog"]
    assert program("GET", "/subscribers").status_code == 422


def _require_nothing_of_other(program: Program, everything: Program, foreign_entry: int) -> None:
    """Check that a program of the list "blog" cannot read or change what belongs to "other"."""
    letter = add_letter(everything, list="other")
    stranger = find(everything, "x@example.com")
    foreign = stranger["id"]
    [foreign_subscription] = stranger["subscriptions"]
    for method, path, body in (
        ("GET", "/lists/other", None),
        ("PATCH", "/lists/other", {"title": "Mine"}),
        ("GET", f"/subscribers/{foreign}", None),
        ("GET", f"/subscriptions/{foreign_subscription['id']}", None),
        ("PATCH", f"/subscriptions/{foreign_subscription['id']}", {"cadence": "daily"}),
        ("DELETE", f"/subscriptions/{foreign_subscription['id']}", None),
        ("GET", "/subscriptions?list=other", None),
        ("GET", f"/entries/{foreign_entry}", None),
        ("POST", f"/entries/{foreign_entry}/skip", {}),
        ("GET", f"/letters/{letter}", None),
        ("POST", f"/letters/{letter}/send", {}),
        ("GET", f"/campaigns/{letter}/report", None),
        ("GET", "/entries?list=other", None),
        ("GET", "/events?list=other", None),
        ("GET", "/statistics?list=other", None),
        ("POST", "/letters", {"list": "other", "subject": "S", "markdown": "M"}),
        ("POST", "/subscribers", {"list": "other", "email": "new@example.com"}),
        ("POST", "/subscribers/search", {"email": "x@example.com"}),
    ):
        response = program(method, path, body)
        assert response.status_code == 404, (path, response.text)
        assert everything("GET", path if method == "GET" else "/lists").status_code == 200
    for method, path, body in (
        ("GET", "/subscribers/export", None),
        ("DELETE", f"/subscribers/{foreign}", None),
        ("GET", "/suppressions", None),
        ("POST", "/suppressions", {"email": "x@example.com"}),
        ("PATCH", f"/subscribers/{named('subscriber_id')}", {"name": "Other"}),
    ):
        assert program(method, path, body).status_code == 403, path


def test_a_token_whose_list_is_gone_sees_nothing(blog: Flask, env: Environment) -> None:
    program = make(blog, env, "read", "other")
    with transaction() as session:
        session.delete(
            session.scalars(select(MailingList).where(MailingList.slug == "other")).one()
        )
    assert program("GET", "/lists").json == {"data": []}
    assert program("GET", "/lists/blog").status_code == 404


def test_a_publish_token_is_for_one_list_and_its_entries(blog: Flask, env: Environment) -> None:
    program = make(blog, env, "publish", "blog")
    entry = ids(Entry)[0]
    link = program("GET", f"/entries/{entry}").json["link"]
    [row] = program("GET", f"/entries?list=blog&link={link}").json["data"]
    assert row["id"] == entry
    links = [link, "https://blog.example.com/blog-2/", "https://unknown.example.com/"]
    links.append("https://other.example.com/other-0/")
    search = {"list": "blog", "links": links}
    rows = program("POST", "/entries/search", search).json["data"]
    assert [row["title"] for row in rows] == ["blog 2", "blog 0"]
    assert rows[1] == row
    assert program("POST", "/entries/search", {**search, "list": "other"}).status_code == 404
    for wrong in ([], ["x"] * 201, ["x" * 2001], "x"):
        refused = program("POST", "/entries/search", {**search, "links": wrong})
        assert refused.status_code == 422, wrong
    for action, fate in (("hold", "held"), ("release", "ready"), ("skip", "skipped")):
        assert program("POST", f"/entries/{entry}/{action}").json["fate"] == fate
    assert program("POST", f"/entries/{entry}/send").json["fate"] == "ready"
    assert program("POST", f"/entries/{entry}/send").status_code == 409
    assert program("GET", "/lists/blog").status_code == 200
    assert program("GET", "/lists").status_code == 403


# ── once ─────────────────────────────────────────────────────────────────────


def test_the_same_key_a_hundred_times_at_once_has_one_effect(blog: Flask, env: Environment) -> None:
    token = api_tokens.add_token(env, "shop", TokenScope.WRITE)
    body = {"list": "blog", "subject": "Once", "markdown": "Read this."}
    codes: Counter[int] = Counter()
    numbers = set()
    lock = threading.Lock()
    start = threading.Barrier(100)

    def ask() -> None:
        program = Program(blog, token)
        start.wait()
        response = program("POST", "/letters", body, Idempotency_Key="k1")
        with lock:
            codes[response.status_code] += 1
            if response.status_code == 201:
                numbers.add(response.json["id"])  # type: ignore[index]

    threads = [threading.Thread(target=ask) for _ in range(100)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(codes) <= {201, 409}
    assert codes[201] >= 1
    assert len(numbers) == 1
    assert len(ids(Campaign)) == 1
    again = Program(blog, token)("POST", "/letters", body, Idempotency_Key="k1")
    assert again.headers["Idempotency-Replayed"] == "true"
    assert again.json["id"] in numbers


def test_a_key_belongs_to_a_request_a_token_and_a_day(
    blog: Flask, env: Environment, clock: Clock
) -> None:
    program = make(blog, env, "write")
    other = make(blog, env, "write")
    body = {"list": "blog", "subject": "Once", "markdown": "Read this."}
    first = program("POST", "/letters", body, Idempotency_Key="k")
    again = program("POST", "/letters", body, Idempotency_Key="k")
    assert (first.data, first.status_code) == (again.data, again.status_code)
    assert first.headers["Location"] == again.headers["Location"]
    changed = program("POST", "/letters", {**body, "subject": "Two"}, Idempotency_Key="k")
    assert changed.status_code == 422
    assert other("POST", "/letters", body, Idempotency_Key="k").json["id"] != first.json["id"]
    wrong = program("POST", "/letters", {"list": "blog"}, Idempotency_Key="bad")
    assert wrong.status_code == 422
    assert program("POST", "/letters", {"list": "blog"}, Idempotency_Key="bad").headers[
        "Idempotency-Replayed"
    ]
    clock.now += timedelta(hours=25)
    cleanup.clean_up(env)
    with reading() as session:
        assert session.scalars(select(IdempotencyKey)).all() == []
    assert program("POST", "/letters", body, Idempotency_Key="k").json["id"] != first.json["id"]


def test_a_request_that_is_running_is_409_and_one_that_died_is_run_again(
    blog: Flask, env: Environment, clock: Clock
) -> None:
    program = make(blog, env, "write")
    body = {"email": "a@example.com"}
    [token_id] = ids(ApiToken)
    with transaction() as session:
        session.add(
            IdempotencyKey(
                token_id=token_id,
                key="k",
                created_at=env.now,
                request_hash=idempotency.hash_request(
                    program.token,
                    "POST",
                    f"{ROOT}/subscribers/search?",
                    json.dumps(body).encode(),
                ),
            )
        )
    assert program("POST", "/subscribers/search", body, Idempotency_Key="k").status_code == 409
    clock.now += timedelta(minutes=6)
    assert program("POST", "/subscribers/search", body, Idempotency_Key="k").status_code == 200


@pytest.mark.parametrize("end", [privacy.erase_address, admin.remove_subscriber])
def test_whoever_is_erased_or_removed_is_in_no_kept_answer(
    blog: Flask, env: Environment, end: Callable[[Environment, str], object]
) -> None:
    """Nor is an earlier address, one in other letters, or the name."""
    program = make(blog, env, "write")
    shop = make(blog, env, "write", "blog")
    for name in "ab":
        body = {"email": f"{name}@example.com"}
        program("POST", "/subscribers/search", body, Idempotency_Key=name)
    new = {"list": "blog", "email": "A@Example.com", "because": "asked"}
    shop("POST", "/subscribers", new, Idempotency_Key="spelled otherwise")
    correction = correct.Correction(name="Ada Ames", address="ada@elsewhere.example", because="b")
    correct.correct_subscriber(env, "a@example.com", correction)
    body = {"email": "ada@elsewhere.example"}
    program("POST", "/subscribers/search", body, Idempotency_Key="after the change")
    with reading() as session:
        assert len(session.scalars(select(IdempotencyKey)).all()) == 4
    end(env, "ada@elsewhere.example")
    with reading() as session:
        assert [row.key for row in session.scalars(select(IdempotencyKey))] == ["b"]


# ── subscribers ──────────────────────────────────────────────────────────────


def test_a_subscriber_without_proof_is_asked_to_confirm(
    blog: Flask, env: Environment, sink: Sink
) -> None:
    program = make(blog, env, "write")
    body: dict[str, Any] = {"list": "blog", "email": "new@example.com", "fields": {"town": "Rome"}}
    response = program("POST", "/subscribers", body)
    assert response.status_code == 201
    assert response.json["subscriptions"][0]["status"] == "pending"
    sending.send_due(env)
    assert [message["To"] for message in sink.messages] == ["new@example.com"]
    known = program(
        "POST", "/subscribers", {**body, "email": "k@example.com", "because": "asked me by phone"}
    )
    assert known.json["subscriptions"][0]["status"] == "active"
    assert known.json["subscriptions"][0]["fields"] == {"town": "Rome"}
    sending.send_due(env)
    assert len(sink.messages) == 1
    assert response.headers["Location"] == f"{ROOT}/subscribers/{response.json['id']}"
    assert program("GET", response.headers["Location"]).json == response.json


def test_a_subscriber_is_changed_with_the_state_that_was_read(
    blog: Flask, env: Environment
) -> None:
    program = make(blog, env, "write")
    path = f"/subscribers/{named('subscriber_id')}"
    read = program("GET", path)
    assert program("GET", path, If_None_Match=read.headers["ETag"]).status_code == 304
    changed = program("PATCH", path, {"add_tags": ["VIP"]}, If_Match=read.headers["ETag"])
    assert changed.json["tags"] == ["vip"]
    late = program("PATCH", path, {"name": "Ana"}, If_Match=read.headers["ETag"])
    assert late.status_code == 412
    assert program("PATCH", path, {"name": "Ana"}).json["name"] == "Ana"
    [row] = program("GET", path).json["subscriptions"]
    of_list = f"/subscriptions/{row['id']}"
    subscription = program(
        "PATCH",
        of_list,
        {
            "cadence": "monthly",
            "fields": {"town": "Oslo"},
            "paused_until": (env.now + timedelta(days=30)).isoformat(),
        },
    )
    assert subscription.status_code == 200, subscription.text
    assert subscription.json["subscriber"] == path.rpartition("/")[2]
    assert (subscription.json["cadence"], subscription.json["fields"]) == (
        "monthly",
        {"town": "Oslo"},
    )
    segment = "/subscribers?list=blog&segment=fields.town == 'Oslo'"
    assert program("GET", segment).json["data"] == []
    assert program("PATCH", of_list, {"paused_until": None}).json["paused_until"] is None
    assert [row["email"] for row in program("GET", segment).json["data"]] == ["a@example.com"]
    late = program("PATCH", of_list, {"cadence": "daily"}, If_Match=subscription.headers["ETag"])
    assert late.status_code == 412
    ended = program("DELETE", of_list).json
    assert (ended["status"], ended["ended_at"]) == ("unsubscribed", env.now.isoformat()[:-6] + "Z")
    assert program("GET", of_list).json == ended
    assert program("DELETE", path).status_code == 204
    assert program("GET", path).status_code == 404


def test_pages_hold_everybody_once(blog: Flask, env: Environment) -> None:
    with transaction() as session:
        mailing_list = session.scalars(select(MailingList).where(MailingList.slug == "blog")).one()
        for number in range(23):
            add_reader(session, mailing_list, f"n{number}@example.com")
    program = make(blog, env, "write")
    for path in (
        "/subscribers?list=blog&limit=10",
        "/subscribers?list=blog&status=active&tag=&limit=10",
        "/subscriptions?list=blog&limit=10",
        "/subscriptions?list=blog&status=active&cadence=weekly&limit=10",
    ):
        emails: list[str] = []
        cursor = ""
        while True:
            page = program("GET", path + cursor).json
            emails += [row["email"] for row in page["data"]]
            if page["next"] is None:
                break
            cursor = f"&cursor={page['next']}"
        assert emails == [f"n{number}@example.com" for number in reversed(range(23))] + [
            "b@example.com",
            "a@example.com",
        ]
    for wrong in ("x", "LTE=", "OTk5OTk5OTk5OTk5OTk5OTk5OTk5OTk5OTk=", "é"):
        assert program("GET", f"/subscribers?cursor={wrong}").status_code == 422


def test_import_and_export_are_the_files_of_the_commands(blog: Flask, env: Environment) -> None:
    program = make(blog, env, "write")
    exported = program("GET", "/subscribers/export")
    assert exported.mimetype == "text/csv"
    assert "a@example.com" in exported.text
    response = program.client.post(
        f"{ROOT}/subscribers/import?list=blog&because=paper%20list",
        data="email,name\nimp@example.com,Imp\nbad\n",
        headers={**program.headers, "Content-Type": "text/csv"},
    )
    assert response.status_code == 200, response.text
    assert (response.json["new"], response.json["rejected"]) == (1, 1)
    data = program("POST", "/subscribers/search", {"email": "imp@example.com"}).json
    assert data["subscriptions"][0]["status"] == "active"


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"list": "blog", "email": "nobody"}, "#/email"),
        ({"list": "blog", "email": "n@example.com", "cadence": "hourly"}, "#/cadence"),
        ({"list": "blog", "email": "n@example.com", "fields": {"twon": "x"}}, "#/fields/twon"),
        ({"list": "blog", "email": "n@example.com", "topics": ["none"]}, "#/topics"),
        ({"list": "blog", "email": "n@example.com", "shoe": 1}, "#/shoe"),
        ({"list": "blog", "email": "a\nb@example.com"}, "#/email"),
        ({"email": "n@example.com"}, "#/list"),
    ],
)
def test_a_problem_points_at_its_field(
    blog: Flask, env: Environment, body: dict[str, object], pointer: str
) -> None:
    response = make(blog, env, "write")("POST", "/subscribers", body)
    assert response.status_code == 422
    assert response.mimetype == "application/problem+json"
    assert [part["pointer"] for part in response.json["errors"]] == [pointer]
    assert response.json["status"] == 422


def test_what_is_no_json_is_told_apart(blog: Flask, env: Environment) -> None:
    program = make(blog, env, "write")
    for data, media, code in (
        (b"{", "application/json", 400),
        (b"[]", "application/json", 400),
        (b"email=x", "text/plain", 415),
        (b"[" * 100_000, "application/json", 400),
    ):
        response = program.client.post(
            f"{ROOT}/subscribers/search",
            data=data,
            headers={**program.headers, "Content-Type": media},
        )
        assert response.status_code == code, (data[:20], response.text)
    assert program("POST", "/nothing", {}).mimetype == "application/problem+json"
    assert program("PUT", "/lists", {}).status_code == 405


# ── letters ──────────────────────────────────────────────────────────────────


def test_a_letter_lives_its_whole_life(
    blog: Flask, env: Environment, sink: Sink, clock: Clock
) -> None:
    program = make(blog, env, "send", "blog")
    number = add_letter(program, markdown='{{ subscriber.name or "Friend" }}, read this slowly.')
    path = f"/letters/{number}"
    changed = program("PATCH", path, {"subject": "Slowly", "preheader": "Now"})
    assert changed.json["subject"] == "Slowly"
    assert "Friend" in changed.json["markdown"]
    preview = program("GET", f"{path}/preview").json
    assert "read this slowly" in preview["text"]
    assert "unsubscribe" in preview["html"].lower()
    checks = program("GET", f"{path}/preflight").json["data"]
    assert {check["verdict"] for check in checks} <= {"good", "warn"}
    assert program("POST", f"{path}/test", {"to": "me@example.org"}).status_code == 204
    assert sink.messages == []
    assert requested_tests.send_requested(env) == 1
    assert requested_tests.send_requested(env) == 0
    assert [m["Subject"] for m in sink.messages] == ["[Test] Slowly"]
    past = program("POST", f"{path}/schedule", {"at": "2020-01-01T00:00:00Z"})
    assert past.json["errors"][0]["pointer"] == "#/at"
    later = (env.now + timedelta(hours=1)).isoformat()
    assert program("POST", f"{path}/schedule", {"at": later}).json["status"] == "scheduled"
    assert program("POST", f"/campaigns/{number}/cancel").json["status"] == "cancelled"

    second = add_letter(program, subject="Another")
    sent = program("POST", f"/letters/{second}/send", {})
    assert (sent.json["status"], sent.json["recipients"]) == ("sending", 2)
    assert program("POST", f"/campaigns/{second}/pause").json["status"] == "paused"
    assert program("POST", f"/campaigns/{second}/resume").json["status"] == "sending"
    assert len(sink.messages) == 1, "nothing is mailed inside a request"
    sending.send_due(env)
    report = program("GET", f"/campaigns/{second}/report").json
    assert (report["sent"], report["status"], report["bounced"]) == (2, "sent", 0)
    deliveries = program("GET", f"/campaigns/{second}/deliveries?limit=1").json
    assert deliveries["data"][0]["status"] == "sent"
    rest = program("GET", f"/campaigns/{second}/deliveries?cursor={deliveries['next']}").json
    assert [row["email"] for row in rest["data"]] == ["b@example.com"]
    assert program("POST", f"/letters/{second}/send", {}).status_code == 409
    with transaction() as session:
        mailing_list = session.scalars(select(MailingList).where(MailingList.slug == "blog")).one()
        add_reader(session, mailing_list, "late@example.com")
    again = program("POST", f"/letters/{second}/send", {"to_new": True})
    assert again.json["recipients"] == 1
    kinds = program("GET", "/campaigns?list=blog&kind=letter").json["data"]
    assert [row["id"] for row in kinds] == [again.json["id"], second, number]


def test_a_letter_reads_no_file_of_the_server(blog: Flask, env: Environment) -> None:
    program = make(blog, env, "write")
    for picture in ("secret.png", "../../etc/passwd", "/etc/passwd", "file:///etc/passwd"):
        body = {"list": "blog", "subject": "S", "markdown": f"![x]({picture})\n\nText."}
        response = program("POST", "/letters", body)
        if response.status_code == 201:
            preview = program("GET", f"/letters/{response.json['id']}/preview").text
            assert "root:" not in preview


def test_a_letter_cannot_smuggle_in_front_matter(blog: Flask, env: Environment) -> None:
    program = make(blog, env, "write", "blog")
    for body in (
        {"subject": "S", "markdown": "---\nlist: other\n---\ntext"},
        {"subject": "S: 'x' #\"", "markdown": "text"},
        {"subject": "S", "markdown": "text", "segment": 'cadence == "weekly"'},
    ):
        response = program("POST", "/letters", {"list": "blog", **body})
        assert response.status_code == 201, response.text
        assert response.json["list"] == "blog"
        assert response.json["subject"] == body["subject"]
    assert program("POST", "/letters", {"list": "blog", "subject": "S", "markdown": "{{"}).json[
        "errors"
    ]


def test_numbers_events_and_files_are_read(blog: Flask, env: Environment) -> None:
    program = make(blog, env, "read")
    entry = ids(Entry)[0]
    make(blog, env, "write")("POST", f"/entries/{entry}/hold")
    [event] = program("GET", "/events?type=entry.held").json["data"]
    assert (event["entry"], event["list"], event["actor"]) == (entry, "blog", "author")
    [blog_row, other_row] = program("GET", "/statistics").json["data"]
    assert (blog_row["active"], other_row["list"]) == (2, "other")
    assert program("GET", "/resources").json == {"data": []}
    assert [row["slug"] for row in program("GET", "/lists").json["data"]] == ["blog", "other"]


def test_suppressions_are_listed_and_added(blog: Flask, env: Environment) -> None:
    program = make(blog, env, "write")
    added = program("POST", "/suppressions", {"email": "a@example.com", "note": "asked"})
    assert (added.status_code, added.json["reason"]) == (201, "manual")
    assert [row["email"] for row in program("GET", "/suppressions").json["data"]] == [
        "a@example.com"
    ]
    refused = program(
        "POST", "/subscribers", {"list": "blog", "email": "a@example.com", "because": "asked"}
    )
    assert refused.status_code == 409


def test_a_list_is_edited(blog: Flask, env: Environment) -> None:
    program = make(blog, env, "write")
    read = program("GET", "/lists/blog")
    changed = program(
        "PATCH", "/lists/blog", {"title": "New", "hour": 9}, If_Match=read.headers["ETag"]
    )
    assert (changed.json["title"], changed.json["hour"]) == ("New", 9)
    late = program("PATCH", "/lists/blog", {"title": "Old"}, If_Match=read.headers["ETag"])
    assert late.status_code == 412
    wrong = program("PATCH", "/lists/blog", {"from": "nobody", "language": "xx"})
    assert {part["pointer"] for part in wrong.json["errors"]} == {"#/from", "#/language"}


def test_no_log_holds_a_token_or_an_address(
    blog: Flask, env: Environment, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    token = api_tokens.add_token(env, "shop", TokenScope.SEND)
    program = Program(blog, token)
    program("POST", "/subscribers/search", {"email": "a@example.com"})
    program("POST", "/subscribers", {"list": "blog", "email": "logged@example.com"})
    program("GET", "/subscribers?cursor=%00")
    assert token not in caplog.text
    assert "@example.com" not in caplog.text


def test_the_page_loads_nothing_from_elsewhere(blog: Flask) -> None:
    response = blog.test_client().get(f"{ROOT}/")
    assert response.status_code == 200
    assert "POST /api/v1/letters" in response.text
    assert "http" not in response.text.replace("https://news.example.com", "")
    assert "<script" not in response.text
