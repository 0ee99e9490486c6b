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


def shown(
    content: str,
    summary: str = "",
    image: str = "",
    form: EntryForm = EXCERPT,
    language: str = "en",
    **values: object,
) -> EntryMail:
    columns: dict[str, object] = {
        "title": "T",
        "link": "https://b.org/t/",
        "content_html": content,
        "summary_html": summary,
        "image": image,
        "image_alt": "",
        "author": "",
        "video_id": "",
        "audio": "",
        "audio_seconds": 0,
        "published_at": START,
    }
    entry = Entry(**(columns | values))
    presenter = Presenter(entry, zone=ZoneInfo("UTC"), language=language, site_url="https://b.org/")
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
        (
            '<p><a href="https://b.org/tom">Tom</a> went out.</p><p>Then he came home.</p>',
            '<a href="https://b.org/tom">Tom</a> went out.',
            "Tom went out. …",
        ),
        (
            "<p>One two three four five nine ten.</p>",
            "One two three four five six.",
            "One two three four five nine …",
        ),
        (
            "<p>One two three four nine.</p>",
            "One two three four five six.",
            "One two three four five six.",
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


@pytest.mark.parametrize(
    ("values", "title"),
    [
        ({}, "T"),
        ({"own_title": "Mine"}, "Mine"),
        ({"title": ""}, "one two three four five six seven eight …"),
        ({"title": "", "own_excerpt": "A lake"}, "A lake"),
        ({"title": "", "content_html": ""}, "A new post"),
    ],
)
def test_an_entry_is_called_by_its_title_or_its_first_eight_words(
    values: dict[str, object], title: str
) -> None:
    content = "<p>one two three four five six seven eight nine ten</p>"
    assert shown(content, **values).title == title  # type: ignore[arg-type]


def test_an_excerpt_of_the_author_stands_above_what_the_feed_says() -> None:
    entry = shown("<p>Words.</p>", "Others.", own_excerpt="Two\nlines")
    assert entry.excerpt == "Two lines"


@pytest.mark.parametrize(
    ("values", "alt"),
    [
        ({}, "T"),
        ({"image_alt": "A <small> lake"}, "A ‹small› lake"),
        ({"image_alt": "x" * 300}, "x" * 300),
        ({"image_alt": "x" * 301}, "x" * 299 + "…"),
        ({"title": "T <3"}, "T ‹3"),
    ],
)
def test_a_picture_is_described_by_its_own_words_or_the_title(
    values: dict[str, object], alt: str
) -> None:
    assert shown("<p>x</p>", image="https://b.org/a.jpg", **values).image_alt == alt  # type: ignore[arg-type]


def test_the_name_of_an_author_has_200_letters_at_most() -> None:
    assert shown("<p>x</p>", author="x" * 200).author == "x" * 200
    assert shown("<p>x</p>", author="x" * 201).author == "x" * 199 + "…"


def test_an_entry_without_link_and_date_has_neither() -> None:
    entry = shown('<p><a href="lake">Lake</a></p>', form=WHOLE, link="", published_at=None)
    assert (entry.link, entry.date_text) == ("", "")
    assert 'href="https://b.org/lake"' in entry.html
    dated = shown('<p><a href="lake">Lake</a></p>', form=WHOLE)
    assert (dated.link, dated.date_text) == ("https://b.org/t/", "24 November 2026")
    assert 'href="https://b.org/t/lake"' in dated.html


def test_a_summary_is_shown_whole_where_there_is_no_content() -> None:
    assert shown("", "Only a summary", form=WHOLE).text.strip() == "Only a summary"
    assert shown("<p>Words.</p>", "Others.", form=WHOLE).text.strip() == "Words."


def test_a_post_that_is_cut_says_so() -> None:
    content = "".join(f"<p>Part {number}</p>" for number in range(50))
    cut = shown(content, form=EntryForm(whole=True, limit=200))
    whole = shown(content, form=EntryForm(whole=True, limit=20_000))
    assert (cut.cut, whole.cut, shown(content).cut) == (True, False, False)
    assert "Part 0" in cut.html
    assert "Part 49" not in cut.html
    assert whole.html == shown(content, form=WHOLE).html


def test_a_video_keeps_its_picture_beside_pictures_of_its_text() -> None:
    entry = shown(
        '<p>x</p><img src="https://b.org/own.jpg" alt="">',
        image="https://b.org/still.jpg",
        form=WHOLE,
        video_id="dQw4w9WgXcQ",
    )
    assert (entry.image, entry.video, entry.image_height) == ("https://b.org/still.jpg", True, 0)


SOUND = "https://b.org/talk.mp3?source=feed&x=1"


@pytest.mark.parametrize(
    ("content", "form", "audio"),
    [
        ("<p>x</p>", WHOLE, SOUND),
        ("<p>x</p>", EXCERPT, SOUND),
        ("<p>x</p>", TITLE, ""),
        ('<p><a href="https://b.org/talk.mp3?other">Listen</a></p>', WHOLE, ""),
        ('<p><a href="https://b.org/talk.mp3?other">Listen</a></p>', EXCERPT, SOUND),
        ('<p><a href="https://b.org/x?source=feed&amp;x=1">Other</a></p>', WHOLE, SOUND),
    ],
)
def test_a_sound_is_offered_where_the_text_does_not_lead_to_it(
    content: str, form: EntryForm, audio: str
) -> None:
    entry = shown(content, form=form, audio=SOUND, audio_seconds=59 * 60 + 31)
    assert (entry.audio, entry.audio_minutes) == (audio, 60)
    assert shown(content, form=form, audio=SOUND, audio_seconds=90 * 60 - 31).audio_minutes == 89


@pytest.mark.parametrize(("length", "minutes"), [(400, 0), (401, 1)])
def test_a_text_of_more_than_400_letters_has_minutes(length: int, minutes: int) -> None:
    assert shown("<b>" + "x" * (length - 2) + "</b>").minutes == minutes


@pytest.mark.parametrize(
    ("title", "content", "language", "expected"),
    [
        ("A lake", "בית", "he", "ltr"),
        ("בית", "A lake", "en", "rtl"),
        ("بيت", "A lake", "en", "rtl"),
        ("1 بيت", "A lake", "en", "rtl"),
        ("2026", "A lake", "ar", "ltr"),
        ("2026", "بيت", "en", "rtl"),
        ("2026", "7", "ar", "rtl"),
        ("2026", "7", "en", "ltr"),
    ],
)
def test_a_text_runs_as_its_first_letter_or_else_its_blog_does(
    title: str, content: str, language: str, expected: str
) -> None:
    assert shown(f"<p>{content}</p>", title=title, language=language).direction == expected
