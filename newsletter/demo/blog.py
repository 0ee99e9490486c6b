"""The demo's blog: a few posts, their feed, and a page with the pasted form."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from html import escape

from newsletter.demo.server import Answer, render_page


@dataclass(frozen=True, slots=True)
class Post:
    """A post of the demo's blog, with its HTML and the two colours of its picture."""

    slug: str
    title: str
    html: str
    colors: tuple[tuple[int, int, int], tuple[int, int, int]]


POSTS = (
    Post(
        "the-pause-before-yes",
        "The pause before yes",
        "<p>Most of what tires us is a yes that came a second too early. Between the question and "
        "the answer there is "
        "a small room. It takes three breaths to walk through it.</p><p>Try it once today: when "
        "somebody asks you for "
        "something, say <em>let me think about that until tomorrow</em>, and notice that nothing "
        "breaks.</p>"
        "<blockquote><p>A no that is kind is kinder than a yes that is tired.</p></blockquote>"
        "<h3>Three ways to practise</h3><ul><li>Write the question down before you answer "
        "it.</li><li>Ask what it "
        "would cost you, in hours.</li><li>Say the answer aloud when nobody is there.</li></ul>",
        ((38, 70, 83), (233, 196, 106)),
    ),
    Post(
        "walking-without-a-podcast",
        "Walking without a podcast",
        "<p>For a month I have left the headphones at home. The first week was dull. In the second "
        "I began to hear "
        "sentences that were mine.</p><p>There is a kind of thinking that only comes when nothing "
        "else does. It is "
        "shy, and it walks at about four kilometres an hour.</p>",
        ((42, 111, 98), (168, 218, 181)),
    ),
    Post(
        "letters-to-a-younger-self",
        "Letters to a younger self",
        "<p>An exercise for a long evening: write a letter to the one you were ten years ago. Do "
        "not advise. Describe "
        "the kitchen you sit in, what you can hear, who will call tomorrow.</p><p>You will find "
        "that most of what you "
        "were afraid of is in the letter, and that it is mentioned once.</p>",
        ((94, 60, 96), (244, 172, 150)),
    ),
)
BLOG = "Slow Letters"


class Blog:
    """The demo's blog with its posts. `form` is the snippet that its author has pasted."""

    def __init__(self) -> None:
        self.url = ""
        self.form = ""
        self.published: list[tuple[Post, datetime]] = []

    def publish(self, post: Post, published_at: datetime | None = None) -> str:
        """Publish a post on the blog and in its feed.

        Returns its address.
        """
        self.published.append((post, published_at or datetime.now(UTC)))
        return self.address(post)

    def address(self, post: Post) -> str:
        """Return the URL of a post."""
        return f"{self.url}/blog/{post.slug}/"

    def answer(self, path: str) -> Answer | None:
        """Return the page at `path`, or None if the blog has no such page."""
        if path == "/blog/":
            return self._page(BLOG, self._index() + "<h2>Subscribe</h2>" + self.form)
        if path == "/blog/feed.xml":
            return "application/rss+xml; charset=utf-8", self._feed().encode()
        for post, _ in self.published:
            if path == f"/blog/{post.slug}/":
                return self._page(post.title, f"{self._picture(post)}{post.html}<hr>{self.form}")
            if path == f"/blog/{post.slug}.png":
                return "image/png", make_picture(*post.colors)
        return None

    def _index(self) -> str:
        items = (
            f'<li><a href="{self.address(post)}">{escape(post.title)}</a></li>'
            for post, _ in reversed(self.published)
        )
        return f"<ul>{''.join(items)}</ul>"

    def _picture(self, post: Post) -> str:
        source = f"{self.url}/blog/{post.slug}.png"
        return f'<p><img src="{source}" alt="Two colours that meet" width="640"></p>'

    def _page(self, title: str, body: str) -> Answer:
        feed = f"{self.url}/blog/feed.xml"
        link = f'<link rel="alternate" type="application/rss+xml" title="{BLOG}" href="{feed}">'
        return render_page(title, f"<h1>{escape(title)}</h1>{body}", head=link)

    def _feed(self) -> str:
        items = "".join(
            f"<item><title>{escape(post.title)}</title><link>{self.address(post)}</link>"
            f'<guid isPermaLink="true">{self.address(post)}</guid>'
            f"<pubDate>{format_datetime(published_at)}</pubDate><content:encoded><![CDATA["
            f"{self._picture(post)}{post.html}]]></content:encoded></item>"
            for post, published_at in reversed(self.published)
        )
        return (
            '<?xml version="1.0" encoding="UTF-8"?><rss version="2.0" '
            'xmlns:content="http://purl.org/rss/1.0/modules/content/"><channel>'
            f"<title>{BLOG}</title><link>{self.url}/blog/</link>"
            f"<description>On going slowly</description>{items}</channel></rss>"
        )


def publish_old_posts(blog: Blog) -> None:
    """Publish the posts that are older than the first subscription of the demo."""
    for age, post in zip((9, 4), POSTS, strict=False):
        blog.publish(post, datetime.now(UTC) - timedelta(days=age))


def make_picture(
    top: tuple[int, int, int], bottom: tuple[int, int, int], width: int = 640, height: int = 300
) -> bytes:
    """Return a PNG image with a gradient from one colour to another."""
    rows = bytearray()
    for row in range(height):
        color = bytes(
            round(start + (end - start) * row / height)
            for start, end in zip(top, bottom, strict=True)
        )
        rows += b"\0" + color * width
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + _make_chunk(b"IHDR", head)
        + _make_chunk(b"IDAT", zlib.compress(bytes(rows)))
        + _make_chunk(b"IEND", b"")
    )


def _make_chunk(kind: bytes, data: bytes) -> bytes:
    """Return a chunk of a PNG: its length, kind, data and checksum (W3C PNG section 5.3)."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
