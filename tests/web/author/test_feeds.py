"""Feeds on the author's pages: found as the command finds them, filtered, each list by itself."""

from __future__ import annotations

import pytest
from flask import Flask
from sqlalchemy import select

from newsletter.db.session import reading, transaction
from newsletter.models import Feed, MailingList
from newsletter.services.polling import feeds
from tests.fakes import FakeFetch
from tests.people import add_feed
from tests.web.author.conftest import Browse

PAGE = "/author/sources/add"
FEED = b"""<rss version="2.0"><channel><title>Slow &lt;script&gt;</title><link>https://slow.example/</link>
<item><title>One</title><link>https://slow.example/one</link><guid>1</guid></item></channel></rss>"""


@pytest.fixture
def feed(app: Flask, lists: None) -> int:
    with app.app_context(), transaction() as session:
        blog, talks = session.scalars(select(MailingList).order_by(MailingList.id))
        add_feed(session, talks, "https://talks.example.com/feed/")
        return add_feed(session, blog).id


def test_a_feed_is_found_by_the_address_of_its_blog(
    app: Flask, browse: Browse, fake_fetch: FakeFetch, feed: int
) -> None:
    fake_fetch.pages["https://slow.example/feed"] = FEED
    browser = browse("owner", "blog")
    fields = {
        "url": "https://slow.example/feed",
        "list": "blog",
        "only": "News\n\nTalks ",
        "kinds": ["live"],
    }
    answer = browser.post(PAGE, fields, page=PAGE)
    assert answer.headers["Location"] == "/author/sources?done=1"
    with app.app_context():
        [added] = [one for one in feeds.list_feeds("blog") if one.id != feed]
    assert added.only_categories == ("News", "Talks")
    assert set(added.leaves_out) == {"shorts", "premieres"}
    page = browser.get("/author/sources").text
    assert "https://slow.example/feed" in page and "talks.example.com" not in page
    assert "<script>" not in browser.get(f"/author/feeds/{added.id}").text.replace(
        "<script type", ""
    )
    again = browser.post(PAGE, fields, page=PAGE)
    assert again.status_code == 422 and "has this feed already" in again.text
    assert 'value="https://slow.example/feed"' in again.text


@pytest.mark.any_database
@pytest.mark.parametrize("url", ["https://nothing.example/", "file:///etc/passwd", "", "x" * 5000])
def test_an_address_without_a_feed_is_answered_in_the_form(
    app: Flask, browse: Browse, feed: int, url: str
) -> None:
    answer = browse("owner").post(PAGE, {"url": url, "list": "blog"}, page=PAGE)
    assert answer.status_code == 422
    assert 'role="alert"' in answer.text or 'aria-invalid="true"' in answer.text
    with app.app_context(), reading() as session:
        assert len(session.scalars(select(Feed.id)).all()) == 2


def test_filters_are_changed_and_checked(app: Flask, browse: Browse, feed: int) -> None:
    browser = browse("owner", "blog")
    page = f"/author/feeds/{feed}"
    wrong = browser.post(f"{page}/edit", {"not_title": "("}, page=page)
    assert wrong.status_code == 422 and 'aria-invalid="true"' in wrong.text
    browser.post(
        f"{page}/edit", {"never": "Ads", "not_title": "^Sale", "kinds": ["shorts"]}, page=page
    )
    with app.app_context():
        changed = feeds.get(str(feed))
        other = feeds.list_feeds("talks")[0]
    assert (changed.not_categories, changed.not_title) == (("Ads",), "^Sale")
    assert (other.not_categories, other.leaves_out) == ((), ())
    assert browser.get(f"/author/feeds/{other.id}").status_code == 404
    assert browser.post(f"/author/feeds/{other.id}/edit", page=page).status_code == 404
    assert (
        browser.post(PAGE, {"url": "https://x.example", "list": "talks"}, page=PAGE).status_code
        == 404
    )
    assert "/edit" not in browse("viewer").get(page).text
