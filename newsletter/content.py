"""Other people's HTML made harmless, excerpts, plain text. Pure: fetches nothing, sends nothing.

Whatever a feed or an author hands in leaves here as inert HTML with absolute links, or as text without anything that
could end a header, reverse a line or fill a slot.
"""

from __future__ import annotations

import re
import unicodedata
from html import escape
from html.parser import HTMLParser
from urllib.parse import urljoin, urlsplit

import nh3

HTML_AT_MOST = 1_000_000
DEPTH_AT_MOST = 200
WORDS_A_MINUTE = 220

# Control characters, lone surrogates, line and paragraph separators, bidirectional overrides, and the private-use
# characters that mark slots (mail/message.py).
_UNPRINTABLE = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff\ue000-\ue001]"
)
_SPACE = re.compile(r"\s+")
# Each of these stops at the next bracket, so that a million of them without an end stay linear.
_TAG = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9]*)[^<>]*?(/?)>")
_IFRAME = re.compile(r"<iframe\b[^<>]*>", re.I)
_YOUTUBE = re.compile(r"(?:youtube(?:-nocookie)?\.com/(?:embed/|watch\?v=|shorts/)|youtu\.be/)([\w-]{11})")
_IMG = re.compile(r"<img\b[^<>]*>", re.I)
_SIZE = re.compile(r"\b(width|height)=\"(\d+)\"")
_TINY = re.compile(r"(?:^|;)\s*(?:max-)?(?:width|height)\s*:\s*[0-2](?:\.\d+)?(?:px)?\s*(?:!|;|$)|display\s*:\s*none|"
                   r"visibility\s*:\s*hidden|opacity\s*:\s*0(?:\.0*)?\s*(?:;|$)", re.I)  # fmt: skip
_NOT_SHOWN = re.compile(r"display\s*:\s*none", re.I)
_HIDDEN = re.compile(r' (?:hidden|style)="hidden"')
_COUNTERS = re.compile(
    r"https?://(?:pixel\.wp\.com|stats\.wordpress\.com|feeds\.wordpress\.com|feeds\.feedburner\.com|"
    r"(?:www\.)?google-analytics\.com|medium\.com/_/stat)\b", re.I)  # fmt: skip
"""Pictures whose only use is to be fetched."""
PICTURE_WIDTH = 536

_ITEM = re.compile(r" *(?:- |\d+\. )")

_VOID = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}
_TAGS = {
    "a", "article", "b", "blockquote", "br", "caption", "cite", "code", "del", "dd", "div", "dl", "dt", "em",
    "figcaption", "figure", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "i", "img", "ins", "kbd", "li", "mark", "ol",
    "p", "pre", "q", "s", "section", "small", "strong", "sub", "sup", "table", "tbody", "td", "tfoot", "th", "thead",
    "tr", "u", "ul",
}  # fmt: skip
_ATTRIBUTES = {
    "a": {"href", "title"},
    "img": {"src", "alt", "width", "height", "style"},
    "td": {"colspan", "rowspan"},
    "th": {"colspan", "rowspan"},
    "ol": {"start"},
} | {tag: {"hidden", "style"} for tag in ("article", "div", "figure", "p", "section")}


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


def reading_minutes(text: str) -> int:
    """How long a text takes to read, at 220 words a minute; at least 1."""
    return max(1, round(len(text.split()) / WORDS_A_MINUTE))


# ── HTML ───────────────────────────────────────────────────────────────────────────────────────────


def clean_html(html: str, *, base_url: str) -> str:
    """`html` as mail can carry it: allow-listed tags, absolute http(s) and mailto links, no scripts, styles, forms,
    comments, frames or tracking pictures. An embedded YouTube video becomes a linked picture of it."""
    html = _UNPRINTABLE.sub("", html[:HTML_AT_MOST])
    if _too_deep(html):
        return f"<p>{escape(_SPACE.sub(' ', _TAG.sub(' ', html)).strip())}</p>"
    cleaned = nh3.clean(
        _IFRAME.sub(_play_card, html),
        tags=_TAGS,
        clean_content_tags={"script", "style", "noscript", "template", "svg", "math", "object", "title", "textarea"},
        attributes=_ATTRIBUTES,
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
            value = value.strip().removesuffix("px")
        if attribute in ("width", "height", "colspan", "rowspan", "start"):
            return value if value.isascii() and value.isdecimal() and len(value) < 5 else None
        # Without brackets in any attribute, a tag is what stands between two of them (see _picture).
        return plain(value, limit=500).replace("<", "").replace(">", "")

    return keep


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
    """Cleaned `html` without the pictures that stand in something hidden. What is written there stays: a page may show
    it when it is clicked."""
    if not _HIDDEN.search(html):
        return html
    out, end, depth = [], 0, 0
    for match in _TAG.finditer(html):
        closing, name, _ = match.groups()
        out.append(html[end : match.start()])
        end = match.end()
        if name not in _VOID:
            depth += (-1 if closing else 1) if depth else bool(_HIDDEN.search(match[0]))
        if not (depth and name == "img"):
            out.append(_HIDDEN.sub("", match[0]))
    return "".join([*out, html[end:]])


def _picture(match: re.Match[str]) -> str:
    """A picture that can be seen, no wider than a mail; a counting pixel is none."""
    tag = match[0]
    sizes = {name: int(number) for name, number in _SIZE.findall(tag)}
    tiny = min(sizes.values(), default=99) <= 2 or ' style="tiny"' in tag
    if 'src="' not in tag or tiny or _COUNTERS.search(tag):
        return ""
    tag = re.sub(r"\s+(?:width|height)=\"\d+\"", "", tag)
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


# ── HTML to text ───────────────────────────────────────────────────────────────────────────────────


class _Reader(HTMLParser):
    """Writes HTML down as text that reads well: paragraphs, lists, links with their address."""

    BREAKS = frozenset({"p", "div", "ul", "ol", "table", "blockquote", "pre", "figure", "section", "article", "dl",
              "hr", "h1", "h2", "h3", "h4", "h5", "h6"})  # fmt: skip
    SILENT = frozenset({"script", "style", "head", "title", "template", "svg", "noscript"})

    def __init__(self, *, links: bool) -> None:
        super().__init__(convert_charrefs=True)
        self.links = links
        self.out: list[str] = []
        self.silent = 0
        self.hrefs: list[tuple[str, int]] = []
        self.lists: list[int | None] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if tag in self.SILENT:
            self.silent += 1
        elif tag in ("ul", "ol"):
            self.lists.append(1 if tag == "ol" else None)
        elif tag == "a":
            self.hrefs.append((values.get("href") or "", len(self.out)))
        elif tag == "img" and self.links and values.get("alt"):
            self.out.append(f"[{values['alt']}]")
        if tag == "li":
            self.out.append("\n" + self._bullet())
        elif tag == "br":
            self.out.append("\n")
        elif tag == "hr":
            self.out.append("\n\n* * *\n\n")
        elif tag == "tr":
            self.out.append("\n")
        elif tag in self.BREAKS and not (self.lists and (tag == "p" or len(self.lists) > 1)):
            self.out.append("\n\n")

    def _bullet(self) -> str:
        indent = "  " * min(max(len(self.lists) - 1, 0), 5)
        if self.lists and (number := self.lists[-1]) is not None:
            self.lists[-1] = number + 1
            return f"{indent}{number}. "
        return f"{indent}- "

    def handle_endtag(self, tag: str) -> None:
        if tag in self.SILENT:
            self.silent = max(0, self.silent - 1)
        elif tag in ("ul", "ol") and self.lists:
            self.lists.pop()
        elif tag == "a" and self.hrefs:
            href, start = self.hrefs.pop()
            shown = "".join(self.out[start:]).strip()
            if self.links and href.startswith(("http", "mailto:")) and href.removeprefix("mailto:") != shown:
                self.out.append(f" <{href}>")
        if tag in self.BREAKS and not (tag in ("ul", "ol") and self.lists):
            self.out.append("\n\n")
        elif tag in ("td", "th"):
            self.out.append("  ")

    def handle_data(self, data: str) -> None:
        text = _SPACE.sub(" ", data)
        if not self.silent and not (text == " " and self.out and self.out[-1].endswith(("\n", " "))):
            self.out.append(text)


def html_to_text(html: str, *, links: bool = True) -> str:
    """`html` written for reading. Links stand behind their words as ``<address>`` unless `links` is False."""
    reader = _Reader(links=links)
    # Cleaned first: HTMLParser takes quadratic time over tags that never end.
    reader.feed(clean_html(html, base_url=""))
    reader.close()
    text = _UNPRINTABLE.sub("", "".join(reader.out)).replace("\xa0", " ")
    found = [line.rstrip() if _ITEM.match(line) else line.strip() for line in text.split("\n")]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(found)).strip()


def excerpt(html: str, *, words: int = 60) -> str:
    """The first `words` words of `html` as one line of plain text."""
    text = _SPACE.sub(" ", html_to_text(html, links=False)).strip()
    parts = text.split(" ")
    return text if len(parts) <= words else " ".join(parts[:words]).rstrip(",;:–-") + " …"
