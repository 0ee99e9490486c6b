"""Posts as WordPress, Ghost, Substack, Medium, Jekyll and Blogger write them: nothing that a reader
would miss is missing, and nothing is garbage. tests/posts/posts.txt holds each with what was
expected of it.
"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from newsletter.html.sanitize import clean_html
from newsletter.html.to_text import html_to_text

FILE = Path(__file__).parents[2] / "posts" / "posts.txt"
BASE = "https://blog.test/post/"
PARTS = ("html", "text", "gone", "once")


@dataclass
class Post:
    """A post, and what its mail must hold, must not hold, and holds once."""

    name: str
    source: str = ""
    expected: dict[str, list[str]] = field(default_factory=lambda: {part: [] for part in PARTS})


def read_posts() -> list[Post]:
    posts: list[Post] = []
    part = ""
    for line in FILE.read_text().splitlines():
        if line.startswith("=== "):
            posts.append(Post(line[4:]))
            part = ""
        elif line.startswith("--- "):
            part = line[4:]
        elif posts and part and line.strip():
            posts[-1].expected[part].append(line)
        elif posts and not part:
            posts[-1].source += line + "\n"
    return posts


POSTS = read_posts()


@pytest.mark.parametrize("post", POSTS, ids=lambda post: post.name)
def test_a_post_keeps_its_sense(post: Post) -> None:
    html = clean_html(post.source, base_url=BASE)
    text = html_to_text(html)
    for line in post.expected["html"]:
        assert line in html
    for line in post.expected["text"]:
        assert line.strip() in text if line.lstrip() == line else line in text
    for words in post.expected["gone"]:
        assert words not in html
        assert words not in text
    for words in post.expected["once"]:
        assert html.count(words) == 1
    assert clean_html(html, base_url=BASE) == html, "what is clean stays as it is"
    assert not re.search(r"<(?:script|iframe|audio|video|noscript|input)|\bon\w+=", html)
    assert not re.search(r"\n{3,}|<p>\s*</p>", text)


def test_there_are_enough_of_them() -> None:
    assert len(POSTS) >= 60


@pytest.mark.parametrize(
    "source",
    [
        '<audio src="https://x.test/%EE%80%80email%EE%80%81.mp3"></audio>',
        '<video src="https://x.test/%EE%80%80nothing%EE%80%81.mp4"></video>',
        '<iframe src="https://w.soundcloud.com/player?url=https%3A%2F%2Fsoundcloud.com%2F%EE%80%80email%EE%80%81"></iframe>',
        '<iframe src="https://www.google.com/maps/embed?pb=!2s%EE%80%80email%EE%80%81!5e0"></iframe>',
        '<iframe src="https://www.facebook.com/plugins/post.php?href=https%3A%2F%2Fwww.facebook.com%2F%EE%80%80email%EE%80%81"></iframe>',
        '<blockquote class="tiktok-embed" cite="https://www.tiktok.com/@a/video/1?&#xE000;email&#xE001;"></blockquote>',
        '<img src="https://s.w.org/images/core/emoji/15/72x72/e000.png"><img src="https://s.w.org/images/core/emoji/15/72x72/e001.png">',
    ],
)
def test_no_address_makes_a_place_for_something_personal(source: str) -> None:
    """An escaped character in an address is no character before a card is named after it."""
    html = clean_html(source, base_url=BASE)
    assert not re.search("[\ue000\ue001]", html)
    assert not re.search("[\ue000\ue001]", html_to_text(html))


@pytest.mark.parametrize(
    "piece",
    [
        "<noscript>",
        "<noscript><a ",
        "<noscript><a href=x>",
        "<a ",
        "<blockquote class=tiktok-embed ",
        "<iframe bandcamp.com/",
        '<blockquote class="tiktok-embed" cite="https://a.test/">',
        '<iframe src="https://bandcamp.com/"><a ',
        "!2s!2s",
        "<sup>",
        '<img srcset="https://a.test/1 ',
        '<div class="sharedaddy">',
        '<a href="#x">',
        "<summary>",
        '<img data-orig-size="1,',
        '<div class="wp-block-cover" style="background-image:url(',
        "<pre><b>",
        "<math>",
        "<math><mi>",
        "<xml>",
        '<script type="math/tex">',
        "<amp-youtube ",
        '<amp-img src="',
        '<area href="/x" alt="x">',
        "<menu>",
        '<div role="tab">',
        '<div role="tab">a</div><div role="tabpanel">',
        '<div class="tabbed-labels">',
        "[vc_row ",
        "[ab cd=ef ",
        "[ab cd=ef ]",
        "[/ab]",
        "[embed]https://",
        "<canvas>",
        "<svg><text>",
        "<svg ",
        "<math><mfrac><mi>1</mi>",
        '<i class="fa-check">',
        '<i class="fa-check"></i>',
        "<input type=checkbox disabled>",
        "<a-b-player ",
        '<div class="vega-embed ',
        '<div class="vega-embed"><script>',
        "<a href=/x title=y><i>",
        "<ruby><rt>a",
        "<base href=",
        '<div role="img" ',
        "<p>https://a.test/",
        "<span></span><a href=x>",
        '<p style="direction:rtl" ',
        "<b></b><span class='",
        "<ol reversed><li>",
        '<span data-to-value="1">',
        '<div data-number-value="1"><div>',
        '<img src="data:" a="/',
        '<div style="white-space:pre-line">a\n',
        '<span role="button">',
        '<div class="wistia_async_a">',
        "</del><span class='screen-reader-text'>",
    ],
)
def test_no_post_takes_long(piece: str) -> None:
    started = time.process_time()
    clean_html(piece * (400_000 // len(piece)), base_url=BASE)
    assert time.process_time() - started < 3
