"""Other people's HTML made harmless, and plain text. Pure: fetches nothing, sends nothing.

Whatever a feed or an author hands in leaves here as inert HTML with absolute links, or as text without anything that
could end a header, reverse a line or fill a slot.
"""

from __future__ import annotations

import re
import unicodedata
from html import escape
from urllib.parse import urljoin, urlsplit

import nh3

HTML_AT_MOST = 1_000_000
DEPTH_AT_MOST = 200

# Control characters, lone surrogates, line and paragraph separators, bidirectional overrides, and the private-use
# characters that mark slots (mail/message.py).
_UNPRINTABLE = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff\ue000-\ue001]"
)
_SPACE = re.compile(r"\s+")
# Each of these stops at the next bracket, so that a million of them without an end stay linear.
_TAG = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9]*+)[^<>]*?(/?)>")
_IFRAME = re.compile(r"<iframe\b[^<>]*>", re.I)
_YOUTUBE = re.compile(r"(?:youtube(?:-nocookie)?\.com/(?:embed/|watch\?v=|shorts/)|youtu\.be/)([\w-]{11})")
_IMG = re.compile(r"<img\b[^<>]*>", re.I)
_LENGTH = re.compile(r"\s*\+?(\d{1,4})(?!\d)(?:\.\d*)?\s*(%?)")
_SIZE = re.compile(r"\b(width|height)=\"(\d+)\"")
_TINY = re.compile(r"(?:^|;)\s*(?:max-)?(?:width|height)\s*:\s*"
                   r"\+?0*(?:[0-2](?:\.\d*)?(?:px|pt|%)?|\.\d+[a-z]*)\s*(?:!|;|$)|"
                   r"(?:^|;)\s*(?:left|top|right|text-indent)\s*:\s*-\d{3}|display\s*:\s*none|"
                   r"visibility\s*:\s*hidden|opacity\s*:\s*0(?:\.0*)?\s*(?:;|$)", re.I)  # fmt: skip
_NOT_SHOWN = re.compile(r"display\s*:\s*none", re.I)
_HIDDEN = re.compile(r' (?:hidden|style)="hidden"')
_COUNTERS = re.compile(
    r"https?://(?:pixel\.wp\.com|stats\.wordpress\.com|feeds\.wordpress\.com|feeds\.feedburner\.com|"
    r"(?:www\.)?google-analytics\.com|medium\.com/_/stat)\b", re.I)  # fmt: skip
"""Pictures whose only use is to be fetched."""
PICTURE_WIDTH = 536

_VOID = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}
_TAGS = {
    "a", "article", "b", "blockquote", "br", "caption", "cite", "code", "del", "dd", "div", "dl", "dt", "em",
    "figcaption", "figure", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "i", "img", "ins", "kbd", "li", "mark", "ol",
    "p", "pre", "q", "s", "section", "small", "strong", "sub", "sup", "table", "tbody", "td", "tfoot", "th", "thead",
    "tr", "u", "ul",
}  # fmt: skip
_ATTRIBUTES = {
    "a": {"href", "title"},
    "img": {"src", "alt", "width", "height", "style", "hidden"},
    "td": {"colspan", "rowspan"},
    "th": {"colspan", "rowspan"},
    "ol": {"start"},
}
# What is hidden is looked for on the way (_shown) and comes out of it without a trace; so do spans.
_CARRIERS = _TAGS - {"img"} | {"span"}
_CARRIED = _ATTRIBUTES | {tag: _ATTRIBUTES.get(tag, set()) | {"hidden", "style"} for tag in _CARRIERS}
_SPAN = re.compile(r"</?span>")
_INLINE = frozenset({"a", "b", "cite", "code", "del", "em", "i", "ins", "kbd", "mark", "q", "s", "small", "span",
           "strong", "sub", "sup", "u"})  # fmt: skip


# ── text ───────────────────────────────────────────────────────────────────────────────────────────


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
    """`text` cut to `limit` characters with an ellipsis, never inside a grapheme (combining mark, joiner, modifier)."""
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
        bool(unicodedata.combining(after)) or joiner in (before, after) or first <= after <= last or flags or variation
    )


# ── HTML ───────────────────────────────────────────────────────────────────────────────────────────


def clean_html(html: str, *, base_url: str) -> str:
    """`html` as mail can carry it: allow-listed tags, absolute http(s) and mailto links, no scripts, styles, forms,
    comments, frames or tracking pictures. An embedded YouTube video becomes a linked picture of it."""
    html = _UNPRINTABLE.sub("", html[:HTML_AT_MOST])
    if _too_deep(html):
        return f"<p>{escape(_SPACE.sub(' ', _TAG.sub(' ', html)).strip())}</p>"
    cleaned = nh3.clean(
        _IFRAME.sub(_play_card, html),
        tags=_TAGS | {"span"},
        clean_content_tags={"script", "style", "noscript", "template", "svg", "math", "object", "title", "textarea"},
        attributes=_CARRIED,
        attribute_filter=_filter(base_url),
        strip_comments=True,
        link_rel=None,
        url_schemes={"http", "https", "mailto"},
    )
    # Once more: an entity ("&#xE000;") is no character before it is parsed, and a slot afterwards.
    return _IMG.sub(_picture, _shown(_UNPRINTABLE.sub("", cleaned))).strip()


def _too_deep(html: str) -> bool:
    """Whether tags are nested so deeply that a parser would take its time over them."""
    depth = deepest = 0
    for closing, name, empty in _TAG.findall(html):
        if name.lower() not in _VOID and not empty:
            depth = max(0, depth - 1) if closing else depth + 1
            deepest = max(deepest, depth)
    return deepest > DEPTH_AT_MOST


def _filter(base_url: str):  # type: ignore[no-untyped-def] # nh3 calls it with (tag, attribute, value)
    def keep(tag: str, attribute: str, value: str) -> str | None:
        if attribute in ("href", "src"):
            return absolute_link(value, base_url=base_url, mail=attribute == "href")
        if attribute == "hidden" or (attribute == "style" and tag != "img"):
            return "hidden" if attribute == "hidden" or _NOT_SHOWN.search(value) else None  # for _shown
        if attribute == "style":
            return "tiny" if _TINY.search(value) else None  # a word for _picture, which takes it away again
        if attribute in ("width", "height"):
            return _length(value)
        if attribute in ("colspan", "rowspan", "start"):
            return value if value.isascii() and value.isdecimal() and len(value) < 5 else None
        # Without brackets in any attribute, a tag is what stands between two of them (see _picture).
        return plain(value, limit=500).replace("<", "").replace(">", "")

    return keep


def _length(value: str) -> str | None:
    """A size in pixels, as browsers read it ("1.0", "0x1", "300px"); of a share only what nobody could see."""
    found = _LENGTH.match(value)
    return found[1] if found and (not found[2] or int(found[1]) <= 2) else None


def absolute_link(link: str, *, base_url: str, mail: bool = False) -> str | None:
    """`link` as an absolute http(s) address (or mailto, if `mail`), or None: no other scheme, no user or password."""
    link = _UNPRINTABLE.sub("", re.sub(r"[\t\r\n]", "", link)).strip()
    try:
        found = urljoin(base_url, link)
        parts = urlsplit(found)
        if mail and parts.scheme == "mailto":
            return found
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username is not None:
            return None
        parts.port  # noqa: B018 (raises where it is no number)
    except ValueError:
        return None
    return found.replace(" ", "%20").replace('"', "%22").replace("<", "%3C").replace(">", "%3E")


def video_id(url: str) -> str:
    """The id of a YouTube video that `url` shows, or ""."""
    found = _YOUTUBE.search(url)
    return found[1] if found else ""


def video_ids(html: str) -> frozenset[str]:
    """The ids of the YouTube videos that `html` embeds or links to."""
    return frozenset(_YOUTUBE.findall(html[:HTML_AT_MOST]))


def video_picture(video: str) -> str:
    """The still picture of a YouTube video."""
    return f"https://i.ytimg.com/vi/{video}/hqdefault.jpg"


def _play_card(match: re.Match[str]) -> str:
    video = video_id(match[0])
    if not video:
        return ""
    return (
        f'<p><a href="https://www.youtube.com/watch?v={video}">'
        f'<img src="{video_picture(video)}" alt="▶ Watch the video" width="480"></a></p>'
    )


def _shown(html: str) -> str:
    """Cleaned `html` without what is hidden within a line (it is for machines), and without the pictures in a hidden
    block. What is written there stays: a page may show it when it is clicked."""
    if not _HIDDEN.search(html):
        return _SPAN.sub("", html)
    out, end, depth, silent = [], 0, 0, 0
    for match in _TAG.finditer(html):
        closing, name, _ = match.groups()
        out.append("" if silent else html[end : match.start()])
        end = match.end()
        inside = depth, silent
        if name not in _VOID:
            step = -1 if closing else 1
            hides = not closing and _HIDDEN.search(match[0]) is not None
            depth += step if depth else hides
            silent += step if silent else hides and name in _INLINE
        unseen = name == "img" and (depth or _HIDDEN.search(match[0]))
        if not (silent or inside[1] or unseen):
            out.append(_HIDDEN.sub("", match[0]))
    return _SPAN.sub("", "".join([*out, html[end:]]))


def _picture(match: re.Match[str]) -> str:
    """A picture that can be seen, no wider than a mail; a counting pixel is none."""
    tag = match[0]
    sizes = {name: int(number) for name, number in _SIZE.findall(tag)}
    tiny = min(sizes.values(), default=99) <= 2 or ' style="tiny"' in tag
    if 'src="' not in tag or tiny or _COUNTERS.search(tag):
        return ""
    tag = re.sub(r"\s(?:width|height)=\"\d+\"", "", tag)
    tag = tag if "alt=" in tag else tag.replace("<img", '<img alt=""', 1)
    return tag.replace("<img", "<img" + _fitted(sizes.get("width", 0), sizes.get("height", 0)), 1)


def _fitted(width: int, height: int) -> str:
    """The size of a picture as attributes, scaled to the width of a mail; its height only beside its width."""
    if not width:
        return ""
    shown = min(width, PICTURE_WIDTH)
    return f' width="{shown}"' + (f' height="{max(1, round(height * shown / width))}"' if height else "")


def first_picture(html: str, *, base_url: str) -> tuple[str, str]:
    """The address and alt text of the first picture worth showing, or two empty strings."""
    for tag in _IMG.findall(clean_html(html[:100_000], base_url=base_url)):
        source, alt = re.search(r'src="([^"]+)"', tag), re.search(r'alt="([^"]*)"', tag)
        if source:
            return source[1].replace("&amp;", "&"), plain(alt[1] if alt else "")
    return "", ""
