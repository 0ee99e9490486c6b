"""Blog HTML keeps its sense in mail: judged with a feed that WordPress 6.1 made, and with what
other blogs write.
"""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest

from newsletter.feeds.parse import parse_feed
from newsletter.html import video_embeds as players
from newsletter.html.pictures import is_letter_address
from newsletter.html.sanitize import clean_html, find_first_picture
from newsletter.html.to_text import html_to_text, make_excerpt

BASE = "https://blog.test/"
FEED = (Path(__file__).parents[2] / "feeds" / "wordpress_blocks.xml").read_bytes()


@pytest.fixture(scope="module")
def posts() -> dict[str, str]:
    """Return the cleaned HTML of each post, by its title."""
    feed = parse_feed(FEED, url=f"{BASE}?feed=rss2")
    return {entry.title: clean_html(entry.content_html, base_url=BASE) for entry in feed.entries}


def test_emoji_pictures_become_their_letters(posts: dict[str, str]) -> None:
    html = posts["Small faces 🙂"]
    assert "<img" not in html
    assert "I smiled 😀 at the sea 🌊 and it smiled back 🙂 or so I thought." in html
    assert "<h2>What comes after ❤</h2>" in html


def test_a_post_of_emoji_has_no_lead_picture() -> None:
    images = {entry.title: entry.image for entry in parse_feed(FEED, url=BASE).entries}
    assert images["Small faces 🙂"] == ""
    assert images["A list, a quote, a caption"].endswith("meadow-1024x683.jpg")


@pytest.mark.parametrize(
    "tag",
    [
        '<img class="wp-smiley" src="/x/a.png" alt="🙂">',
        '<img class="emoji" src="/x/a.png" alt="🙂" width="72" height="72">',
        '<img src="https://s.w.org/images/core/emoji/15.0.3/72x72/1f642.png" alt="🙂">',
        '<img src="/img/smilies/a.gif" alt="🙂">',
        '<img src="https://twemoji.maxcdn.com/v/latest/72x72/1f642.png" alt="🙂">',
        '<img src="/a.png" alt="🙂" width="20" height="20">',
        '<img src="/a.png" alt="🙂" style="height:1em;width:1em">',
        '<img src="/a.png" alt="🙂" style="max-height: 1.2em">',
        '<img src="/icons/a.svg" alt="🙂">',
        '<img class="social icon" src="/a.svg" alt="🙂" width="32" height="32">',
    ],
)
def test_a_picture_that_stands_for_a_letter_is_its_letter(tag: str) -> None:
    html = clean_html(f"<p>Hi {tag}</p>", base_url=BASE)
    big = "72" in tag and "width" in tag
    assert html == "<p>Hi 🙂</p>" or (big and "<img" in html)
    assert big or find_first_picture(tag, base_url=BASE) == ("", "")


@pytest.mark.parametrize(
    "tag",
    [
        '<img src="/photos/icons-of-rublev.jpg" width="800" height="600" alt="An icon">',
        '<img src="/iconic/a.jpg" alt="A">',
        '<img src="/a.jpg" style="height:10em" alt="A">',
        '<img class="wp-image-7" src="/a.jpg" alt="A">',
    ],
)
def test_other_pictures_stay_pictures(tag: str) -> None:
    assert "<img" in clean_html(tag, base_url=BASE)


def test_a_picture_within_the_post_itself_leaves_its_words() -> None:
    source = f"data:image/png;base64,{'A' * 3000}"
    assert clean_html(f'<p><img src="{source}" alt="A heron"></p>', base_url=BASE) == (
        "<p>[A heron]</p>"
    )
    late = f'<img src="{source}" data-any-name="/up/heron.jpg" alt="A heron">'
    assert 'src="https://blog.test/up/heron.jpg"' in clean_html(late, base_url=BASE)
    assert clean_html('<img src="data:image/gif;base64,AA" alt="x">', base_url=BASE) == ""


def test_paragraphs_and_items_without_an_end_stay_apart() -> None:
    html = clean_html("<p>a" * 300 + "<ul>" + "<li>b" * 300 + "</ul>", base_url=BASE)
    assert html.count("<p>") == 300
    assert html.count("<li>") == 300


def test_addresses_start_from_the_base_that_a_page_names() -> None:
    page = '<html><head><base href="https://other.test/d/"></head><body>{}</body></html>'
    html = clean_html(
        page.format('<a href="x">x</a><a href="#top">Up to the top</a>'), base_url=BASE
    )
    assert '<a href="https://other.test/d/x">x</a>' in html
    assert f'<a href="{BASE}#top">Up to the top</a>' in html


@pytest.mark.parametrize(
    ("row", "stays"),
    [
        ("<td>A</td>", False),
        ("<td>&nbsp;</td><td><img src='/a.jpg'></td>", False),
        ("<td><table><tr><td>A</td></tr></table></td>", False),
        ("<td>A</td><td>B</td>", True),
        ("<th>A</th>", True),
    ],
)
def test_tables_that_only_place_something_are_taken_apart(row: str, stays: bool) -> None:
    html = clean_html(f"<table><tr>{row}</tr></table>", base_url=BASE)
    assert ("<table" in html) is stays
    assert ("A" in html) or ("a.jpg" in html)


def test_half_a_character_in_an_attribute_ends_nothing() -> None:
    values = r"{&quot;full_text&quot;:&quot;a\ud83d&quot;}"
    box = f'<div class="tweet" data-attrs="{values}"></div>'
    assert "<p>a</p>" in clean_html(box, base_url=BASE)


@pytest.mark.parametrize(
    ("words", "alt"),
    [("CTA Image", ""), ("image", ""), ("IMG_2041.JPG", ""), ("A heron.", "A heron.")],
)
def test_alt_texts_that_programs_write_are_left_out(words: str, alt: str) -> None:
    html = clean_html(f'<img src="/a.jpg" alt="{words}">', base_url=BASE)
    assert html == f'<img src="https://blog.test/a.jpg" alt="{alt}">'


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("tel:+49 30 123", "tel:+4930123"),
        ("tel:*%2306%23", None),
        ("tel:*21*0123456789%23", None),
        ("TEL:123", None),
        ("sms:123", None),
        ("callto:123", None),
    ],
)
def test_telephone_numbers_can_be_called_and_codes_cannot(
    address: str, expected: str | None
) -> None:
    html = clean_html(f'<a href="{address}">x</a>', base_url=BASE)
    assert html == (f'<a href="{expected}">x</a>' if expected else "<a>x</a>")


@pytest.mark.parametrize(
    ("url", "emoji"),
    [
        ("https://s.w.org/images/core/emoji/15/72x72/1f642.png", True),
        ("https://blog.test/emoji/smile.png", True),
        ("https://blog.test/a/meadow.jpg", False),
    ],
)
def test_lead_pictures_are_no_emoji(url: str, emoji: bool) -> None:
    assert is_letter_address(url) is emoji


def test_frames_films_and_sounds_leave_a_named_link_in_both_parts(posts: dict[str, str]) -> None:
    html = posts["Films and songs"]
    text = html_to_text(html)
    for name, url in (
        ("▶ A slow morning (YouTube)", "https://www.youtube.com/watch?v=dQw4w9WgXcQ"),
        ("▶ The New Vimeo Player (You Know, For Videos)", "https://vimeo.com/76979871"),
        ("♫ Spotify Embed: Weightless", "https://open.spotify.com/track/6kkwzB6hXLIONkEk9JciA6"),
        ("♫ Flickermood by Forss (SoundCloud)", "https://w.soundcloud.com/player/?"),
        ("♫ breath.mp3", "https://blog.test/wp-content/uploads/2026/11/breath.mp3"),
        ("▶ walk.mp4", "https://blog.test/wp-content/uploads/2026/11/walk.mp4"),
        ("↗ Where we meet (maps.example)", "https://maps.example/embed?q=Berlin"),
    ):
        assert re.search(
            rf'href="{re.escape(url)}[^"]*">(?:<img[^<>]*><br>)?<strong>{re.escape(name)}</strong>',
            html,
        )
        assert f"{name} <{url}" in text
    assert "i.ytimg.com/vi/dQw4w9WgXcQ" in html
    assert not re.search(r"<(?:iframe|audio|video|source)", html)


@pytest.mark.parametrize(
    ("html", "name", "url"),
    [
        (
            '<iframe src="about:blank" data-src="https://player.vimeo.com/video/7?h=ab1"></iframe>',
            "▶ Vimeo",
            "https://vimeo.com/7/ab1",
        ),
        (
            '<iframe src="https://www.youtube-nocookie.com/embed/videoseries?list=PLx"></iframe>',
            "▶ YouTube",
            "https://www.youtube.com/playlist?list=PLx",
        ),
        (
            "<iframe "
            'src="https://w.soundcloud.com/player/?url=https%3A%2F%2Fsoundcloud.com%2Fa%2Fb">'
            "</iframe>",
            "♫ SoundCloud",
            "https://soundcloud.com/a/b",
        ),
        (
            '<video><source src="/a.webm"><source src="/a.mp4">No video here.</video>',
            "▶ a.mp4",
            "https://blog.test/a.mp4",
        ),
        (
            '<p>x <audio title="Breathe" src="/a.mp3"></audio></p>',
            "♫ Breathe",
            "https://blog.test/a.mp3",
        ),
        (
            '<embed src="https://www.youtube.com/v/dQw4w9WgXcQ">',
            "▶ YouTube",
            "https://www.youtube.com/watch?v=dQw4w9WgXcQ",
        ),
        (
            '<object data="/a.pdf" aria-label="The plan">x</object>',
            "↗ The plan (blog.test)",
            "https://blog.test/a.pdf",
        ),
        (
            '<iframe src="https://x.org/post/embed/#?secret=Ab" title="A post"></iframe>',
            "↗ A post (x.org)",
            "https://x.org/post/",
        ),
    ],
)
def test_players_of_others_become_links(html: str, name: str, url: str) -> None:
    cleaned = clean_html(html, base_url=BASE)
    assert f'href="{url}"' in cleaned
    assert f"<strong>{name}</strong>" in cleaned
    assert "No video here" not in cleaned


@pytest.mark.parametrize(
    "frame",
    [
        '<iframe src="https://t.example/c" width="1" height="1"></iframe>',
        '<iframe src="https://t.example/c" hidden></iframe>',
        '<iframe src="https://t.example/c" style="display:none"></iframe>',
        '<div hidden><audio src="https://t.example/c"></audio></div>',
        '<iframe src="javascript:alert(1)"></iframe>',
        '<iframe srcdoc="<b>x</b>"></iframe>',
    ],
)
def test_frames_that_nobody_sees_leave_nothing(frame: str) -> None:
    assert "<a" not in clean_html(f"<p>A</p>{frame}", base_url=BASE)


def test_forms_go_with_their_words(posts: dict[str, str]) -> None:
    assert (
        html_to_text(posts["The form in a post"])
        == "Would you like letters like these?\n\nSee you soon."
    )
    assert posts["Protected: For members"] == ""


@pytest.mark.parametrize(
    ("html", "expected"),
    [
        ("<p>A<select><option>one<option>two</select>B</p>", "<p>AB</p>"),
        ("<p>A <button>Play</button>B</p>", "<p>A B</p>"),
        ('<a href="/x"><button>Book</button></a>', '<a href="https://blog.test/x">Book</a>'),
        ('<button><a href="/x">Book</a></button>', '<a href="https://blog.test/x">Book</a>'),
        ("<p>A</p><div hidden><p>B</p></div>", "<p>A</p>"),
        ('<p>A</p><div hidden="until-found"><p>B</p></div>', "<p>A</p><div><p>B</p></div>"),
        (
            '<a href="/1">one</a><a href="/2">two</a>',
            '<a href="https://blog.test/1">one</a> <a href="https://blog.test/2">two</a>',
        ),
        ("<form><p>" + "word " * 900 + "</p></form>", "<p>" + "word " * 900 + "</p>"),
    ],
)
def test_controls_and_hidden_parts_go_and_links_stay(html: str, expected: str) -> None:
    assert clean_html(html, base_url=BASE) == expected


def test_buttons_and_files_stay_links(posts: dict[str, str]) -> None:
    text = html_to_text(posts["Buttons and files"])
    assert "Book a call <https://blog.test/book/>\n" in text
    assert "See prices <https://blog.test/prices/>" in text
    assert "The workbook <https://blog.test/wp-content/uploads/2026/11/workbook.pdf>" in text
    assert "Download" not in text


def test_headings_quotes_captions_and_code_are_told_apart_in_the_text(
    posts: dict[str, str],
) -> None:
    text = html_to_text(posts["A list, a quote, a caption"])
    assert "[A meadow in fog]\nThe meadow behind the house" in text
    assert "> Be quick, but do not hurry\n>\n> John Wooden" in text
    text = html_to_text(posts["Columns, covers, gallery"])
    assert text.startswith("== Left ==\n\nOne side.")
    assert "    one\n      two" in text


def test_an_excerpt_keeps_its_parts_apart(posts: dict[str, str]) -> None:
    text = (
        "Three things · Breathe · Walk · slowly · Rest · Be quick, but do not hurry · Slow "
        "is smooth"
    )
    assert make_excerpt(posts["A list, a quote, a caption"]) == text
    assert make_excerpt("<h2>Only</h2>") == "Only"
    assert make_excerpt("<p>" + "word " * 80 + "</p>", words=3) == "word word word …"


@pytest.mark.parametrize(
    "tag",
    [
        '<img src="data:image/gif;base64,R0lG" data-src="/a.jpg">',
        '<img src="/img/placeholder.png" data-lazy-src="/a.jpg">',
        '<img data-original="/a.jpg">',
        '<img src="/blank.gif" srcset="/s.jpg 300w, /a.jpg 1100w, /l.jpg 2400w">',
        '<img data-srcset="/s.jpg 300w, /a.jpg 900w">',
        '<img srcset="/a.jpg">',
        '<img srcset="/s.jpg 1x, /a.jpg 2x" src="/a.jpg">',
    ],
)
def test_pictures_that_load_late_are_shown(tag: str) -> None:
    assert 'src="https://blog.test/a.jpg"' in clean_html(tag, base_url=BASE)


@pytest.mark.parametrize(
    "html",
    [
        "<iframe src='https://x.org/a'>" * 30_000,
        "<form><button>x" * 60_000,
        "<span hidden>x" * 60_000,
        '<img class="' + " " * 400_000 + '">',
        "<blockquote><p>x</p></blockquote>" * 20_000,
        "<video><source src=/a>" * 20_000,
        '<img srcset="' + "a" * 900_000 + '">',
        '<iframe src="https://player.vimeo.com/video/1?' + "a&" * 300_000 + '">',
        "<pre>" + "\n" * 500_000,
        '<img style="' + "width:" * 90_000 + '">',
        "<h2>x</h2>" * 40_000,
        '<a class="' + "button " * 90_000 + '">x',
    ],
)
def test_hostile_html_takes_time_by_its_length_only(html: str) -> None:
    began = time.process_time()
    make_excerpt(html)
    html_to_text(clean_html(html, base_url=BASE))
    assert time.process_time() - began < 8


def test_every_kind_of_card_has_its_sign() -> None:
    for kind, sign in players.SIGNS.items():
        assert players.render_card(players.Media(kind, "https://x.org/?a&b", '<"x"')) == (
            f'<a href="https://x.org/?a&amp;b"><strong>{sign} &lt;&quot;x&quot;</strong></a>'
        )
