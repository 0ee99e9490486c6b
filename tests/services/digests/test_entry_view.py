"""How an entry is shown: where its excerpt comes from, and which picture stands beside it."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import pytest

from newsletter.models import Entry
from newsletter.services.digests.entry_view import EXCERPT, WHOLE, EntryMail, Presenter
from tests.fakes import START

FORM = "<form><label>Your address <input></label><select><option>Daily<option>Weekly</select><button>Go</button></form>"


def shown(content: str, summary: str = "", image: str = "", *, whole: bool = False) -> EntryMail:
    entry = Entry(
        title="T", link="https://b.org/t", content_html=content, summary_html=summary, image=image, image_alt="",
        author="", video_id="", audio="", audio_seconds=0, published_at=START,
    )  # fmt: skip
    presenter = Presenter(entry, zone=ZoneInfo("UTC"), language="en", site_url="https://b.org/")
    return presenter.present(WHOLE if whole else EXCERPT, language="en")


@pytest.mark.parametrize(("content", "summary", "excerpt"), [
    (f"<p>Would you like letters?</p>{FORM}<p>See you.</p>", "Would you like letters? Your address DailyWeekly Go See you.",
     "Would you like letters? See you."),
    ("<p>Three things</p><ul><li>DomainBackoff</li><li>Walk</li></ul>", "Three things DomainBackoff Walk", "Three things · DomainBackoff · Walk"),
    ("<p>All of it, from the start to the end.</p>", "What I learned by the sea.", "What I learned by the sea."),
    ("<p>One two three four five six. Seven.</p><p>Behind more.</p>", "One two three four five six.", "One two three four five six. …"),
    ("", "Only a summary", "Only a summary"), ("<p>Only content</p>", "", "Only content"),
])  # fmt: skip
def test_a_summary_that_is_the_start_of_the_content_gives_way_to_it(
    content: str, summary: str, excerpt: str
) -> None:
    assert shown(content, summary).excerpt == excerpt


def test_an_emoji_is_no_picture_beside_a_title() -> None:
    assert (
        shown("<p>x</p>", image="https://s.w.org/images/core/emoji/15/72x72/1f642.png").image == ""
    )
    assert shown("<p>x</p>", image="https://b.org/meadow.jpg").image == "https://b.org/meadow.jpg"


def test_a_videos_still_picture_says_that_it_plays() -> None:
    entry = shown("<p>x</p>", image="https://i.ytimg.com/vi/dQw4w9WgXcQ/hqdefault.jpg")
    assert (entry.plays, entry.video, entry.image_height) == (True, False, 402)
    assert not shown("<p>x</p>", image="https://b.org/meadow.jpg").plays
