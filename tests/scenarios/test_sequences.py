"""Sequences of polls, as blogs live them, and which mails come of them: nothing else, and nothing
twice.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta

import pytest
from sqlalchemy import select

from newsletter.db.session import transaction
from newsletter.errors import FeedGone, FeedUnavailable
from newsletter.feeds.fetch import Fetched
from newsletter.models import MailingList
from newsletter.services.digests import due as digests
from newsletter.services.polling import entries, feeds
from newsletter.services.polling import poll as polling
from newsletter.services.runtime import Environment
from newsletter.services.sending import run as sending
from newsletter.services.subscribers import admin as subscribers
from newsletter.services.subscribers.correct import Correction, correct_subscriber
from newsletter.vocabulary import Cadence
from tests.fakes import Clock, FakeFetch, Sink, body
from tests.feeds_server import item, rss
from tests.people import add_list, add_reader

URL = "https://blog.example.com/feed.xml"
SECOND = "https://blog.example.com/rest/feed.xml"
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
pytestmark = pytest.mark.any_database


@dataclass
class World:
    """A list, its feeds, an instant reader (``i``), a daily (``d``) and a weekly one (``w``), and
    what they got.
    """

    env: Environment
    clock: Clock
    fetch: FakeFetch
    sink: Sink
    read: dict[str, int] = field(default_factory=dict)

    def says(self, *items: str, url: str = URL, after: timedelta = HOUR) -> None:
        """Let the feed say this, and an hour pass."""
        self.fetch.pages[url] = rss(*items)
        self.passes(after)

    def fails(self, answer: object, after: timedelta = HOUR) -> None:
        self.fetch.pages[URL] = answer
        self.passes(after)

    def passes(self, time: timedelta, step: timedelta | None = None) -> None:
        """Time passes, with a worker awake at every step; twice, for what waited for its grace."""
        end = self.clock.now + time
        step = step or (HOUR if time < DAY else 8 * HOUR)
        while self.clock.now < end:
            self.clock.now = min(end, self.clock.now + step)
            self.tick()
            self.clock.forward(timedelta(minutes=11))
            self.tick()

    def tick(self) -> None:
        polling.poll_due(self.env, eager=True)
        digests.compose_due(self.env)
        sending.send_due(self.env)

    def release(self) -> None:
        for held in reversed(entries.list_entries(fate="held")):
            entries.release(self.env, held.id)

    def got(self, who: str) -> list[str]:
        """Return what somebody got since the last look: the titles in each mail, in their order."""
        mails = [body(message) for message in self.sink.to(f"{who}@example.com")]
        new = mails[self.read.get(who, 0) :]
        self.read[who] = len(mails)
        return [" ".join(sorted(set(re.findall(r"Post\d+", text)))) for text in new]


@pytest.fixture
def world(env: Environment, clock: Clock, fake_fetch: FakeFetch, sink: Sink) -> World:
    with transaction() as session:
        mailing_list = add_list(session)
        for cadence in ("instant", "daily", "weekly"):
            add_reader(session, mailing_list, f"{cadence[0]}@example.com", cadence=cadence)
    fake_fetch.pages |= {URL: rss(post(1), post(2)), SECOND: rss()}
    feeds.add(env, URL)
    clock.forward(2 * HOUR)
    return World(env, clock, fake_fetch, sink)


def post(number: int, **values: str) -> str:
    """Return a post as this blog writes them; its body does not name it."""
    return item(
        f"Post{number}",
        **{"body": "<p>Words.</p>", "date": f"Tue, 24 Nov 2026 0{number % 8}:00:00 GMT", **values},
    )  # type: ignore[arg-type]


OLD = (post(2), post(1))


def moved_platform(world: World) -> None:
    world.says(post(3), *OLD)
    moved = [
        item(
            f"Post{n}",
            link=f"https://new.example.org/{n}",
            guid=f"new-{n}",
            date=f"Tue, 24 Nov 2026 0{n}:00:00 GMT",
        )
        for n in (4, 3, 2, 1)
    ]
    world.says(*moved)
    assert world.got("i") == ["Post3", "Post4"]


def all_ids_changed(world: World) -> None:
    world.says(post(3), *OLD)
    world.says(post(3, guid="c"), post(2, guid="b"), post(1, guid="a"))
    world.says(post(3, guid="z"), post(2, guid="y"), post(1, guid="x"))
    assert world.got("i") == ["Post3"]


def edited(world: World) -> None:
    world.says(post(3), *OLD)
    world.says(post(3, body="<p>Better.</p>", date="Wed, 25 Nov 2026 03:00:00 GMT"), *OLD)
    world.says(item("Post3a", link="https://blog.example.com/post3/", body="<p>Best.</p>"), *OLD)
    assert world.got("i") == ["Post3"]


def http_to_https_and_tracking(world: World) -> None:
    world.says(post(3, link="http://blog.example.com/post3/"), *OLD)
    world.says(post(3, link="https://blog.example.com/post3"), *OLD)
    world.says(post(3, link="https://blog.example.com/post3/?utm_source=rss&utm_medium=feed"), *OLD)
    world.says(
        post(
            3,
            link="https://www.blog.example.com/post3/?utm_source=x",
            guid="https://blog.example.com/post3",
        ),
        *OLD,
    )
    assert world.got("i") == ["Post3"]


def shuffled(world: World) -> None:
    for items in ((post(3), *OLD), (*OLD, post(3)), (post(1), post(3), post(2)), (post(3), *OLD)):
        world.says(*items)
    assert world.got("i") == ["Post3"]


def shrunk_and_back(world: World) -> None:
    world.says(post(3), *OLD)
    world.says()
    world.says(post(1))
    world.says(post(3), *OLD, after=DAY)
    assert (world.got("i"), world.got("d")) == (["Post3"], ["Post3"])


def back_dated(world: World) -> None:
    world.says(*OLD, post(3, date="Mon, 05 Jan 2015 10:00:00 GMT"))
    world.says(
        post(4, date="Mon, 02 Nov 2026 10:00:00 GMT"),
        *OLD,
        post(3, date="Mon, 05 Jan 2015 10:00:00 GMT"),
    )
    assert world.got("i") == ["Post3", "Post4"]


def deleted_from_a_full_window(world: World) -> None:
    """Show the last three; an older one takes the place of what is deleted (E10)."""
    days = [post(number, date=f"{10 + number} Nov 2026 08:00:00 GMT") for number in range(9)]
    world.says(days[5], days[4], days[3])
    world.got("i")
    world.says(days[6], days[5], days[4])
    world.says(days[6], days[4], days[3])
    world.says(days[6], days[4], days[2])
    world.says(days[7], days[6], days[4])
    world.says(days[7], days[4], days[2])
    world.says(days[7], days[2], days[1])
    assert world.got("i") == ["Post6", "Post7"]


def dated_in_the_future(world: World) -> None:
    later = post(3, date="Fri, 27 Nov 2026 12:00:00 GMT")
    world.says(later, *OLD, after=2 * DAY)
    assert world.got("i") == []
    world.says(later, *OLD, after=2 * DAY)
    assert world.got("i") == ["Post3"]


def undated(world: World) -> None:
    world.says(post(3, date=""), *OLD)
    world.says(post(3, date="soon"), post(4, date="0000-00-00"), *OLD)
    world.says(post(4, date=""), post(3, date=""), *OLD)
    assert world.got("i") == ["Post3", "Post4"]


def flood_held_and_released(world: World) -> None:
    flood = [post(number) for number in range(30, 10, -1)]
    world.says(*flood, *OLD, after=DAY)
    assert (world.got("i"), world.got("d")) == ([], [])
    world.release()
    world.passes(HOUR)
    assert world.got("i") == [" ".join(f"Post{number}" for number in range(11, 31))]


def removed_and_added_again(world: World) -> None:
    world.says(post(3), *OLD)
    feeds.remove(world.env, URL)
    feeds.add(world.env, URL)
    world.says(post(4), post(3), *OLD)
    assert world.got("i") == ["Post3", "Post4"]


def added_with_a_backlog(world: World) -> None:
    world.fetch.pages[SECOND] = rss(post(7), post(6), post(5))
    feeds.add(world.env, SECOND, backlog=2)
    world.passes(HOUR)
    assert world.got("i") == ["Post6 Post7"]


def two_feeds_one_story(world: World) -> None:
    feeds.add(world.env, SECOND)
    world.says(post(3), *OLD)
    world.says(post(4), post(3, guid="other"), url=SECOND)
    world.says(post(5), post(4, guid="mine"), post(3), *OLD)
    assert world.got("i") == ["Post3", "Post4", "Post5"]


def deleted_in_the_grace(world: World) -> None:
    world.fetch.pages[URL] = rss(post(3), *OLD)
    world.tick()
    world.fetch.pages[URL] = rss(*OLD)
    world.passes(8 * DAY)
    assert [world.got(who) for who in "idw"] == [[], [], []]


def gone_for_good(world: World) -> None:
    world.says(post(3), *OLD)
    world.fails(FeedGone(URL, "410 Gone"), after=DAY)
    world.says(post(4), post(3), *OLD)
    assert world.got("i") == ["Post3"]
    feeds.resume(world.env, URL)
    world.passes(HOUR)
    assert world.got("i") == ["Post4"]


def unchanged_though_it_changed(world: World) -> None:
    """Answer 304 whatever is asked, once an ETag was sent."""
    news = [rss(post(3), *OLD)]

    def answer(etag: str | None, since: str | None) -> Fetched:
        return (
            Fetched(URL, 304, b"", etag='"1"')
            if etag
            else Fetched(URL, 200, news[0], "application/xml", etag='"1"')
        )

    world.fails(answer)
    news[0] = rss(post(4), post(3), *OLD)
    world.passes(3 * HOUR)
    assert world.got("i") == ["Post3"]
    world.passes(DAY)
    assert world.got("i") == ["Post4"], "once a day everything is asked for"


def a_storm_of_errors(world: World) -> None:
    for answer in (
        FeedUnavailable(URL, "500"),
        b"<html><body>Oops</body></html>",
        b"",
        FeedUnavailable(URL, "404"),
        rss(*OLD)[:120],
    ):
        world.fails(answer)
    world.says(post(3), *OLD, after=2 * DAY)
    assert (world.got("i"), world.got("d")) == (["Post3"], ["Post3"])


def switching_rhythm(world: World) -> None:
    world.says(post(3), *OLD)
    correct_subscriber(world.env, "i@example.com", Correction(cadence=Cadence.WEEKLY))
    correct_subscriber(world.env, "w@example.com", Correction(cadence=Cadence.INSTANT))
    world.passes(HOUR)
    assert (world.got("i"), world.got("w")) == (["Post3"], ["Post3"])
    world.says(post(4), post(3), *OLD, after=8 * DAY)
    assert (world.got("i"), world.got("w")) == (["Post4"], ["Post4"])


def pausing(world: World) -> None:
    with transaction() as session:
        mine = session.scalars(select(MailingList)).one()
        add_reader(session, mine, "p@example.com", cadence="instant").paused_until = (
            world.clock.now + 5 * DAY
        )
    world.says(post(3), *OLD, after=DAY)
    world.says(post(4), post(3), *OLD, after=DAY)
    assert world.got("p") == []
    world.passes(5 * DAY)
    assert (world.got("p"), world.got("i")) == (["Post3 Post4"], ["Post3", "Post4"])


def joining_in_mid_week(world: World) -> None:
    world.says(post(3), *OLD, after=DAY)
    subscribers.add_subscriber(
        world.env, subscribers.Addition("n@example.com", because="asked", cadence=Cadence.WEEKLY)
    )
    world.says(post(4), post(3), *OLD, after=8 * DAY)
    assert (world.got("n"), world.got("w")) == (["Post4"], ["Post3 Post4"])


def a_worker_that_slept(world: World) -> None:
    world.fetch.pages[URL] = rss(post(5), post(4), post(3), *OLD)
    world.clock.forward(3 * DAY)
    world.passes(HOUR)
    assert (world.got("i"), world.got("d")) == (["Post3 Post4 Post5"], ["Post3 Post4 Post5"])


def an_id_used_again(world: World) -> None:
    world.says(post(3, guid="latest"), *OLD)
    world.says(post(4, guid="latest"), *OLD)
    world.says(post(5, guid="latest"), *OLD)
    assert world.got("i") == ["Post3", "Post4", "Post5"]


def nothing_but_titles(world: World) -> None:
    """Neither ids nor links."""
    bare = [post(number, link="", guid="") for number in range(6)]
    world.says(bare[3], *OLD)
    world.says(bare[4], bare[3], *OLD)
    world.says(bare[3], bare[4], *OLD)
    assert world.got("i") == ["Post3", "Post4"]


def withdrawn_and_back_for_others(world: World) -> None:
    world.says(post(3), *OLD)
    assert world.got("i") == ["Post3"]
    world.says(
        post(4), *OLD, after=7 * DAY
    )  # 3 is missing when the daily and weekly digests are made
    world.says(post(4), post(3), *OLD, after=8 * DAY)
    assert [world.got(who) for who in "idw"] == [["Post4"], ["Post4", "Post3"], ["Post4", "Post3"]]


def released_after_a_hold(world: World) -> None:
    world.fetch.pages[URL] = rss(post(3), *OLD)
    world.tick()
    [new] = entries.list_entries(fate="ready")
    entries.hold(world.env, new.id)
    world.passes(2 * DAY)
    assert (world.got("i"), world.got("d")) == ([], [])
    entries.release(world.env, new.id)
    world.passes(DAY)
    assert (world.got("i"), world.got("d")) == (["Post3"], ["Post3"])


def the_night_the_clocks_change(world: World) -> None:
    """Send a daily digest at 2 in Berlin, where that hour is missing on 28 March 2027 and comes
    twice on 31 October.
    """
    with transaction() as session:
        mine = session.scalars(select(MailingList)).one()
        mine.timezone = "Europe/Berlin"
        mine.send_hour = 2
    for year, month, day in ((2027, 3, 28), (2027, 10, 31)):
        world.clock.now = world.clock.now.replace(
            year=year, month=month, day=day - 1, hour=12, minute=0
        )
        world.passes(HOUR)
        world.got("d")
        world.says(post(month), *OLD, after=11 * HOUR)
        world.passes(6 * HOUR, step=timedelta(minutes=30))
        world.passes(12 * HOUR)
        assert world.got("d") == [f"Post{month}"]


SEQUENCES: list[Callable[[World], None]] = [
    moved_platform,
    all_ids_changed,
    edited,
    http_to_https_and_tracking,
    shuffled,
    shrunk_and_back,
    back_dated,
    deleted_from_a_full_window,
    dated_in_the_future,
    undated,
    flood_held_and_released,
    removed_and_added_again,
    added_with_a_backlog,
    two_feeds_one_story,
    deleted_in_the_grace,
    gone_for_good,
    unchanged_though_it_changed,
    a_storm_of_errors,
    switching_rhythm,
    pausing,
    joining_in_mid_week,
    a_worker_that_slept,
    an_id_used_again,
    nothing_but_titles,
    withdrawn_and_back_for_others,
    released_after_a_hold,
    the_night_the_clocks_change,
]


@pytest.mark.parametrize("sequence", SEQUENCES, ids=lambda sequence: sequence.__name__)
def test_each_sequence_mails_exactly_what_it_should(
    world: World, sequence: Callable[[World], None]
) -> None:
    sequence(world)
