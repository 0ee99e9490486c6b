"""Other people's HTML made harmless, and plain text.

Pure: fetches nothing, sends nothing.

Whatever a feed or an author hands in leaves here as inert HTML with absolute links, or as text
without anything that could end a header, reverse a line or fill a slot.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from html import escape, unescape
from urllib.parse import urljoin, urlsplit

import nh3

from newsletter.html.reduce import reduce_html
from newsletter.html.video_embeds import video_id, video_ids, video_picture

__all__ = [
    "absolute_link",
    "clean_html",
    "first_picture",
    "is_letter_address",
    "lines",
    "plain",
    "printable",
    "shorten",
    "video_id",
    "video_ids",
    "video_picture",
]

HTML_AT_MOST = 1_000_000
DEPTH_AT_MOST = 200

# Control characters, lone surrogates, line and paragraph separators, bidirectional overrides, and
# the private-use characters that mark slots (mail/message.py).
_UNPRINTABLE = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff\ue000-\ue001]"
)
_SPACE = re.compile(r"\s+")
# Each of these stops at the next bracket, so that a million of them without an end stay linear.
_TAG = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9]*+)[^<>]*?(/?)>")
_IMG = re.compile(r"<img\b[^<>]*>", re.I)
_LENGTH = re.compile(r"\s*\+?(\d{1,4})(?!\d)(?:\.\d*)?\s*(%?)")
_TINY = re.compile(
    r"(?:^|;)\s*(?:max-)?(?:width|height)\s*:\s*"
    r"\+?0*(?:[0-2](?:\.\d*)?(?:px|pt|%)?|\.\d+[a-z]*)\s*(?:!|;|$)|"
    r"(?:^|;)\s*(?:left|top|right|text-indent)\s*:\s*-\d{3}|display\s*:\s*none|"
    r"visibility\s*:\s*hidden|opacity\s*:\s*0(?:\.0*)?\s*(?:;|$)",
    re.I,
)
_NOT_SHOWN = re.compile(r"display\s*:\s*none", re.I)
_COUNTERS = re.compile(
    r"https?://(?:pixel\.wp\.com|stats\.wordpress\.com|feeds\.wordpress\.com|feeds\.feedburner\.com|"
    r"(?:www\.)?google-analytics\.com|medium\.com/_/stat)\b",
    re.I,
)
"""Pictures whose only use is to be fetched."""
PICTURE_WIDTH = 536
LETTER_AT_MOST = 64
"""Pixels: a picture that is called an icon, and is larger, is a picture."""
SMALL_AT_MOST = 24
"""Pixels: a picture whose sides are both smaller stands in a line of text, whatever it is called.
"""
ADDRESS_AT_MOST = 8000
"""Characters: what browsers and servers take as an address (RFC 9110 section 4.1)."""
SRCSET_AT_MOST = 20_000
"""Characters of a list of addresses that are read."""
LEAD_AT_LEAST = 100
"""Pixels: a picture narrower than this is none to show beside a post's title."""
_LETTERS = re.compile(
    r"(?:^|[\s_-])(?:emojis?|twemoji|smil(?:ey|ie)s?|emoticons?|icons?)(?=$|[\s_-])", re.I
)
_LETTER_HOSTS = re.compile(
    r"https?://(?:s\.w\.org/images/core/emoji|twemoji\.|[\w.-]*\bemoji)", re.I
)
_AS_TEXT = re.compile(
    r"(?:^|;)\s*(?:max-)?(?:height|width)\s*:\s*(?:1(?:\.\d{1,3})?|0?\.\d{1,3})\s*r?em", re.I
)
_CLIPPED = re.compile(
    r"clip\s*:\s*rect|(?:^|;)\s*(?:left|top)\s*:\s*-\d{3}|display\s*:\s*none|visibility\s*:\s*hidden",
    re.I,
)
_VALUE = re.compile(r' ([a-z-]+)="([^"]*)"')
_PLACEHOLDER = re.compile(
    r"/(?:blank|placeholder|spacer|transparent|empty|lazy|loading|grey|gray|1x1|pixel)[\w-]{0,40}\.(?:gif|png|svg|jpe?g|webp)",
    re.I,
)

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
_TAGS = {
    "a",
    "article",
    "b",
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
    "ol": {"start"},
}
_CARRIERS = _TAGS | {
    "audio",
    "button",
    "embed",
    "form",
    "iframe",
    "object",
    "select",
    "source",
    "span",
    "video",
}
"""What is kept on the way: from these reduce.py makes what a mail can show, and they go."""
_LAZY = ("data-src", "data-lazy-src", "data-original", "data-orig-file", "data-srcset", "srcset")
_CARRIED = {tag: _ATTRIBUTES.get(tag, set()) | {"hidden", "style"} for tag in _CARRIERS}
_CARRIED["a"] |= {"class"}
_CARRIED["img"] |= {"class", *_LAZY}
_CARRIED["iframe"] |= {"src", "data-src", "title", "width", "height"}
for _tag in ("audio", "video", "embed", "source"):
    _CARRIED[_tag] |= {"src", "data-src", "title", "aria-label", "poster"}
_CARRIED["object"] |= {"data", "title", "aria-label"}
_ADDRESSES = frozenset(
    {"src", "data", "poster", "data-src", "data-lazy-src", "data-original", "data-orig-file"}
)
_SPAN = re.compile(r"</?span>")
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
"""Elements whose content no mail shows."""


# ── text
# ───────────────────────────────────────────────────────────────────────────────────────────


def plain(value: object, *, limit: int = 500) -> str:
    """One line of text, fit for a header or a title, of at most `limit` characters."""
    if not value:
        return ""
    text = _UNPRINTABLE.sub("", _SPACE.sub(" ", str(value)))
    return shorten(_SPACE.sub(" ", text).strip(), limit)


def lines(value: object, *, limit: int = 100_000) -> str:
    """Text of several lines, without what does not belong in text."""
    text = str(value or "").replace("\r\n", "\n").replace("\r", "\n")
    return shorten(_UNPRINTABLE.sub("", text), limit)


def printable(text: str) -> str:
    """`text` without the characters that do not belong in any."""
    return _UNPRINTABLE.sub("", text)


def shorten(text: str, limit: int) -> str:
    """`text` cut to `limit` characters with an ellipsis, never inside a grapheme (combining mark,
    joiner, modifier).
    """
    if len(text) <= limit:
        return text
    end = limit - 1
    while end > 0 and _joined(text[end - 1], text[end]):
        end -= 1
    return text[:end].rstrip() + "…"


def _joined(before: str, after: str) -> bool:
    joiner, first, last = "\u200d", "\U0001f3fb", "\U0001f3ff"
    flags = all("\U0001f1e6" <= c <= "\U0001f1ff" for c in (before, after))
    variation = "\ufe00" <= after <= "\ufe0f"
    return (
        bool(unicodedata.combining(after))
        or joiner in (before, after)
        or first <= after <= last
        or flags
        or variation
    )


# ── HTML
# ───────────────────────────────────────────────────────────────────────────────────────────


def clean_html(html: str, *, base_url: str) -> str:
    """`html` as mail can carry it: allow-listed tags, absolute http(s) and mailto links, no
    scripts, styles, forms, comments, frames or tracking pictures. Frames, films and sounds become
    cards that link to them; pictures that are letters (emoji) become those.
    """
    html = _UNPRINTABLE.sub("", html[:HTML_AT_MOST])
    if _too_deep(html):
        return f"<p>{escape(_SPACE.sub(' ', _TAG.sub(' ', html)).strip())}</p>"
    cleaned = nh3.clean(
        html,
        tags=_CARRIERS,
        clean_content_tags=_NOT_CONTENT,
        attributes=_CARRIED,
        attribute_filter=_filter(base_url),
        strip_comments=True,
        link_rel=None,
        url_schemes={"http", "https", "mailto"},
    )
    # Once more: an entity ("&#xE000;") is no character before it is parsed, and a slot afterwards.
    cleaned = _UNPRINTABLE.sub("", cleaned)
    reduced = _SPAN.sub("", reduce_html(cleaned))
    shown = _IMG.sub(_picture, reduced)
    if reduced != cleaned:
        shown = nh3.clean(shown, tags=_TAGS, attributes=_ATTRIBUTES, link_rel=None)
    return shown.strip()


def _too_deep(html: str) -> bool:
    """Tell whether tags are nested so deeply that a parser would take its time over them."""
    depth = deepest = 0
    for closing, name, empty in _TAG.findall(html):
        if name.lower() not in _VOID and not empty:
            depth = max(0, depth - 1) if closing else depth + 1
            deepest = max(deepest, depth)
    return deepest > DEPTH_AT_MOST


def _filter(base_url: str):  # type: ignore[no-untyped-def] # nh3 calls it with (tag, attribute, value)
    def keep(tag: str, attribute: str, value: str) -> str | None:
        if len(value) > ADDRESS_AT_MOST and attribute in ("href", *_ADDRESSES):
            return None
        if attribute == "href" or attribute in _ADDRESSES:
            return absolute_link(value, base_url=base_url, mail=attribute == "href")
        if attribute in ("srcset", "data-srcset"):
            return _best_of(value, base_url)
        if attribute == "hidden":
            return "found" if value.strip().lower() == "until-found" else "hidden"
        if attribute == "style":
            return _style(tag, value)
        if attribute == "class":
            return _class(tag, value)
        if attribute in ("width", "height"):
            return _length(value)
        if attribute in ("colspan", "rowspan", "start"):
            return value if value.isascii() and value.isdecimal() and len(value) < 5 else None
        # Without brackets in any attribute, a tag is what stands between two of them (see
        # _picture).
        return plain(value, limit=500).replace("<", "").replace(">", "")

    return keep


def _style(tag: str, value: str) -> str | None:
    """What a style says of being seen, as a note for `_picture` and reduce.py."""
    if tag == "img" and _AS_TEXT.search(value) and not _TINY.search(value):
        return "letter"
    if tag in ("img", "iframe"):
        return (
            "tiny" if _TINY.search(value) or (tag == "iframe" and _CLIPPED.search(value)) else None
        )
    return "hidden" if _NOT_SHOWN.search(value) else None


def _class(tag: str, value: str) -> str | None:
    """What a class says, as a note for `_picture` and reduce.py."""
    if tag == "img":
        return "letter" if _LETTERS.search(value) else None
    if "wp-block-file__button" in value:
        return "again"
    return "button" if re.search(r"(?:^|[\s_-])button(?:__link)?(?:$|\s)", value) else None


def _best_of(value: str, base_url: str) -> str | None:
    """The candidate of a `srcset` that suits a mail: the narrowest that is sharp enough, else the
    widest.
    """
    candidates = []
    for candidate in re.split(r",\s", value[:SRCSET_AT_MOST])[:50]:
        address, size = f"{candidate.strip().rstrip(',')} ".split(" ", 1)
        width = size.strip().removesuffix("w")
        if address and (link := absolute_link(address, base_url=base_url)):
            candidates.append((int(width) if width.isdecimal() and len(width) < 6 else 0, link))
    wide = [candidate for candidate in candidates if candidate[0] >= 2 * PICTURE_WIDTH]
    return min(wide)[1] if wide else max(candidates)[1] if candidates else None


def _length(value: str) -> str | None:
    """A size in pixels, as browsers read it ("1.0", "0x1", "300px"); of a share only what nobody
    could see.
    """
    found = _LENGTH.match(value)
    return found[1] if found and (not found[2] or int(found[1]) <= 2) else None


def absolute_link(link: str, *, base_url: str, mail: bool = False) -> str | None:
    """`link` as an absolute http(s) address (or mailto, if `mail`), or None: no other scheme, no
    user or password.
    """
    link = _UNPRINTABLE.sub("", re.sub(r"[\t\r\n]", "", link)).strip()
    try:
        found = urljoin(base_url, link)
        parts = urlsplit(found)
        if mail and parts.scheme == "mailto":
            return found
        if (
            parts.scheme not in ("http", "https")
            or not parts.hostname
            or parts.username is not None
        ):
            return None
        parts.port  # noqa: B018 (raises where it is no number)
    except ValueError:
        return None
    return found.replace(" ", "%20").replace('"', "%22").replace("<", "%3C").replace(">", "%3E")


def _picture(match: re.Match[str]) -> str:
    """A picture that can be seen, no wider than a mail; a counting pixel is none, and an emoji is
    its letter.
    """
    values = dict(_VALUE.findall(match[0]))
    sizes = {side: int(values[side]) for side in ("width", "height") if side in values}
    source = _source(values)
    tiny = (
        min(sizes.values(), default=99) <= 2 or values.get("style") == "tiny" or "hidden" in values
    )
    if not source or tiny or _COUNTERS.match(unescape(source)):
        return ""
    if _is_letter(values, sizes, source):
        return str(values.get("alt", ""))
    size = _fitted(sizes.get("width", 0), sizes.get("height", 0))
    alt = f' alt="{values.get("alt", "")}"'
    after = "alt" in values and list(values).index("alt") > list(values).index(
        "src" if "src" in values else "alt"
    )
    return f'<img{size} src="{source}"{alt}>' if after else f'<img{size}{alt} src="{source}">'


def _source(values: Mapping[str, str]) -> str:
    """The address of a picture that is not loaded before it is seen, or else its own."""
    lazy = values.get("data-src") or values.get("data-lazy-src")
    own = "" if _PLACEHOLDER.search(values.get("src", "")) else values.get("src", "")
    return lazy or own or next((values[name] for name in _LAZY if values.get(name)), "")


def _is_letter(values: Mapping[str, str], sizes: Mapping[str, int], source: str) -> bool:
    """Tell whether a picture stands for a letter in a line (an emoji, an icon)."""
    if max(sizes.values(), default=0) > LETTER_AT_MOST:
        return False
    said = "letter" in (values.get("style"), values.get("class")) or is_letter_address(
        unescape(source)
    )
    return said or (len(sizes) == 2 and max(sizes.values()) <= SMALL_AT_MOST)


def is_letter_address(url: str) -> bool:
    """Tell whether the picture at `url` is an emoji or icon, by its host and path."""
    return bool(_LETTER_HOSTS.match(url) or _LETTERS.search(urlsplit(url).path.replace("/", " ")))


def _fitted(width: int, height: int) -> str:
    """The size of a picture as attributes, scaled to the width of a mail; its height only beside
    its width.
    """
    if not width:
        return ""
    shown = min(width, PICTURE_WIDTH)
    return f' width="{shown}"' + (
        f' height="{max(1, round(height * shown / width))}"' if height else ""
    )


def first_picture(html: str, *, base_url: str) -> tuple[str, str]:
    """The address and alt text of the first picture worth showing, or two empty strings."""
    for tag in _IMG.findall(clean_html(html[:100_000], base_url=base_url)):
        values = dict(_VALUE.findall(tag))
        if int(values.get("width", LEAD_AT_LEAST)) >= LEAD_AT_LEAST:
            return unescape(values["src"]), plain(unescape(values.get("alt", "")))
    return "", ""
