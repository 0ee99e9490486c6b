"""A token that is limited to lists learns nothing that it did not bring."""

from __future__ import annotations

import re
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select
from sqlalchemy.orm import Session

from newsletter.access_vocabulary import NamedRow
from newsletter.db.session import reading, transaction
from newsletter.models import Campaign, Entry, Feed, MailingList, Subscriber, Subscription
from newsletter.services import suppressions, tags
from newsletter.services.authors import authors
from newsletter.services.row_names import get_row_names
from newsletter.services.runtime import Environment
from newsletter.services.subscribers import listing
from tests.fakes import Clock
from tests.people import add_reader
from tests.web.test_api import ROOT, Program, add_letter, blog, find, make
from tests.web.test_equal_use import counted

__all__ = ["blog"]

KNOWN, UNKNOWN, SUPPRESSED, GONE = (f"{name}@example.com" for name in ("x", "new", "bad", "gone"))


@pytest.fixture
def shop(blog: Flask, env: Environment) -> Program:
    """Make a program of the list `blog`; on `other` stands a known one, with a name and a tag."""
    with transaction() as session:
        known = session.scalars(select(Subscriber).where(Subscriber.email == KNOWN)).one()
        known.name = "Xenia"
        known.language = "de"
        tags.add_tags(session, known.id, ["patient"])
        blog_list = session.scalars(select(MailingList).where(MailingList.slug == "blog")).one()
        gone = add_reader(session, blog_list, GONE, status="unsubscribed")
        gone.unsubscribed_at = env.now
    suppressions.suppress(env, SUPPRESSED)
    return make(blog, env, "send", "blog")


@pytest.mark.parametrize("because", ["", "asked me by phone"])
def test_adding_is_answered_alike_whatever_is_known_of_the_address(
    shop: Program, env: Environment, because: str
) -> None:
    answers = []
    for email in (KNOWN, UNKNOWN, SUPPRESSED, GONE, "a@example.com"):
        body = {"list": "blog", "email": email, "name": "Anybody", "because": because}
        response = shop("POST", "/subscribers", body)
        assert response.json == {"email": email, "list": "blog"}
        lines = {key: text for key, text in response.headers.items() if key != "RateLimit"}
        answers.append((response.status_code, lines | {"Content-Length": 0}))
    assert answers[0][0] == 202
    assert "Location" not in answers[0][1]
    assert all(answer == answers[0] for answer in answers)
    [known] = [
        row for row in shop("GET", "/subscribers?list=blog").json["data"] if row["email"] == KNOWN
    ]
    assert (known["name"], known["language"], known["tags"]) == ("", "", [])
    assert [row["list"] for row in known["subscriptions"]] == ["blog"]
    assert shop("POST", "/subscribers/search", {"email": KNOWN}).json == known
    with reading() as session:
        row = session.scalars(select(Subscriber).where(Subscriber.email == KNOWN)).one()
        assert (row.name, row.language) == ("Xenia", "de")


def _list_hidden(session: Session) -> list[tuple[NamedRow | str, object, object]]:
    """List what is on another list, by kind, beside a name of that kind that nothing has."""
    other = session.scalars(select(MailingList).where(MailingList.slug == "other")).one()
    kinds = {"campaign": Campaign, "feed": Feed, "entry": Entry}
    rows: list[tuple[NamedRow | str, object, object]] = [
        (
            kind,
            session.scalars(select(model.id).where(model.list_id == other.id)).first(),
            2**31 - 1,
        )
        for kind, model in kinds.items()  # type: ignore[attr-defined]
    ]
    subscription = session.scalars(
        select(Subscription).where(Subscription.list_id == other.id).limit(1)
    ).one()
    ids = {
        NamedRow.SUBSCRIBER: subscription.subscriber_id,
        NamedRow.SUBSCRIPTION: subscription.id,
    }
    names = get_row_names(session)
    rows += [
        (kind, names[kind].name(row_id), names[kind].name(9**9)) for kind, row_id in ids.items()
    ]
    return [*rows, ("list", "other", "nolist")]


OPERATIONS = {
    "campaign": """GET /letters/@, PATCH /letters/@, GET /letters/@/preview,
        GET /letters/@/preflight, POST /letters/@/test, POST /letters/@/schedule,
        POST /letters/@/send, GET /campaigns/@, GET /campaigns/@/report,
        GET /campaigns/@/deliveries, POST /campaigns/@/pause, POST /campaigns/@/resume,
        POST /campaigns/@/cancel, POST /campaigns/@/retry""",
    "feed": """GET /feeds/@, PATCH /feeds/@, POST /feeds/@/pause, POST /feeds/@/resume,
        POST /feeds/@/poll, DELETE /feeds/@""",
    "entry": """GET /entries/@, POST /entries/@/hold, POST /entries/@/release,
        POST /entries/@/skip, POST /entries/@/send, POST /entries/@/send-now""",
    NamedRow.SUBSCRIBER: "GET /subscribers/@, PATCH /subscribers/@, DELETE /subscribers/@",
    NamedRow.SUBSCRIPTION: "GET /subscriptions/@, PATCH /subscriptions/@, DELETE /subscriptions/@",
    "list": "GET /lists/@, PATCH /lists/@",
}
"""The operations that name one thing, by its kind: `@` is the name."""


def test_each_operation_that_names_one_thing_is_tried(blog: Flask) -> None:
    rules = {
        f"{method} {re.sub('<[^>]*>', '@', rule.rule.removeprefix(ROOT))}"
        for rule in blog.url_map.iter_rules()
        if rule.rule.startswith(ROOT) and rule.arguments
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    listed = {one.strip() for text in OPERATIONS.values() for one in text.split(",")}
    assert rules - {"DELETE /resources/@"} == listed, "files belong to no list"


def test_what_is_on_another_list_is_answered_as_what_does_not_exist(
    blog: Flask, shop: Program, env: Environment
) -> None:
    """Word for word: `there is no letter` and `there is no campaign` are two answers."""
    add_letter(make(blog, env, "send"), list="other")
    bodies: dict[str, object] = {
        "test": {"to": "a@example.com"},
        "schedule": {"at": "2030-01-01T00:00:00Z"},
    }
    with reading() as session:
        hidden = _list_hidden(session)
    for kind, name, nothing in hidden:
        for one in OPERATIONS[kind].split(","):
            method, path = one.split()
            body = None if method in ("GET", "DELETE") else bodies.get(path.split("/")[-1], {})
            answers = [
                shop(method, path.replace("@", str(which)), body) for which in (name, nothing)
            ]
            details = [
                answer.json.get("detail", "").replace(str(which), "@")
                for answer, which in zip(answers, (name, nothing), strict=True)
            ]
            assert answers[0].status_code == answers[1].status_code >= 400, one
            assert details[0] == details[1], one


def test_a_search_finds_nobody_of_another_list(shop: Program) -> None:
    """Neither does its answer tell them from a stranger, nor do its statements."""
    answers = []
    for address in ("y@example.com", "stranger@example.com"):
        search = {"email": address}
        shop("POST", "/subscribers/search", search)  # what a process does once only
        with counted() as statements:
            answer = shop("POST", "/subscribers/search", search)
        answers.append((answer.status_code, answer.json, statements))
    assert answers[0][0] == 404
    assert answers[0] == answers[1]


def test_a_token_for_all_lists_is_told_what_came_of_it(
    shop: Program, blog: Flask, env: Environment
) -> None:
    everything = make(blog, env, "write")
    body = {"list": "blog", "email": SUPPRESSED, "because": "asked"}
    assert everything("POST", "/subscribers", body).status_code == 409
    assert everything("POST", "/subscribers", {**body, "email": KNOWN}).json["name"] == "Xenia"


@pytest.mark.any_database
@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PATCH", "/subscribers/{}", {"add_tags": ["mine"]}),
        ("PATCH", "/subscribers/{}", {"name": "Mine"}),
        ("PATCH", "/subscribers/{}", {"language": "fr"}),
        ("POST", "/subscribers", {"list": "blog", "email": "n@example.com", "tags": ["mine"]}),
        ("GET", "/subscribers?list=blog&tag=patient", None),
        ("GET", "/subscribers?list=blog&segment='patient' in tags", None),
    ],
)
def test_what_all_lists_show_is_neither_asked_for_nor_changed(
    shop: Program, blog: Flask, env: Environment, method: str, path: str, body: Any
) -> None:
    subscriber_id = find(make(blog, env, "write"), "a@example.com")["id"]
    response = shop(method, path.format(subscriber_id), body)
    assert response.status_code == 403, response.text
    assert "limited to lists" in response.json["detail"]
    with reading() as session:
        mine = session.scalars(select(Subscriber).where(Subscriber.email == "a@example.com")).one()
        assert (mine.name, mine.language) == ("", "")
        assert tags.read_tags(session, [mine.id]) == {}


def test_how_many_pages_there_are_says_nothing_of_other_lists(
    shop: Program, blog: Flask, env: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "WINDOW", 3)

    def walk(path: str) -> tuple[list[str], int]:
        emails: list[str] = []
        pages = 0
        cursor = ""
        while True:
            answer = shop("GET", f"{path}&cursor={cursor}" if cursor else path).json
            emails += [row["email"] for row in answer["data"]]
            pages = pages + 1
            cursor = answer["next"]
            if cursor is None:
                return emails, pages

    paths = (
        "/subscribers?list=blog&status=pending",
        "/subscriptions?list=blog&cadence=monthly",
        "/subscribers?list=blog",
    )
    with transaction() as session:
        mailing_list = session.scalars(select(MailingList).where(MailingList.slug == "blog")).one()
        for number in range(5):
            add_reader(session, mailing_list, f"own{number}@example.com", status="pending")
    before = [walk(path) for path in paths]
    assert before[0][0] == [f"own{number}@example.com" for number in (4, 3, 2, 1, 0)]
    with transaction() as session:
        other = session.scalars(select(MailingList).where(MailingList.slug == "other")).one()
        for number in range(40):
            add_reader(session, other, f"other{number}@example.com", status="pending")
    assert [walk(path) for path in paths] == before


@pytest.mark.any_database
def test_tests_of_letters_have_a_ceiling(
    shop: Program, blog: Flask, env: Environment, clock: Clock
) -> None:
    authors.add_author(env, "me@example.org", role="owner")  # type: ignore[arg-type]
    path = f"/letters/{add_letter(shop)}/test"
    spelt = ["vic.tim@gmail.com", "victim+1@gmail.com", "v.ictim@googlemail.com"]
    codes = [shop("POST", path, {"to": spelt[number % 3]}).status_code for number in range(9)]
    assert codes == [204] * 6 + [429] * 3
    assert shop("POST", path, {"to": "somebody.else@gmail.com"}).status_code == 204
    codes = [shop("POST", path, {"to": "me@example.org"}).status_code for _ in range(60)]
    assert codes == [204] * 53 + [429] * 7
    refused = shop("POST", path, {"to": "me@example.org"})
    assert int(refused.headers["Retry-After"]) > 0


HELD_BACK = (
    {"segment": '"patient" in tags'},
    {"segment": 'email == "x@example.com" and not (cadence == "weekly" or tags == none)'},
    {"segment": 'name == "Xenia"'},
    {"segment": 'not language in ("de", "fr")'},
    {"markdown": '{% if "patient" in subscriber.tags %}{{ 1 / 0 }}{% endif %}'},
    {"subject": '{{ subscriber["tags"]|join(" ") }} x'},
    {"preheader": "{% set one = subscriber %}{{ one.tags|length }}"},
)


@pytest.mark.any_database
@pytest.mark.parametrize("content", HELD_BACK, ids=lambda content: next(iter(content.values())))
def test_a_letter_of_a_limited_token_counts_by_nothing_of_all_lists(
    shop: Program, blog: Flask, env: Environment, content: dict[str, str]
) -> None:
    """The number of recipients, or of those for whom a letter fails, would be the answer."""
    letter = add_letter(shop, segment='cadence == "weekly"', markdown="{{ subscriber.cadence }}")
    body = {"list": "blog", "subject": "Hello", "markdown": "Read this.", **content}
    assert shop("POST", "/letters", body).status_code == 422
    answer = shop("PATCH", f"/letters/{letter}", content)
    assert answer.status_code == 422
    assert "belong" in answer.text
    assert make(blog, env, "write")("POST", "/letters", body).status_code == 201
