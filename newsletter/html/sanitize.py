"""Make other people's HTML harmless: inert, with absolute links. Pure.

In the result, nothing that came from a feed or an author can run, load something invisible, or fill
a slot of a mail.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from html import escape, unescape

import nh3

from newsletter.html.class_notes import note_class
from newsletter.html.layout_tables import take_apart
from newsletter.html.links import make_absolute, skip_detour
from newsletter.html.numbering import STYLES
from newsletter.html.pictures import (
    FILE_SIZES,
    LAZY_ATTRIBUTES,
    SRCSETS,
    list_candidates,
    parse_length,
    read_attributes,
    rewrite_picture,
)
from newsletter.html.reduce import reduce_html
from newsletter.html.style_notes import note_style
from newsletter.html.text import UNPRINTABLE, to_plain_line
from newsletter.html.unfold import unfold_html

HTML_AT_MOST = 1_000_000
"""Characters of HTML that are read; the longest posts have a tenth of it."""
DEPTH_AT_MOST = 200
"""Maximum number of levels of nested tags; more make parsers slow, and no editor writes them."""

_SPACE = re.compile(r"\s+")
# Each of these stops at the next bracket, so that a million of them without an end stay linear.
_TAG = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9]*+)[^<>]*?(/?)>")
_IMG = re.compile(r"<img\b[^<>]*>", re.I)
ADDRESS_AT_MOST = 8000
"""Characters of a URL that browsers and servers accept (RFC 9110 section 4.1)."""
BASE_WITHIN = 10_000
"""Characters at the start of a page that are searched for a `<base>`."""
_BASE = re.compile(r"""<base\s[^<>]{0,200}?href\s{0,9}=\s{0,9}["']?([^"'<>\s]{1,2000})""", re.I)
LEAD_AT_LEAST = 100
"""Pixels: a narrower picture is not displayed beside a post's title."""
FRAME_ADDRESSES = (
    "data-src",
    "data-lazy-src",
    "data-page",
)
"""Attributes of a frame that hold the URL of its page or of its lazily loaded content."""
_VOID = {
    "area",
    "base",
    "br",
    "col",
    "embed",
    "hr",
    "img",
    "input",
    "link",
    "meta",
    "source",
    "track",
    "wbr",
}
_END_THEMSELVES = {"p", "li", "dt", "dd", "tr", "td", "th", "tbody", "thead", "tfoot", "option"}
"""Elements that end where the next of their kind begins; old posts have hundreds of unclosed
ones."""
_TAGS = {
    "a",
    "article",
    "b",
    "bdi",
    "bdo",
    "blockquote",
    "br",
    "caption",
    "cite",
    "code",
    "del",
    "dd",
    "div",
    "dl",
    "dt",
    "em",
    "figcaption",
    "figure",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "hr",
    "i",
    "img",
    "ins",
    "kbd",
    "li",
    "mark",
    "ol",
    "p",
    "pre",
    "q",
    "s",
    "section",
    "small",
    "strong",
    "sub",
    "sup",
    "table",
    "tbody",
    "td",
    "tfoot",
    "th",
    "thead",
    "tr",
    "u",
    "ul",
}
_ATTRIBUTES = {
    "a": {"href", "title"},
    "img": {"src", "alt", "width", "height", "style", "hidden"},
    "td": {"colspan", "rowspan"},
    "th": {"colspan", "rowspan"},
    "ol": {"start", "type", "reversed"},
    "li": {"value"},
}
_HEADINGS = {f"h{level}" for level in range(1, 7)}
_BLOCKS = {"blockquote", "div", "figcaption", "figure", "p", "pre", "section"}
_LISTS_AND_TABLES = {"li", "ol", "table", "td", "th", "ul"}
for _tag in {"bdi", "bdo"} | _HEADINGS | _BLOCKS | _LISTS_AND_TABLES:
    _ATTRIBUTES[_tag] = _ATTRIBUTES.get(_tag, set()) | {"dir"}
_CARRIERS = _TAGS | {
    "audio",
    "button",
    "embed",
    "form",
    "iframe",
    "label",
    "nav",
    "object",
    "select",
    "source",
    "span",
    "summary",
    "video",
}
"""Tags that are kept only for reduce.py, which replaces them by what a mail can show."""
_CARRIED = {tag: _ATTRIBUTES.get(tag, set()) | {"hidden", "style"} for tag in _CARRIERS}
_CARRIED["nav"] = {"class"}
_CARRIED["span"] |= {"dir", "role"}
for _tag in (
    *("a", "aside", "div", "label", "li", "object"),
    *("p", "pre", "section", "span", "td", "ul"),
):
    _CARRIED.setdefault(_tag, set()).add("class")
_CARRIED["img"] |= {"class", *LAZY_ATTRIBUTES, *FILE_SIZES}
_CARRIED["iframe"] |= {"src", "title", "width", "height", *FRAME_ADDRESSES}
for _tag in ("audio", "video", "embed", "source"):
    _CARRIED[_tag] |= {"src", "data-src", "title", "aria-label", "poster"}
_CARRIED["form"] |= {"data-name"}
_CARRIED["object"] |= {"data", "title", "aria-label"}
_ADDRESSES = frozenset(
    {"src", "data", "poster", "data-src", "data-lazy-src", "data-original", "data-orig-file"}
    | set(FRAME_ADDRESSES)
)
_CLASSES = {"class": {"button"}}
"""The only class in clean HTML: that of a link that its blog displays as a button."""
_EMPTY_CODE = re.compile(r"<pre>(?:<code>)?(?:</code>)?</pre>")
"""Pattern of an emptied column of line numbers."""
_SPAN = re.compile(r"</?(?:span|label|nav)>")
_NOT_CONTENT = {
    "script",
    "style",
    "noscript",
    "template",
    "svg",
    "math",
    "title",
    "textarea",
    "canvas",
    "datalist",
    "noembed",
    "noframes",
    "applet",
    "dialog",
    "menuitem",
}
"""Elements whose content is never part of a mail."""


def clean_html(html: str, *, base_url: str) -> str:
    """Return `html` with allow-listed tags and with absolute http(s), mailto and tel links.

    Scripts, styles, forms, comments and tracking pixels are removed. Frames, video and audio become
    cards that link to them; pictures of emoji become characters.
    """
    html = unfold_html(UNPRINTABLE.sub("", html[:HTML_AT_MOST]))
    html = UNPRINTABLE.sub("", html)  # half a character may stand in the JSON of an attribute
    if _is_too_deep(html):
        return f"<p>{escape(_SPACE.sub(' ', _TAG.sub(' ', html)).strip())}</p>"
    cleaned = nh3.clean(
        html,
        tags=_CARRIERS,
        clean_content_tags=_NOT_CONTENT,
        attributes=_CARRIED,
        attribute_filter=_make_filter(base_url, _find_base(html, base_url)),
        strip_comments=True,
        link_rel=None,
        url_schemes={"http", "https", "mailto", "tel"},
    )
    # Once more: an entity ("&#xE000;") is no character before it is parsed, and a slot afterwards;
    # and so is "%EE%80%80" in the address of a frame or file, before its card is named.
    cleaned = UNPRINTABLE.sub("", cleaned)
    reduced = _SPAN.sub("", UNPRINTABLE.sub("", reduce_html(cleaned, base_url=base_url)))
    reduced = reduced.replace("<a></a>", "")
    result = take_apart(_EMPTY_CODE.sub("", _IMG.sub(rewrite_picture, reduced)))
    if reduced != cleaned:
        result = nh3.clean(
            result,
            tags=_TAGS,
            attributes=_ATTRIBUTES,
            tag_attribute_values={"a": _CLASSES},
            link_rel=None,
        )
    return result.strip()


def _is_too_deep(html: str) -> bool:
    """Tell whether tags are nested so deeply that parsing them would be slow."""
    opened: Counter[str] = Counter()
    depth = 0
    for closing, written, empty in _TAG.findall(html):
        name = written.lower()
        if name in _VOID or name in _END_THEMSELVES or empty or (closing and not opened[name]):
            continue
        opened[name] += -1 if closing else 1
        depth += -1 if closing else 1
        if depth > DEPTH_AT_MOST:
            return True
    return False


def _find_base(html: str, base_url: str) -> str:
    """Return the address that relative links are resolved against: the `<base>`, or `base_url`."""
    named = _BASE.search(html[:BASE_WITHIN])
    return (make_absolute(unescape(named[1]), base_url=base_url) if named else None) or base_url


def _make_filter(here_url: str, named_url: str) -> Callable[[str, str, str], str | None]:
    """Return the function that nh3 calls with a tag, an attribute and its value.

    `here_url` is the post's page, `named_url` the base of its relative links.
    """

    def keep(tag: str, attribute: str, value: str) -> str | None:
        base_url = here_url if value.startswith("#") else named_url
        if len(value) > ADDRESS_AT_MOST and attribute in ("href", *_ADDRESSES):
            return None
        if attribute == "href":
            return _note_link(value, base_url)
        if attribute in _ADDRESSES:
            return make_absolute(value, base_url=base_url) if value.strip() else None
        if attribute in SRCSETS:
            return list_candidates(value, base_url=base_url)
        if attribute == "dir":
            return value.lower() if value.lower() in ("ltr", "rtl", "auto") else None
        if attribute == "hidden":
            return "found" if value.strip().lower() == "until-found" else "hidden"
        if attribute == "style":
            return note_style(tag, value)
        if attribute == "class":
            return note_class(tag, value)
        if attribute in ("width", "height"):
            return parse_length(value)
        if attribute == "type":
            return value if value in STYLES else None
        if attribute == "reversed":
            return attribute
        if attribute == "role":
            return value if value in ("button", "tab") else None
        if attribute in ("colspan", "rowspan", "start", "value"):
            return value if value.isascii() and value.isdecimal() and len(value) < 5 else None
        # Without brackets in any attribute, a tag is what stands between two of them (see
        # pictures.py).
        return to_plain_line(value, limit=500).replace("<", "").replace(">", "")

    return keep


def _note_link(value: str, base_url: str) -> str | None:
    """Return the target of a link; for a place on the same page "#place", which reduce.py reads."""
    if value.strip() == "#":
        return "#"
    link = make_absolute(value, base_url=base_url, mail=True)
    link = skip_detour(link) if link else link
    page, mark, place = (link or "").partition("#")
    return f"#{place}" if mark and page == base_url.partition("#")[0] else link


def find_first_picture(html: str, *, base_url: str) -> tuple[str, str]:
    """Return the address and alt text of the first large picture, or two empty strings."""
    for tag in _IMG.findall(clean_html(html[:100_000], base_url=base_url)):
        values = read_attributes(tag)
        if int(values.get("width", LEAD_AT_LEAST)) >= LEAD_AT_LEAST:
            return unescape(values["src"]), to_plain_line(unescape(values.get("alt", "")))
    return "", ""
