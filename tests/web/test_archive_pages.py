"""The public archive: readable addresses, one canonical page a post, search, and what searchers may
list.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import timedelta
from html import unescape
from xml.etree import ElementTree

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from newsletter.db.session import db, transaction
from newsletter.models import Campaign, Feed, MailingList
from newsletter.services.campaigns import state
from newsletter.services.campaigns.archive_names import make_slug
from newsletter.services.digests import due
from newsletter.services.lists import archived_campaigns, lists
from newsletter.services.runtime import EXTENSION, Environment
from newsletter.services.sending import run as sending
from newsletter.vocabulary import Actor, CampaignKind
from tests.fakes import Clock, Sink
from tests.people import add_entry, add_feed, add_list, add_reader


@pytest.fixture
def archive(app: Flask, clock: Clock, sink: Sink) -> Callable[[], list[tuple[str, str]]]:
    """Two posts of one title mailed at once, a digest of both, and a post of another list."""
    env = app.extensions[EXTENSION]

    def tick() -> None:
        due.compose_due(env)
        sending.send_due(env)

    with app.app_context():
        with transaction() as session:
            blog = add_list(session, site_url="https://blog.example/")
            other = add_list(session, "walks", title="Short Walks")
            feed_ids = add_feed(session, blog).id, add_feed(session, other).id
            add_reader(session, other, "eva@example.com", cadence="instant")
            add_reader(session, blog, "ana@example.com", name="Ana Reader", cadence="instant")
            add_reader(session, blog, "bea@example.com", cadence="weekly")
            add_entry(session, session.get_one(Feed, feed_ids[1]), "Elsewhere")
        for slug in ("going-slowly", "again"):
            with transaction() as session:
                entry = add_entry(session, session.get_one(Feed, feed_ids[0]), "Going slowly")
                entry.link = entry.identity = f"https://blog.example/{slug}"
            tick()
        clock.forward(timedelta(days=7))
        tick()
        db.session.remove()

    def names(slug: str = "blog") -> list[tuple[str, str]]:
        with app.app_context():
            rows = db.session.execute(
                select(Campaign.handle, Campaign.archive_name)
                .join(MailingList)
                .where(MailingList.slug == slug)
                .order_by(Campaign.id)
            ).all()
            db.session.remove()
        return [(handle, name) for handle, name in rows]

    return names


def read_meta(html: str) -> dict[str, str]:
    return dict(re.findall(r'<meta (?:property|name)="([^"]+)" content="([^"]*)">', html))


def test_an_address_is_readable_and_the_handle_leads_to_it(
    archive: Callable[[], list[tuple[str, str]]], client: FlaskClient
) -> None:
    (first, name), (second, again), *_ = archive()
    assert re.fullmatch(r"2026-11-2\d-going-slowly", name), name
    assert again == f"{name}-2", "a second campaign of that title and day"
    answer = client.get(f"/blog/archive/{first}")
    assert (answer.status_code, answer.location) == (301, f"/blog/archive/{name}")
    assert client.get(f"/blog/archive/{second}").location == f"/blog/archive/{again}"
    assert client.get(f"/walks/archive/{first}").status_code == 404, "another list's"
    assert client.get(f"/walks/archive/{name}-2").status_code == 404
    assert client.get(f"/blog/archive/{name}-3").status_code == 404


def test_a_single_post_names_the_blog_as_its_source(
    archive: Callable[[], list[tuple[str, str]]], client: FlaskClient
) -> None:
    name = archive()[0][1]
    html = client.get(f"/blog/archive/{name}").get_data(as_text=True)
    assert '<link rel="canonical" href="https://blog.example/going-slowly">' in html
    assert "All about Going slowly." in html
    assert 'name="email"' in html, "the form stands at its end"
    assert html.count("<h1") == 1
    assert f'rel="next" href="/blog/archive/{name}-2"' in html
    meta = read_meta(html)
    assert meta["og:url"] == f"https://news.example.com/blog/archive/{name}"
    assert meta["og:title"] == "Going slowly"
    assert meta["description"].startswith("All about Going slowly.")
    [script] = re.findall(r'<script type="application/ld\+json">(.*?)</script>', html)
    data = json.loads(script)
    assert (data["@type"], data["headline"]) == ("BlogPosting", "Going slowly")
    assert data["mainEntityOfPage"] == "https://blog.example/going-slowly"
    for personal in ("Ana Reader", "ana@example.com", "/unsubscribe/", "/preferences/"):
        assert personal not in html


@pytest.mark.any_database
def test_a_post_without_any_text_is_described_by_its_list(
    archive: Callable[[], list[tuple[str, str]]], app: Flask, client: FlaskClient
) -> None:
    """The words of its button describe nothing."""
    env = app.extensions[EXTENSION]
    with app.app_context():
        with transaction() as session:
            feed = session.scalars(select(Feed).order_by(Feed.id)).first()
            assert feed is not None
            add_entry(session, feed, "A picture", now=env.now).content_html = ""
        lists.edit(env, "blog", {"description": "On walking"})
        due.compose_due(env)
        db.session.remove()
    page = client.get(f"/blog/archive/{archive()[-1][1]}").text
    assert "<h1" in page
    assert read_meta(page)["og:title"] == "A picture"
    assert read_meta(page)["og:description"] == "On walking"


def test_a_digest_of_several_is_listed_only_if_the_author_wants(
    archive: Callable[[], list[tuple[str, str]]], app: Flask, client: FlaskClient
) -> None:
    env = app.extensions[EXTENSION]
    with app.app_context():
        add_digest(env)
    name, repeated = (name for _, name in archive()[-2:])
    path = f"/blog/archive/{name}"
    answer = client.get(path)
    assert answer.headers["X-Robots-Tag"] == "noindex"
    assert '<meta name="robots" content="noindex">' in answer.get_data(as_text=True)
    assert path not in client.get("/sitemap.xml").get_data(as_text=True)
    with app.app_context():
        lists.edit(env, "blog", {"indexed": "all"})
        db.session.remove()
    assert "X-Robots-Tag" not in client.get(path).headers
    again = client.get(f"/blog/archive/{repeated}")
    assert again.headers["X-Robots-Tag"] == "noindex", "it carries nothing that the other had not"
    locations = [
        element.text
        for element in ElementTree.fromstring(client.get("/sitemap.xml").data).iter()
        if element.tag.endswith("loc")
    ]
    assert f"https://news.example.com{path}" in locations
    assert "https://news.example.com/walks/archive/" in locations


def test_a_digest_describes_itself_by_the_titles_of_its_posts(
    archive: Callable[[], list[tuple[str, str]]], client: FlaskClient
) -> None:
    name = archive()[2][1]
    html = client.get(f"/blog/archive/{name}").get_data(as_text=True)
    assert read_meta(html)["description"] == "Going slowly · Going slowly"


def add_digest(env: Environment) -> None:
    """Add a digest of two new posts, mailed a week later."""
    with transaction() as session:
        feed = session.scalars(select(Feed).order_by(Feed.id)).first()
        assert feed is not None
        for title in ("One", "Two"):
            add_entry(session, feed, title, now=env.now)
    env.clock.forward(timedelta(days=7))  # type: ignore[attr-defined]
    due.compose_due(env)
    sending.send_due(env)
    db.session.remove()


def test_pages_follow_one_another_and_titles_are_searched(
    app: Flask, clock: Clock, client: FlaskClient
) -> None:
    with app.app_context(), transaction() as session:
        blog = add_list(session)
        other = add_list(session, "walks", title="Short Walks")
        for number in range(120):
            for mailing_list in (blog, other):
                campaign = state.add_campaign(
                    session,
                    list_id=mailing_list.id,
                    kind=CampaignKind.LETTER,
                    now=clock.now,
                    subject=f"{mailing_list.slug} {number} 100% Größe",
                )
                campaign.segment = "tags == 'x'" if number == 7 else ""
                state.start(session, campaign, clock.now, Actor.AUTHOR)
    names: list[str] = []
    path = "/blog/archive/"
    pages = 0
    while path:
        html = client.get(path).get_data(as_text=True)
        names += re.findall(r'href="/blog/archive/(2026[^"]+)"', html)
        more = re.search(r'rel="next"\s+href="([^"]+)"', html)
        path = more[1].replace("&amp;", "&") if more else ""
        pages += 1
    assert pages == 3
    assert len(names) == len(set(names)) == 119, "not the letter to a segment"
    assert all("-blog-" in name for name in names)
    for search, count in (("blog 11", 11), ("BLOG 11", 11), ("100%", 119), ("_", 0), ("walks", 0)):
        with app.app_context():
            listing = archived_campaigns.list_page("blog", search=search, limit=500)
        assert len(listing.campaigns) == count, search
    answer = client.get("/blog/archive/?q=blog+119")
    assert "blog-119" in answer.get_data(as_text=True)
    assert answer.headers["X-Robots-Tag"] == "noindex"
    assert client.get("/blog/archive/?before=no-such-name").status_code == 200


@pytest.mark.parametrize(
    ("subject", "slug"),
    [
        ("Going slowly", "going-slowly"),
        ("Größe & Maß, über alles!", "grosse-mass-uber-alles"),
        ("Don't worry", "dont-worry"),
        ("ببطء", ""),
        ("a" * 100, "a" * 60),
        (" ".join(["word"] * 30), "-".join(["word"] * 12)),
        ("../../etc/passwd", "etc-passwd"),
    ],
)
def test_a_subject_becomes_a_readable_address(subject: str, slug: str) -> None:
    assert make_slug(subject) == slug


def test_robots_are_kept_from_links_of_subscribers(client: FlaskClient) -> None:
    lines = client.get("/robots.txt").get_data(as_text=True).splitlines()
    for path in ("unsubscribe/", "preferences/", "confirm/", "link", "author/"):
        assert f"Disallow: /{path}" in lines
    assert "Sitemap: https://news.example.com/sitemap.xml" in lines


@pytest.mark.parametrize(
    ("path", "heading", "kind"),
    [
        ("/blog/", "Slow <Letters>", "WebPage"),
        ("/blog/archive/", "Archive: Slow <Letters>", "CollectionPage"),
    ],
)
def test_the_pages_of_a_list_have_a_card(
    app: Flask, archive: Callable[[], list[tuple[str, str]]], path: str, heading: str, kind: str
) -> None:
    with app.app_context():
        values = {
            "title": "Slow <Letters>",
            "description": "A letter & a walk",
            "logo": "https://blog.example/logo.png",
        }
        lists.edit(app.extensions[EXTENSION], "blog", values)
    page = app.test_client().get(path, headers={"Accept-Language": "en"}).text
    metas = dict(re.findall(r'<meta (?:property|name)="([\w:]+)" content="([^"]*)">', page))
    assert unescape(metas["og:title"]) == heading
    assert metas["description"] == metas["og:description"] == "A letter &amp; a walk"
    assert metas["og:image"] == "https://blog.example/logo.png"
    assert metas["og:url"] == f"https://news.example.com{path}"
    assert f'<link rel="canonical" href="https://news.example.com{path}">' in page
    [data] = re.findall(r'<script type="application/ld\+json">(.*?)</script>', page, re.S)
    described = json.loads(data)
    assert (described["@type"], described["name"]) == (kind, "Slow <Letters>")
    assert described["url"] == metas["og:url"]
    assert "</Letters>" not in data


def test_an_older_page_of_the_archive_is_a_page_of_its_own(
    app: Flask, archive: Callable[[], list[tuple[str, str]]]
) -> None:
    [_, (_, name), *_] = archive()
    page = app.test_client().get(f"/blog/archive/?before={name}").text
    address = f"https://news.example.com/blog/archive/?before={name}"
    assert f'<link rel="canonical" href="{address}">' in page
