"""Show what a post displays only with JavaScript, before HTML is cleaned. Pure.

Pictures that are only in `noscript`, links there that stand for a script's content, and embeds that
a social network's script builds become plain pictures, links and frames. The result is not safe
HTML yet; sanitize.py cleans it.
"""

from __future__ import annotations

import json
import re
from html import escape, unescape
from urllib.parse import unquote

from newsletter.html.boxes import fill_boxes
from newsletter.html.dialects import read_values, write_plainly
from newsletter.html.first_matches import replace_first
from newsletter.html.formulas import write_formulas
from newsletter.html.late import show_late
from newsletter.html.shortcodes import remove_shortcodes
from newsletter.html.signs import write_signs
from newsletter.html.stand_ins import stand_in
from newsletter.html.tabs import name_panels
from newsletter.html.video_embeds import find_video_id

NOSCRIPT_AT_MOST = 4000
"""Maximum number of characters of a `noscript` that are read; alternatives for pictures and links
are short."""
FOUND_AT_MOST = 100
"""Maximum number of parts of one post that are shown, so that a hostile post costs bounded time."""
EMBED_AT_MOST = 20_000
"""Maximum number of characters of an embedded post's own text."""
_ALONE = re.compile(
    r"(<(?:div|p)\b[^<>]*>\s{0,99})(https?://[^\s<>\"']{4,2000})(?=\s{0,99}</(?:div|p)>)", re.I
)
"""Pattern of a URL alone in a paragraph, for which a blog's page displays a player."""
_NOSCRIPT = re.compile(r"<noscript\b[^<>]*>", re.I)
_LINK = re.compile(r"<a\s[^<>]*>(?:[^<]|<(?!/?a\b))*</a\s*>", re.I)
_TAG = re.compile(r"<[^<>]*>")
_IMG = re.compile(r"<img\b[^<>]*>", re.I)
_SOURCE = re.compile(r"""\s(?:data-src|src)\s*=\s*["']([^"'<>]+)["']""", re.I)
_PICTURE = re.compile(r"(?:-\d{2,4}x\d{2,4})?\.(?:jpe?g|png|gif|webp|avif)$", re.I)
_RESIZED = re.compile(r"[?&]url=[^&]{1,2000}\.(?:jpe?g|png|gif|webp|avif)(?:&|$)", re.I)
"""Pattern of the address of a picture that a blog's own resizing program serves (Next.js)."""
_BUILT = re.compile(
    r"<(script|blockquote|div|lite-youtube|wistia-player|iframe|a)\s([^<>]*)>", re.I
)
_COFFEE = re.compile(r"""\sdata-slug=["']([\w.-]{1,60})["']""")
"""Pattern of an account's name at Buy Me a Coffee, whose script writes a button."""
_NAMED = re.compile(r"&quot;title&quot;:&quot;((?:(?!&quot;)[^<>\"]){1,200})&quot;")
"""Pattern of the title in the JSON that Substack keeps beside a frame's address."""
_SCRIPTS = tuple(
    re.compile(pattern, re.I)
    for pattern in (
        r"https://gist\.github\.com/[\w-]+/[0-9a-f]+(?=\.js)",
        r"https://[\w-]{1,60}\.podigee\.io/[\w-]{1,200}/embed",
        r"https://(?:www\.)?buzzsprout\.com/\d{1,12}/[\w-]{1,200}(?=\.js)",
        r"https://form\.jotform\.com/jsform/\d{1,20}",
    )
)
"""Patterns of the pages whose content a script writes into the post, as its tag names them."""
_WISTIA = re.compile(r"wistia_async_(\w{1,40})")
_NOWHERE = re.compile(r"""(?:^|\s)src\s{0,9}=\s{0,9}(?:""|'')""", re.I)
"""Pattern of a frame without an address (Medium), in which only a link leads to the content."""
_FIRST_LINK = re.compile(r"""\s*<a\s[^<>]*?href=["']([^"'<>]+)["']""", re.I)
_ANY_LINK = re.compile(r"""<a\s[^<>]*?href=["']([^"'<>]+)["']""", re.I)
_EMBEDS = {
    "twitter-tweet": "cite",
    "bluesky-embed": "cite",
    "reddit-embed-bq": "cite",
    "instagram-media": "data-instgrm-permalink",
    "tiktok-embed": "cite",
    "fb-post": "data-href",
    "fb-video": "data-href",
    "typeform-widget": "data-url",
    "flourish-embed": "data-src",
    "infogram-embed": "data-id",
    "tumblr-post": "data-href",
    "calendly-inline-widget": "data-url",
    "rll-youtube-player": "data-src",
}
"""CSS classes that embedding scripts look for, with the attribute that names the embedded page."""


_ADDRESSES = {
    "flourish-embed": "https://public.flourish.studio/",
    "infogram-embed": "https://infogram.com/",
}
"""URL prefixes of the pages of embeds whose attribute holds only a part of the URL."""


def unfold_html(html: str) -> str:
    """Return `html` with plain pictures, links and frames for what scripts would show."""
    html = replace_first(remove_shortcodes(name_panels(html)), _ALONE, _link_address)
    html = write_signs(write_formulas(fill_boxes(write_plainly(html))))
    html = stand_in(show_late(html))
    lowered = html.lower()
    if "<noscript" in lowered:
        html = _open_noscripts(html)
    if "<" in lowered:
        html = _add_frames(html)
    return html


def _link_address(html: str, match: re.Match[str]) -> str:
    """Return a bare URL as a video frame or a link, unless it is inside a link already."""
    address = match[2]
    before = html[max(0, match.start() - EMBED_AT_MOST) : match.start()].lower()
    if before.rfind("<a ") > before.rfind("</a"):
        return match[0]
    if find_video_id(address):
        return f"{match[1]}{_write_frame(address)}"
    return f'{match[1]}<a href="{address}">{address}</a>'


def _open_noscripts(html: str) -> str:
    """Replace each `noscript` by its links, or by its pictures that the post shows nowhere else."""
    around: list[str] = []
    inside: list[str] = []
    position = 0
    for match in _NOSCRIPT.finditer(html):
        if match.start() < position:
            continue
        end = html.find("</noscript", match.end())
        if end < 0:
            break
        around.append(html[position : match.start()])
        inside.append(html[match.end() : end])
        position = html.find(">", end) + 1 or len(html)
    around.append(html[position:])
    outside = "".join(around)
    parts = [around[0]]
    for number, content in enumerate(inside):
        if number < FOUND_AT_MOST and len(content) <= NOSCRIPT_AT_MOST:
            parts.append(_keep_of_noscript(content, outside))
        parts.append(around[number + 1])
    return "".join(parts)


def _keep_of_noscript(content: str, outside: str) -> str:
    if "<a " in content and not _TAG.sub("", _LINK.sub("", content)).strip():
        return content
    pictures = []
    for tag in _IMG.findall(content):
        source = _SOURCE.search(tag)
        address = unescape(source[1]) if source else ""
        path = address.partition("?")[0]
        if not _PICTURE.search(path):
            known = source[1] if source and _RESIZED.search(unquote(address)) else ""
        else:
            stem = _PICTURE.sub("", path)
            known = stem.partition("//")[2] or stem
        if known and known not in outside:
            pictures.append(tag)
    return "".join(pictures)


def _add_frames(html: str) -> str:
    """Put a frame before each script, and into each empty element, of a known embedding site."""
    parts: list[str] = []
    position = 0
    for match in _BUILT.finditer(html):
        frame = _make_frame(html, match)
        if frame:
            parts += [html[position : match.start()], frame]
            position = _find_rest(html, match)
        if len(parts) >= 2 * FOUND_AT_MOST:
            break
    return "".join([*parts, html[position:]]) if parts else html


def _find_rest(html: str, match: re.Match[str]) -> int:
    """Return the position after a frame, and after its empty `div` or link."""
    name = match[1].lower()
    if name == "iframe":
        return match.end()
    end = html.find(f"</{name}", match.end(), match.end() + EMBED_AT_MOST)
    empty = (
        name in ("a", "blockquote")
        and end > 0
        and not _TAG.sub("", html[match.end() : end]).strip()
    )
    return html.find(">", end) + 1 if empty else match.start()


def _make_frame(html: str, match: re.Match[str]) -> str:
    """Return the frame for the content that a tag embeds, "" if the tag shows it itself."""
    name = match[1].lower()
    rest = match[2]
    if name == "script":
        if "bmc-button" in rest:
            return _write_coffee(rest)
        part = next(filter(None, (pattern.search(rest) for pattern in _SCRIPTS)), None)
        return _write_frame(part[0]) if part else ""
    if name == "iframe":
        if " title=" not in rest and (named := _NAMED.search(rest)):
            return f'<iframe title="{named[1]}" {rest}>'
        is_known = "bandcamp.com/" in rest or _NOWHERE.search(rest)
        return _name_page(html, match) if is_known else ""
    if name == "div" and "elementor-widget-video" in rest:
        return _write_frame(_read_elementor(rest))
    if name == "div" and (film := _WISTIA.search(rest)):
        return _write_frame(f"https://fast.wistia.net/embed/iframe/{film[1]}")
    if name not in ("lite-youtube", "wistia-player", "a") and not any(
        word in rest for word in _EMBEDS
    ):
        return ""
    if name == "a" and "data-pin-do" not in rest:
        return ""
    values = read_values(rest)
    if name == "wistia-player":
        film_id = values.get("media-id", "")
        return _write_frame(f"https://fast.wistia.net/embed/iframe/{film_id}" if film_id else "")
    if name == "lite-youtube":
        video = f"https://www.youtube.com/watch?v={values.get('videoid', '')}"
        return _write_frame(video, values.get("playlabel") or values.get("title", ""))
    if name == "a":
        return _write_frame(values.get("href", ""))
    words = values.get("class", "").split()
    word = next((word for word in words if word in _EMBEDS), "")
    page = values.get(_EMBEDS.get(word, ""), "")
    page = f"{_ADDRESSES.get(word, '')}{page}" if page else ""
    end = html.find(f"</{name}", match.end(), match.end() + EMBED_AT_MOST)
    inside = html[match.end() : max(end, match.end())]
    if "<a " in inside and not (word == "tiktok-embed" and page not in inside):
        link = None if _TAG.sub("", inside).strip() else _ANY_LINK.search(inside)
        return _write_frame(link[1]) if link else ""
    return _write_frame(page, values.get("data-alt") or values.get("data-title", ""))


def _read_elementor(attributes: str) -> str:
    """Return the escaped URL of the video in the settings of an Elementor widget, or ""."""
    settings = read_values(attributes).get("data-settings", "")
    try:
        values = json.loads(unescape(settings))
        address = values.get(f"{values.get('video_type')}_url", "")
    except (ValueError, AttributeError, RecursionError):
        return ""
    return escape(address) if isinstance(address, str) else ""


def _write_coffee(attributes: str) -> str:
    account = _COFFEE.search(attributes)
    words = read_values(attributes).get("data-text") or "Buy me a coffee"
    page = f"https://www.buymeacoffee.com/{account[1]}" if account else ""
    return f'<p><a class="button" href="{page}">{words}</a></p>' if page else ""


def _name_page(html: str, match: re.Match[str]) -> str:
    """Return a frame's tag with the page that the link inside the frame leads to."""
    link = _FIRST_LINK.match(html, match.end())
    if not link:
        return ""
    if _NOWHERE.search(match[2]):
        return f'<iframe src="{link[1]}">'
    return f'<iframe data-page="{link[1]}" {match[2]}>'


def _write_frame(page: str, title: str = "") -> str:
    """Return a frame for a URL that is already escaped as in HTML."""
    if not page:
        return ""
    name = f' title="{escape(unescape(title))}"' if title else ""
    return f'<iframe src="{page}"{name}></iframe>'
