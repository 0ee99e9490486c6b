"""A token that is limited to lists learns nothing that it did not bring."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from newsletter.db.session import reading, transaction
from newsletter.models import MailingList, Subscriber
from newsletter.services import suppressions, tags
from newsletter.services.authors import authors
from newsletter.services.runtime import Environment
from newsletter.services.subscribers import listing
from tests.fakes import Clock
from tests.people import add_reader
from tests.web.test_api import Program, add_letter, blog, find, make

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
