"""Authors and programs of one list learn nothing of others: by spelling, order, search or history.

One address is known on another list, the other is nobody's. Both are added to the limited one's
list, and whatever that list's author or program reads has to be the same for both.
"""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from flask import Flask
from sqlalchemy import select

from newsletter.access_vocabulary import TokenScope
from newsletter.db.session import reading, transaction
from newsletter.models import MailingList, Subscriber, Subscription
from newsletter.services import api_tokens
from newsletter.services.consent import Evidence
from newsletter.services.runtime import EXTENSION
from newsletter.services.signup.subscribe import Submission, subscribe
from newsletter.vocabulary import EvidenceSource
from tests.people import add_reader
from tests.web.author.conftest import Browse, BrowserOf

KNOWN = "kim.known@example.com"
UNKNOWN = "kim.guest@example.com"
_OPAQUE = re.compile(r'value="[0-9a-f]{64}"|\b[a-z2-7]{24}\b|/subscribers/[\w-]{12,20}|:[0-9.]+Z')


@pytest.fixture
def limited(app: Flask, browse: Browse) -> BrowserOf:
    """Log an author of `blog` alone in, who adds an address that is known on `talks`, and another.

    Readers came to `blog` in between: who was known before is older than these. The known one has
    signed up once more on `talks` today, and so had the one mail that a mailbox gets a day.
    """
    with app.app_context(), transaction() as session:
        lists = {row.slug: row for row in session.scalars(select(MailingList))}
        add_reader(session, lists["talks"], "Kim.Known@example.com", name="Zelda Quist")
        known = session.scalars(select(Subscriber)).one()
        known.email_key = KNOWN
        for number in range(3):
            add_reader(session, lists["blog"], f"reader{number}@example.com", name=f"Zoe {number}")
    with app.app_context():
        visitor = Evidence(EvidenceSource.FORM, ip="192.0.2.7")
        subscribe(app.extensions[EXTENSION], "talks", Submission(KNOWN), visitor)
    browser = browse("editor", "blog")
    page = "/author/subscribers/add"
    for address in (KNOWN, UNKNOWN):
        browser.post(page, {"email": address, "list": "blog"}, page=page)
    return browser


@pytest.fixture
def token(app: Flask, limited: BrowserOf) -> str:
    """Make a token of `blog`."""
    env = app.extensions[EXTENSION]
    with app.app_context():
        return api_tokens.add_token(env, "shop", TokenScope.WRITE, ["blog"])


@pytest.fixture
def ask(app: Flask, token: str) -> Callable[[str], list[str]]:
    """Ask the API with a token of `blog`; return the addresses of all pages."""
    headers = {"Authorization": f"Bearer {token}"}

    def walk(path: str) -> list[str]:
        emails: list[str] = []
        cursor = ""
        while True:
            answer = app.test_client().get(f"/api/v1{path}{cursor}", headers=headers).json
            emails += [row["email"] for row in answer["data"]]
            if answer["next"] is None:
                return emails
            cursor = f"&cursor={answer['next']}"

    return walk


def list_addresses(page: str) -> list[str]:
    return re.findall(r'"\s+dir="ltr">([^<\s]+@example.com)</a></th>', page)


NEWEST = [UNKNOWN, KNOWN, *(f"reader{number}@example.com" for number in (2, 1, 0))]


def test_neither_order_nor_spelling_tells_who_was_known_before(limited: BrowserOf) -> None:
    assert list_addresses(limited.get("/author/subscribers").text) == NEWEST
    page = limited.get("/author/subscribers?search=kim").text
    assert list_addresses(page) == [UNKNOWN, KNOWN]


@pytest.mark.parametrize(
    "path", ["/subscribers?", "/subscriptions?", "/subscribers?status=pending&"]
)
def test_neither_do_the_listings_for_programs(ask: Callable[[str], list[str]], path: str) -> None:
    newest = NEWEST[:2] if "pending" in path else NEWEST
    for limit in (1, 2, 100):
        assert ask(f"{path}list=blog&limit={limit}") == newest


def test_a_search_finds_no_name_that_was_told_elsewhere(limited: BrowserOf) -> None:
    for typed in ("Zelda Quist", "zel", "Z"):
        page = limited.get("/author/subscribers", query_string={"search": typed}).text
        assert KNOWN not in page.lower()
    assert "reader0@example.com" in page


def test_the_page_of_a_subscriber_is_the_same(app: Flask, limited: BrowserOf) -> None:
    pages = []
    for address in (KNOWN, UNKNOWN):
        with app.app_context(), reading() as session:
            query = select(Subscriber.handle).where(Subscriber.email_key == address)
            handle = session.scalars(query).one()
        page = limited.get(f"/author/subscribers/{handle}").text
        assert "Zelda" not in page
        pages.append(_OPAQUE.sub("*", page).replace(address, "@").replace(handle, "*"))
    assert pages[0] == pages[1]


def test_more_pages_name_everybody_once(app: Flask, limited: BrowserOf, browse: Browse) -> None:
    """An author of two lists sees who is on both at the place of the newest of them."""
    with app.app_context(), transaction() as session:
        lists = {row.slug: row for row in session.scalars(select(MailingList))}
        readers = {
            number: add_reader(session, lists["blog"], f"page{number:02}@example.com")
            for number in range(60)
        }
        both = Subscription(
            handle="on-talks-too",
            list_id=lists["talks"].id,
            subscriber_id=readers[3].subscriber_id,
            status="active",
            cadence="weekly",
            created_at=readers[3].created_at,
        )
        session.add(both)
    pages = [f"page{number:02}@example.com" for number in range(59, -1, -1)]
    assert list_pages(limited) == [*pages, *NEWEST]
    pages.remove("page03@example.com")
    editor = browse("editor", "blog", "talks")
    assert list_pages(editor) == ["page03@example.com", *pages, *NEWEST]


def list_pages(browser: BrowserOf) -> list[str]:
    addresses: list[str] = []
    path = "/author/subscribers"
    while path:
        page = browser.get(path).text
        addresses += list_addresses(page)
        more = re.search(r'class="button" href="(/author/subscribers\?after=[^"]+)"', page)
        path = more[1] if more else ""
    return addresses


def test_nothing_that_can_be_read_spells_it_as_it_was_typed_elsewhere(
    app: Flask, limited: BrowserOf, token: str
) -> None:
    headers = {"Authorization": f"Bearer {token}"}
    looked = 0
    for rule in app.url_map.iter_rules():
        if rule.arguments or "GET" not in (rule.methods or ()):
            continue
        if rule.rule.startswith("/author/"):
            text = limited.get(rule.rule).text
        elif rule.rule.startswith("/api/v1/"):
            text = app.test_client().get(f"{rule.rule}?list=blog", headers=headers).text
        else:
            continue
        looked += KNOWN in text
        assert "Kim.Known" not in text and "Zelda" not in text, rule.rule
    assert looked >= 3
