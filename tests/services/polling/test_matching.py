"""Telling new entries from known ones, beyond what test_poll.py shows on a database."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from newsletter.feeds.parse import parse_feed
from newsletter.feeds.types import ParsedEntry
from newsletter.services.polling.matching import decide, needs_further_pages
from newsletter.services.polling.types import FeedChanges, KnownEntry, PollMoment
from tests.feeds_server import item, rss

BEFORE = datetime(2026, 11, 24, 8, tzinfo=UTC)
MOMENT = PollMoment(BEFORE + timedelta(hours=1), BEFORE, site_key="blog.example.com")


def entries(*items: str) -> tuple[ParsedEntry, ...]:
    return parse_feed(rss(*items), url="https://blog.example.com/feed/").entries


def known(*items: str, fate: str = "sent") -> list[KnownEntry]:
    """Return what was stored of these items, the last of the feed first."""
    result = reversed(entries(*items))
    return [
        KnownEntry(number, entry.identity, entry.link_key, entry.title, entry.published, fate)
        for number, entry in enumerate(result, 1)
    ]


def titles(decision: FeedChanges) -> list[str]:
    return [new.entry.title for new in decision.new]


def dated(day: int) -> str:
    return (BEFORE - timedelta(days=day)).strftime("%a, %d %b %Y %H:%M:%S GMT")


def test_e01_a_move_that_changes_ids_and_links_is_seen_through() -> None:
    old = [item(f"Post {n}", date=dated(n)) for n in range(10)]
    moved = [
        item(f"Post {n}", date=dated(n), link=f"https://new.example/{n}", guid=f"g{n}")
        for n in range(10)
    ]
    decision = decide(known(*old), entries(*moved), MOMENT)
    assert (decision.new, len(decision.present), decision.gone) == ((), 10, ())


def test_e01_a_move_without_dates_is_held() -> None:
    old = [item(f"Post {n}") for n in range(6)]
    moved = [item(f"Post {n}", link=f"https://new.example/{n}", guid=f"g{n}") for n in range(6)]
    assert {new.fate for new in decide(known(*old), entries(*moved), MOMENT).new} == {"held"}


def test_e01_old_posts_that_turn_up_together_are_held() -> None:
    """An archive opened, a feed made longer. One or two back-dated posts go out."""
    old = known(item("Old", date=dated(1)))
    few = decide(
        old,
        entries(item("Old", date=dated(1)), *(item(f"P{n}", date=dated(40 + n)) for n in range(3))),
        MOMENT,
    )
    assert {new.fate for new in few.new} == {"ready"}
    many = decide(
        old,
        entries(item("Old", date=dated(1)), *(item(f"P{n}", date=dated(40 + n)) for n in range(4))),
        MOMENT,
    )
    assert {new.fate for new in many.new} == {"held"}


@pytest.mark.parametrize("deleted", [(4,), (0, 4), (9,), (3, 4, 5, 6, 7)])
def test_e10_what_slides_into_the_window_of_a_deleted_post_is_not_mailed(
    deleted: tuple[int, ...],
) -> None:
    """A blog shows its last ten posts, and takes some of them back."""
    blog = [item(f"Post {n}", date=dated(n)) for n in range(20)]
    left = [text for n, text in enumerate(blog) if n not in deleted]
    full = replace(MOMENT, window=10)
    decision = decide(known(*blog[:10]), entries(item("New", date=dated(0)), *left[:9]), full)
    assert {new.entry.title: new.fate for new in decision.new if new.fate != "skipped"} == {
        "New": "ready"
    }
    assert len(decision.new) == len(deleted)
    decision = decide(known(*blog[:10]), entries(*left[:10]), full)
    assert [new.fate for new in decision.new] == ["skipped"] * len(deleted)


@pytest.mark.parametrize("left", [5, 4, 1])
def test_e04_what_is_back_dated_behind_all_others_goes_out(left: int) -> None:
    """Whatever was taken out of the feed before."""
    blog = [item(f"Post {n}", date=dated(n)) for n in range(5)]
    moment = replace(MOMENT, window=left)
    decision = decide(
        known(*blog), entries(*blog[-left:], item("Long ago", date=dated(900))), moment
    )
    assert [new.fate for new in decision.new] == ["ready"]


def test_e10_a_name_that_was_bought_mails_nothing() -> None:
    blog = [item(f"Post {n}") for n in range(12)]
    casino = [item(f"Win {n}", link=f"https://casino.example/{n}", guid=f"c{n}") for n in range(2)]
    assert {new.fate for new in decide(known(*blog), entries(*casino), MOMENT).new} == {"held"}
    assert {new.fate for new in decide(known(*blog), entries(*casino, blog[0]), MOMENT).new} == {
        "ready"
    }


def test_a_title_that_many_entries_bear_tells_of_no_move() -> None:
    thoughts = [
        item("Thought of the day", link=f"https://blog.example.com/{n}", guid=f"g{n}")
        for n in range(14)
    ]
    decision = decide(known(*thoughts[3:13]), entries(*thoughts[:10]), MOMENT)
    assert [new.fate for new in decision.new] == ["ready"] * 3


def test_e04_posts_that_are_only_late_are_believed() -> None:
    """Written some days ago, published together today: newer than all that was known."""
    old = known(item("Old", date=dated(30)))
    late = entries(
        *(item(f"P{n}", date=dated(2 + n)) for n in range(8)), item("Old", date=dated(30))
    )
    assert {new.fate for new in decide(old, late, MOMENT).new} == {"ready"}


def test_r08_a_busy_week_without_a_worker_is_believed() -> None:
    since = PollMoment(BEFORE + timedelta(days=5), BEFORE)
    week = [
        item(f"P{n}", date=(BEFORE + timedelta(hours=n)).strftime("%a, %d %b %Y %H:00:00 GMT"))
        for n in range(30)
    ]
    assert {new.fate for new in decide(known(item("Old")), entries(*week), since).new} == {"ready"}


@pytest.mark.parametrize("link", ["https://blog.example.com/", "https://blog.example.com/daily/"])
def test_e03_a_link_that_all_entries_share_tells_none_apart(link: str) -> None:
    old = known(item("A", guid="1", link=link), item("B", guid="2", link=link))
    decision = decide(
        old, entries(item("C", guid="3", link=link), item("A", guid="1", link=link)), MOMENT
    )
    assert titles(decision) == ["C"]


def test_e02_title_and_slug_edited_together_is_an_edit() -> None:
    old = known(item("Helo", guid="1", date=dated(1)))
    edited = item("Hello", guid="1", date=dated(1), link="https://blog.example.com/hello/")
    assert decide(old, entries(edited), MOMENT).new == ()
    another = item("Hello", guid="1", date=dated(0), link="https://blog.example.com/hello/")
    decision = decide(old, entries(another), MOMENT)
    assert titles(decision) == ["Hello"]
    assert decision.new[0].identity != old[0].identity


def test_e05_the_newest_are_the_newest_by_date() -> None:
    upside_down = entries(
        item("A", date=dated(3)), item("B", date=dated(2)), item("C", date=dated(1))
    )
    decision = decide([], upside_down, PollMoment(BEFORE, None, backlog=2))
    assert {new.entry.title: new.fate for new in decision.new} == {
        "A": "skipped",
        "B": "ready",
        "C": "ready",
    }


def test_e10_a_pinned_post_withdraws_nothing() -> None:
    """It stands first though it is old; what the newest pushed out is not withdrawn."""
    old = known(
        item("Pin", date=dated(90)),
        item("B", date=dated(2)),
        item("A", date=dated(3)),
        fate="ready",
    )
    result = entries(
        item("Pin", date=dated(90)), item("C", date=dated(0)), item("B", date=dated(2))
    )
    assert decide(old, result, MOMENT).gone == ()


def test_e10_found_missing_in_the_middle() -> None:
    old = known(
        *(item(title, date=dated(day)) for day, title in enumerate("DCBA", 1)), fate="ready"
    )
    result = entries(item("E", date=dated(0)), item("D", date=dated(1)), item("B", date=dated(3)))
    assert decide(old, result, MOMENT).gone == (3,), "C was taken back; A has only been pushed out"
    taken_back = [replace(entry, withdrawn=True) if entry.id == 3 else entry for entry in old]
    assert decide(taken_back, result, MOMENT).gone == ()


class Blog:
    """A blog that lives at random, its feed, and what we have stored of it."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.posts: list[dict[str, str]] = []
        self.stored: list[KnownEntry] = []
        self.now = BEFORE
        self.window = self.random.randint(4, 8)
        self.written = 0
        self.went_out: Counter[str] = Counter()
        for _ in range(self.window):
            self.write()

    def write(self) -> None:
        self.written += 1
        name = str(self.written)
        day = self.random.choice(["", dated(300 - self.written)])
        post = {
            "title": f"Post {name}",
            "guid": f"id-{name}",
            "link": f"https://blog.example.com/{name}",
            "date": day,
        }
        self.posts.insert(0, post | {"key": name})

    def change(self) -> None:
        """Something that happens to a post after it was published."""
        post = self.random.choice(self.posts[: self.window])
        match self.random.randrange(5):
            case 0:
                post["title"] += "!"
            case 1:
                post["guid"] += "'"
            case 2:
                post["link"] = post["link"].replace("https", "http") + "/?utm_source=x"
            case 3:
                post["hidden"] = "" if post.get("hidden") else "yes"
            case 4:
                post["body"] = "<p>corrected</p>"

    def feed(self) -> tuple[ParsedEntry, ...]:
        visible = [post for post in self.posts[: self.window] if not post.get("hidden")]
        if self.random.random() < 0.2:
            self.random.shuffle(visible)
        names = ("title", "guid", "link", "date", "body")
        return entries(
            *(item(**{name: post[name] for name in names if name in post}) for post in visible)
        )

    def poll(self, *, first: bool = False) -> None:
        before = self.now
        self.now = self.now + timedelta(hours=1)
        decision = decide(
            self.stored,
            self.feed(),
            PollMoment(self.now, None if first else before, site_key="blog.example.com"),
        )
        rows = {entry.id: entry for entry in self.stored}
        for number, parsed in decision.present:
            changes = {
                "link_key": parsed.link_key,
                "title": parsed.title,
                "published": parsed.published,
                "withdrawn": False,
            }
            rows[number] = replace(rows[number], **changes)
        for number in decision.gone:
            rows[number] = replace(rows[number], withdrawn=True)
        for new in reversed(decision.new):
            number = len(rows) + 1
            entry = new.entry
            assert new.identity not in {row.identity for row in rows.values()}
            rows[number] = KnownEntry(
                number, new.identity, entry.link_key, entry.title, entry.published, new.fate
            )
            if new.fate == "ready":
                self.went_out[entry.link_key.rsplit("/", 1)[-1]] += 1
        self.stored = list(rows.values())


@pytest.mark.parametrize("seed", range(25))
def test_whatever_happens_to_a_blog_each_post_is_new_once(seed: int) -> None:
    blog = Blog(seed)
    known_from_the_start = {post["key"] for post in blog.posts}
    blog.poll(first=True)
    for _ in range(12):
        for _ in range(blog.random.randrange(3)):
            blog.write()
        blog.poll()
        for _ in range(blog.random.randrange(3)):
            blog.change()
        blog.poll()
    assert set(blog.went_out.values()) == {1}
    assert set(blog.went_out) == {post["key"] for post in blog.posts} - known_from_the_start


# ── conditions that only show beside others
# ────────────────────────────────────────────────────────


@pytest.mark.parametrize(("moved", "fate"), [(2, "ready"), (3, "held")])
def test_e01_a_few_vanished_titles_are_a_small_move(moved: int, fate: str) -> None:
    """Part of a blog gets new addresses and ids; the rest stays. Two of a kind happen."""
    blog = [item(f"Post {n}") for n in range(8)]
    renamed = [
        item(f"Post {n}", link=f"https://blog.example.com/new/{n}", guid=f"g{n}")
        for n in range(moved)
    ]
    decision = decide(known(*blog), entries(*renamed, *blog[moved:]), MOMENT)
    assert [new.fate for new in decision.new] == [fate] * moved


def test_e01_new_titles_beside_vanished_posts_are_no_move() -> None:
    blog = [item(f"Post {n}") for n in range(8)]
    fresh = [item(f"Fresh {n}") for n in range(3)]
    decision = decide(known(*blog), entries(*fresh, *blog[3:]), MOMENT)
    assert [new.fate for new in decision.new] == ["ready"] * 3


@pytest.mark.parametrize(("day", "fate"), [(6, "ready"), (9, "ready"), (10, "skipped")])
def test_e10_a_late_post_at_the_end_of_a_full_window_goes_out(day: int, fate: str) -> None:
    """It is older than most that was known, but not than all: it has not slid in."""
    blog = [item(f"Post {n}", date=dated(n)) for n in (1, 3, 5, 7, 9)]
    late = item("Late", date=dated(day))
    decision = decide(known(*blog), entries(*blog[:2], *blog[3:], late), replace(MOMENT, window=5))
    assert [(new.entry.title, new.fate) for new in decision.new] == [("Late", fate)]


@pytest.mark.parametrize(("minutes", "fate"), [(9, "ready"), (10, "ready"), (11, "new")])
def test_e04_a_clock_that_is_a_little_ahead_delays_nothing(minutes: int, fate: str) -> None:
    date = (MOMENT.now + timedelta(minutes=minutes)).strftime("%a, %d %b %Y %H:%M:%S GMT")
    decision = decide(
        known(item("Old")), entries(item("Soon", date=date), item("Other"), item("Old")), MOMENT
    )
    assert {new.entry.title: new.fate for new in decision.new} == {"Soon": fate, "Other": "ready"}


@pytest.mark.parametrize(
    ("window", "count", "fate"),
    [(10, 10, "held"), (3, 3, "held"), (3, 2, "ready"), (20, 2, "ready")],
)
def test_w11_a_window_without_anything_known_is_a_gap(window: int, count: int, fate: str) -> None:
    old = known(*(item(f"Old {n}", date=dated(20 + n)) for n in range(window)))
    new = entries(*(item(f"New {n}", date=dated(n)) for n in range(count)))
    later = PollMoment(
        BEFORE + timedelta(days=5), BEFORE, site_key="blog.example.com", window=window
    )
    decision = decide(old, new, later)
    assert [entry.fate for entry in decision.new] == [fate] * count
    if fate == "held":
        assert "does not show any more" in decision.new[0].why


@pytest.mark.parametrize("place", [0, 5, 10])
def test_w11_one_known_entry_closes_the_gap_unless_it_is_pinned(place: int) -> None:
    """In a feed that has its newest first, an old post before all new ones is pinned."""
    old = known(*(item(f"Old {n}", date=dated(20 + n)) for n in range(11)))
    new = [item(f"New {n}", date=dated(n)) for n in range(10)]
    new.insert(place, item("Old 3", date=dated(23)))
    later = PollMoment(BEFORE + timedelta(days=5), BEFORE, site_key="blog.example.com", window=11)
    assert {entry.fate for entry in decide(old, entries(*new), later).new} == {
        "held" if place == 0 else "ready"
    }


@pytest.mark.parametrize(
    ("before", "now", "moved"),
    [
        ("https://blog.example.com/?p={}", "https://blog.example.com/?p={}", False),
        ("https://blog.example.com/{}", "https://blog.example.com/?p={}", False),
        ("https://blog.example.com/?p={}", "https://casino.example.com/?p={}", True),
    ],
)
def test_w11_posts_whose_links_have_no_path_are_of_one_site(
    before: str, now: str, moved: bool
) -> None:
    """WordPress without permalinks has `/?p=4`: nothing but the query tells posts apart."""
    first = parse_feed(
        rss(item("A", link=before.format(1), guid="1")), url="https://blog.example.com/feed"
    ).entries
    second = parse_feed(
        rss(*(item(f"N{n}", link=now.format(n), guid=str(n)) for n in range(20, 30))),
        url="https://blog.example.com/feed",
    ).entries
    known = [
        KnownEntry(n, entry.identity, entry.link_key, entry.title, entry.published)
        for n, entry in enumerate(first, 1)
    ]
    moment = PollMoment(BEFORE + timedelta(days=2), BEFORE, window=1)
    assert needs_further_pages(known, second, moment) is not moved
    whys = {new.why for new in decide(known, second, moment).new}
    assert any("of another site" in why for why in whys) is moved


@pytest.mark.parametrize(("renamed", "further"), [(2, True), (3, False)])
def test_old_posts_under_new_addresses_are_a_move_and_no_gap(renamed: int, further: bool) -> None:
    """Three that keep their titles are enough: no page before them need be fetched."""
    url = "https://blog.example.com/feed"

    def parse(*titles: str, at: str) -> list[ParsedEntry]:
        items = (item(title, link=f"{url}/{at}/{title}", guid=f"{at}{title}") for title in titles)
        return parse_feed(rss(*items), url=url).entries

    first = parse(*(f"A{n}" for n in range(5)), at="old")
    known = [
        KnownEntry(n, entry.identity, entry.link_key, entry.title, entry.published)
        for n, entry in enumerate(first, 1)
    ]
    titles = [f"A{n}" if n < renamed else f"B{n}" for n in range(5)]
    moment = PollMoment(BEFORE + timedelta(days=2), BEFORE, window=5)
    assert needs_further_pages(known, parse(*titles, at="new"), moment) is further
