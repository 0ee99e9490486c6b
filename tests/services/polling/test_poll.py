"""Polling: every entry found once, and no feed in another's way."""

from __future__ import annotations

import threading
import time
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import create_engine, func, or_, select

from newsletter.db.session import db, reading, transaction
from newsletter.errors import FeedForbidden, FeedGone, FeedUnavailable, NotAFeed, NotFound, Refused
from newsletter.feeds.fetch import Fetched
from newsletter.models import Entry, Feed, MailingList
from newsletter.services.digests import plan
from newsletter.services.polling import entries, feeds
from newsletter.services.polling import poll as polling
from newsletter.services.runtime import EXTENSION, Environment
from tests.fakes import Clock, FakeFetch
from tests.feeds_server import item, rss
from tests.people import add_list, add_reader
from tests.waiting import PATIENCE

URL = "https://blog.example.com/feed.xml"


@pytest.fixture
def feed(env: Environment, fake_fetch: FakeFetch) -> int:
    """Add a feed with one old post."""
    with transaction() as session:
        add_list(session)
    fake_fetch.pages[URL] = rss(item("Old"))
    return feeds.add(env, URL).id


def poll(env: Environment, clock: Clock, fake_fetch: FakeFetch, *items: str) -> polling.PollResult:
    clock.forward(timedelta(hours=1))
    fake_fetch.pages[URL] = rss(*items)
    [result] = polling.poll_due(env)
    return result


def fates() -> dict[str, str]:
    db.session.rollback()
    return {
        entry.title: entry.fate for entry in db.session.scalars(select(Entry).order_by(Entry.id))
    }


def row() -> Feed:
    db.session.rollback()
    return db.session.scalars(select(Feed)).one()


def test_e05_what_is_there_already_is_not_mailed(env: Environment, feed: int) -> None:
    assert fates() == {"Old": "skipped"}


def test_e05_a_backlog_is_mailed_if_asked(env: Environment, fake_fetch: FakeFetch) -> None:
    with transaction() as session:
        add_list(session)
    fake_fetch.pages[URL] = rss(item("C"), item("B"), item("A"))
    assert feeds.add(env, URL, backlog=2).backlog == 2
    assert fates() == {"A": "skipped", "B": "ready", "C": "ready"}


def test_a_page_leads_to_its_feed(env: Environment, fake_fetch: FakeFetch) -> None:
    with transaction() as session:
        add_list(session)
    fake_fetch.pages["https://blog.example.com"] = Fetched(
        "https://blog.example.com/",
        200,
        b'<link rel="alternate" type="application/rss+xml" title="Comments" href="/comments/feed/">'
        b'<link rel="alternate" type="application/rss+xml" href="/feed.xml">',
    )
    fake_fetch.pages["https://blog.example.com/comments/feed/"] = rss()
    fake_fetch.pages[URL] = rss(item("Old"))
    assert feeds.add(env, "blog.example.com").url == URL
    with pytest.raises(Refused):
        feeds.add(env, URL)


def test_what_is_no_feed_is_not_added(env: Environment, fake_fetch: FakeFetch) -> None:
    with transaction() as session:
        add_list(session)
    fake_fetch.pages["https://blog.example.com/x"] = b"<html>nothing</html>"
    with pytest.raises(NotAFeed):
        feeds.add(env, "https://blog.example.com/x")
    with pytest.raises(NotFound):
        feeds.add(env, URL, "nolist")
    assert feeds.list_feeds() == []


def test_a_new_entry_is_found_once(
    env: Environment, feed: int, clock: Clock, fake_fetch: FakeFetch
) -> None:
    assert poll(env, clock, fake_fetch, item("New"), item("Old")).new == 1
    assert poll(env, clock, fake_fetch, item("New"), item("Old")).new == 0
    assert fates() == {"Old": "skipped", "New": "ready"}


def test_not_before_it_is_due(
    env: Environment, feed: int, clock: Clock, fake_fetch: FakeFetch
) -> None:
    before = len(fake_fetch.requests)
    assert polling.poll_due(env) == []
    assert len(fake_fetch.requests) == before


def test_e02_an_edit_is_kept_and_not_mailed_again(
    env: Environment, feed: int, clock: Clock, fake_fetch: FakeFetch
) -> None:
    poll(env, clock, fake_fetch, item("New", guid="1", link="https://blog.example.com/new"))
    poll(
        env,
        clock,
        fake_fetch,
        item("New, corrected", guid="1", link="https://blog.example.com/new", body="<p>Right</p>"),
    )
    assert fates() == {"Old": "skipped", "New, corrected": "ready"}
    assert (
        "Right" in db.session.scalars(select(Entry.content_html).order_by(Entry.id.desc())).first()
    )  # type: ignore[operator]


def test_e01_a_changed_id_with_a_known_link_is_the_same(
    env: Environment, feed: int, clock: Clock, fake_fetch: FakeFetch
) -> None:
    poll(env, clock, fake_fetch, item("New", guid="1"))
    moved = item("New", guid="2", link="http://blog.example.com/new/?utm_source=x")
    assert poll(env, clock, fake_fetch, moved).new == 0


def test_e01_an_entry_is_known_by_the_id_it_has_now(
    env: Environment, feed: int, clock: Clock, fake_fetch: FakeFetch
) -> None:
    """The blog moved (another id), then title and address of a post were edited together."""
    date = "Mon, 23 Nov 2026 08:00:00 GMT"
    link = "https://blog.example.com/new"
    poll(env, clock, fake_fetch, item("New", guid="1", link=link, date=date), item("Old"))
    poll(env, clock, fake_fetch, item("New", guid="2", link=link, date=date), item("Old"))
    edited = item("Newer", guid="2", link="https://blog.example.com/newer", date=date)
    assert poll(env, clock, fake_fetch, edited, item("Old")).new == 0
    assert fates() == {"Old": "skipped", "Newer": "ready"}


def test_e02_a_reused_id_for_another_post_is_new(
    env: Environment, feed: int, clock: Clock, fake_fetch: FakeFetch
) -> None:
    poll(env, clock, fake_fetch, item("One", guid="1"))
    assert poll(env, clock, fake_fetch, item("Two", guid="1")).new == 1
    assert poll(env, clock, fake_fetch, item("Two", guid="1")).new == 0


def test_e06_leaving_and_returning_is_old(
    env: Environment, feed: int, clock: Clock, fake_fetch: FakeFetch
) -> None:
    poll(env, clock, fake_fetch, item("New"))
    poll(env, clock, fake_fetch)
    assert poll(env, clock, fake_fetch, item("Old"), item("New")).new == 0


def test_e04_back_dated_goes_out_and_the_future_waits(
    env: Environment, feed: int, clock: Clock, fake_fetch: FakeFetch
) -> None:
    poll(
        env,
        clock,
        fake_fetch,
        item("Past", date="Mon, 01 Jan 2018 00:00:00 GMT"),
        item("Undated"),
        item("Future", date="Fri, 27 Nov 2026 09:00:00 GMT"),
    )
    assert fates() == {"Old": "skipped", "Past": "ready", "Undated": "ready", "Future": "new"}
    assert entries.promote_due(env) == 0
    clock.forward(timedelta(days=4))
    assert entries.promote_due(env) == 1
    assert fates()["Future"] == "ready"


def test_e01_a_flood_is_held(
    env: Environment, feed: int, clock: Clock, fake_fetch: FakeFetch
) -> None:
    result = poll(env, clock, fake_fetch, *(item(f"Moved {n}", guid=f"x{n}") for n in range(40)))
    assert result.held == 40
    assert "moved" in entries.list_entries(fate="held")[0].why
    entries.release(env, entries.list_entries(fate="held")[0].id)
    assert list(fates().values()).count("ready") == 1


def test_fates_can_be_changed(
    env: Environment, feed: int, clock: Clock, fake_fetch: FakeFetch
) -> None:
    poll(env, clock, fake_fetch, item("New"))
    [new] = [entry for entry in entries.list_entries() if entry.title == "New"]
    assert entries.hold(env, new.id).fate == "held"
    assert entries.release(env, new.id).fate == "ready"
    assert entries.skip(env, new.id).fate == "skipped"
    with pytest.raises(Refused):
        entries.resend(env, new.id)
    with pytest.raises(NotFound):
        entries.get_entry(999)


def answer(status: int = 200, body: bytes = b"", **values: object) -> Fetched:
    return Fetched(URL, status, body, "application/xml", **values)  # type: ignore[arg-type]


def test_validators_are_kept_and_now_and_then_left_out(
    env: Environment, feed: int, clock: Clock, fake_fetch: FakeFetch
) -> None:
    """F08: a server that says "unchanged" for ever is asked for everything once a day."""
    fake_fetch.pages[URL] = answer(200, rss(item("Old")), etag='"1"', last_modified="then")
    clock.forward(timedelta(hours=1))
    polling.poll_due(env)
    fake_fetch.pages[URL] = lambda etag, modified: (
        answer(304) if etag else answer(200, rss(item("New")), etag='"1"')
    )
    clock.forward(timedelta(hours=1))
    assert polling.poll_due(env)[0].unchanged
    assert fake_fetch.requests[-1] == (URL, '"1"', "then")
    clock.forward(timedelta(days=1))
    assert polling.poll_due(env)[0].new == 1


def test_f09_failures_back_off_and_recover(
    env: Environment, feed: int, clock: Clock, fake_fetch: FakeFetch
) -> None:
    waits = []
    fake_fetch.pages[URL] = FeedUnavailable(URL, "answers 500", status=500)
    for _ in range(8):
        clock.now = row().next_poll_at
        polling.poll_due(env)
        waits.append(row().next_poll_at - clock.now)
    assert waits[:5] == sorted(waits[:5])
    assert timedelta(days=1) <= waits[-1] <= timedelta(days=1, hours=3)
    assert (row().failures, row().error) == (8, "answers 500")
    fake_fetch.pages[URL] = rss(item("New"))
    clock.now = row().next_poll_at
    polling.poll_due(env)
    assert (row().failures, row().error) == (0, "")
    assert fates()["New"] == "ready", "nothing was lost meanwhile"


def test_f09_retry_after_is_heeded_and_gone_is_gone(
    env: Environment, feed: int, clock: Clock, fake_fetch: FakeFetch
) -> None:
    fake_fetch.pages[URL] = FeedUnavailable(URL, "answers 429", status=429, retry_after=7 * 3600)
    clock.forward(timedelta(hours=1))
    polling.poll_due(env)
    assert row().next_poll_at - clock.now >= timedelta(hours=7)
    fake_fetch.pages[URL] = FeedGone(URL, "410 Gone")
    clock.now = row().next_poll_at
    polling.poll_due(env)
    assert row().status == "gone"
    clock.forward(timedelta(days=9))
    assert polling.poll_due(env) == []


def test_f03_a_permanent_move_is_believed_the_third_time(
    env: Environment, feed: int, clock: Clock, fake_fetch: FakeFetch
) -> None:
    new = "https://new.example.com/feed"
    fake_fetch.pages[URL] = answer(200, rss(item("Old")), permanent_url=new)
    for times in range(3):
        assert row().url == URL, times
        clock.forward(timedelta(hours=1))
        polling.poll_due(env)
    assert row().url == new


@pytest.mark.parametrize("slug", ["blog", "talks"])
def test_f03_a_move_to_the_address_of_another_feed_is_stored_on_another_list_only(
    env: Environment, feed: int, clock: Clock, fake_fetch: FakeFetch, slug: str
) -> None:
    new = "https://new.example.com/feed"
    fake_fetch.pages[new] = rss(item("Other"))
    with transaction() as session:
        add_list(session, "talks")
    feeds.add(env, new, slug)
    fake_fetch.pages[URL] = answer(200, rss(item("Old")), permanent_url=new)
    for _ in range(4):
        clock.forward(timedelta(hours=1))
        polling.poll_due(env)
    db.session.rollback()
    assert db.session.get_one(Feed, feed).url == (URL if slug == "blog" else new)


def test_f03_a_forbidden_move_is_never_stored(
    env: Environment, feed: int, clock: Clock, fake_fetch: FakeFetch
) -> None:
    fake_fetch.pages[URL] = FeedForbidden("http://10.0.0.1/", "leads into a private network")
    for _ in range(4):
        clock.now = row().next_poll_at
        polling.poll_due(env)
    assert row().url == URL
    assert row().moved_to == ""


def test_f07_f10_a_broken_answer_changes_nothing(
    env: Environment, feed: int, clock: Clock, fake_fetch: FakeFetch
) -> None:
    fake_fetch.pages[URL] = b"<html>maintenance</html>"
    clock.forward(timedelta(hours=1))
    assert "web page" in polling.poll_due(env)[0].error
    assert fates() == {"Old": "skipped"}


def test_f12_one_bad_feed_holds_up_no_other(
    env: Environment, clock: Clock, fake_fetch: FakeFetch
) -> None:
    urls = [f"https://blog{n}.example.com/feed" for n in range(30)]
    with transaction() as session:
        mailing_list = add_list(session)
        for url in urls:
            session.add(
                Feed(list_id=mailing_list.id, url=url, next_poll_at=clock.now, created_at=clock.now)
            )
    for url in urls:
        fake_fetch.pages[url] = rss(item("Post", link=url + "/post"))

    engine = create_engine(env.settings.database_url)
    polled = or_(Feed.read_at.is_not(None), Feed.failures > 0)
    stored = select(func.count()).select_from(Feed).where(polled)

    def hang(etag: object, modified: object) -> bytes:
        """Answers when all the others are stored, or much later."""
        ends_at = time.monotonic() + PATIENCE
        while time.monotonic() < ends_at:
            with engine.connect() as connection:
                if connection.scalar(stored) == 29:
                    return rss()
            time.sleep(0.05)
        raise AssertionError("the others waited for the slow one")

    fake_fetch.pages[urls[3]] = hang
    fake_fetch.pages[urls[4]] = RuntimeError("a parser's bug")
    results = polling.poll_due(env)
    engine.dispose()
    assert results[-1].url == urls[3]
    assert [result.url for result in results if result.error] == [urls[4]]
    assert sum(not result.error for result in results) == 29


def test_r03_two_workers_poll_a_feed_once(app: Flask, clock: Clock, fake_fetch: FakeFetch) -> None:
    env = app.extensions[EXTENSION]
    with app.app_context():
        with transaction() as session:
            add_list(session)
        fake_fetch.pages[URL] = rss(item("Old"))
        feeds.add(env, URL)
    clock.forward(timedelta(hours=1))
    before = len(fake_fetch.requests)
    results = []

    def work() -> None:
        with app.app_context():
            results.extend(polling.poll_due(env))
            db.session.remove()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(fake_fetch.requests) - before == len(results) == 1


def test_feeds_are_paused_resumed_and_removed(
    env: Environment, feed: int, clock: Clock, fake_fetch: FakeFetch
) -> None:
    feeds.pause(str(feed))
    clock.forward(timedelta(days=2))
    assert polling.poll_due(env) == []
    feeds.resume(env, URL)
    assert len(polling.poll_due(env)) == 1
    feeds.remove(env, str(feed))
    assert feeds.list_feeds() == []
    fake_fetch.pages[URL] = rss(item("Old"), item("Newer"))
    feeds.add(env, URL)
    assert set(fates().values()) == {"skipped"}, "added anew, it mails nothing"


def test_a_new_feed_is_asked_often_at_first(env: Environment, feed: int, clock: Clock) -> None:
    assert row().next_poll_at - clock.now == timedelta(minutes=1)
    clock.forward(timedelta(hours=2))
    polling.poll_due(env)
    assert timedelta(minutes=15) <= row().next_poll_at - clock.now <= timedelta(minutes=17)


def test_cron_decides_how_often_unless_the_feed_is_in_trouble(
    env: Environment, feed: int, clock: Clock, fake_fetch: FakeFetch
) -> None:
    clock.forward(timedelta(hours=2))
    assert len(polling.poll_due(env)) == 1
    assert polling.poll_due(env) == []
    assert len(polling.poll_due(env, eager=True)) == 1
    fake_fetch.pages[URL] = FeedUnavailable(URL, "answers 429", status=429, retry_after=600)
    assert len(polling.poll_due(env, eager=True)) == 1
    assert polling.poll_due(env, eager=True) == []


def ids(*titles: str) -> list[Entry]:
    db.session.rollback()
    return [db.session.scalars(select(Entry).where(Entry.title == title)).one() for title in titles]


def test_e10_a_withdrawn_post_is_not_owed_and_returns(
    env: Environment, feed: int, clock: Clock, fake_fetch: FakeFetch
) -> None:
    poll(env, clock, fake_fetch, item("New"), item("Old"))
    assert poll(env, clock, fake_fetch, item("Old")).gone == 1
    assert fates()["New"] == "skipped"
    assert "withdrawn" in ids("New")[0].why
    assert poll(env, clock, fake_fetch, item("New"), item("Old")).new == 0
    assert fates()["New"] == "ready", "it was never mailed, and is there again"


def test_e06_what_newer_posts_push_out_is_not_withdrawn(
    env: Environment, feed: int, clock: Clock, fake_fetch: FakeFetch
) -> None:
    poll(env, clock, fake_fetch, item("B"), item("A"), item("Old"))
    assert poll(env, clock, fake_fetch, item("D"), item("C"), item("B")).gone == 0
    assert fates() == {"Old": "skipped", "A": "ready", "B": "ready", "C": "ready", "D": "ready"}


def test_e06_an_empty_feed_makes_its_entries_wait(
    env: Environment, feed: int, clock: Clock, fake_fetch: FakeFetch
) -> None:
    poll(env, clock, fake_fetch, item("New"), item("Old"))
    poll(env, clock, fake_fetch)
    assert fates() == {"Old": "skipped", "New": "skipped"}
    poll(env, clock, fake_fetch, item("Old"), item("New"))
    assert fates() == {"Old": "skipped", "New": "ready"}


def test_what_the_author_decides_no_poll_changes(
    env: Environment, feed: int, clock: Clock, fake_fetch: FakeFetch
) -> None:
    poll(env, clock, fake_fetch, item("C"), item("B"), item("A"), item("Old"))
    skipped, released = ids("A", "B")
    entries.skip(env, skipped.id)
    entries.hold(env, released.id)
    entries.release(env, released.id)
    poll(env, clock, fake_fetch, item("Old"))
    poll(env, clock, fake_fetch, item("C"), item("A"), item("Old"))
    assert fates() == {"Old": "skipped", "A": "skipped", "B": "ready", "C": "ready"}


def test_before_composing_the_feeds_are_asked_once_more(
    env: Environment, feed: int, clock: Clock, fake_fetch: FakeFetch
) -> None:
    poll(
        env,
        clock,
        fake_fetch,
        item("Wrong", guid="1", link="https://blog.example.com/x"),
        item("Gone"),
        item("Old"),
    )
    list_id = row().list_id
    clock.forward(timedelta(minutes=5))
    fake_fetch.pages[URL] = rss(
        item("Right", guid="1", link="https://blog.example.com/x"), item("Old")
    )
    polling.refresh_list(env, list_id)
    assert fates() == {"Old": "skipped", "Gone": "skipped", "Right": "ready"}
    fake_fetch.pages[URL] = FeedUnavailable(URL, "answers 500", status=500)
    clock.forward(timedelta(minutes=5))
    polling.refresh_list(env, list_id)
    count = len(fake_fetch.requests)
    clock.forward(timedelta(minutes=5))
    polling.refresh_list(env, list_id)
    assert len(fake_fetch.requests) == count, "a feed in trouble holds up no digest"
    assert fates()["Right"] == "ready"


def test_instant_mails_wait_for_corrections(
    env: Environment, feed: int, clock: Clock, fake_fetch: FakeFetch
) -> None:
    poll(env, clock, fake_fetch, item("New"), item("Old"))
    [entry] = ids("New")
    with transaction() as session:
        mailing_list = session.get_one(MailingList, entry.list_id)
        add_reader(session, mailing_list, "instant@example.com", cadence="instant")
    with reading() as session:
        mailing_list = session.get_one(MailingList, entry.list_id)
        assert plan.find_matured(session, mailing_list, clock.now) == 0
        assert plan.find_matured(session, mailing_list, clock.now + timedelta(minutes=10)) == 1
    entries.hold(env, entry.id)
    entries.release(env, entry.id)
    with reading() as session:
        mailing_list = session.get_one(MailingList, entry.list_id)
        assert plan.find_matured(session, mailing_list, clock.now) == 2, (
            "what is released by hand waits no longer"
        )


def test_an_answer_that_says_the_same_is_not_read_again(
    env: Environment, feed: int, clock: Clock, fake_fetch: FakeFetch
) -> None:
    poll(env, clock, fake_fetch, item("New"), item("Old"))
    clock.forward(timedelta(hours=1))
    fake_fetch.pages[URL] = rss(
        item("New"), item("Old"), extra="<!-- cached --><lastBuildDate>now</lastBuildDate>"
    )
    assert polling.poll_due(env)[0].unchanged
    assert polling.poll_feed(env, feed).changed == 2, "unless the author asks"
