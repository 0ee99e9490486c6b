"""Write in plain HTML what posts have in other dialects. Pure.

These are AMP, MathJax's formulas in scripts, the data of Word, the links of an image map and the
lists of old HTML. Nothing here makes HTML safe; sanitize.py does.
"""

from __future__ import annotations

import re
from html import escape, unescape

from newsletter.html.first_matches import replace_first

FOUND_AT_MOST = 100
"""Islands of Word's data in one post that are cut out."""
LOOKED_AT = 20_000
"""Characters of an element that are looked into."""
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
"""Players of AMP: the attribute with their address, and what stands before it."""
_OLD_LIST = re.compile(r"<(/?)(?:menu|dir)(?=[\s>])", re.I)
_AREA = re.compile(r"<area\s([^<>]*)>", re.I)
_WORD = re.compile(r"<xml\b[^<>]*>", re.I)
_FORMULA = re.compile(
    r"<script\b(?=[^<>]*\stype\s*=\s*[\"']?math/tex)(?![^<>]*\sid\s*=\s*[\"']?MathJax)[^<>]*>", re.I
)
"""A formula that MathJax 2 has yet to show; one that it has shown has an id."""
_CDATA = re.compile(r"%?\s{0,9}(?:<!\[CDATA\[|\]\]>)")
_VALUE = re.compile(r"""(?<![\w-])([a-z-]{1,40})\s{0,9}=\s{0,9}(?:"([^"<>]*)"|'([^'<>]*)')""", re.I)


def write_plainly(html: str) -> str:
    """Return `html` with its foreign tags as those of plain HTML."""
    lowered = html.lower()
    if "<amp-" in lowered:
        html = _AMP.sub(_rename_amp, replace_first(html, _AMP_PLAYER, _write_player))
    if "<xml" in lowered:
        html = _cut_out(html, _WORD, "</xml")
    if "math/tex" in lowered:
        html = _show_formulas(html)
    if "<area" in lowered:
        html = replace_first(html, _AREA, _write_area)
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
    """Return `html` without the elements that a pattern finds; one without an end stays."""
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


def _show_formulas(html: str) -> str:
    """Return `html` with each formula in a script as code beside it."""

    def show(html: str, match: re.Match[str]) -> str:
        end = html.find("</script", match.end(), match.end() + LOOKED_AT)
        formula = _CDATA.sub("", html[match.end() : max(end, match.end())]).strip()
        return f"<code>{escape(formula)}</code>{match[0]}" if formula else match[0]

    return replace_first(html, _FORMULA, show)


def _write_area(_html: str, match: re.Match[str]) -> str:
    """Return the link of a part of an image map, named by its words."""
    values = read_values(match[1])
    name = unescape(values.get("alt") or values.get("title") or "").strip()
    address = values.get("href", "")
    return f'<p><a href="{address}">{escape(name)}</a></p>' if address and name else ""
