"""Test what WordPress does to posts between being found and being mailed, and what lies behind its
feed's ten posts.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from email.utils import format_datetime

import pytest
from sqlalchemy import select

from newsletter.db.session import db, transaction
from newsletter.errors import FeedUnavailable
from newsletter.feeds.fetch import Fetched
from newsletter.models import Entry, Feed
from newsletter.services.digests import due as digests
from newsletter.services.polling import entries, feeds
from newsletter.services.polling import poll as polling
from newsletter.services.runtime import Environment
from newsletter.services.sending import run as sending
from tests.fakes import START, Clock, FakeFetch, Sink, body
from tests.people import add_entry, add_feed, add_list, add_reader

URL = "https://blog.example.com/feed/"
FORM = (
    '<form action="https://blog.example.com/wp-login.php?action=postpass" '
    'class="post-password-form" method="post">'
    "<p>This content is password-protected. To view it, please enter the password "
    'below.</p><p><label for="pwbox-1">'
    'Password: <input name="post_password" id="pwbox-1" type="password" /></label></p></form>'
)


@dataclass
class Post:
    title: str
    date: datetime
    text: str = ""
    status: str = "publish"
    password: str = ""

    @property
    def link(self) -> str:
        return f"https://blog.example.com/{self.title.lower()}/"


@dataclass
class WordPress:
    """A blog as WordPress serves it: ten posts a page, validators of its newest post, a 304 for
    whoever has those.
    """

    fetch: FakeFetch
    clock: Clock
    posts: list[Post] = field(default_factory=list)
    knows_pages: bool = True
    generator: str = "https://wordpress.org/?v=6.8"
    window: int = 10

    def __post_init__(self) -> None:
        self.fetch.pages[URL] = lambda etag, modified: self.answer(1, etag, modified)
        for page in range(2, 9):
            address = f"{URL}?paged={page}"
            self.fetch.pages[address] = lambda etag, modified, page=page: self.answer(
                page, etag, modified
            )

    def publish(self, title: str, text: str = "", **values: object) -> Post:
        self.clock.forward(timedelta(seconds=1))
        post = Post(title, self.clock.now, text or f"{title}, at length.", **values)  # type: ignore[arg-type]
        self.posts.append(post)
        return post

    def answer(self, page: int, etag: str | None, modified: str | None) -> Fetched:
        url = URL if page == 1 or not self.knows_pages else f"{URL}?paged={page}"
        published = sorted(
            (post for post in self.posts if post.status == "publish"), key=lambda post: post.date
        )[::-1]
        newest = format_datetime(published[0].date) if published else format_datetime(START)
        text = f'"{hashlib.md5(newest.encode()).hexdigest()}"'
        if etag == text and modified == newest:
            return Fetched(url, 304, b"", etag=text, last_modified=newest)
        first = (page - 1) * self.window if self.knows_pages else 0
        if page > 1 and self.knows_pages and not published[first : first + self.window]:
            raise FeedUnavailable(url, "answers 404 Not Found", status=404)
        items = "".join(map(self._item, published[first : first + self.window]))
        document = (
            '<?xml version="1.0" encoding="UTF-8"?><rss version="2.0" '
            'xmlns:content="http://purl.org/rss/1.0/modules/'
            f'content/"><channel><title>Blog</title><link>https://blog.example.com</link>'
            f"<generator>{self.generator}</generator>{items}</channel></rss>"
        )
        return Fetched(
            url, 200, document.encode(), "application/rss+xml", etag=text, last_modified=newest
        )

    @staticmethod
    def _item(post: Post) -> str:
        title = f"Protected: {post.title}" if post.password else post.title
        text = FORM if post.password else f"<p>{post.text}</p>"
        return (
            f"<item><title>{title}</title><link>{post.link}</link><guid "
            f"isPermaLink='false'>{post.link}?p</guid>"
            f"<pubDate>{format_datetime(post.date)}</pubDate><description><![CDATA[{text}]]>"
            "</description>"
            f"<content:encoded><![CDATA[{text}]]></content:encoded></item>"
        )


@pytest.fixture
def blog(env: Environment, fake_fetch: FakeFetch, clock: Clock) -> WordPress:
    """Make a WordPress with twelve posts on a list with an instant and a weekly subscriber, beside
    another list whose feed fails and which is owed an entry of its own.
    """
    blog = WordPress(fake_fetch, clock)
    with transaction() as session:
        mailing_list = add_list(session)
        for cadence in ("instant", "weekly"):
            add_reader(session, mailing_list, f"{cadence}@example.com", cadence=cadence)
        other = add_list(session, "other", from_email="ben@news.example.com")
        add_reader(session, other, "other@example.com", cadence="monthly")
        add_entry(session, add_feed(session, other, "https://other.example.com/feed"), "Elsewhere")
    for number in range(12):
        blog.publish(f"Old{number}")
    feeds.add(env, URL, "blog")
    clock.forward(timedelta(hours=2))
    return blog


def tick(env: Environment) -> None:
    polling.poll_due(env)
    digests.compose_due(env)
    sending.send_due(env)


def fates(slug: str = "blog") -> dict[str, str]:
    db.session.rollback()
    rows = db.session.scalars(
        select(Entry).join(Feed).where(Entry.fate != "skipped").order_by(Entry.id)
    )
    return {entry.title: entry.fate for entry in rows if entry.feed.mailing_list.slug == slug}


@pytest.mark.parametrize("status", ["draft", "trash", "private"])
def test_w1_what_is_taken_back_in_the_grace_time_is_not_mailed(
    env: Environment, blog: WordPress, clock: Clock, sink: Sink, status: str
) -> None:
    """A newer post stands, so that WordPress says that nothing has changed."""
    mistake = blog.publish("Mistake")
    blog.publish("Newer")
    tick(env)
    assert fates() == {"Mistake": "ready", "Newer": "ready"}
    mistake.status = status
    clock.forward(timedelta(minutes=5))
    assert [result.unchanged for result in polling.poll_due(env) if result.url == URL] in (
        [],
        [True],
    )
    clock.forward(timedelta(minutes=6))
    tick(env)
    [message] = sink.to("instant@example.com")
    assert ("Newer" in body(message), "Mistake" in body(message)) == (True, False)
    assert fates("other") == {"Elsewhere": "ready"}


def test_w1_a_feed_that_was_asked_a_moment_ago_is_looked_at_again(
    env: Environment, blog: WordPress, clock: Clock, sink: Sink
) -> None:
    blog.publish("Newer")
    mistake = blog.publish("Mistake")
    blog.publish("Newest")
    polling.poll_due(env)
    mistake.status = "draft"
    clock.forward(timedelta(seconds=5))
    result = digests.send_now(env, "blog", "instant", dry_run=True)
    assert [(row.entries, row.recipients) for row in result] == [(2, 1)], (
        "a dry run says what would be mailed"
    )
    digests.send_now(env, "blog", "instant")
    sending.send_due(env)
    [message] = sink.to("instant@example.com")
    assert ("Newest" in body(message), "Mistake" in body(message)) == (True, False)


def test_w1_what_was_corrected_is_mailed_corrected(
    env: Environment, blog: WordPress, clock: Clock, sink: Sink
) -> None:
    wrong = blog.publish("Post", "Wrong")
    blog.publish("Newer")
    tick(env)
    wrong.text = "Right"  # and its date stays, as WordPress keeps it
    clock.forward(timedelta(minutes=11))
    tick(env)
    [message] = sink.to("instant@example.com")
    assert ("Right" in body(message), "Wrong" in body(message)) == (True, False)


def test_a_look_before_composing_asks_for_everything_and_only_the_feeds_of_its_list(
    env: Environment, blog: WordPress, fake_fetch: FakeFetch
) -> None:
    blog.publish("Post")
    polling.poll_due(env)
    before = len(fake_fetch.requests)
    digests.compose_due(env)
    assert fake_fetch.requests[before:] == [], "nothing is due"
    digests.send_now(env, "blog", "weekly")
    assert fake_fetch.requests[before:] == [(URL, None, None)]


def test_w11_what_has_left_the_window_is_fetched_from_further_pages(
    env: Environment, blog: WordPress, clock: Clock, fake_fetch: FakeFetch
) -> None:
    clock.forward(timedelta(days=2))
    for number in range(14):
        blog.publish(f"New{number}")
    tick(env)
    assert fates() == {f"New{number}": "ready" for number in range(14)}
    pages = [url for url, *_ in fake_fetch.requests if "paged" in url]
    assert pages == [f"{URL}?paged=2"]
    db.session.rollback()
    [feed] = db.session.scalars(select(Feed).where(Feed.url == URL))
    assert feed.entries_at_once == 10


def test_w11_further_pages_bring_nothing_older_than_what_was_known(
    env: Environment, blog: WordPress, clock: Clock
) -> None:
    """The page that reaches what was known goes on with posts from before the feed was added."""
    clock.forward(timedelta(days=3))
    for number in range(19):
        blog.publish(f"New{number}")
    for old in blog.posts[5:12]:
        old.status = "draft"  # so that the older two come into sight
    tick(env)
    assert set(fates()) == {f"New{number}" for number in range(19)}
    assert {"Old0", "Old1"}.isdisjoint(fates())


def test_w11_more_than_plausible_is_held_and_nothing_is_lost(
    env: Environment, blog: WordPress, sink: Sink
) -> None:
    for number in range(14):
        blog.publish(f"New{number}")
    tick(env)
    assert fates() == {f"New{number}": "held" for number in range(14)}
    [notice] = sink.to("ana@news.example.com")
    assert "14 new entries" in body(notice)


@pytest.mark.parametrize("wordpress", [True, False])
def test_w11_a_gap_that_no_page_closes_is_held_and_said(
    env: Environment,
    blog: WordPress,
    clock: Clock,
    sink: Sink,
    fake_fetch: FakeFetch,
    *,
    wordpress: bool,
) -> None:
    blog.knows_pages = False
    blog.generator = "https://wordpress.org/?v=6.8" if wordpress else "Hugo"
    clock.forward(timedelta(days=2))
    for number in range(14):
        blog.publish(f"New{number}")
    tick(env)
    assert fates() == {f"New{number}": "held" for number in range(4, 14)}
    assert "does not show any more" in entries.list_entries(slug="blog", fate="held")[0].why
    [notice] = sink.to("ana@news.example.com")
    assert "does not show any more" in " ".join(body(notice).split())
    assert any("paged" in url for url, *_ in fake_fetch.requests) == wordpress
    assert sink.to("instant@example.com") == []


def test_w11_a_pinned_post_closes_no_gap(env: Environment, blog: WordPress, clock: Clock) -> None:
    blog.knows_pages = False
    pinned = blog.posts[-1]
    clock.forward(timedelta(days=2))
    for number in range(14):
        blog.publish(f"New{number}")
    write_item = blog._item
    blog._item = lambda post: (
        (write_item(pinned) if post.title == "New13" else "") + write_item(post)
    )  # type: ignore[method-assign]
    tick(env)
    assert set(fates().values()) == {"held"}


def test_w11_an_ordinary_week_asks_no_further_pages(
    env: Environment, blog: WordPress, clock: Clock, fake_fetch: FakeFetch
) -> None:
    clock.forward(timedelta(days=2))
    for number in range(9):
        blog.publish(f"New{number}")
    tick(env)
    assert set(fates().values()) == {"ready"}
    assert not any("paged" in url for url, *_ in fake_fetch.requests)


def test_b11_a_protected_post_is_held_with_the_reason_until_it_is_not(
    env: Environment, blog: WordPress, clock: Clock, sink: Sink
) -> None:
    secret = blog.publish("Secret", "For members", password="x")
    blog.publish("Public")
    tick(env)
    assert fates() == {"Protected: Secret": "held", "Public": "ready"}
    [held] = entries.list_entries(slug="blog", fate="held")
    assert "password-protected" in held.why
    [notice] = sink.to("ana@news.example.com")
    assert "password-protected" in str(notice["Subject"])
    clock.forward(timedelta(minutes=11))
    tick(env)
    [message] = sink.to("instant@example.com")
    assert ("Public" in body(message), "Secret" in body(message)) == (True, False)
    secret.password = ""
    for _ in range(2):
        clock.forward(timedelta(minutes=11))
        digests.send_now(env, "blog", "instant")
        sending.send_due(env)
    assert "For members" in body(sink.to("instant@example.com")[1])
    assert len(sink.to("instant@example.com")) == 2


def test_b11_a_post_that_gets_a_password_before_it_is_mailed_is_held(
    env: Environment, blog: WordPress, clock: Clock, sink: Sink
) -> None:
    post = blog.publish("Secret", "For members")
    blog.publish("Public")
    tick(env)
    assert fates() == {"Secret": "ready", "Public": "ready"}
    post.password = "x"
    clock.forward(timedelta(minutes=11))
    tick(env)
    [message] = sink.to("instant@example.com")
    assert ("Public" in body(message), "Secret" in body(message)) == (True, False)
    assert fates()["Secret"] == "held"


def test_b11_a_post_that_some_have_had_is_owed_to_nobody_while_it_is_protected(
    env: Environment, blog: WordPress, clock: Clock, sink: Sink
) -> None:
    post = blog.publish("Secret", "For members")
    blog.publish("Public")
    tick(env)
    clock.forward(timedelta(minutes=11))
    tick(env)
    assert "Secret" in body(sink.to("instant@example.com")[0])
    post.password = "x"
    digests.send_now(env, "blog", "weekly")
    sending.send_due(env)
    [message] = sink.to("weekly@example.com")
    assert ("Public" in body(message), "Secret" in body(message)) == (True, False)
    post.password = ""
    digests.send_now(env, "blog", "weekly")
    digests.send_now(env, "blog", "instant")
    sending.send_due(env)
    assert "For members" in body(sink.to("weekly@example.com")[1])
    assert len(sink.to("instant@example.com")) == 1


def test_h8_a_robot_check_is_named_with_its_mend(
    env: Environment, blog: WordPress, clock: Clock, fake_fetch: FakeFetch
) -> None:
    fake_fetch.pages[URL] = FeedUnavailable(
        URL, "a robot check stands before the feed", status=403, hint="exempt it"
    )
    polling.poll_due(env)
    view = next(view for view in feeds.list_feeds("blog") if view.url == URL)
    assert view.error == "a robot check stands before the feed: exempt it"


def test_a_process_that_is_to_end_waits_for_no_feed(
    env: Environment, blog: WordPress, clock: Clock, fake_fetch: FakeFetch
) -> None:
    """Those that have not answered are due for the next worker at once."""
    import threading

    stop = threading.Event()
    hanging = threading.Event()

    def hang(etag: object, modified: object) -> bytes:
        hanging.set()
        stop.wait(60)
        threading.Event().wait(60)
        raise AssertionError("nobody waits for this")

    fake_fetch.pages[URL] = hang
    threading.Thread(target=lambda: (hanging.wait(60), stop.set()), daemon=True).start()
    polling.poll_due(env, stop=stop.is_set)
    db.session.rollback()
    [feed] = db.session.scalars(select(Feed).where(Feed.url == URL))
    assert feed.next_poll_at == clock.now
    assert feed.failures == 0
