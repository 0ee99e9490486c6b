"""Show pictures, frames and embeds that a page loads late, on scrolling or on consent. Pure.

Plugins keep the address of a picture or frame in attributes of their own, or a whole embed in
Base64. Forms get a name, with which a mail links to them. The result is not safe HTML yet;
sanitize.py cleans it.
"""

from __future__ import annotations

import binascii
import re
from base64 import b64decode
from html import escape, unescape

from newsletter.html.first_matches import replace_first
from newsletter.html.pictures import LAZY_ATTRIBUTES, is_placeholder, says_nothing
from newsletter.html.stand_ins import write_frame

BLOCKED_AT_MOST = 40_000
"""Maximum number of characters of an embed that is encoded in Base64."""
LOOKED_AT = 20_000
"""Maximum number of characters of a form or picture that are searched."""
_LATE = re.compile(r"<(?:img|iframe)\b[^<>]*>", re.I)
_NAMES = re.compile(
    r"(\s)(?:data-(?:envira-src|orig-src|ezsrc|breeze|pagespeed-lazy-src|opt-src|cfsrc|lazyload|"
    r"wpfc-original-src|suppressedsrc|cmplz-src|cookieblock-src|src-cmplz|tally-src)|"
    r"nitro-lazy-src|"
    r"consent-original-src-_|uc-src)(?=\s{0,9}=)",
    re.I,
)
"""Pattern of attributes in which plugins and services keep the URL of a picture or frame: Envira,
Avada, Ezoic, Breeze, PageSpeed, Optimole, Cloudflare, WPBakery, WP Fastest Cache, iubenda,
Complianz, Cookiebot, Tally, NitroPack, Real Cookie Banner and Usercentrics."""
_SHOWN = re.compile(r"""\ssrc\s{0,9}=\s{0,9}(?:"([^"<>]*)"|'([^'<>]*)')""", re.I)
_ANY_PICTURE = re.compile(
    r"""\s([a-z][a-z0-9-]{0,40})(?=\s{0,9}=\s{0,9}["']"""
    r"""(?:https?:/)?/[^\s"'<>]{1,2000}\.(?:jpe?g|png|gif|webp|avif)(?:\?[^\s"'<>]*)?["'])""",
    re.I,
)
"""Pattern of an attribute, whatever its name, that holds the URL of a picture."""
_ALT = re.compile(r"""\salt\s{0,9}=\s{0,9}(?:"([^"<>]*)"|'([^'<>]*)')""", re.I)
EMBEDDED_FROM = 2000
"""A `data:` URL of this many characters is a real picture, a shorter one a placeholder."""
_COUNTS_UP = re.compile(
    r"(<(?:span|div)\b[^<>]*?\sdata-(?:to-value|to|count|end|stop)=[\"']([\d.,]{1,15})[\"']"
    r"[^<>]*>)\s{0,9}0?(?=\s{0,9}</)",
    re.I,
)
"""Pattern of a number that a script animates from 0 once it is visible (Elementor, WPBakery)."""
_PRICE_WORDS = re.compile(
    r"(</(?:del|ins)>)\s{0,9}<span\s{1,9}class=[\"']screen-[a-z]{1,9}-text[\"']>"
    r"[^<>]{0,200}</span>",
    re.I,
)
"""Pattern of the text for screen readers that WooCommerce adds after the old and the new price."""
_DIVI_NUMBER = re.compile(
    r"(<div\b[^<>]*?\sdata-number-value=[\"']([\d.,]{1,15})[\"'][^<>]*>\s{0,99}"
    r"<div\b[^<>]*>\s{0,99}"
    r"<p\b[^<>]*>\s{0,99}<span\b[^<>]*>)(?=\s{0,9}</span)",
    re.I,
)
_FADES_IN = re.compile(r"opacity\s{0,9}:\s{0,9}0\s{0,9}(?=[;\"'])", re.I)
"""Pattern of the style that keeps a picture invisible until a script has loaded it (Gatsby)."""
_SIGN = re.compile(
    r"<a\s([^<>]{1,600})>\s{0,9}(?:\#|¶|§|🔗|&para;|&sect;|&\#182;)\s{0,9}</a\s{0,9}>", re.I
)
"""Pattern of the symbol after a heading that links to the heading itself."""
_PICTURE = re.compile(r"<picture\b[^<>]*>", re.I)
_IMG = re.compile(r"<img\b[^<>]*>", re.I)
_HAS_ADDRESS = re.compile(r"""\s(?:data-[a-z-]*)?src(?:set)?\s*=\s*["']?(?!data:|["'\s])""", re.I)
_OFFERED = re.compile(
    r"""<source\b[^<>]*?\s(?:data-(?:lazy-)?)?srcset\s*=\s*(?:"([^"<>]*)"|'([^'<>]*)')""", re.I
)
_BLOCKED = re.compile(
    r'<div\b[^<>]*?\sdata-borlabs-cookie-content="([\w+/=]{8,})"[^<>]*>|'
    r'<script type="text/template">([\w+/=]{8,})</script>',
    re.I,
)
"""Pattern of embeds that Borlabs Cookie blocks until a visitor consents (versions 3 and 2)."""
_PAINTED = re.compile(
    r"<(?:div|span|a|figure)\b(?=[^<>]*\srole\s{0,9}=\s{0,9}[\"']?img\b)([^<>]*)>", re.I
)
"""Pattern of an element that displays a picture as its background, or from an attribute by
script."""
_PAINT = re.compile(
    r"""\sdata-(?:thumbnail|bg|background|src|image)\s{0,9}=\s{0,9}["']([^"'<>\s]{4,2000})["']""",
    re.I,
)
_COVER = re.compile(r"<div\b[^<>]*?\bwp-block-cover[^<>]*>", re.I)
_BACKGROUND = re.compile(
    r"background-image\s*:\s*url\(\s*(?:&quot;|&\#0?39;|[\"'])?"
    r"((?:[^\"'()<>\s&]|&(?!quot;|\#0?39;))++)",
    re.I,
)
_LABEL = re.compile(r"""\saria-label\s*=\s*"([^"<>]*)\"""", re.I)
_FORM = re.compile(r"<form\b([^<>]*)>", re.I)
_ASKS = re.compile(
    r"<textarea\b|<select\b|<input\b[^<>]*?\stype\s*=\s*[\"']?(?:radio|checkbox|text|tel|number|"
    r"date|range|file|url)\b",
    re.I,
)
_FOR_THE_PAGE = re.compile(
    r"type\s*=\s*[\"']?(?:search|password)\b|role\s*=\s*[\"']?search|commentform|"
    r"mc4wp|newsletter|subscri|search-?form",
    re.I,
)
"""Attributes of forms for searching, logging in, commenting and signing up, which are not part of a
post."""
_PAYS = re.compile(
    r"<input\b(?=[^<>]*\stype\s*=\s*[\"']?image)[^<>]*?\salt\s*=\s*[\"']([^<>\"']{2,120})", re.I
)
"""Pattern of a picture that submits a form, such as PayPal's button."""
_FORM_NAMES = (
    re.compile(r">\s{0,99}([^<>\s][^<>]{2,200}[?？؟])\s{0,99}</(?!label)"),
    re.compile(r"<legend\b[^<>]*>([^<>]{2,200})<", re.I),
    re.compile(r"<h[1-6]\b[^<>]*>([^<>]{2,200})<", re.I),
    re.compile(r"<button\b[^<>]*>\s*([^<>]{2,80})<", re.I),
    re.compile(
        r"<input\b(?=[^<>]*\stype\s*=\s*[\"']?submit)[^<>]*?\svalue\s*=\s*[\"']([^<>\"']{2,80})",
        re.I,
    ),
)


def show_late(html: str) -> str:
    """Return `html` with lazy pictures and frames given the addresses that every program reads.

    Blocked embeds are restored, and forms that ask something get a name (`data-name`).
    """
    html = _SIGN.sub(lambda match: "" if "#" in match[1] else match[0], html)
    lowered = html.lower()
    if "<img" in lowered or "<iframe" in lowered:
        html = _LATE.sub(_rename, html)
    if "</ins>" in lowered:
        html = _PRICE_WORDS.sub(r"\1 ", html)
    if "data-" in lowered:
        html = _COUNTS_UP.sub(r"\1\2", html)
        html = _DIVI_NUMBER.sub(r"\1\2", html)
    if "<picture" in lowered:
        html = replace_first(html, _PICTURE, _note_offer)
    if "borlabs" in lowered:
        html = replace_first(html, _BLOCKED, _unblock)
    if "role=" in lowered:
        html = replace_first(html, _PAINTED, _show_painted)
    if "wp-block-cover" in lowered and "background-image" in lowered:
        html = replace_first(html, _COVER, _show_background)
    if "<form" in lowered:
        html = replace_first(html, _FORM, _name_form)
    return html


def _rename(match: re.Match[str]) -> str:
    tag = match[0]
    if " data-src=" in tag:
        return _FADES_IN.sub("", tag)
    renamed = _NAMES.sub(r"\1data-src", tag, count=1)
    if renamed != tag or tag[1:4].lower() != "img":
        return renamed
    address = _SHOWN.search(tag)
    source = (address[1] or address[2] or "") if address else ""
    if source and not source.startswith("data:") and not is_placeholder(source):
        return tag
    other = _ANY_PICTURE.search(tag)
    if other and other[1].lower() in ("src", *LAZY_ATTRIBUTES):
        return tag
    if other:
        return f"{tag[: other.start(1)]}data-src{tag[other.end(1) :]}"
    if len(source) < EMBEDDED_FROM:
        return tag
    words = _ALT.search(tag)
    alt = (words[1] or words[2] or "") if words else ""
    return write_frame("") if says_nothing(alt) else f"[{alt}]"


def _note_offer(html: str, match: re.Match[str]) -> str:
    """Put a usable picture before a `<picture>` whose `<img>` names no address and is dropped."""
    end = html.find("</picture", match.end(), match.end() + LOOKED_AT)
    inside = html[match.end() : max(end, match.end())]
    image = _IMG.search(inside)
    offered = _OFFERED.search(inside)
    if not image or not offered or _HAS_ADDRESS.search(image[0]):
        return match[0]
    return f'{image[0].rstrip("/>")} srcset="{offered[1] or offered[2]}">{match[0]}'


def _show_painted(_html: str, match: re.Match[str]) -> str:
    """Put an `<img>` before an element that displays a picture as its background."""
    address = _PAINT.search(match[1]) or _BACKGROUND.search(match[1])
    label = _LABEL.search(match[1])
    picture = f'<img src="{address[1]}" alt="{label[1] if label else ""}">' if address else ""
    return picture + match[0]


def _show_background(html: str, match: re.Match[str]) -> str:
    """Put an `<img>` before a WordPress cover block that has a background picture."""
    address = _BACKGROUND.search(match[0])
    label = _LABEL.search(match[0])
    picture = f'<img src="{address[1]}" alt="{label[1] if label else ""}">' if address else ""
    return picture + match[0]


def _unblock(html: str, match: re.Match[str]) -> str:
    """Return an embed that was blocked for consent, inside its element if it has one."""
    code = match[1] or match[2]
    if len(code) > BLOCKED_AT_MOST:
        return match[0]
    try:
        embed = b64decode(code, validate=True).decode()
    except (binascii.Error, ValueError):
        return match[0]
    return embed if match[2] else match[0] + embed


def _name_form(html: str, match: re.Match[str]) -> str:
    """Return the tag of a form, with its name as `data-name` if the form asks something."""
    end = html.find("</form", match.end(), match.end() + LOOKED_AT)
    inside = html[match.end() : max(end, match.end())]
    if paid := _PAYS.search(inside):
        return f'<form data-name="{escape(unescape(paid[1]).strip())}"{match[1]}>'
    if not _ASKS.search(inside) or _FOR_THE_PAGE.search(match[0] + inside):
        return match[0]
    names = (pattern.search(inside) for pattern in _FORM_NAMES)
    name = next((unescape(words[1]).strip() for words in names if words), "")
    return f'<form data-name="{escape(name or "?")}"{match[1]}>'
