"""Other people's HTML, made harmless; text that reads well."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.html.links import make_absolute
from newsletter.html.sanitize import clean_html, find_first_picture
from newsletter.html.text import shorten_text, to_plain_line
from newsletter.html.to_text import html_to_text, make_excerpt

BASE = "https://blog.example.com/post/"

PAYLOADS = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<svg onload=alert(1)>",
    "<svg><script>alert(1)</script>",
    '<a href="javascript:alert(1)">x</a>',
    '<a href=" java\tscript:alert(1)">x</a>',
    '<a href="data:text/html,x">x</a>',
    '<a href="vbscript:x">x</a>',
    '<iframe srcdoc="<script>alert(1)</script>"></iframe>',
    '<iframe src="https://evil.example/">',
    '<form action="https://evil.example"><input name=a><button>x</button></form>',
    '<meta http-equiv="refresh" content="0;url=//evil">',
    "<style>body{display:none}</style>",
    '<div style="position:fixed;top:0">x</div>',
    "<object data=x></object>",
    "<embed src=x>",
    '<base href="https://evil.example/">',
    '<link rel=stylesheet href="//evil">',
    "<math><mi xlink:href='javascript:x'>",
    '<noscript><p title="</noscript><img src=x onerror=alert(1)>">',
    "<!--<img src=x onerror=alert(1)>-->",
    '<svg></p><style><a id="</style><img src=1 onerror=alert(1)>">',
    "<template><script>alert(1)</script></template>",
    '<img alt="x><script>alert(1)</script>" src=y>',
    "<p onclick=alert(1)>x</p>",
    "<x-y onfoo=1>z</x-y>",
    "<form><math><mtext></form><form><mglyph><style></math><img src onerror=alert(1)>",
    '<a href="//evil.example">ok</a>',
    "<video src=x onerror=alert(1)>",
    "<details open ontoggle=alert(1)>",
    '<img src="x" srcset="y 2x">',
    "<![CDATA[<script>x</script>]]>",
    '<img title="><script>x</script>" width="5" src="a">',
    "<button formaction=javascript:alert(1)>x",
    "&lt;script&gt;x&lt;/script&gt;",
]


def check_inert(html: str) -> None:
    """Nothing in it runs, loads a frame, posts, or leads elsewhere than to the web or to mail."""
    lowered = html.lower()
    for tag in re.findall(r"<\s*/?\s*([a-z0-9-]+)", lowered):
        assert tag not in {
            "script",
            "style",
            "iframe",
            "form",
            "input",
            "svg",
            "math",
            "object",
            "embed",
            "meta",
            "base",
            "link",
            "button",
            "template",
            "noscript",
            "video",
            "details",
        }, tag
    for tag in re.findall(r"<[a-z][^>]*>", lowered):
        assert not re.search(r"\son\w+\s*=", tag), tag
        assert " style=" not in tag
        for link in re.findall(r'(?:href|src)="([^"]*)"', tag):
            assert link.startswith(("http://", "https://", "mailto:")), link
    assert "<!--" not in html


@pytest.mark.parametrize("payload", PAYLOADS)
def test_e07_hostile_html_comes_out_inert(payload: str) -> None:
    for wrapped in (payload, f"<p>before {payload} after</p>", f"<table><tr><td>{payload}"):
        check_inert(clean_html(wrapped, base_url=BASE))


@given(st.text(alphabet="<>/ab\"'= !-scriptimgonerror", max_size=120))
def test_e07_no_soup_of_tags_stays_active(soup: str) -> None:
    check_inert(clean_html(soup, base_url=BASE))


@pytest.mark.parametrize(
    "html",
    [
        "<div>" * 150_000,
        "<a" * 400_000,
        "<iframe " * 100_000,
        "<img " * 150_000,
        "<ul><li>" * 80_000,
        "<!--" * 200_000,
        "<b>" * 199 + "x" * 500_000,
        "&" * 500_000,
    ],
)
def test_e07_enormous_html_takes_no_time(html: str) -> None:
    begun = time.monotonic()
    html_to_text(clean_html(html, base_url=BASE))
    assert time.monotonic() - begun < 20, "quadratic"


def test_e07_no_entity_fills_a_slot() -> None:
    """A feed that writes the marks of a slot as entities must not get a reader's address into its
    links.
    """
    mark = "&#xE000;email&#57345;"
    html = clean_html(
        f'<p>{mark}<a href="https://e.example/?{mark}">x</a><img src="https://e.example/{mark}">',
        base_url=BASE,
    )
    assert "\ue000" not in html
    assert "\ue001" not in html
    assert "\ue000" not in (make_absolute("https://e.example/\ue000email\ue001", base_url="") or "")


def test_links_and_pictures_become_absolute() -> None:
    html = clean_html('<a href="../x?a=1&b=2">x</a> <img src="/p.jpg" alt="A">', base_url=BASE)
    assert 'href="https://blog.example.com/x?a=1&amp;b=2"' in html
    assert 'src="https://blog.example.com/p.jpg"' in html


@pytest.mark.parametrize("how", ['style="color: red; Display : none"', 'hidden="until-found"'])
def test_a_picture_in_something_hidden_is_none(how: str) -> None:
    hidden = f'<div {how}><p>A<br><img src="t.gif"></p><ul><li><img src="u.gif"></ul>B</div>'
    html = clean_html(f'{hidden}<p>C<img src="c.gif" alt="c"></p>', base_url=BASE)
    assert "t.gif" not in html
    assert "u.gif" not in html
    assert "hidden" not in html
    assert [word in html for word in ("<p>A", "B</div>", "<p>C", "c.gif")] == [True] * 4


@pytest.mark.parametrize(
    ("html", "expected"),
    [
        (
            '<p>A <span style="display:none">for <b>machines</b> <img src="/x.png"></span>B</p>',
            "<p>A B</p>",
        ),
        ('<p>A <a hidden href="/x">trap</a>B <span style="color:red">C</span></p>', "<p>A B C</p>"),
        (
            '<div style="display: none"><p>Answer <img src="/x.png"><span '
            "hidden>!</span></p></div><p>B</p>",
            "<div><p>Answer </p></div><p>B</p>",
        ),
        (
            '<ul><li style="display:none"><img src="/x.png">A</li><li>B</li></ul>',
            "<ul><li>A</li><li>B</li></ul>",
        ),
        ('<span style="display:none"><p>never closed', ""),
        ("<span hidden>A</span></span></span>B", "B"),
    ],
)
def test_what_is_hidden_leaves_no_half(html: str, expected: str) -> None:
    assert clean_html(html, base_url="https://x.org/") == expected


def test_counting_pixels_are_dropped() -> None:
    html = (
        '<img src="a.gif" width="1" height="1"><img src="b.gif" height=0><img src="c.jpg" '
        'width="900" height="600">'
    )
    cleaned = clean_html(html, base_url=BASE)
    assert "a.gif" not in cleaned
    assert "b.gif" not in cleaned
    assert 'width="536" height="357"' in cleaned


@pytest.mark.parametrize(
    "tag",
    [
        '<img src="t.gif" style="width:1px;height:1px">',
        '<img src="t.gif" style="color:red; WIDTH : 0px !important">',
        '<img src="t.gif" style="display:none">',
        '<img src="t.gif" style="opacity:0">',
        '<img src="t.gif" width="1px">',
        '<img src="t.gif" style="max-height:1px">',
        '<img src="https://pixel.wp.com/b.gif?host=x">',
        '<img src="data:image/gif;base64,t.gif">',
        '<img src="https://feeds.feedburner.com/~r/blog/~4/t.gif" height="1" width="1" alt="">',
        '<img src="t.gif" width="1.0">',
        '<img src="t.gif" width="0x1">',
        '<img src="t.gif" height=" +1 ">',
        '<img src="t.gif" width="1%">',
        '<img src="t.gif" style="width:1pt">',
        '<img src="t.gif" style="height:.5px">',
        '<img src="t.gif" style="width:0.1em">',
        '<img src="t.gif" style="position:absolute;left:-9999px">',
        '<img src="t.gif" hidden>',
        '<span><img src="t.gif" hidden></span>',
    ],
)
def test_e07_pictures_that_only_count_are_dropped(tag: str) -> None:
    assert "img" not in clean_html(f"<p>{tag}</p>", base_url=BASE)


@pytest.mark.parametrize(
    "size",
    ['width="100%"', 'style="width:100%"', 'style="width:10.5em"', 'width="20000"', 'width="auto"'],
)
def test_pictures_of_another_size_are_kept(size: str) -> None:
    assert (
        clean_html(f'<img src="a.jpg" {size}>', base_url="https://x.org/")
        == '<img alt="" src="https://x.org/a.jpg">'
    )


@pytest.mark.parametrize(
    "link", ["//javascript:alert(1)", "https://x.org:port/", "https://x.org:99999/"]
)
def test_e08_a_port_is_a_number_or_the_link_is_none(link: str) -> None:
    assert clean_html(f'<a href="{link}">x</a>', base_url=BASE) == "<a>x</a>"


def test_pictures_keep_their_size_and_no_style() -> None:
    html = clean_html(
        '<img src="a.jpg" style="width:100%;border:1px" width=300px height="200" alt="A">',
        base_url=BASE,
    )
    assert (
        html == '<img width="300" height="200" src="https://blog.example.com/post/a.jpg" alt="A">'
    )


def test_an_embedded_video_becomes_a_picture_with_a_link() -> None:
    html = clean_html(
        '<iframe src="https://www.youtube.com/embed/dQw4w9WgXcQ?rel=0"></iframe>', base_url=BASE
    )
    assert 'href="https://www.youtube.com/watch?v=dQw4w9WgXcQ"' in html
    assert "i.ytimg.com/vi/dQw4w9WgXcQ" in html
    assert "▶ YouTube</strong></a>" in html


def test_html_reads_well_as_plain_text() -> None:
    html = (
        "<h1>Title</h1><p>One <a href='https://x.org/'>link</a>.</p><ul><li>a</li><li>b<ul>"
        "<li>c</li></ul></li></ul>"
        "<ol><li>x</li><li>y</li></ol><p>End<br>of it</p><img src='https://x.org/i.png' "
        "alt='A lake'>"
    )
    assert html_to_text(html) == (
        "== Title ==\n\nOne link <https://x.org/>.\n\n- a\n- b\n  - c\n\n1. x\n2. y\n\nEnd\n"
        "of it\n\n[A lake]"
    )
    assert make_excerpt(html, words=3) == "One link. a …"


def test_m01_m06_plain_text_ends_no_header() -> None:
    assert to_plain_line("a\r\nBcc: x\0\u2028b\ud800\u202ec") == "a Bcc: x bc"
    assert to_plain_line("  a \t b  ") == "a b"
    assert to_plain_line(None) == ""


@pytest.mark.parametrize(
    "grapheme", ["e\u0301", "👩\u200d👩\u200d👧", "👍\U0001f3fd", "🇩🇪", "❤\ufe0f"]
)
def test_m10_shortening_splits_no_grapheme(grapheme: str) -> None:
    text = "ab" + grapheme * 5
    for limit in range(3, len(text)):
        result = shorten_text(text, limit)
        assert len(result) <= limit
        rest = result.removesuffix("…").removeprefix("ab")
        assert rest in [grapheme * n for n in range(6)] or result == "…"


def test_the_first_picture_worth_showing() -> None:
    html = '<img src="x.gif" width="1"><img src="/a.jpg?a=1&amp;b=2" alt="A">'
    assert find_first_picture(html, base_url=BASE) == (
        "https://blog.example.com/a.jpg?a=1&b=2",
        "A",
    )
    assert find_first_picture("<p>none</p>", base_url=BASE) == ("", "")
