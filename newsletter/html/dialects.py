"""Convert AMP, Word's data and other dialects of HTML in posts to plain HTML. Pure.

The others are image maps, obsolete list elements, text direction in styles, and words that only a
style separates. The result is not safe HTML yet; sanitize.py cleans it.
"""

from __future__ import annotations

import re
from html import escape, unescape

from newsletter.html.first_matches import replace_first

FOUND_AT_MOST = 100
"""Maximum number of blocks of Word's XML data that are removed from one post."""
LOOKED_AT = 20_000
"""Maximum number of characters of an element that are searched."""
_AMP = re.compile(r"<(/?)amp-(img|anim|iframe|audio|video)(?=[\s>])", re.I)
_AMP_PLAYER = re.compile(r"<amp-([a-z]{2,20})\s([^<>]*)>", re.I)
_AMP_PAGES = {
    "youtube": ("data-videoid", "https://www.youtube.com/watch?v="),
    "vimeo": ("data-videoid", "https://player.vimeo.com/video/"),
    "dailymotion": ("data-videoid", "https://www.dailymotion.com/embed/video/"),
    "instagram": ("data-shortcode", "https://www.instagram.com/p/"),
    "twitter": ("data-tweetid", "https://twitter.com/i/status/"),
    "facebook": ("data-href", ""),
    "tiktok": ("data-src", ""),
    "gist": ("data-gistid", "https://gist.github.com/"),
}
"""Media elements of AMP: the attribute that names the page or its id, and the URL prefix for it."""
_OLD_LIST = re.compile(r"<(/?)(?:menu|dir)(?=[\s>])", re.I)
_STRUCK = re.compile(r"<(/?)strike(?=[\s>])", re.I)
_TYPED = re.compile(r"<(/?)tt(?=[\s>])", re.I)
_AREA = re.compile(r"<area\s([^<>]*)>", re.I)
_WORD = re.compile(r"<xml\b[^<>]*>", re.I)
_TURNED = re.compile(
    r"<(p|div|section|blockquote|ul|ol|li|h[1-6]|table|td)"
    r"(?=\s)(?![^<>]*\sdir\s{0,9}=)(?=[^<>]*\sstyle\s{0,9}=\s{0,9}[\"'][^\"'<>]*"
    r"(?<![\w-])direction\s{0,9}:\s{0,9}rtl)",
    re.I,
)
"""Pattern of a block element whose style sets right-to-left direction."""
_TOUCHING = re.compile(
    r"(?<=[^\s>])((?:</(?:span|label|time|small|strong|b|s|del|em|a)>){1,3})"
    r"(?=<(?:label|time)\b|<span\b[^<>]{0,300}?\bclass=[\"'](?!hljs|token|cm-|mtk)[^\"'<>]{0,200}?"
    r"(?:__(?!icon|sign|curr|sep)|(?<!\w)(?:description|desc|subtitle|title|name|label|count|date|"
    r"author|price|tag|meta|item|excerpt|source|domain|duration|percent|value|number|amount|score|"
    r"bar)s?(?![\w-]))[^<>]{0,300}>[\w#€£$“<])",
    re.I,
)
"""Pattern of inline elements without a space between them, which only a style holds apart, as far
as the class of the second one tells."""
_NOTHING = re.compile("(?<=>)[\u200b\u200d\u2060]+|[\u200b\u2060]+(?=<)")
"""Pattern of zero-width characters at the edge of an element, as Webflow writes for an empty
paragraph."""
_READING = re.compile(
    r"(?<!</rp>)(<rt\b[^<>]*>)([^<>]{1,100})(?=</rt|</ruby|<rt\b|<rb\b|</?rtc)", re.I
)
"""Pattern of ruby text (the pronunciation above a word) without fallback parentheses, which are
then added."""
_VALUE = re.compile(r"""(?<![\w-])([a-z-]{1,40})\s{0,9}=\s{0,9}(?:"([^"<>]*)"|'([^'<>]*)')""", re.I)


def write_plainly(html: str) -> str:
    """Return `html` with AMP, Word and obsolete elements converted to plain HTML."""
    lowered = html.lower()
    if "<amp-" in lowered:
        html = _AMP.sub(_rename_amp, replace_first(html, _AMP_PLAYER, _write_player))
    if "<xml" in lowered:
        html = _cut_out(html, _WORD, "</xml")
    if "rtl" in lowered:
        html = _TURNED.sub(r'<\1 dir="rtl"', html)
    if "<area" in lowered:
        html = replace_first(html, _AREA, _write_area)
    html = _NOTHING.sub("", _TOUCHING.sub(r"\1 ", html))
    if "<rt" in lowered:
        html = _READING.sub(r"\1（\2）", html)
    html = _TYPED.sub(r"<\1code", _STRUCK.sub(r"<\1s", html))
    return _OLD_LIST.sub(r"<\1ul", html)


def read_values(attributes: str) -> dict[str, str]:
    """Return the quoted attributes of a tag, still escaped."""
    return {key.lower(): first or second for key, first, second in _VALUE.findall(attributes)}


def _rename_amp(match: re.Match[str]) -> str:
    name = match[2].lower()
    return f"<{match[1]}{'img' if name == 'anim' else name}"


def _write_player(_html: str, match: re.Match[str]) -> str:
    attribute, before = _AMP_PAGES.get(match[1].lower(), ("", ""))
    values = read_values(match[2])
    address = values.get(attribute, "")
    title = values.get("title") or values.get("aria-label") or ""
    frame = f'<iframe src="{before}{address}" title="{title}"></iframe>' if address else ""
    return frame + match[0]


def _cut_out(html: str, pattern: re.Pattern[str], end: str) -> str:
    """Return `html` without the elements that a pattern matches; an unclosed one stays."""
    parts: list[str] = []
    position = 0
    for match in pattern.finditer(html):
        if match.start() < position:
            continue
        until = html.find(end, match.end(), match.end() + LOOKED_AT)
        if until < 0 or len(parts) >= FOUND_AT_MOST:
            break
        parts.append(html[position : match.start()])
        position = html.find(">", until) + 1 or len(html)
    return "".join([*parts, html[position:]])


def _write_area(_html: str, match: re.Match[str]) -> str:
    """Return a link for an `<area>` of an image map, named by its alternative text."""
    values = read_values(match[1])
    name = unescape(values.get("alt") or values.get("title") or "").strip()
    address = values.get("href", "")
    return f'<p><a href="{address}">{escape(name)}</a></p>' if address and name else ""
