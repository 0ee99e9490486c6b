"""YouTube channels, stories told twice, pictures from pages, and what the author is told."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from sqlalchemy import select

from newsletter.db.session import db, reading, transaction
from newsletter.errors import FeedGone, FeedUnavailable
from newsletter.models import Entry, Feed, MailingList
from newsletter.services.digests import due as digests
from newsletter.services.digests import explain_subscriber
from newsletter.services.polling import entries, feeds
from newsletter.services.polling import poll as polling
from newsletter.services.runtime import Environment
from newsletter.services.sending import run as sending
from tests.fakes import Clock, FakeFetch, Sink, body
from tests.feeds_server import item, rss
from tests.people import add_list, add_reader

URL = "https://blog.example.com/feed.xml"
CHANNEL = "UC" + "a" * 22
TUBE = f"https://www.youtube.com/feeds/videos.xml?channel_id={CHANNEL}"
LONG = f"https://www.youtube.com/feeds/videos.xml?playlist_id=UULF{'a' * 22}"


def video(name: str, *, date: str = "2026-11-24T09:30:00+00:00", short: bool = False) -> str:
    number = name.ljust(11, "_")
    link = (
        f"https://www.youtube.com/shorts/{number}"
        if short
        else f"https://www.youtube.com/watch?v={number}"
    )
    return (
        f"<entry><id>yt:video:{number}</id><yt:videoId>{number}</yt:videoId><title>{name}</title>"
        f'<link rel="alternate" href="{link}"/><published>{date}</published><media:group>'
        "<media:description>About it</media:description></media:group></entry>"
    )


def tube(*videos: str) -> bytes:
    return (
        '<feed xmlns:yt="http://www.youtube.com/xml/schemas/2015" '
        'xmlns:media="http://search.yahoo.com/mrss/" '
        'xmlns="http://www.w3.org/2005/Atom"><title>Ana</title><link rel="alternate" '
        f'href="https://www.youtube.com/channel/{CHANNEL}"/>'
        f"{''.join(videos)}</feed>"
    ).encode()


def watch(name: str, script: str) -> tuple[str, bytes]:
    return (
        f"https://www.youtube.com/watch?v={name.ljust(11, '_')}",
        f"<script>{script}</script>".encode(),
    )


@pytest.fixture
def mailing_list(env: Environment) -> int:
    with transaction() as session:
        row = add_list(session)
        add_reader(session, row, "weekly@example.com")
        return row.id


def fates() -> dict[str, str]:
    db.session.rollback()
    return {
        entry.title: entry.fate for entry in db.session.scalars(select(Entry).order_by(Entry.id))
    }


def poll(env: Environment, clock: Clock) -> list[polling.PollResult]:
    clock.forward(timedelta(hours=1))
    return polling.poll_due(env)


@pytest.mark.parametrize(
    "address",
    [
        "https://www.youtube.com/@ana",
        "@ana",
        "youtube.com/@ana",
        f"https://m.youtube.com/channel/{CHANNEL}",
        TUBE,
    ],
)
def test_a_channel_has_many_addresses_and_one_feed(
    env: Environment, mailing_list: int, fake_fetch: FakeFetch, address: str
) -> None:
    page = (
        f'"browseId":"UC{"z" * 22}" <link rel="canonical" '
        f'href="https://www.youtube.com/channel/{CHANNEL}">'
    ).encode()
    fake_fetch.pages |= {
        "https://www.youtube.com/@ana": page,
        "https://youtube.com/@ana": page,
        TUBE: tube(video("Old")),
    }
    fetched = fake_fetch.pages["https://www.youtube.com/@ana"]
    assert fetched is page
    assert feeds.add(env, address).url == TUBE


def test_long_videos_alone_have_a_feed_of_their_own(
    env: Environment, mailing_list: int, fake_fetch: FakeFetch, clock: Clock
) -> None:
    fake_fetch.pages |= {
        TUBE: tube(video("Old"), video("Short", short=True)),
        LONG: tube(video("Old")),
    }
    assert feeds.add(env, TUBE, leaves_out=["shorts", "live"]).url == LONG
    del fake_fetch.pages[LONG]
    feeds.remove(env, LONG)
    assert feeds.add(env, TUBE, leaves_out=["shorts", "live"]).url == TUBE, (
        "a channel may have none"
    )


def test_kinds_of_videos_can_be_left_out(
    env: Environment, mailing_list: int, fake_fetch: FakeFetch, clock: Clock
) -> None:
    fake_fetch.pages[TUBE] = tube(video("Old"))
    added = feeds.add(env, TUBE)
    feeds.edit(str(added.id), leaves_out={"shorts": True, "live": True})
    fake_fetch.pages |= dict(
        [watch("Live", '"isLiveContent":true'), watch("Long", '"isLiveContent":false')]
    )
    fake_fetch.pages[TUBE] = tube(
        video("Long"), video("Live"), video("Short", short=True), video("Old")
    )
    poll(env, clock)
    assert fates() == {"Old": "skipped", "Short": "skipped", "Live": "skipped", "Long": "ready"}
    assert [entry.why for entry in entries.list_entries() if entry.title == "Short"] == [
        "this feed leaves out shorts"
    ]
    feeds.edit(str(added.id), leaves_out={"shorts": False})
    fake_fetch.pages[TUBE] = tube(video("Short2", short=True), video("Long"))
    poll(env, clock)
    assert fates()["Short2"] == "ready"


def test_a_premiere_waits_until_it_is_public(
    env: Environment, mailing_list: int, fake_fetch: FakeFetch, clock: Clock
) -> None:
    fake_fetch.pages |= dict(
        [watch("First", '"isUpcoming":true'), watch("Second", '"isUpcoming":true')]
    )
    fake_fetch.pages[TUBE] = tube(video("First"), video("Old"))
    feeds.add(env, TUBE)
    fake_fetch.pages[TUBE] = tube(video("Second"), video("First"), video("Old"))
    poll(env, clock)
    assert fates() == {"Old": "skipped"}, (
        "neither is there yet, whether or not it was there when the feed was added"
    )
    fake_fetch.pages |= dict([watch("First", "public"), watch("Second", '"liveBroadcastDetails"')])
    poll(env, clock)
    assert fates() == {"Old": "skipped", "First": "ready", "Second": "ready"}


def embedding(name: str, text: str = "With the video") -> str:
    return (
        f'<p>{text}</p><iframe src="https://www.youtube.com/embed/{name.ljust(11, "_")}"></iframe>'
    )


@pytest.mark.parametrize("first", ["post", "video"])
def test_a_post_and_its_video_are_one_story(
    env: Environment, mailing_list: int, fake_fetch: FakeFetch, clock: Clock, sink: Sink, first: str
) -> None:
    pages = {
        "post": (URL, rss(item("Post", body=embedding("Story")), item("Old"))),
        "video": (TUBE, tube(video("Story"))),
    }
    fake_fetch.pages |= {URL: rss(item("Old")), TUBE: tube()}
    feeds.add(env, URL)
    feeds.add(env, TUBE)
    for kind in (first, "post", "video"):
        fake_fetch.pages |= dict([pages[kind]])
        poll(env, clock)
    assert fates() == {"Old": "skipped", "Post": "ready", "Story": "skipped"}
    digests.send_now(env)
    sending.send_due(env)
    [message] = sink.messages
    assert message["Subject"] == "Post"
    poll(env, clock)
    assert fates()["Story"] == "skipped"


def test_another_days_video_is_another_story(
    env: Environment, mailing_list: int, fake_fetch: FakeFetch, clock: Clock
) -> None:
    fake_fetch.pages |= {URL: rss(item("Old")), TUBE: tube()}
    feeds.add(env, URL)
    feeds.add(env, TUBE)
    fake_fetch.pages[TUBE] = tube(video("Story", date="2026-11-20T09:30:00+00:00"))
    fake_fetch.pages[URL] = rss(
        item("Post", body=embedding("Story"), date="Tue, 24 Nov 2026 09:00:00 GMT")
    )
    poll(env, clock)
    assert fates() == {"Old": "skipped", "Post": "ready", "Story": "ready"}


def test_a_withdrawn_post_gives_its_video_back(
    env: Environment, mailing_list: int, fake_fetch: FakeFetch, clock: Clock
) -> None:
    fake_fetch.pages |= {URL: rss(item("Old")), TUBE: tube()}
    feeds.add(env, URL)
    feeds.add(env, TUBE)
    fake_fetch.pages |= {
        URL: rss(item("Post", body=embedding("Story")), item("Old")),
        TUBE: tube(video("Story")),
    }
    poll(env, clock)
    fake_fetch.pages[URL] = rss(item("Old"))
    poll(env, clock)
    assert fates() == {"Old": "skipped", "Post": "skipped", "Story": "ready"}


def test_a_page_in_two_feeds_of_a_list_is_one_story(
    env: Environment, mailing_list: int, fake_fetch: FakeFetch, clock: Clock
) -> None:
    """A blog's feed, and that of one of its categories; and a post that only links to the same
    page.
    """
    category = "https://blog.example.com/rest/feed.xml"
    link = "https://blog.example.com/new/"
    fake_fetch.pages |= {URL: rss(item("Old")), category: rss()}
    feeds.add(env, URL)
    feeds.add(env, category)
    fake_fetch.pages[URL] = rss(item("New", link=link), item("Old"))
    poll(env, clock)
    fake_fetch.pages[category] = rss(
        item("New", link=f"{link}?utm_source=rss", guid="9"), item("Mine")
    )
    poll(env, clock)
    whys = {entry.why for entry in entries.list_entries(fate="skipped")}
    [first] = [
        entry.id
        for entry in entries.list_entries()
        if entry.title == "New" and entry.fate != "skipped"
    ]
    assert whys == {
        "was there already when the feed was added",
        f"the same page as entry {first}, of another feed",
    }
    assert [entry.title for entry in entries.list_entries(fate="ready")] == ["Mine", "New"]
    fake_fetch.pages[URL] = rss(item("Old"))
    poll(env, clock)
    assert [(entry.id, entry.title) for entry in entries.list_entries(fate="ready")] == [
        (first + 2, "New"),
        (first + 1, "Mine"),
    ]


@pytest.mark.parametrize("removed", [URL, "https://blog.example.com/rest/feed.xml"])
@pytest.mark.parametrize("when", ["before", "between", "after"])
def test_a_feed_that_is_removed_leaves_a_shared_story_to_the_other(
    env: Environment,
    mailing_list: int,
    fake_fetch: FakeFetch,
    clock: Clock,
    sink: Sink,
    when: str,
    removed: str,
) -> None:
    """Nobody gets it twice, and nobody misses it, whichever feed goes, before or after it was
    mailed to some.
    """
    with transaction() as session:
        add_reader(
            session,
            session.get_one(MailingList, mailing_list),
            "instant@example.com",
            cadence="instant",
        )
    category = "https://blog.example.com/rest/feed.xml"
    fake_fetch.pages |= {URL: rss(item("Old")), category: rss()}
    feeds.add(env, URL)
    feeds.add(env, category)
    fake_fetch.pages |= {URL: rss(item("New"), item("Old")), category: rss(item("New", guid="9"))}
    poll(env, clock)
    for moment, cadence in (("before", "instant"), ("between", "weekly"), ("after", None)):
        if moment == when:
            feeds.remove(env, removed)
        digests.send_now(env, cadence=cadence)  # type: ignore[arg-type]
        sending.send_due(env)
        poll(env, clock)
    assert len(sink.to("instant@example.com")) == len(sink.to("weekly@example.com")) == 1
    [left] = [entry for entry in entries.list_entries() if entry.title == "New"]
    assert left.fate == "sent"
    explanations = {
        row.title: row
        for row in explain_subscriber.explain_entries(env, None, "weekly@example.com")
    }
    assert explanations["New"].course == "sent"


def test_a_post_that_links_to_a_page_of_another_feed_is_its_own_story(
    env: Environment, mailing_list: int, fake_fetch: FakeFetch, clock: Clock
) -> None:
    second = "https://blog.example.com/links.xml"
    link = "https://blog.example.com/new/"
    fake_fetch.pages |= {URL: rss(), second: rss()}
    feeds.add(env, URL)
    feeds.add(env, second)
    fake_fetch.pages |= {
        URL: rss(item("New", link=link)),
        second: rss(item("Read this", link=link, guid="9")),
    }
    poll(env, clock)
    assert fates() == {"New": "ready", "Read this": "ready"}


def test_a_link_that_entries_share_makes_no_story_of_them(
    env: Environment, mailing_list: int, fake_fetch: FakeFetch, clock: Clock
) -> None:
    second = "https://blog.example.com/notes.xml"
    fake_fetch.pages |= {URL: rss(item("Old")), second: rss()}
    feeds.add(env, URL)
    feeds.add(env, second)
    home = "https://blog.example.com/now/"
    fake_fetch.pages |= {
        URL: rss(item("Note", link=home, guid="1")),
        second: rss(item("One", link=home, guid="2"), item("Two", link=home, guid="3")),
    }
    poll(env, clock)
    assert fates() == {"Old": "skipped", "Note": "ready", "One": "ready", "Two": "ready"}


def pictures() -> dict[str, tuple[str, str]]:
    with reading() as session:
        return {
            entry.title: (entry.image, entry.image_alt) for entry in session.scalars(select(Entry))
        }


def test_wordpress_names_the_featured_image(
    env: Environment, mailing_list: int, fake_fetch: FakeFetch, clock: Clock
) -> None:
    fake_fetch.pages[URL] = rss(item("Old"))
    feeds.add(env, URL)
    media = {"source_url": "https://blog.example.com/lake.jpg", "alt_text": "A lake"}
    answer = json.dumps({"_embedded": {"wp:featuredmedia": [media]}}).encode()
    fake_fetch.pages["https://blog.example.com/wp-json/wp/v2/posts/7?_embed=wp:featuredmedia"] = (
        answer
    )
    new = [
        item("New", guid="https://blog.example.com/?p=7"),
        item("Shy", guid="https://blog.example.com/?p=8"),
    ]
    fake_fetch.pages[URL] = rss(*new, item("Old"))
    poll(env, clock)
    assert pictures()["New"] == ("https://blog.example.com/lake.jpg", "A lake")
    assert pictures()["Shy"] == ("", "")
    fake_fetch.pages[URL] = rss(
        item("New", guid="https://blog.example.com/?p=7", body="<p>Edited</p>"), item("Old")
    )
    poll(env, clock)
    assert pictures()["New"] == ("https://blog.example.com/lake.jpg", "A lake"), (
        "an edit does not take it away"
    )


def test_pages_are_asked_for_pictures_when_wanted(
    env: Environment, mailing_list: int, fake_fetch: FakeFetch, clock: Clock
) -> None:
    fake_fetch.pages[URL] = rss(item("Old"))
    added = feeds.add(env, URL, page_pictures=True)
    page = (
        b'<meta property="og:image" content="/pictures/a.jpg"><meta property="og:image:alt" '
        b'content="Fog">'
    )
    fake_fetch.pages["https://blog.example.com/new/"] = page
    fake_fetch.pages["https://blog.example.com/evil/"] = (
        b'<meta property="og:image" content="javascript:alert(1)">'
    )
    fake_fetch.pages[URL] = rss(item("New"), item("Evil"), item("Old"))
    poll(env, clock)
    assert pictures()["New"] == ("https://blog.example.com/pictures/a.jpg", "Fog")
    assert pictures()["Evil"] == ("", "")
    feeds.edit(str(added.id), leaves_out={}, page_pictures=False)
    fake_fetch.pages["https://blog.example.com/newer/"] = page
    fake_fetch.pages[URL] = rss(item("Newer"), item("New"), item("Old"))
    poll(env, clock)
    assert pictures()["Newer"] == ("", "")


def test_f09_the_author_is_told_once_of_a_failing_feed(
    env: Environment, mailing_list: int, fake_fetch: FakeFetch, clock: Clock, sink: Sink
) -> None:
    fake_fetch.pages[URL] = rss(item("Old"))
    feeds.add(env, URL)

    def a_week() -> int:
        for _ in range(7 * 24):
            poll(env, clock)
            sending.send_due(env)
        return len(sink.accepted)

    fake_fetch.pages[URL] = FeedUnavailable(URL, "answers 500", status=500)
    for _ in range(20):
        poll(env, clock)
    sending.send_due(env)
    assert sink.accepted == [], "servers stumble, and get up again"
    assert a_week() == 1
    [message] = sink.to("ana@news.example.com")
    assert message["Subject"] == "Slow Letters: A feed cannot be read, so nothing new goes out"
    assert "answers 500" in body(message)
    assert "newsletter feed check" in body(message)
    assert message["List-Unsubscribe"] is None
    fake_fetch.pages[URL] = rss(item("Old"))
    assert a_week() == 1
    fake_fetch.pages[URL] = FeedGone(URL, "410 Gone")
    assert a_week() == 2
    with reading() as session:
        assert session.scalars(select(Feed.status)).one() == "gone"


def test_e01_the_author_is_asked_about_held_entries(
    env: Environment, mailing_list: int, fake_fetch: FakeFetch, clock: Clock, sink: Sink
) -> None:
    fake_fetch.pages[URL] = rss(item("Old"))
    feeds.add(env, URL)
    for again in range(3):
        fake_fetch.pages[URL] = rss(
            *(item(f"Moved {again} {n}", guid=f"x{again}{n}") for n in range(40))
        )
        poll(env, clock)
        sending.send_due(env)
    [message] = sink.messages
    assert message["Subject"] == "Slow Letters: 40 new entries are held: has your blog moved?"
    assert "newsletter entry release --held --list blog" in body(message)
