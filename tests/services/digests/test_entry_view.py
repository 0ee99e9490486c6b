"""Test how an entry is shown: where its excerpt comes from, and which picture stands beside it."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import pytest

from newsletter.models import Entry
from newsletter.services.digests.entry_view import (
    EXCERPT,
    SHORT,
    TITLE,
    WHOLE,
    EntryForm,
    EntryMail,
    Presenter,
)
from tests.fakes import START

FORM = (
    "<form><label>Your address <input></label><select><option>Daily<option>Weekly</select>"
    "<button>Go</button></form>"
)


def shown(content: str, summary: str = "", image: str = "", form: EntryForm = EXCERPT) -> EntryMail:
    entry = Entry(
        title="T",
        link="https://b.org/t",
        content_html=content,
        summary_html=summary,
        image=image,
        image_alt="",
        author="",
        video_id="",
        audio="",
        audio_seconds=0,
        published_at=START,
    )
    presenter = Presenter(entry, zone=ZoneInfo("UTC"), language="en", site_url="https://b.org/")
    return presenter.present(form, language="en")


@pytest.mark.parametrize(
    ("content", "summary", "excerpt"),
    [
        (
            f"<p>Would you like letters?</p>{FORM}<p>See you.</p>",
            "Would you like letters? Your address DailyWeekly Go See you.",
            "Would you like letters? See you.",
        ),
        (
            "<p>Three things</p><ul><li>Rest</li><li>Walk</li></ul>",
            "Three things Rest Walk",
            "Three things · Rest · Walk",
        ),
        (
            "<p>All of it, from the start to the end.</p>",
            "What I learned by the sea.",
            "What I learned by the sea.",
        ),
        (
            "<p>One two three four five six. Seven.</p><p>Behind more.</p>",
            "One two three four five six.",
            "One two three four five six. …",
        ),
        (
            '<p>Tom &amp; <a href="https://b.org/ana">Ana</a> went out. Then they came home.</p>',
            "Tom &amp; Ana went out.",
            "Tom & Ana went out. …",
        ),
        ("", "Only a summary", "Only a summary"),
        ("<p>Only content</p>", "", "Only content"),
    ],
)
def test_a_summary_that_is_the_start_of_the_content_gives_way_to_it(
    content: str, summary: str, excerpt: str
) -> None:
    assert shown(content, summary).excerpt == excerpt


@pytest.mark.parametrize(("count", "expected"), [(49, 49), (50, 60)])
def test_a_summary_as_long_as_blogs_cut_it_gives_way_to_a_longer_excerpt(
    count: int, expected: int
) -> None:
    words = [f"word{number}" for number in range(80)]
    excerpt = shown(f"<p>{' '.join(words)}</p>", " ".join(words[:count])).excerpt
    assert excerpt == " ".join(words[:expected]) + " …"


def test_an_emoji_is_no_picture_beside_a_title() -> None:
    assert (
        shown("<p>x</p>", image="https://s.w.org/images/core/emoji/15/72x72/1f642.png").image == ""
    )
    assert shown("<p>x</p>", image="https://b.org/meadow.jpg").image == "https://b.org/meadow.jpg"


@pytest.mark.parametrize(
    ("content", "form", "beside"),
    [
        ("<p>x</p>", WHOLE, True),
        ('<p>x</p><img src="https://b.org/own.jpg" alt="">', WHOLE, False),
        ('<p>x</p><img src="https://b.org/own.jpg" alt="">', EXCERPT, True),
        ("<p>x</p>", TITLE, False),
    ],
)
def test_a_picture_stands_beside_what_shows_none_itself(
    content: str, form: EntryForm, beside: bool
) -> None:
    image = "https://b.org/meadow.jpg"
    assert shown(content, image=image, form=form).image == (image if beside else "")


def test_the_minutes_to_read_are_told_of_a_long_text_only() -> None:
    assert shown("<p>A few words.</p>").minutes == 0
    assert shown(f"<p>{'word ' * 900}</p>").minutes > 1


def test_a_videos_still_picture_says_that_it_plays() -> None:
    entry = shown("<p>x</p>", image="https://i.ytimg.com/vi/dQw4w9WgXcQ/hqdefault.jpg")
    assert (entry.plays, entry.video, entry.image_height) == (True, False, 402)
    assert not shown("<p>x</p>", image="https://b.org/meadow.jpg").plays


@pytest.mark.parametrize(("form", "words"), [(WHOLE, 60), (EXCERPT, 60), (SHORT, 20), (TITLE, 0)])
def test_an_excerpt_has_as_many_words_as_its_form_says(form: EntryForm, words: int) -> None:
    excerpt = shown(f"<p>{'word ' * 200}</p>", form=form).excerpt
    assert excerpt.count("word") == words
