"""A month of a real WordPress: who gets which post on which day, and who gets nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest

from newsletter.db.session import transaction
from newsletter.feeds.fetch import Fetcher
from newsletter.services.digests import due as digests
from newsletter.services.lists import topics
from newsletter.services.polling import feeds, poll
from newsletter.services.runtime import Environment
from newsletter.services.sending import run as sending
from tests.fakes import Clock, Sink, body, parsed
from tests.people import add_list, add_reader
from tests.servers.wordpress import WordPress

pytestmark = [pytest.mark.wordpress, pytest.mark.xdist_group("wordpress")]

BEGINS = datetime(2026, 6, 1, 9, tzinfo=UTC)
"""A Monday, after the hour of the digests.

The month is past for the blog, whose clock is the machine's.
"""
ENDS = datetime(2026, 7, 1, 9, tzinfo=UTC)
AFTER = [timedelta(minutes=minutes) for minutes in (5, 25, 45, 70)]
"""When a worker runs after each thing that the blogger does; also each morning."""
TITLES = (
    "Old",
    "First",
    "Typo",
    "Typing",
    "Stays",
    "Regret",
    "Planned",
    "Secret",
    "Aside",
    "Uphill",
    "Scribble",
    "Brook",
    "Meadow",
    "Orchard",
    "Once",
)

EXPECTED = """
06-02 ina: First
06-03 dan: First
06-03 tom: First
06-03 ina: Typing
06-04 dan: Typing
06-04 tom: Typing
06-04 ina: Stays
06-05 dan: Stays
06-05 tom: Stays
06-06 ina: Planned
06-07 dan: Planned
06-07 tom: Planned
06-08 wes: Planned, Stays, Typing
06-12 ina: Secret
06-13 dan: Secret
06-13 tom: Secret
06-15 wes: First, Secret
06-16 ina: Uphill
06-17 dan: Uphill
06-17 tom: Uphill
06-17 ina: Scribble
06-18 dan: Scribble
06-22 wes: Brook, Meadow, Orchard, Scribble, Uphill
06-20 ina: Brook, Meadow, Orchard
06-21 dan: Brook, Meadow, Orchard
06-21 tom: Brook, Meadow, Orchard
06-25 ina: Once
07-01 moe: Brook, First, Meadow, Orchard, Planned, Scribble, Secret, Stays, Typing, Uphill
"""
"""Written before the test ran for the first time.

What is not in it is a silence: on other days, and for the other list.
"""


DATED = (
    "global $wpdb; $wpdb->update($wpdb->posts,"
    " ['post_modified' => $v['now'], 'post_modified_gmt' => $v['now']],"
    " ['ID' => $v['p']]); clean_post_cache($v['p']); echo json_encode(true);"
)
"""Sets when a post was changed last: WordPress would take the machine's clock."""


class Month:
    """The acts of the blogger, each at its moment, in the order in which it is written."""

    def __init__(self, blog: WordPress, clock: Clock) -> None:
        self.blog = blog
        self.clock = clock
        self.posts: dict[str, int] = {}
        self.acts: list[tuple[datetime, Callable[[], None]]] = []
        at = self._at
        at("02 10:00", self.publish, "First")
        at("03 09:00", self.publish, "Typo")
        corrected = {"post_title": "Typing", "post_content": "<p>What Typing is about.</p>"}
        at("03 09:10", self.edit, "Typo", **corrected)  # in its grace time
        at("04 10:00", self.publish, "Regret")
        at("04 10:02", self.publish, "Stays")
        at("04 10:15", self.edit, "Regret", post_status="draft")  # in its grace time
        at("05 10:00", self.schedule, "Planned")
        at("06 08:30", self.come_out, "Planned")
        at("07 10:00", self.trash, "First")  # two have had it
        at("08 12:00", self.restore, "First")
        at("09 12:00", self.edit, "Typo", post_name="typing-slowly")  # its link changes
        at("10 11:00", self.publish, "Secret", password="sesame")
        at("11 11:00", self.publish, "Aside", category="Private")  # left out of the feed
        at("12 11:00", self.edit, "Secret", post_password="")
        at("13 11:00", self.edit, "Stays", post_content="<p>Stays, in other words.</p>")
        at("16 13:00", self.publish, "Uphill", category="Notes")
        at("16 13:10", self.set_category, "Uphill", "Walks")  # in its grace time
        at("17 13:00", self.publish, "Scribble", category="Notes")
        at("19 13:00", self.set_category, "Aside", "Notes")  # what was left out stays so
        at("20 10:00", self.publish, "Brook")
        at("20 10:01", self.publish, "Meadow")
        at("20 10:02", self.publish, "Orchard")
        at("25 10:00", self.publish, "Once")
        at("25 14:00", self.edit, "Once", post_status="private")  # one has had it

    def _at(self, moment: str, act: Callable[..., None], *what: str, **how: str) -> None:
        at = datetime.strptime(f"2026-06-{moment}", "%Y-%m-%d %H:%M").replace(tzinfo=UTC)
        self.acts.append((at, partial(act, *what, **how)))

    def publish(self, title: str, *, password: str = "", category: str = "") -> None:
        self.posts[title] = self.blog.publish(title, password=password, at=self._now())
        if category:
            self.set_category(title, category)

    def edit(self, title: str, **values: object) -> None:
        self.blog.update(self.posts[title], **values)
        self._date_change(title)

    def schedule(self, title: str) -> None:
        """For later than the machine's clock, so that the blog keeps it back."""
        later = (datetime.now(UTC) + timedelta(days=2)).strftime("%Y-%m-%d %H:%M:%S")
        self.posts[title] = self.blog.publish(title, at=later)
        state = self.blog.run("echo json_encode(get_post_status($v['p']));", p=self.posts[title])
        assert state == "future"

    def come_out(self, title: str) -> None:
        now = self._now()
        self.edit(title, post_date=now, post_date_gmt=now, edit_date=True, post_status="publish")

    def trash(self, title: str) -> None:
        self.blog.trash(self.posts[title])

    def restore(self, title: str) -> None:
        self.blog.run("echo json_encode((bool) wp_untrash_post($v['p']));", p=self.posts[title])
        self.edit(title, post_status="publish")

    def set_category(self, title: str, category: str) -> None:
        self.blog.run(
            "wp_set_object_terms($v['p'], [$v['c']], 'category'); echo json_encode(true);",
            p=self.posts[title],
            c=category,
        )
        self._date_change(title)

    def _date_change(self, title: str) -> None:
        """Let a change be of the month's time, as the blog's Last-Modified then is."""
        self.blog.run(DATED, p=self.posts[title], now=self._now())

    def _now(self) -> str:
        return f"{self.clock.now:%Y-%m-%d %H:%M:%S}"


@pytest.fixture
def blog(wordpress: WordPress) -> Iterator[WordPress]:
    """Yield an empty blog whose posts have addresses of words."""
    structure = (
        "global $wp_rewrite; $wp_rewrite->set_permalink_structure($v['s']);"
        "$wp_rewrite->flush_rules(false); echo json_encode(true);"
    )
    wordpress.run(
        "$all = ['numberposts' => -1, 'post_type' => 'any', 'post_status' => ['any', 'trash']];"
        "foreach (get_posts($all) as $p) wp_delete_post($p->ID, true); echo json_encode(true);"
    )
    wordpress.run(structure, s="/%postname%/")
    yield wordpress
    wordpress.run(structure, s="")


@pytest.fixture
def month(blog: WordPress, clock: Clock) -> Month:
    clock.now = BEGINS
    blog.publish("Old", at="2026-05-20 10:00:00")
    return Month(blog, clock)


@pytest.fixture
def world(env: Environment, clock: Clock, month: Month) -> Environment:
    """Make a list that reads the blog, a reader of each cadence, one of a topic, another list."""
    now = clock.now
    dated = {"created_at": now, "schedule_since": now}
    with transaction() as session:
        mailing_list = add_list(session, grace_minutes=30, **dated)
        for name, cadence in (
            ("ina", "instant"),
            ("dan", "daily"),
            ("wes", "weekly"),
            ("moe", "monthly"),
        ):
            add_reader(session, mailing_list, f"{name}@example.com", cadence=cadence, now=now)
        other = add_list(session, "other", **dated)
        add_reader(session, other, "ben@example.com", cadence="instant", now=now)
    topics.add("blog", "Walks", categories=["Walks"])
    topics.add("blog", "Notes", categories=["Notes"])
    with transaction() as session:
        walker = add_reader(session, mailing_list, "tom@example.com", cadence="daily", now=now)
        topics.choose_topics(session, walker, ["Walks"])
    world = replace(env, fetch=Fetcher(user_agent="newsletter", allow_private=True))
    feeds.add(world, month.blog.feed, "blog")
    feeds.edit(month.blog.feed, leaves_out={}, never=["Private"])
    return world


def test_everybody_gets_what_they_are_owed_on_their_day(
    world: Environment, month: Month, clock: Clock, sink: Sink
) -> None:
    morning = BEGINS.replace(hour=8, minute=1)
    days = (ENDS - BEGINS).days
    ticks = {morning + timedelta(days=day) for day in range(1, days + 1)}
    ticks |= {at + after for at, _ in month.acts for after in AFTER}
    acts = list(month.acts)
    mails: list[str] = []
    notices: list[str] = []
    for tick in sorted(ticks):
        while acts and acts[0][0] <= tick:
            clock.now, act = acts.pop(0)
            act()
        clock.now = tick
        before = len(sink.accepted)
        poll.poll_due(world)
        digests.compose_due(world)
        sending.send_due(world)
        for outgoing in sink.accepted[before:]:
            name, _, domain = outgoing.recipient.partition("@")
            words = body(parsed(outgoing.data))
            if domain == "example.com":
                titles = ", ".join(sorted(title for title in TITLES if title in words))
                mails.append(f"{tick:%m-%d} {name}: {titles}")
            else:
                notices.append(f"{tick:%m-%d} {name}: {parsed(outgoing.data)['Subject']}")
    assert sorted(mails) == sorted(EXPECTED.strip().splitlines())
    assert [notice.partition(":")[0] for notice in notices] == ["06-10 ana"], notices
    [monthly] = sink.to("moe@example.com")
    assert "/typing-slowly/" in body(monthly), "its address is the one it has now"
    assert "Stays, in other words" in body(monthly)
