"""Posts of a real WordPress, from its feed to the mail: what is taken back, hidden, or out of its
feed's window.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from newsletter.db.session import transaction
from newsletter.feeds.fetch import Fetcher
from newsletter.feeds.protected import PROTECTED
from newsletter.services.digests import due as digests
from newsletter.services.polling import entries, feeds, poll
from newsletter.services.runtime import Environment
from newsletter.services.sending import run as sending
from newsletter.vocabulary import EntryStatus
from tests.fakes import Clock, Sink, body
from tests.people import add_list, add_reader
from tests.servers.wordpress import ITEMS, WordPress

pytestmark = [pytest.mark.wordpress, pytest.mark.xdist_group("wordpress")]

BEFORE = "2026-01-01 10:00:00"
"""The date of what the blog had before its feed was added."""


@pytest.fixture
def world(env: Environment, clock: Clock, wordpress: WordPress) -> Environment:
    """Make a blog with an old post on a list with an instant subscriber, beside a list without a
    feed.
    """
    wordpress.run(
        "foreach (get_posts(['numberposts' => -1, 'post_status' => 'any']) as $p) "
        "wp_delete_post($p->ID, true);"
        "echo json_encode(true);"
    )
    wordpress.publish("Old", at=BEFORE)
    clock.now = datetime.now(UTC)
    world = replace(env, fetch=Fetcher(user_agent="newsletter", allow_private=True))
    with transaction() as session:
        mailing_list = add_list(session, grace_minutes=30)
        add_reader(session, mailing_list, "ana@example.com", cadence="instant")
        add_reader(session, add_list(session, "other"), "ben@example.com", cadence="instant")
    feeds.add(world, wordpress.feed, "blog")
    return world


def poll_blog(world: Environment, clock: Clock, after: timedelta = timedelta(hours=2)) -> None:
    clock.forward(after)
    poll.poll_due(world)


def mail(world: Environment, clock: Clock, sink: Sink) -> list[str]:
    """Return what the subscriber gets once the grace time is over."""
    clock.forward(timedelta(minutes=31))
    digests.compose_due(world)
    sending.send_due(world)
    assert sink.to("ben@example.com") == []
    return [body(message) for message in sink.to("ana@example.com")]


def fates() -> dict[str, EntryStatus]:
    return {entry.title: entry.fate for entry in entries.list_entries(limit=None)}


@pytest.mark.parametrize("how", ["trash", "draft"])
def test_w1_a_post_that_is_taken_back_in_its_grace_time_is_not_mailed(
    world: Environment, wordpress: WordPress, clock: Clock, sink: Sink, how: str
) -> None:
    withdrawn = wordpress.publish("Too early", at="2026-02-01 10:00:00")
    wordpress.publish("Stays", at="2026-02-02 10:00:00")
    first = world.fetch(wordpress.feed)
    poll_blog(world, clock)
    assert fates() == {"Old": "skipped", "Too early": "ready", "Stays": "ready"}
    if how == "trash":
        wordpress.trash(withdrawn)
    else:
        wordpress.update(withdrawn, post_status="draft")
    again = world.fetch(wordpress.feed, etag=first.etag, last_modified=first.last_modified)
    assert again.status == 304, "WordPress says that nothing changed"
    [text] = mail(world, clock, sink)
    assert "Stays" in text
    assert "Too early" not in text
    assert fates()["Too early"] == "skipped"


def test_w11_fourteen_posts_in_a_feed_of_ten_are_all_found(
    world: Environment, wordpress: WordPress, clock: Clock, sink: Sink
) -> None:
    titles = [f"Post {number:02}" for number in range(14)]
    for day, title in enumerate(titles, 1):
        wordpress.publish(title, at=f"2026-03-{day:02} 10:00:00")
    assert world.fetch(wordpress.feed).body.count(b"<item>") == ITEMS
    poll_blog(world, clock, timedelta(days=2))
    assert fates() == {"Old": "skipped"} | dict.fromkeys(titles, EntryStatus.READY)
    [text] = mail(world, clock, sink)
    assert [title for title in titles if title in text] == titles


def test_w11_fourteen_posts_within_hours_are_held_and_none_is_lost(
    world: Environment, wordpress: WordPress, clock: Clock, sink: Sink
) -> None:
    titles = [f"Post {number:02}" for number in range(14)]
    for day, title in enumerate(titles, 1):
        wordpress.publish(title, at=f"2026-03-{day:02} 10:00:00")
    poll_blog(world, clock)
    assert fates() == {"Old": "skipped"} | dict.fromkeys(titles, EntryStatus.HELD)
    assert mail(world, clock, sink) == []
    [question] = sink.to("ana@news.example.com")
    assert "14" in body(question)


def test_b11_a_password_protected_post_is_held_until_it_is_public(
    world: Environment, wordpress: WordPress, clock: Clock, sink: Sink
) -> None:
    post = wordpress.publish("Secret", password="sesame", at="2026-04-01 10:00:00")
    wordpress.publish("Public", at="2026-04-02 10:00:00")
    poll_blog(world, clock)
    [held] = entries.list_entries(fate="held")
    assert held.why == PROTECTED
    [text] = mail(world, clock, sink)
    assert "Public" in text
    assert "Secret" not in text
    assert "password" not in text
    wordpress.update(post, post_password="")
    poll_blog(world, clock, timedelta(days=2))
    assert fates()["Secret"] == "ready"
    assert "What Secret is about." in mail(world, clock, sink)[-1]


def test_b11_a_post_that_gets_a_password_in_its_grace_time_is_not_mailed(
    world: Environment, wordpress: WordPress, clock: Clock, sink: Sink
) -> None:
    post = wordpress.publish("Too open", at="2026-05-01 10:00:00")
    wordpress.publish("Stays", at="2026-05-02 10:00:00")
    poll_blog(world, clock)
    wordpress.update(post, post_password="sesame")
    [text] = mail(world, clock, sink)
    assert "Stays" in text
    assert "Too open" not in text
    assert fates()["Too open"] == "held"
