"""Markdown: built of our own tags alone, and a text that reads well aloud."""

from __future__ import annotations

import re
import time

import pytest

from newsletter.authoring.markdown import (
    LetterLink,
    PlacedPicture,
    ShownPicture,
    find_pictures,
    render_markdown,
)

BASE = "https://blog.example.com/"
PICTURES = {
    "tree.jpg": PlacedPicture("https://n.example.com/m/tree.jpg", 1072),
    "video:abcdefghijk": PlacedPicture("https://n.example.com/m/still.jpg", 480),
}


def html(source: str) -> str:
    return render_markdown(source, base_url=BASE, pictures=PICTURES).html


def text(source: str, *, language: str = "en", addresses_at_end: bool = True) -> str:
    return render_markdown(
        source,
        base_url=BASE,
        pictures=PICTURES,
        language=language,
        addresses_at_end=addresses_at_end,
    ).text


@pytest.mark.parametrize(
    "source",
    [
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "[x](javascript:alert(1))",
        "[x](data:text/html,x)",
        "![x](javascript:alert(1))",
        "[x](https://x.org){.button onclick=alert(1)}",
        "![x](tree.jpg){style=x onload=y}",
        '[x](https://x.org "\\"><script>")',
        '![\\"><script>](tree.jpg)',
        "&#60;script&#62;",
        '[x](//evil/"onclick=1)',
        "[x](https://user:pw@evil.example/)",
        '<https://x.org/"><script>>',
        "[a](vbscript:x) <javascript:alert(1)>",
    ],
)
def test_nothing_but_our_own_tags(source: str) -> None:
    result = html(source)
    tags = set(re.findall(r"<(/?\w+)", result))
    assert {tag.lstrip("/") for tag in tags} <= {
        "p",
        "a",
        "img",
        "table",
        "tbody",
        "tr",
        "td",
        "em",
        "strong",
        "br",
    }
    attributes = {
        name for tag in re.findall(r"<\w[^>]*>", result) for name in re.findall(r'([\w-]+)="', tag)
    }
    assert attributes <= {
        "href",
        "src",
        "alt",
        "title",
        "width",
        "class",
        "role",
        "style",
        "align",
        "cellpadding",
        "cellspacing",
    }
    for address in re.findall(r'(?:href|src)="([^"]*)"', result):
        assert address == "" or address.startswith(("https://", "http://", "mailto:"))
    assert "user:pw@" not in "".join(re.findall(r'href="([^"]*)"', result))


def test_entities_fill_no_slot() -> None:
    markdown = render_markdown("&#xE000;email&#xE001; &#x1e;", base_url=BASE)
    assert not re.search("[\ue000\ue001\x1e]", markdown.html + markdown.text)


def test_pictures_have_their_address_their_words_and_a_width_that_fits() -> None:
    assert html("![A tree](tree.jpg){width=300}") == (
        '<p><img src="https://n.example.com/m/tree.jpg" alt="A tree" width="300"></p>'
    )
    assert 'width="536"' in html("![A tree](tree.jpg)")
    assert 'width="536"' in html("![A tree](tree.jpg){width=4000}")
    assert "width" not in html("![x](https://o.example.org/p.png)")
    markdown = render_markdown(
        "![A *tree*](tree.jpg) ![](/p.png)", base_url=BASE, pictures=PICTURES
    )
    assert markdown.pictures == (
        ShownPicture("tree.jpg", "https://n.example.com/m/tree.jpg", "A tree"),
        ShownPicture("/p.png", "https://blog.example.com/p.png", ""),
    )
    assert find_pictures("![a](tree.jpg) ![b](tree.jpg)\n\nhttps://youtu.be/abcdefghijk") == (
        "tree.jpg",
        "video:abcdefghijk",
    )


def test_links_buttons_videos_notes_tables() -> None:
    assert 'href="https://blog.example.com/about"' in html("[a](/about)")
    assert 'href="https://x.org/a_b"' in html("see https://x.org/a_b.")
    assert "www.x.org" in html("e.g. www.x.org")
    assert "<a" not in html("e.g. www.x.org")
    button = html("[Book a *call*](https://x.org/?a=1&b=2){.button}")
    assert 'class="button"' in button
    assert ">Book a call</a>" in button
    assert "button" not in html("In a line [it](https://x.org){.button} is a link")
    card = html("[Breathe](https://www.youtube.com/watch?v=abcdefghijk)")
    assert "Watch: Breathe" in card
    assert "still.jpg" in card
    assert "ytimg" not in card
    assert "still.jpg" not in html("A [video](https://youtu.be/abcdefghijk) in a sentence")
    assert "<sup" in html("a[^1]\n\n[^1]: b")
    assert "href" not in html("a[^1]\n\n[^1]: b"), "links inside a mail lead nowhere"
    assert "<th>When</th>" in html("|When|\n|-|\n|Mon|")
    assert render_markdown("[a](/b)", base_url=BASE).links == (
        LetterLink("/b", "https://blog.example.com/b"),
    )


ALOUD_SOURCE = """# Boundaries

A *pause* with [a link](/about), [again](/about) and https://x.org.[^1]
It goes on.

![A tree](tree.jpg)

- one
- two
  1. first
  2. second

> Slowly.

| When | Where |
|---|---|
| Monday | Berlin |

[Book](https://x.org/book){.button}

https://youtu.be/abcdefghijk

[^1]: By [her](https://h.org).
"""
ALOUD = """Boundaries

A pause with a link [1], again [1] and https://x.org. (note 1) It goes on.

[Picture: A tree]

- one
- two
  1. first
  2. second

> Slowly.

- When: Monday; Where: Berlin

Book: https://x.org/book

Watch the video: https://youtu.be/abcdefghijk


Notes

1. By her [2].


Links

[1] https://blog.example.com/about
[2] https://h.org"""


def test_the_text_reads_well_aloud() -> None:
    assert text(ALOUD_SOURCE) == ALOUD
    assert "a link <https://blog.example.com/about>" in text(ALOUD_SOURCE, addresses_at_end=False)
    assert "[Bild: A tree]" in text(ALOUD_SOURCE, language="de")


@pytest.mark.parametrize(
    "source",
    [
        "[" * 15_000,
        "*a" * 15_000,
        "> " * 6_000,
        "- " * 6_000,
        "|a" * 6_000 + "\n" + "|-" * 6_000,
        "[^a]" * 6_000,
        "![a](" * 6_000,
        "`" * 15_000,
        "[a]({" * 6_000,
        "a{b" * 10_000,
        "![a](b){" * 6_000,
    ],
    ids=lambda source: source[:8],
)
def test_m09_no_markdown_takes_its_time(source: str) -> None:
    begun = time.process_time()
    render_markdown(source, base_url=BASE)
    assert time.process_time() - begun < 5


def test_addresses_to_write_and_to_call_are_said_where_they_stand() -> None:
    result = text(
        "[me](mailto:ana@x.org?subject=a), [ana@x.org](mailto:ana@x.org), [+49 30 "
        "1](tel:+49301), [call](tel:+49-30-1), [x](tel:rm)"
    )
    assert result == "me <ana@x.org>, ana@x.org, +49 30 1, call <+49-30-1>, x"
    assert 'href="tel:+49301"' in html("[x](tel:+49301)")


def test_a_link_that_leads_nowhere_leaves_its_words() -> None:
    assert html("[a](javascript:x) [b](https://x.org)") == '<p>a <a href="https://x.org">b</a></p>'
    assert html("[B](file:///x){.button}") == "<p>B</p>"
    assert text("[B](file:///x){.button}") == "B"
    assert html("[v](javascript:youtu.be/abcdefghijk)") == "<p>Watch: v</p>"
