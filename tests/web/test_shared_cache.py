"""Test what a proxy may keep: public pages for seconds, and nothing that is for one visitor."""

from __future__ import annotations

import pytest
from flask import Flask
from flask.testing import FlaskClient

from newsletter.db.session import transaction
from newsletter.services.runtime import EXTENSION
from newsletter.web.shared_cache import PUBLIC
from tests.people import add_list, add_reader

pytestmark = pytest.mark.any_database

PAGES = ("/", "/blog/", "/blog/embed", "/blog/archive/", "/blog/archive/feed.xml")


@pytest.fixture
def link(app: Flask) -> str:
    """Return a signed link of one subscriber among several."""
    with app.app_context(), transaction() as session:
        mailing_list = add_list(session)
        add_list(session, "other")
        handle = add_reader(session, mailing_list, "a@example.com").handle
        add_reader(session, mailing_list, "b@example.com")
    env = app.extensions[EXTENSION]
    return env.links.unsubscribe(str(handle), env.now).partition("example.com")[2]


def test_the_public_endpoints_exist(app: Flask) -> None:
    assert set(app.view_functions) >= PUBLIC


@pytest.mark.parametrize("page", PAGES)
def test_a_public_page_is_shared_and_has_a_validator(
    client: FlaskClient, link: str, page: str
) -> None:
    answer = client.get(page)
    assert answer.headers["Cache-Control"] == "public, max-age=0, s-maxage=5"
    assert "Accept-Language" in answer.headers["Vary"]
    again = client.get(page, headers={"If-None-Match": answer.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")
    other = client.get(page, headers={"If-None-Match": '"another"'})
    assert other.status_code == 200


def test_a_form_in_a_frame_is_kept_for_each_page_around_it(client: FlaskClient, link: str) -> None:
    assert "Referer" in client.get("/blog/embed").headers["Vary"]
    assert "Referer" not in client.get("/blog/").headers["Vary"]


def test_nothing_else_is_shared(client: FlaskClient, link: str) -> None:
    for answer in (
        client.get(link),
        client.post(link, data={"List-Unsubscribe": "One-Click"}),
        client.post("/blog/subscribe", data={"email": "no"}),
        client.post("/blog/embed", data={"email": "no"}),
        client.get("/blog/embed?sent=1"),
        client.get("/blog/check-your-inbox"),
        client.get("/blog/challenge"),
        client.get("/healthz"),
        client.get("/nothing/"),
        client.get("/confirm/x.y"),
        client.get("/metrics"),
    ):
        cached = answer.headers.get("Cache-Control", "")
        assert "public" not in cached, answer.request.path
        assert "s-maxage" not in cached
