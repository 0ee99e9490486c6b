"""Reading feeds: every dialect, every accident."""

from __future__ import annotations

import gzip
import time
from datetime import UTC, datetime
from html import escape

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from newsletter.errors import NotAFeed
from newsletter.feeds.identity import canonicalize_link, make_identity
from newsletter.feeds.isolated import Limits
from newsletter.feeds.isolated import read_feed as read_apart
from newsletter.feeds.parse import parse_feed
from newsletter.feeds.types import ParsedEntry, ParsedFeed
from tests.feeds_server import item, rss

URL = "https://blog.example.com/feed/"


def read_feed(body: bytes, content_type: str = "application/rss+xml") -> ParsedFeed:
    return parse_feed(body, url=URL, content_type=content_type)


def one(xml_item: str) -> ParsedEntry:
    [entry] = read_feed(rss(xml_item)).entries
    return entry


def test_a_feed_of_wordpress_is_read_with_picture_and_without_its_footer() -> None:
    entry = one(
        "<item><title>It&#8217;s a &lt;b&gt; "
        "post</title><link>https://blog.example.com/2026/a/?utm_source=rss</link>"
        '<guid isPermaLink="false">https://blog.example.com/?p=123</guid><pubDate>Mon, 23 '
        "Nov 2026 08:00:00 +0100</pubDate>"
        '<dc:creator xmlns:dc="http://purl.org/dc/elements/1.1/">Ana</dc:creator><category>'
        "Rest</category><category>Rest</category>"
        "<description><![CDATA[<p>Short [&#8230;]</p> <p>The post <a href='x'>A</a> appeared "
        "first on <a href='y'>B</a>.</p>]]></description>"
        '<content:encoded><![CDATA[<p>Long</p><img src="/a.jpg" alt="A lake" '
        'width="600">]]></content:encoded></item>'
    )
    assert entry.title == "It’s a <b> post"
    assert entry.identity == "blog.example.com?p=123"
    assert entry.link == "https://blog.example.com/2026/a/?utm_source=rss"
    assert entry.link_key == "blog.example.com/2026/a"
    assert entry.published == datetime(2026, 11, 23, 7, tzinfo=UTC)
    assert (entry.author, entry.categories) == ("Ana", ("Rest",))
    assert "appeared first" not in entry.summary_html
    assert (entry.image, entry.image_alt) == ("https://blog.example.com/a.jpg", "A lake")


@pytest.mark.parametrize(
    "tail",
    [
        'The post <a href="https://blog.example.com/a/">A</a> appeared first on <a '
        'href="https://blog.example.com">B</a>.',
        'Der Beitrag <a rel="nofollow" '
        'href="https://blog.example.com/a/?utm_source=rss&#038;utm_medium=rss">A</a> '
        "erschien zuerst auf "
        '<a rel="nofollow" href="https://blog.example.com/">B</a>.',
        "L’article <a href='https://blog.example.com/a/'>A</a> est apparu en premier sur <a "
        "href='http://blog.example.com'>B</a>.",
    ],
)
def test_wordpress_signs_its_posts_in_every_language(tail: str) -> None:
    [entry] = read_feed(
        rss(item("A", link="https://blog.example.com/a/", body=f"<p>Text.</p>\n<p>{tail}</p>\n"))
    ).entries
    assert entry.content_html == "<p>Text.</p>"


def test_an_ending_of_the_authors_own_stays() -> None:
    text = (
        '<p>See <a href="https://other.example/">this</a> and <a '
        'href="https://blog.example.com/">that</a>.</p>'
    )
    assert one(item("A", body=text)).content_html == text


def test_wordpress_more_ends_the_excerpt() -> None:
    body = '<p>Before.</p><p><span id="more-12"></span></p><p>After.</p>'
    entry = one(
        item("A", body=body).replace("</item>", "<description>Automatic words</description></item>")
    )
    assert "Before" in entry.summary_html
    assert "After" not in entry.summary_html
    assert "After" in entry.content_html
    excerpt = (
        "<description><![CDATA[Words &hellip; <a class='more-link' href='/a'>Continue "
        "reading</a>]]></description>"
    )
    assert one(f"<item><title>A</title>{excerpt}</item>").summary_html == "Words &hellip;"


@pytest.mark.parametrize("name", ["description", "content:encoded"])
def test_what_a_feed_escapes_twice_is_what_was_meant(name: str) -> None:
    written = escape(escape("<p>Rain &amp; <b>snow</b></p>"))
    space = "xmlns:content='http://purl.org/rss/1.0/modules/content/'"
    entry = one(f"<item {space}><title>A</title><{name}>{written}</{name}></item>")
    assert "<p>Rain &amp; <b>snow</b></p>" in (entry.content_html, entry.summary_html)


@pytest.mark.parametrize(
    "words", ["<p>Use &lt;p&gt; and &lt;/p&gt;.</p>", "a &lt; b", "&lt;p&gt; is a tag"]
)
def test_words_about_html_stay_words(words: str) -> None:
    entry = one(f"<item><title>A</title><description><![CDATA[{words}]]></description></item>")
    assert words in (entry.content_html, entry.summary_html)


def test_notes_of_a_podcast_keep_their_links() -> None:
    space = "xmlns:itunes='http://www.itunes.com/dtds/podcast-1.0.dtd'"
    notes = '<p>With <a href="https://guest.example/">Ben</a>.</p>'
    entry = one(
        f"<item {space}><title>A</title><description><![CDATA[{notes}]]></description>"
        "<itunes:summary>With Ben.</itunes:summary></item>"
    )
    assert entry.content_html == notes


@pytest.mark.parametrize(
    "author", ["ana@x.org (Ana Coach)", "Ana Coach &lt;ana@x.org&gt;", "Ana Coach"]
)
def test_an_author_is_named_without_her_address(author: str) -> None:
    assert one(f"<item><title>A</title><author>{author}</author></item>").author == "Ana Coach"


def test_a_feed_of_youtube_is_read_with_video_and_picture() -> None:
    body = b"""<?xml version="1.0" encoding="UTF-8"?><feed xmlns:yt="http://www.youtube.com/xml/schemas/2015"
      xmlns:media="http://search.yahoo.com/mrss/" xmlns="http://www.w3.org/2005/Atom"><title>Ana</title>
      <entry><id>yt:video:dQw4w9WgXcQ</id><yt:videoId>dQw4w9WgXcQ</yt:videoId><title>Breathe</title>
      <link rel="alternate" href="https://www.youtube.com/watch?v=dQw4w9WgXcQ"/><published>2026-11-20T10:00:00+00:00</published>
      <media:group><media:thumbnail url="https://i.ytimg.com/vi/dQw4w9WgXcQ/hq.jpg"/>
      <media:description>First &lt;b&gt;line
second</media:description></media:group></entry></feed>"""
    [entry] = read_feed(body, "text/xml").entries
    assert entry.video_id == "dQw4w9WgXcQ"
    assert entry.identity == "yt:video:dQw4w9WgXcQ"
    assert entry.image == "https://i.ytimg.com/vi/dQw4w9WgXcQ/hqdefault.jpg"
    assert entry.summary_html == "<p>First &lt;b&gt;line<br>second</p>"


@pytest.mark.parametrize(
    "body",
    [
        b'<rss version="0.91"><channel><title>B</title><item><title>T</title><link>'
        b"https://x.org/t</link></item></channel></rss>",
        b'<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" '
        b'xmlns="http://purl.org/rss/1.0/"><channel><title>B'
        b'</title></channel><item rdf:about="x"><title>T</title><link>https://x.org/t</link>'
        b"</item></rdf:RDF>",
        b'<feed version="0.3" xmlns="http://purl.org/atom/ns#"><title>B</title><entry><title>'
        b"T</title>"
        b'<link rel="alternate" href="https://x.org/t"/></entry></feed>',
        b'<feed xmlns="http://www.w3.org/2005/Atom"><title>B</title><entry><title>T</title>'
        b'<link href="https://x.org/t"/></entry></feed>',
        b'{"version": "https://jsonfeed.org/version/1.1", "title": "B", "items": [{"id": 7, '
        b'"title": "T", "url": "https://x.org/t"}]}',
    ],
    ids=["rss091", "rdf", "atom03", "atom10", "json"],
)
def test_every_dialect_of_feeds_is_read(body: bytes) -> None:
    feed = read_feed(body)
    assert feed.title == "B"
    assert [(entry.title, entry.link) for entry in feed.entries] == [("T", "https://x.org/t")]


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (rss(item("Größe")), "application/rss+xml"),
        (b"\xef\xbb\xbf" + rss(item("Größe")), "text/xml"),
        (b"\n\n  " + rss(item("Größe")), "text/xml; charset=utf-8"),
        (
            rss(item("Größe")).decode().replace("UTF-8", "UTF-16").encode("utf-16"),
            "application/xml",
        ),
        (
            rss(item("Größe")).decode().replace("UTF-8", "windows-1252").encode("cp1252"),
            "application/xml",
        ),
        (rss(item("Größe")).decode().encode("cp1252"), "application/xml"),
        (rss(item("Größe")), "image/png"),
        (rss(item("Größe")), "text/xml; charset=iso-8859-1"),
        (rss(item("Größe")).decode().replace("UTF-8", "ISO-8859-1").encode(), "text/xml"),
        (rss(item("Größe")).decode().replace("UTF-8", "no-such-set").encode("cp1252"), "text/xml"),
    ],
    ids=[
        "utf8",
        "bom",
        "space",
        "utf16",
        "cp1252",
        "cp1252-called-utf8",
        "png",
        "utf8-called-latin1",
        "latin1-in-xml",
        "unknown",
    ],
)
def test_f10_letters_survive_every_way_to_declare_an_encoding(
    body: bytes, content_type: str
) -> None:
    [entry] = read_feed(body, content_type).entries
    assert entry.title == "Größe"


@pytest.mark.parametrize("encoding", ["utf-16", "UTF-16LE", "utf-32", "ucs-2", "UCS-4"])
@pytest.mark.parametrize("title", ["Grüße", "Gruesse"])
def test_f10_letters_of_one_byte_that_are_called_wide(encoding: str, title: str) -> None:
    """As programs do that put a feed together as text (.NET) and send it as UTF-8."""
    body = rss(item(title)).replace(b'encoding="UTF-8"', f'encoding="{encoding}"'.encode())
    assert encoding.encode() in body
    for content_type in ("text/xml", "application/rss+xml; charset=utf-8"):
        assert [entry.title for entry in read_feed(body, content_type).entries] == [title]


@pytest.mark.parametrize(
    ("charset", "text"),
    [
        ("koi8-r", "Привет, это новая запись"),
        ("cp1251", "Привет, это новая запись"),
        ("shift_jis", "日本語のブログの新しい記事です"),
        ("euc-jp", "日本語のブログの新しい記事です"),
        ("gb18030", "这是一个新的博客文章"),
        ("euc-kr", "새로운 블로그 글입니다"),
        ("iso-8859-2", "Zażółć gęślą jaźń"),
        ("cp1252", "Crème brûlée – “quoted”"),
        ("cp1252", "“Déjà vu” – again"),
    ],
)
@pytest.mark.parametrize("declared", ["UTF-8", "", "true"])
def test_f10_letters_that_are_not_what_they_are_called(
    charset: str, text: str, declared: str
) -> None:
    body = rss(
        item(text, link="https://x.org/a"), item(text + " 2", link="https://x.org/b")
    ).decode()
    head = '<?xml version="1.0" encoding="UTF-8"?>'
    declaration = {"UTF-8": head, "": "", "true": head.replace("UTF-8", charset)}[declared]
    feed = read_feed(body.replace(head, declaration).encode(charset), "text/xml")
    assert [entry.title for entry in feed.entries] == [text, text + " 2"]


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("R&D, Q & A", "R&D, Q & A"),
        ("d&eacute;j&agrave; &ndash; vu", "déjà – vu"),
        ("a &#xD83C;&#xDF89; b&#0;", "a 🎉 b\ufffd"),
        ("it&#146;s", "it’s"),
        ("<![CDATA[R&amp;D &eacute;]]>", "R&D é"),
    ],
)
@pytest.mark.parametrize(
    "doctype", ["", '<!DOCTYPE rss PUBLIC "-//N//DTD" "http://my.example/rss-0.91.dtd">']
)
def test_f10_references_mean_what_html_makes_of_them(
    doctype: str, written: str, meant: str
) -> None:
    body = (
        f"<?xml version='1.0'?>{doctype}<rss "
        f"version='2.0'><channel><title>T</title><item><title>{written}</title></item>"
        "</channel></rss>"
    )
    [entry] = read_feed(body.encode()).entries
    assert entry.title == meant


def test_f10_references_a_feed_declares_itself_stay_its_own() -> None:
    body = (
        b"<?xml version='1.0'?><!DOCTYPE rss [<!ENTITY brand 'mine'>]><rss "
        b"version='2.0'><channel><item><title>&brand;</title></item></channel></rss>"
    )
    assert [entry.title for entry in read_feed(body).entries] == ["mine"]


def test_f10_a_feed_in_a_gzip_file_is_read() -> None:
    assert [
        entry.title for entry in read_apart(gzip.compress(rss(item("A"))), url=URL).entries
    ] == ["A"]


def test_f10_a_long_podcast_is_read() -> None:
    body = rss(
        *(item(f"Épisode {number}", body="<p>mots à lire</p>" * 6_500) for number in range(50))
    )
    assert len(body) > 6_000_000
    assert [entry.title for entry in read_apart(body, url=URL).entries] == [
        f"Épisode {n}" for n in range(50)
    ]


def test_f04_a_gzip_file_is_unpacked_no_further_than_it_is_read() -> None:
    with pytest.raises(NotAFeed, match="larger than 10 MB"):
        read_apart(gzip.compress(b"<" * 20_000_000), url=URL)


def test_json_of_other_types_than_agreed_is_read_as_far_as_it_makes_sense() -> None:
    text = (
        b'{"version": "https://jsonfeed.org/version/1.1", "title": 5, "items": [{"id": 1.5, '
        b'"title": "A", "tags": 5, "authors": "x", "image": 3}, null]}'
    )
    for body in (text, text.decode().encode("utf-16")):
        assert [entry.title for entry in read_feed(body, "application/feed+json").entries] == ["A"]


def test_f10_a_broken_letter_spoils_no_other() -> None:
    [entry] = read_feed(
        rss(item("Größe und Länge, über Österreich")).replace("Ö".encode(), b"\xc3")
    ).entries
    assert entry.title == "Größe und Länge, über �sterreich"


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"", "empty"),
        (b"  \n", "empty"),
        (b"\0" * 50, "empty"),
        (b"<html><body>Hi</body></html>", "web page"),
        (b"<!DOCTYPE html><html>", "web page"),
        (b"\x89PNG\r\n\x1a\n" + bytes(range(256)), "feed"),
        (b"hello", "not a feed"),
        (b"<xml/>", "feed"),
        (b"{}", "no JSON Feed"),
        (b'{"items": []}', "no JSON Feed"),
        (b"{[", "broken JSON"),
        (b"/etc/passwd", "not a feed"),
        (b"<rss>" + b"<a>" * 100_000, "deep"),
        (
            b'<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9"><url><loc>'
            b"https://x.org</loc></url></urlset>",
            "feed",
        ),
        (b"<sample><item><title>Not a feed</title></item></sample>", "feed"),
    ],
)
def test_f10_what_is_no_feed_says_so(body: bytes, expected: str) -> None:
    with pytest.raises(NotAFeed) as caught:
        read_feed(body)
    assert expected in str(caught.value)
    assert "root:" not in str(caught.value)


def test_an_empty_feed_is_a_feed() -> None:
    assert read_feed(rss()).entries == ()


def test_f05_entities_stay_harmless() -> None:
    laughs = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
    begun = time.monotonic()
    for body in (
        f'<!DOCTYPE r [<!ENTITY l0 "ha">{laughs}]><rss '
        'version="2.0"><channel><title>&l9;</title><item><title>a</title></item></channel>'
        "</rss>",
        '<!DOCTYPE r [<!ENTITY x SYSTEM "file:///etc/passwd">]><rss '
        'version="2.0"><channel><item><title>&x;</title></item></channel></rss>',
    ):
        try:
            feed = read_feed(body.encode())
        except NotAFeed:
            continue
        assert "root:" not in str(feed)
        assert len(str(feed)) < 1_000_000
    assert time.monotonic() - begun < 20


def test_f06_many_and_enormous(monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(read_feed(rss(*(item(f"Post {n}") for n in range(3000)))).entries) == 3000
    monkeypatch.setattr("newsletter.feeds.repair.ENTRIES_AT_MOST", 40)
    feed = read_feed(rss(*(item(f"Post {n}") for n in range(3000))))
    assert len(feed.entries) == 40
    assert feed.notes == (), "what is left out leaves the rest well-formed"
    assert len(one(item("x" * 1_000_000)).title) <= 500


def test_f06_what_costs_too_much_is_read_apart_and_ended() -> None:
    """So many labels on one entry would take the parser hours."""
    labels = "".join(f"<category>{n}</category>" for n in range(150_000))
    with pytest.raises(NotAFeed, match="takes longer"):
        read_apart(rss(f"<item><title>A</title>{labels}</item>"), url=URL, limits=Limits(20, 2.0))


@pytest.mark.parametrize("start", ['<?xml version="1.0"?>', '<?xml version="1.0" ', "<?", ""])
@pytest.mark.parametrize("wide", ["utf-8", "utf-16"])
def test_f05_many_encodings_take_no_time(start: str, wide: str) -> None:
    """They would take feedparser hours, in the worker's own process."""
    many = "encoding='\"" * 40_000
    feed = read_feed(
        (
            start
            + (
                f"<rss><channel><title>B</title><item><title>A</title><x>{many}</x></item>"
                "</channel></rss>"
            )
        ).encode(wide)
    )
    assert [entry.title for entry in feed.entries] == ["A"]


@pytest.mark.parametrize("half", ["&#xD800;", "&#55296;", "&#57343;", "&#x0dfff;"])
def test_f10_half_a_letter_costs_no_feed(half: str) -> None:
    body = (
        f"<rss><channel><title>B</title><item><title>A</title></item><![CDATA[ {half} "
        f"</item><item><x <title>C{half}</title>"
    ).encode()
    assert read_feed(body).entries[0].title == "A"


def test_f10_stray_nuls_hide_nothing() -> None:
    body = (
        b'<?xml version="1.0" encodi\0ng="UTF-8"?><rss><channel><title>B</title><item><title>'
        b"A&#xD800;\0</title></item></channel></rss>"
    )
    assert [entry.title for entry in read_feed(body).entries] == ["A\ufffd"]


def test_f06_a_heavy_feed_is_read_apart_to_the_same_end() -> None:
    body = rss(*(item(f"Größe {n}", date="Tue, 24 Nov 2026 09:00:00 GMT") for n in range(1200)))
    assert read_apart(body, url=URL, content_type="text/xml") == read_feed(body, "text/xml")
    with pytest.raises(NotAFeed, match="a web page"):
        read_apart(b"<html>" + b"<p>" * 10_000, url=URL)


def test_e03_entries_without_ids() -> None:
    feed = read_feed(
        rss(item("A", guid=""), item("B", guid="", link=""), item("C", guid="", link=""))
    )
    assert [entry.title for entry in feed.entries] == ["A", "B", "C"]
    assert len({entry.identity for entry in feed.entries}) == 3
    assert feed.entries[0].identity == feed.entries[0].link_key


def test_e03_entries_with_nothing_but_text() -> None:
    feed = read_feed(
        rss(*(f"<item><description>Thought {n}</description></item>" for n in range(5)))
    )
    assert len({entry.identity for entry in feed.entries}) == 5


def test_e03_twins_are_shown_and_stay_one() -> None:
    feed = read_feed(rss(item("A", guid="1"), item("A", guid="1")))
    assert [entry.title for entry in feed.entries] == ["A", "A"]
    assert len({entry.identity for entry in feed.entries}) == 1


@pytest.mark.parametrize("link", ["https://blog.example.com/", "https://blog.example.com/same"])
def test_e03_an_id_that_several_share_names_none_of_them(link: str) -> None:
    """Whichever stands first: each keeps its identity when a newer one comes before it."""
    before = read_feed(rss(item("A", guid=link, link=link), item("B", guid=link, link=link)))
    after = read_feed(
        rss(
            item("C", guid=link, link=link),
            item("A", guid=link, link=link),
            item("B", guid=link, link=link),
        )
    )
    assert len({entry.identity for entry in after.entries}) == 3
    assert [entry.identity for entry in after.entries[1:]] == [
        entry.identity for entry in before.entries
    ]


@pytest.mark.parametrize(
    ("date", "expected"),
    [
        ("", None),
        ("yesterday", None),
        ("Thu, 01 Jan 1970 00:00:00 GMT", None),
        ("0000-00-00", None),
        ("2026-11-24T09:00:00", datetime(2026, 11, 24, 9, tzinfo=UTC)),
        ("Tue, 24 Nov 2026 09:00:00 EST", datetime(2026, 11, 24, 14, tzinfo=UTC)),
        ("Fri, 27 Nov 2026 09:00:00 +0000", datetime(2026, 11, 27, 9, tzinfo=UTC)),
    ],
)
def test_e04_dates_that_cannot_be_are_left_out(date: str, expected: datetime | None) -> None:
    assert one(item("A", date=date)).published == expected


@pytest.mark.parametrize(
    ("link", "expected"),
    [
        ("/a/b", "https://blog.example.com/a/b"),
        ("//other.example/x", "https://other.example/x"),
        ("tag:x,2026:1", ""),
        ("gemini://x/", ""),
        ("javascript:alert(1)", ""),
        ("https://u:p@x.org/", ""),
        ("https://x.org/a b", "https://x.org/a%20b"),
        ("http://[::1", ""),
        ("", ""),
    ],
)
def test_e08_relative_links_are_resolved_by_the_feed(link: str, expected: str) -> None:
    assert one(item("A", link=link, guid="id-1")).link == expected


@pytest.mark.parametrize(
    ("url", "site", "expected"),
    [
        (
            "https://blog.example.com/sub/feed",
            "https://blog.example.com/",
            "https://blog.example.com/sub/post",
        ),
        ("http://127.0.0.1/feed", "https://blog.example.com/", "https://blog.example.com/post"),
        ("file:///tmp/feed.xml", "https://blog.example.com/", "https://blog.example.com/post"),
        ("file:///tmp/feed.xml", "", ""),
    ],
)
def test_e08_without_a_base_links_belong_to_the_site(url: str, site: str, expected: str) -> None:
    assert (
        parse_feed(rss(item("A", link="post", guid="1"), link=site), url=url).entries[0].link
        == expected
    )


def test_e08_which_link_is_the_entrys_own() -> None:
    body = b"""<feed xmlns="http://www.w3.org/2005/Atom"><title>B</title>
      <link href="https://x.org/"/><entry><id>tag:x</id><title>T</title>
      <link rel="enclosure" href="https://x.org/a.mp3"/><link rel="replies" href="https://x.org/a#c"/>
      <link rel="self" href="https://x.org/a.atom"/>
      <link rel="alternate" type="application/json" href="https://x.org/a.json"/>
      <link rel="alternate" type="text/html" href="https://x.org/a"/></entry>
      <entry><id>https://x.org/b</id><title>U</title></entry><entry><id>tag:y</id><title>V</title></entry></feed>"""
    assert [entry.link for entry in read_feed(body).entries] == [
        "https://x.org/a",
        "https://x.org/b",
        "",
    ]


@pytest.mark.parametrize(
    ("guid", "expected"),
    [
        ("<guid>https://x.org/a</guid>", "https://x.org/a"),
        ('<guid isPermaLink="false">https://x.org/a</guid>', ""),
        ("<guid>12345</guid>", ""),
        ("<guid>tag:x.org,2026:1</guid>", ""),
    ],
)
def test_e08_a_guid_may_be_the_link(guid: str, expected: str) -> None:
    entry = one(f"<item><title>A</title>{guid}</item>")
    assert entry.link == expected
    assert entry.id == guid.split(">")[1].split("<")[0], "ids stay as they are written"


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        # What counts clicks says where the page really is; not where that is no address.
        (
            "<link>http://feedproxy.google.com/~r/b/~3/x/</link><f:origLink>"
            "https://x.org/a</f:origLink>",
            "https://x.org/a",
        ),
        (
            "<link>https://x.org/a</link><f:origLink>javascript:alert(1)</f:origLink>",
            "https://x.org/a",
        ),
        ("<link></link><guid>https://x.org/a</guid>", "https://x.org/a"),
        ('<link/><guid isPermaLink="true">https://x.org/a</guid>', "https://x.org/a"),
        ('<link/><guid isPermaLink="false">https://x.org/a</guid>', ""),
        ("<link>www.x.org/a</link>", "https://www.x.org/a"),
        (
            '<a:link rel="http://www.iana.org/assignments/relation/alternate" '
            'href="https://x.org/a"/>',
            "https://x.org/a",
        ),
    ],
)
def test_e08_links_in_other_clothes(written: str, expected: str) -> None:
    spaces = (
        'xmlns:f="http://rssnamespace.org/feedburner/ext/1.0" xmlns:a="http://www.w3.org/2005/Atom"'
    )
    assert one(f"<item {spaces}><title>A</title>{written}</item>").link == expected


def test_e08_what_an_item_is_about_may_be_its_link() -> None:
    body = b"""<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns="http://purl.org/rss/1.0/">
      <channel rdf:about="https://x.org/"><title>B</title></channel>
      <item rdf:about="https://x.org/a"><title>A</title></item>
      <item rdf:about="https://x.org/id/2"><title>C</title><link>https://x.org/c</link></item></rdf:RDF>"""
    assert [entry.link for entry in read_feed(body).entries] == [
        "https://x.org/a",
        "https://x.org/c",
    ]


def test_e08_the_id_of_json_may_be_the_link() -> None:
    body = b"""{"version": "https://jsonfeed.org/version/1.1", "title": "B", "items": [
      {"id": "https://x.org/a", "content_text": "A", "date_published": "1709553600"},
      {"id": "7", "content_text": "C"},
      {"id": "8", "external_url": "https://y.org/b", "content_text": "B"}]}"""
    entries = read_feed(body).entries
    assert [entry.link for entry in entries] == ["https://x.org/a", "", "https://y.org/b"]
    assert entries[0].published == datetime(2024, 3, 4, 12, tzinfo=UTC)


def test_e08_xml_base_is_where_links_begin() -> None:
    body = b"""<feed xmlns="http://www.w3.org/2005/Atom" xml:base="https://other.example/blog/"><title>B</title>
      <entry><id>tag:x</id><title>T</title><link href="post.html"/></entry></feed>"""
    assert read_feed(body).entries[0].link == "https://other.example/blog/post.html"


@pytest.mark.parametrize(
    "nested",
    [
        "<item><title>A</title><link>https://x.org/a</link>" + "<item></item>" * 10 + "</item>",
        "<item>"
        + "<item/><item> </item>" * 5
        + "<title>A</title><link>https://x.org/a</link></item>",
        "<item><title>A</title><![CDATA[<item>]]><!-- <item> "
        "--><link>https://x.org/a</link></item>",
    ],
)
def test_e09_nested_items_leave_no_blanks(nested: str) -> None:
    feed = read_feed(rss(nested, item("B")))
    assert [entry.title for entry in feed.entries] == ["A", "B"]
    assert feed.entries[0].link == "https://x.org/a"
    assert feed.title == "Blog"


def test_e09_an_entry_inside_another_is_an_entry() -> None:
    inner = item("B") + item("C", guid="")
    feed = read_feed(
        rss(f"<item><title>A</title>{inner}<link>https://x.org/a</link></item>", item("D"))
    )
    assert [entry.title for entry in feed.entries] == ["A", "B", "C", "D"]
    assert feed.entries[0].link == "https://x.org/a"


@pytest.mark.parametrize(
    "twin",
    [
        "http://blog.example.com/a",
        "https://BLOG.example.com/a/",
        "https://blog.example.com:443/a",
        "https://blog.example.com/a?utm_source=x&fbclid=y",
        "https://blog.example.com/a#top",
        "https://blog.example.com/%61",
    ],
)
def test_e01_twins_of_a_link(twin: str) -> None:
    assert canonicalize_link(twin) == canonicalize_link("https://blog.example.com/a")


def test_different_links_stay_different() -> None:
    links = [
        "https://x.org/a",
        "https://x.org/A",
        "https://x.org/?p=1",
        "https://x.org/?p=2",
        "https://www.x.org/a",
    ]
    assert len({canonicalize_link(link) for link in links}) == len(links)


def test_a_long_id_is_shortened_and_stays_itself() -> None:
    long = "x" * 5000
    assert len(make_identity(long, "", "", None)) < 400
    assert make_identity(long, "", "", None) != make_identity(long + "y", "", "", None)


@settings(max_examples=60, deadline=None)
@given(
    st.binary(max_size=300),
    st.sampled_from([b"", b"<rss version='2.0'><channel><item><title>", b'{"items":[']),
)
def test_no_bytes_crash_the_reader(junk: bytes, start: bytes) -> None:
    try:
        feed = read_feed(start + junk)
    except NotAFeed:
        return
    for entry in feed.entries:
        assert "\0" not in entry.title
        entry.title.encode("utf-8")
        entry.content_html.encode("utf-8")


@pytest.mark.parametrize("empty", ['href=""', "href=''", 'href=" "', "href = ''", ""])
@pytest.mark.parametrize("rel", ['rel="alternate" ', ""])
def test_h3_an_empty_reference_is_no_link(empty: str, rel: str) -> None:
    body = (
        '<feed xmlns="http://www.w3.org/2005/Atom" '
        'xml:base="https://base.example.com/posts/"><title>B</title>'
        f"<entry><id>urn:1</id><title>A</title><link {rel}{empty}/></entry>"
        '<entry><id>urn:2</id><title>C</title><link rel="alternate" href="c"/></entry></feed>'
    )
    assert [entry.link for entry in read_feed(body.encode()).entries] == [
        "",
        "https://base.example.com/posts/c",
    ]


@pytest.mark.parametrize(
    "reference",
    [
        "<link></link>",
        "<link/>",
        '<enclosure url="" type="image/jpeg"/>',
        '<media:content url="" medium="image"/>',
        '<media:thumbnail url=" "/>',
        "<image><url></url></image>",
    ],
)
def test_h3_an_empty_reference_is_no_picture(reference: str) -> None:
    body = (
        '<rss version="2.0" xmlns:media="http://search.yahoo.com/mrss/" '
        'xml:base="https://base.example.com/posts/"><channel>'
        "<title>B</title><item><title>A</title><guid "
        f'isPermaLink="false">1</guid>{reference}</item></channel></rss>'
    )
    [entry] = read_feed(body.encode()).entries
    assert (entry.link, entry.image) == ("", "")


def test_h8_what_is_not_quite_right_is_said_in_our_own_words() -> None:
    broken = (
        b"<rss version='2.0'><channel><title>B</title>\n"
        b"<item><title>A</title><oops></item></channel></rss>"
    )
    assert read_feed(broken).notes == ("read although it is not well-formed XML",)


def atom(entry: str) -> ParsedEntry:
    """Return the entry of an Atom feed that also has another."""
    body = (
        '<feed xmlns="http://www.w3.org/2005/Atom"><title>B</title><entry><title>'
        f"Other</title></entry><entry>{entry}</entry></feed>"
    )
    return read_feed(body.encode()).entries[1]


@pytest.mark.parametrize(
    ("content", "html"),
    [
        (
            '<content type="text">Tea &lt; cake\n\n\nMore</content>',
            "<p>Tea &lt; cake</p><p>More</p>",
        ),
        ("<content>Tea &lt; cake</content>", "<p>Tea &lt; cake</p>"),
        (
            '<content type="text">Words</content><content '
            'type="html">&lt;b&gt;Words&lt;/b&gt;</content>',
            "<b>Words</b>",
        ),
    ],
)
def test_an_atom_entry_in_plain_text_keeps_its_text(content: str, html: str) -> None:
    assert atom(f"<id>urn:1</id><title>A</title>{content}").content_html == html


def test_a_title_keeps_its_words_and_not_its_links() -> None:
    linked = (
        '<id>urn:1</id><title type="html">Tea &amp;amp; &lt;a '
        'href="https://x.org/"&gt;cake&lt;/a&gt;</title>'
    )
    assert atom(linked).title == "Tea & cake"
    assert (
        atom('<id>urn:1</id><title type="text">Tea &lt;b&gt; cake</title>').title == "Tea <b> cake"
    )
    assert atom('<id>urn:1</id><title type="html">Tea &amp;amp; cake</title>').title == "Tea & cake"


@pytest.mark.parametrize(
    ("media", "picture"),
    [
        ('<media:content url="https://x.org/1" medium="image"/>', "https://x.org/1"),
        ('<media:content url="https://x.org/1" type="image/webp"/>', "https://x.org/1"),
        ('<media:content url="https://x.org/1.PNG?w=9"/>', "https://x.org/1.PNG?w=9"),
        (
            '<media:content url="https://x.org/1.mp4" type="video/mp4"/>',
            "https://x.org/in-text.jpg",
        ),
        ('<media:content url="https://x.org/1" medium="audio"/>', "https://x.org/in-text.jpg"),
        ('<enclosure url="https://x.org/2" type="image/jpeg" length="1"/>', "https://x.org/2"),
        ('<enclosure url="https://x.org/2.gif" length="1"/>', "https://x.org/2.gif"),
        (
            '<enclosure url="https://x.org/2.mp3" type="audio/mpeg" length="1"/>',
            "https://x.org/in-text.jpg",
        ),
        ('<media:thumbnail url="https://x.org/3"/>', "https://x.org/3"),
        ("", "https://x.org/in-text.jpg"),
    ],
)
def test_the_picture_of_an_entry_is_the_one_that_its_feed_names(media: str, picture: str) -> None:
    text = "&lt;p&gt;&lt;img src='https://x.org/in-text.jpg'&gt;&lt;/p&gt;"
    body = (
        '<rss version="2.0" xmlns:media="http://search.yahoo.com/mrss/"><channel><title>B</title>'
        f"<item><title>A</title><description>{text}</description>{media}</item></channel></rss>"
    )
    assert [entry.image for entry in read_feed(body.encode()).entries] == [picture]


@pytest.mark.parametrize("words", ["more-link", "button more-link"])
@pytest.mark.parametrize("tag", ["a", "A"])
def test_read_on_is_left_out_in_any_letters(tag: str, words: str) -> None:
    text = (
        f'<p>Short <{tag} href="https://x.org/a" CLASS="{words}">Continue '
        f'reading</{tag}></p><p><a href="/b">Kept</a></p>'
    )
    assert one(item("A", body=text)).content_html == '<p>Short </p><p><a href="/b">Kept</a></p>'
    assert (
        one(item("A", body=text.replace("more-link", "More-Link"))).content_html.count("Continue")
        == 0
    )


def test_a_feed_without_a_version_is_one_if_it_has_entries() -> None:
    assert [
        entry.title
        for entry in read_feed(b"<channel><item><title>A</title></item></channel>").entries
    ] == ["A"]
    assert read_feed(b"<rss version='0.99'><channel><title>B</title></channel></rss>").entries == ()
    with pytest.raises(NotAFeed):
        read_feed(b"<channel><title>B</title></channel>")


@pytest.mark.parametrize(
    "error",
    [RecursionError, ValueError, LookupError, TypeError, AttributeError, AssertionError, OSError],
)
def test_whatever_the_parser_stumbles_over_is_no_feed(
    error: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    def stumble(*_: object, **__: object) -> None:
        raise error("deep inside")

    monkeypatch.setattr("feedparser.parse", stumble)
    with pytest.raises(NotAFeed) as caught:
        read_feed(rss(item("A")))
    assert "deep inside" not in str(caught.value)
    assert error.__name__ not in str(caught.value)


@pytest.mark.parametrize(("depth", "is_feed"), [(380, True), (420, False)])
def test_elements_may_stand_so_deep_and_no_deeper(depth: int, is_feed: bool) -> None:
    body = rss(f"<item><title>A</title><x>{'<b>' * depth}{'</b>' * depth}</x></item>", item("B"))
    if is_feed:
        assert [entry.title for entry in read_feed(body).entries] == ["A", "B"]
    else:
        with pytest.raises(NotAFeed, match="too deeply"):
            read_feed(body)
