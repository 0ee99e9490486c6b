"""A digest's headlines lead to its entries, and what can be listened to has a card of its own."""

from __future__ import annotations

import re

import pytest

from newsletter.db.session import transaction
from newsletter.feeds.entry_fields import read_duration
from newsletter.feeds.parse import parse_feed
from newsletter.mail.render import MailContent
from newsletter.models import Entry, MailingList
from newsletter.services.digests.layout import Editor, read_style
from newsletter.services.digests.selection import Candidate
from newsletter.services.mail_context import make_list_context
from newsletter.services.runtime import Environment
from tests.people import add_entry, add_feed, add_list

FEED = b"""<rss version="2.0" xmlns:itunes="http://www.itunes.com/dtds/podcast-1.0.dtd">
<channel><title>Slow talk</title>
<item><title>Episode 7</title><link>https://blog.example.com/7</link>
<description>Words of it.</description>
<enclosure url="https://cdn.example.com/7.mp3?x=1" type="audio/mpeg" length="1"/>
<itunes:duration>45:12</itunes:duration></item>
<item><title>A film</title><link>https://blog.example.com/8</link>
<enclosure url="https://cdn.example.com/8.mp4" type="video/mp4"/></item>
</channel></rss>"""


def render(env: Environment, count: int, *, web: bool = False, audio: str = "") -> MailContent:
    with transaction() as session:
        mailing_list = add_list(session)
        add_entry(session, add_feed(session, add_list(session, "other")), "Elsewhere")
        feed = add_feed(session, mailing_list)
        entries = [add_entry(session, feed, f"Post {number}") for number in range(1, count + 1)]
        for entry in entries:
            entry.audio = audio
            entry.audio_seconds = 45 * 60 + 12
        candidates = [
            Candidate(row.id, row.seq or 0, row.feed_id, frozenset(), row.found_at, row.found_at)
            for row in entries
        ]
        context = make_list_context(env, mailing_list)
        editor = Editor(env, session, context, read_style(session, mailing_list))
        return editor.render_web(candidates) if web else editor.render(candidates)


@pytest.mark.any_database
def test_headlines_lead_to_the_entries_of_a_long_digest(env: Environment) -> None:
    content = render(env, 5)
    jumps = re.findall(r'<a [^>]*href="#(entry-\d)"[^>]*>(Post \d)</a>', content.html)
    assert [name for _, name in jumps] == [f"Post {number}" for number in range(5, 0, -1)]
    for place, title in jumps:
        assert re.search(
            rf'id="{place}"[^>]*></a>\s*<h\d[^>]*><a [^>]*>{title}</a>', content.html
        ), place
    assert "In this mail:\n1. Post 5\n2. Post 4\n" in content.text


@pytest.mark.any_database
@pytest.mark.parametrize(("count", "web"), [(4, False), (5, True)])
def test_a_short_digest_and_a_page_have_no_list_of_headlines(
    env: Environment, count: int, web: bool
) -> None:
    content = render(env, count, web=web)
    assert "In this mail" not in content.html + content.text
    assert "entry-1" not in content.html


@pytest.mark.any_database
@pytest.mark.parametrize("count", [1, 2])
def test_what_can_be_listened_to_has_a_card(env: Environment, count: int) -> None:
    content = render(env, count, audio="https://cdn.example.com/7.mp3?x=1")
    assert content.html.count('href="https://cdn.example.com/7.mp3?x=1"') == count
    assert "Listen, 45 min" in content.html
    assert content.text.count("♫ Listen, 45 min: https://cdn.example.com/7.mp3?x=1\n") == count


@pytest.mark.any_database
def test_a_sound_that_the_post_shows_itself_has_no_second_card(env: Environment) -> None:
    with transaction() as session:
        mailing_list: MailingList = add_list(session)
        entry: Entry = add_entry(session, add_feed(session, mailing_list), "Episode")
        entry.audio = "https://cdn.example.com/7.mp3?x=1"
        entry.content_html = '<audio src="https://cdn.example.com/7.mp3"></audio><p>Words.</p>'
        candidate = Candidate(
            entry.id, 1, entry.feed_id, frozenset(), entry.found_at, entry.found_at
        )
        context = make_list_context(env, mailing_list)
        content = Editor(env, session, context, read_style(session, mailing_list)).render(
            [candidate]
        )
    assert content.html.count("7.mp3") == 2, "the address and the name of one card"
    assert "Listen" not in content.text


def test_a_feed_names_its_sounds() -> None:
    episode, film = parse_feed(FEED, url="https://blog.example.com/feed").entries
    assert (episode.audio, episode.audio_seconds) == ("https://cdn.example.com/7.mp3?x=1", 2712)
    assert (film.audio, film.audio_seconds) == ("", 0)


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        ("45:12", 2712),
        ("1:02:03", 3723),
        ("2712", 2712),
        (2712, 2712),
        ("", 0),
        (None, 0),
        ("about an hour", 0),
        ("1:2:3:4", 0),
        ("-5", 0),
        ("99999999", 0),
        ("25:00:00", 0),
        ("٤٥:١٢", 0),
    ],
)
def test_a_duration_of_a_podcast_is_read_in_seconds(written: object, seconds: int) -> None:
    assert read_duration(written) == seconds
