"""Reduce the pictures in a post to what a mail can show. Pure.

`sanitize.clean_html` calls this for every picture that its allow-list let through: attributes are
quoted, and hold no angle brackets.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from html import unescape
from urllib.parse import urlsplit

from newsletter.html.links import make_absolute

PICTURE_WIDTH = 536
"""Pixels: the width of the text in a mail of 600 pixels with its margins."""
LETTER_AT_MOST = 64
"""Pixels: a picture that is called an icon, and is larger, is a picture."""
SMALL_AT_MOST = 24
"""Pixels: a picture whose sides are both smaller stands in a line of text, whatever its name is."""
SRCSET_AT_MOST = 20_000
"""Characters of a list of addresses that are read."""
LAZY_ATTRIBUTES = (
    "data-src",
    "data-lazy-src",
    "data-original",
    "data-orig-file",
    "data-srcset",
    "srcset",
)
"""Attributes that name the address of a picture which is loaded when it scrolls into view."""
_LENGTH = re.compile(r"\s*\+?(\d{1,4})(?!\d)(?:\.\d*)?\s*(%?)")
_COUNTERS = re.compile(
    r"https?://(?:pixel\.wp\.com|stats\.wordpress\.com|feeds\.wordpress\.com|"
    r"feeds\.feedburner\.com|"
    r"(?:www\.)?google-analytics\.com|medium\.com/_/stat)\b",
    re.I,
)
"""Pictures whose only use is to be fetched."""
_LETTERS = re.compile(
    r"(?:^|[\s_-])(?:emojis?|twemoji|smil(?:ey|ie)s?|emoticons?|icons?)(?=$|[\s_-])", re.I
)
_LETTER_HOSTS = re.compile(
    r"https?://(?:s\.w\.org/images/core/emoji|twemoji\.|[\w.-]*\bemoji)", re.I
)
_VALUE = re.compile(r' ([a-z-]+)="([^"]*)"')
_PLACEHOLDER = re.compile(
    r"/(?:blank|placeholder|spacer|transparent|empty|lazy|loading|grey|gray|1x1|pixel)[\w-]{0,40}"
    r"\.(?:gif|png|svg|jpe?g|webp)",
    re.I,
)


def read_attributes(tag: str) -> dict[str, str]:
    """Return the attributes of a cleaned tag, in their order and still escaped."""
    return dict(_VALUE.findall(tag))


def rewrite_picture(match: re.Match[str]) -> str:
    """Return an `<img>` that fits a mail, "" for a tracking pixel, or the letter of an emoji."""
    values = read_attributes(match[0])
    sizes: dict[str, int] = {
        side: int(values[side]) for side in ("width", "height") if side in values
    }
    source = _choose_source(values)
    is_tiny = (
        min(sizes.values(), default=99) <= 2 or values.get("style") == "tiny" or "hidden" in values
    )
    if not source or is_tiny or _COUNTERS.match(unescape(source)):
        return ""
    if _is_letter(values, sizes, source):
        return values.get("alt", "")
    size = _scale_to_mail(sizes.get("width", 0), sizes.get("height", 0))
    alt = f' alt="{values.get("alt", "")}"'
    names = list(values)
    alt_follows = "alt" in values and names.index("alt") > names.index(
        "src" if "src" in values else "alt"
    )
    return f'<img{size} src="{source}"{alt}>' if alt_follows else f'<img{size}{alt} src="{source}">'


def choose_candidate(srcset: str, *, base_url: str) -> str | None:
    """Return the address in a `srcset` that suits a mail.

    That is the narrowest candidate that is sharp at twice the width of a mail, else the widest.
    """
    candidates = []
    for candidate in re.split(r",\s", srcset[:SRCSET_AT_MOST])[:50]:
        address, size = f"{candidate.strip().rstrip(',')} ".split(" ", 1)
        width = size.strip().removesuffix("w")
        if address and (link := make_absolute(address, base_url=base_url)):
            candidates.append((int(width) if width.isdecimal() and len(width) < 6 else 0, link))
    sharp = [candidate for candidate in candidates if candidate[0] >= 2 * PICTURE_WIDTH]
    if sharp:
        return min(sharp)[1]
    return max(candidates)[1] if candidates else None


def parse_length(value: str) -> str | None:
    """Return a size in pixels, read as browsers read it ("1.0", "0x1", "300px"), or None.

    Of a percentage only one that nobody could see (at most 2 %) is returned.
    """
    match = _LENGTH.match(value)
    return match[1] if match and (not match[2] or int(match[1]) <= 2) else None


def is_letter_class(value: str) -> bool:
    """Tell whether a class marks a picture as an emoji or icon."""
    return bool(_LETTERS.search(value))


def is_letter_address(url: str) -> bool:
    """Tell whether the picture at `url` is an emoji or icon, by its host and path."""
    return bool(_LETTER_HOSTS.match(url) or _LETTERS.search(urlsplit(url).path.replace("/", " ")))


def _choose_source(values: Mapping[str, str]) -> str:
    """Return the address of a picture that is loaded late, or else the one in `src`."""
    lazy = values.get("data-src") or values.get("data-lazy-src")
    source = "" if _PLACEHOLDER.search(values.get("src", "")) else values.get("src", "")
    return (
        lazy or source or next((values[name] for name in LAZY_ATTRIBUTES if values.get(name)), "")
    )


def _is_letter(values: Mapping[str, str], sizes: Mapping[str, int], source: str) -> bool:
    """Tell whether a picture stands for a letter in a line (an emoji, an icon)."""
    if max(sizes.values(), default=0) > LETTER_AT_MOST:
        return False
    if "letter" in (values.get("style"), values.get("class")):
        return True
    if is_letter_address(unescape(source)):
        return True
    return len(sizes) == 2 and max(sizes.values()) <= SMALL_AT_MOST


def _scale_to_mail(width: int, height: int) -> str:
    """Return width and height as attributes, scaled to a mail; no height without a width."""
    if not width:
        return ""
    scaled = min(width, PICTURE_WIDTH)
    if not height:
        return f' width="{scaled}"'
    return f' width="{scaled}" height="{max(1, round(height * scaled / width))}"'
