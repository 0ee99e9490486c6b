"""Put a link to the post where its page shows something that a mail cannot. Pure.

A chart on a canvas, a drawing, a quiz or a buy button has no page of its own: a frame with the
address "#" stands for it, and reduce.py turns that into a card. The result is not safe HTML yet;
sanitize.py cleans it.
"""

from __future__ import annotations

import re

from newsletter.html.first_matches import replace_first

LOOKED_AT = 200_000
"""Maximum number of characters that are searched for the end of an SVG drawing or canvas."""
DRAWN_FROM = 100
"""Pixels of width from which an SVG drawing is not an icon."""
_CANVAS = re.compile(r"<canvas\b([^<>]*)>", re.I)
_DRAWING = re.compile(r"<svg\b([^<>]*)>", re.I)
_FRAME = re.compile(r"<iframe\b([^<>]*)>", re.I)
_ELEMENT = re.compile(
    r"<([a-z][a-z0-9]{0,30}(?:-[a-z0-9]{1,30}){0,3}-(?:player|viewer|button|chart|map|embed|quiz|"
    r"poll|form|widget|game|calendar))\b([^<>]*)>\s{0,99}(?=</)",
    re.I,
)
"""Pattern of empty custom elements that scripts of the page fill."""
_CHART = re.compile(
    r"""<div\b(?=[^<>]*\sclass\s{0,9}=\s{0,9}["'][^"'<>]*?(?<![\w-])(?:vega-embed|"""
    r"""plotly-graph-div|bk-root|html-?widget|jupyter-widgets|echarts|apexcharts?|"""
    r"""highcharts(?:-figure|-container)?|amcharts|leaflet-map|wp-block-leaflet|observablehq|"""
    r"""h5p-content|sketchfab|model-3d)(?![\w-]))"""
    r"""([^<>]*)>(?=\s{0,99}(?:<script\b[^<>]*>[^<>]{0,5000}</script>\s{0,99})?</div)""",
    re.I,
)
"""Pattern of empty elements in which a JavaScript library draws a chart or map."""
_KNOWN_ELEMENTS = ("amp-", "wistia-", "lottie-", "dotlottie-", "share-", "copy-", "like-")
_LABEL = re.compile(
    r"""\s(?:title|aria-label|alt)\s{0,9}=\s{0,9}(?:"([^"<>]{1,300})"|'([^'<>]{1,300})')""", re.I
)
_TITLE = re.compile(r"\s*<title\b[^<>]*>([^<>]{1,300})<", re.I)
_WIDTH = re.compile(
    r"""\swidth\s{0,9}=\s{0,9}["']?(\d{1,5})(?!\d|\s{0,9}%|\.?\d{0,9}e[mx])""", re.I
)
_WORDS = re.compile(r"<text\b", re.I)
_FIGURE_BEGINS = re.compile(r"<figure\b[^<>]*>\s{0,99}\Z", re.I)
_TAG = re.compile(r"<[^<>]*>")
_ADDRESS = re.compile(
    r"""\s(?:data-[\w-]{0,40}|src|[a-z-]{1,20}-src)\s{0,9}=\s{0,9}["']?(?:https?:)?//""", re.I
)
_NO_ADDRESS = re.compile(
    r"""\ssrcdoc\s{0,9}=|\ssrc\s{0,9}=\s{0,9}["']?about:blank|\bh5p-iframe\b""", re.I
)
_SOUND = re.compile(
    r"""\s(?:src|url|href|audio|file)\s{0,9}=\s{0,9}["']([^"'<>]{1,2000}\.(?:mp3|m4a|ogg|mp4|"""
    r"""webm))["']""",
    re.I,
)


def stand_in(html: str) -> str:
    """Return `html` with frames that stand for content which only the post's own page can show."""
    lowered = html.lower()
    if "<canvas" in lowered:
        html = replace_first(html, _CANVAS, _replace_canvas)
    if "<svg" in lowered:
        html = replace_first(html, _DRAWING, _replace_drawing)
    if "<iframe" in lowered:
        html = replace_first(html, _FRAME, _replace_frame)
    html = replace_first(html, _CHART, lambda _html, box: write_frame(_read_label(box[1])) + box[0])
    return replace_first(html, _ELEMENT, _replace_element)


def write_frame(label: str) -> str:
    """Return a frame that stands for the post's own page; `label` is escaped HTML."""
    name = label.replace('"', "&quot;").strip()
    return f'<iframe src="#" title="{name}"></iframe>'


def _read_label(attributes: str) -> str:
    label = _LABEL.search(attributes)
    return (label[1] or label[2]) if label else ""


def _replace_canvas(html: str, match: re.Match[str]) -> str:
    """Return a canvas after its own fallback content, or else after a frame for the post."""
    end = html.find("</canvas", match.end(), match.end() + LOOKED_AT)
    inside = html[match.end() : max(end, match.end())]
    fallback = f"<div>{inside}</div>" if _TAG.sub("", inside).strip() else ""
    return (fallback or write_frame(_read_label(match[1]))) + match[0]


def _replace_drawing(html: str, match: re.Match[str]) -> str:
    """Put a frame for the post before an SVG drawing, unless it is an icon."""
    end = html.find("</svg", match.end(), match.end() + LOOKED_AT)
    inside = html[match.end() : max(end, match.end())]
    width = _WIDTH.search(match[1])
    is_hidden = "mjx" in match[1] or 'display="none"' in match[1] or "data-mml-node" in inside
    is_drawn = _WORDS.search(inside) or (width and int(width[1]) >= DRAWN_FROM)
    is_figure = _FIGURE_BEGINS.search(html, max(0, match.start() - 400), match.start())
    if is_hidden or not (is_drawn or is_figure):
        return match[0]
    title = _TITLE.match(inside)
    return write_frame(title[1] if title else _read_label(match[1])) + match[0]


def _replace_frame(_html: str, match: re.Match[str]) -> str:
    """Return the frame for the post in place of a frame without a URL of its own."""
    if not _NO_ADDRESS.search(match[1]) or _ADDRESS.search(match[1]):
        return match[0]
    label = _read_label(match[1])
    is_hidden = re.search(r"display\s{0,9}:\s{0,9}none|\shidden\b", match[1], re.I)
    return match[0] if is_hidden or not label else write_frame(label).removesuffix("</iframe>")


def _replace_element(_html: str, match: re.Match[str]) -> str:
    if match[1].lower().startswith(_KNOWN_ELEMENTS):
        return match[0]
    label = _read_label(match[2])
    if sound := _SOUND.search(match[2]):
        name = label.replace('"', "&quot;")
        return f'<audio src="{sound[1]}" title="{name}"></audio>' + match[0]
    return write_frame(label) + match[0]
