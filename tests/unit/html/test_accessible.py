"""HTML that is fit to be heard; cut HTML; colours that can be read."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.html.accessible import make_accessible
from newsletter.html.sanitize import clean_html
from newsletter.html.truncate import cut_html
from newsletter.mail.theme import CONTRAST, NIGHT, PAPER, compute_contrast, make_theme

BASE = "https://blog.example.com/"


@pytest.mark.parametrize(
    ("html", "expected"),
    [
        (
            "<h4>A</h4><h6>B</h6><h4>C</h4><h1>D</h1><h2>E</h2>",
            "<h2>A</h2><h3>B</h3><h2>C</h2><h2>D</h2><h3>E</h3>",
        ),
        ("<h2></h2><h3>&nbsp;</h3>x", "&nbsp;x"),
        (
            "<ul><p>a</p><li>b</li>c<ul><li>d</li></ul></ul>",
            "<ul><li><p>a</p></li><li>b</li><li>c<ul><li>d</li></ul></li></ul>",
        ),
        ("<li>alone</li>", "<div>alone</div>"),
        (
            "<dl><dt>a</dt><dd>b</dd></dl><section>c</section>",
            "<div><div>a</div><div>b</div></div><div>c</div>",
        ),
        (
            '<a href="https://x.example/"><img src="https://x.example/i.png" alt=""></a>',
            '<img src="https://x.example/i.png" alt="">',
        ),
        (
            '<a href="https://x.example/"><img src="i" alt="A lake"></a>',
            '<a href="https://x.example/"><img src="i" alt="A lake"></a>',
        ),
        (
            "<table><tr><th></th><th>b</th></tr></table>",
            "<table><tr><td></td><th>b</th></tr></table>",
        ),
        ("a &amp; b &lt;script&gt; &#39;", "a &amp; b &lt;script&gt; &#39;"),
    ],
)
def test_what_is_fit_to_be_heard(html: str, expected: str) -> None:
    assert make_accessible(html, below=1) == expected


SOUP = st.lists(
    st.sampled_from(
        [
            "<ul>",
            "</ul>",
            "<li>",
            "</li>",
            "<p>",
            "</p>",
            "<h2>",
            "</h2>",
            "<h5>",
            "<a href='/x'>",
            "</a>",
            "<b>",
            "</b>",
            "<table><tr><th>",
            "</th>",
            "<td>",
            "x",
            "é",
            "&amp;",
            "<img src='/i'>",
            "<o-o>",
        ]
    ),
    max_size=25,
)


def balanced(html: str) -> bool:
    """Tell whether every tag that is opened is closed, in order."""
    stack: list[str] = []
    for closing, name in re.findall(r"<(/?)([a-z0-9]+)", html):
        if closing and (not stack or stack.pop() != name):
            return False
        if not closing and name not in ("img", "br", "hr"):
            stack.append(name)
    return not stack


@given(SOUP, st.integers(1, 3))
def test_what_is_tidy_is_whole_and_stays_as_it_is(soup: list[str], below: int) -> None:
    tidied = make_accessible(clean_html("".join(soup), base_url=BASE), below=below)
    assert balanced(tidied)
    assert make_accessible(tidied, below=below) == tidied
    levels = [below, *(int(level) for level in re.findall(r"<h([1-6])", tidied))]
    assert all(later <= sooner + 1 for sooner, later in pairwise(levels)), "no step is left out"


@given(SOUP, st.integers(1, 300))
def test_cut_html_is_whole_and_no_longer(soup: list[str], limit: int) -> None:
    html = clean_html("".join(soup) * 3, base_url=BASE)
    cut = cut_html(html, limit)
    assert balanced(cut)
    assert cut == html or len(cut.encode()) <= limit + 600, "but for the ends of what is open"


def test_a_text_is_cut_between_words() -> None:
    assert cut_html("<p>one <b>two three</b> four</p>", 16) == "<p>one <b>two …</b></p>"
    assert cut_html("<p>short</p>", 100) == "<p>short</p>"


@given(st.from_regex(r"#[0-9a-f]{6}", fullmatch=True))
def test_links_and_buttons_can_be_read_whatever_the_colour(color: str) -> None:
    theme = make_theme(color)
    assert compute_contrast(theme.link, PAPER) >= CONTRAST
    assert compute_contrast(theme.link_dark, NIGHT) >= CONTRAST
    assert compute_contrast(theme.on_accent, theme.accent) >= 4


def test_a_look_that_makes_no_sense_has_defaults() -> None:
    assert make_theme("red;}", "Comic Sans", 900) == make_theme("", "system", 24)
    assert (make_theme(radius=2).small_radius, make_theme(radius=10).small_radius) == (0, 6)
