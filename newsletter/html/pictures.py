"""Reduce the pictures in a post to what a mail can show. Pure.

`sanitize.clean_html` calls this for every allowed picture: attributes are quoted, and contain no
angle brackets.
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
"""Pixels of an emoji's or icon's longer side: a larger one counts as a picture."""
SMALL_AT_MOST = 24
"""Pixels: a picture with both sides this small or smaller is part of a line of text, whatever its
name is."""
SRCSET_AT_MOST = 20_000
"""Maximum number of characters of a `srcset` that are read."""
SRCSETS = ("srcset", "data-srcset", "data-lazy-srcset")
LAZY_ATTRIBUTES = ("data-src", "data-lazy-src", "data-original", "data-orig-file", *SRCSETS)
"""Attributes that hold the address of a lazily loaded picture."""
FILE_SIZES = (
    "data-orig-size",
    "data-image-dimensions",
    "data-orig-width",
    "data-orig-height",
    "data-original-width",
    "data-original-height",
)
"""Attributes with the size of a picture's file."""
SHARP_FROM = 1.8
"""Pixels of a file per pixel in a mail from which a picture is sharp on a dense screen."""
HEAVY_FROM = 4
"""Pixels of a file per pixel in a mail above which a file is larger than needed."""
_FILE_NAME = re.compile(r"-(\d{2,4})x(\d{2,4})\.\w{3,4}(?:$|\?)")
_FILE_WIDTH = re.compile(
    r"/max/(\d{2,4})/|/w(\d{2,4})-h\d{2,4}[/-]|/size/w(\d{2,4})/|[,/]w_(\d{2,4}),|"
    r"\._S[LXY](\d{2,4})_|"
    r"[?&](?:amp;)?w=(\d{2,4})(?:$|&)|/s(\d{3,4})/"
)
"""Pattern of a picture's width in its URL, for Medium, Blogger, Ghost, Substack, Amazon and
WordPress.com."""
_CODE = re.compile(r"/([0-9a-f]{2,6}(?:-[0-9a-f]{2,6}){0,9})\.(?:png|svg)(?:$|\?)")
_LENGTH = re.compile(r"\s*\+?(\d{1,4})(?!\d)(?:\.\d*)?\s*(%?)")
_COUNTERS = re.compile(
    r"https?://(?:pixel\.wp\.com|stats\.wordpress\.com|feeds\.wordpress\.com|"
    r"feeds\.feedburner\.com|fast\.wistia\.(?:com|net)/embed/medias/\w{1,40}/swatch|"
    r"(?:www\.)?google-analytics\.com|medium\.com/_/stat)\b",
    re.I,
)
"""Pattern of tracking pixels, and of blurred previews of videos."""
_SAYS_NOTHING = re.compile(
    r"\s*(?:(?:cta |featured |article )?(?:image|img|photo|picture)|__wf_reserved_\w{1,30}|"
    r"undefined|null|No description has been provided for this image|"
    r"[\w-]{1,200}\.(?:jpe?g|png|gif|webp|avif|heic))\s*",
    re.I,
)
"""Pattern of meaningless alt texts that programs write, such as "image" or a file's name."""
_LETTERS = re.compile(
    r"(?:^|[\s_-])(?:emojis?|twemoji|joypixels|emojione|openmoji|smil(?:ey|ie)s?|emoticons?|"
    r"icons?|thumbnail-default)"
    r"(?=$|[\s_-])",
    re.I,
)
_LETTER_HOSTS = re.compile(
    r"https?://(?:s\.w\.org/images/core/emoji|twemoji\.|[\w.-]*\bemoji)", re.I
)
_CANDIDATE = re.compile(r"\d{1,5}|\d(?:\.\d{1,2})?x")
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
    """Return an `<img>` that fits a mail, "" for a tracking pixel, or an emoji as a character."""
    values = read_attributes(match[0])
    if _SAYS_NOTHING.fullmatch(values.get("alt", "")):
        values["alt"] = ""
    sizes: dict[str, int] = {
        side: int(values[side]) for side in ("width", "height") if side in values
    }
    plain = _find_source(values)
    width, height = _find_size(values, sizes, plain)
    room = int(values["style"]) if values.get("style", "").isdecimal() else width
    if room and height and width:
        height = round(height * room / width)
    in_mail = min(room or PICTURE_WIDTH, PICTURE_WIDTH)
    source, file_width = _choose_file(values, plain, width, in_mail)
    is_tiny = (
        min(sizes.values(), default=99) <= 2 or values.get("style") == "tiny" or "hidden" in values
    )
    if not source or is_tiny or _COUNTERS.match(unescape(source)):
        return ""
    if _is_letter(values, sizes, source):
        return values.get("alt", "") or _read_letter(source)
    size = _scale_to_mail(room or file_width, height)
    alt = f' alt="{values.get("alt", "")}"'
    names = list(values)
    alt_follows = "alt" in values and names.index("alt") > names.index(
        "src" if "src" in values else "alt"
    )
    return f'<img{size} src="{source}"{alt}>' if alt_follows else f'<img{size}{alt} src="{source}">'


def list_candidates(srcset: str, *, base_url: str) -> str | None:
    """Return the addresses in a `srcset` as pairs of width and address, with spaces between.

    A width is in pixels ("800"), or the density of the screen it is for ("2x").
    """
    candidates: list[str] = []
    for candidate in re.split(r",\s", srcset[:SRCSET_AT_MOST])[:50]:
        address, size = f"{candidate.strip().rstrip(',')} ".split(" ", 1)
        width = size.strip().removesuffix("w")
        if address and (link := make_absolute(address, base_url=base_url)):
            known = _CANDIDATE.fullmatch(width)
            candidates.append(f"{width if known else 0} {link}")
    return " ".join(candidates) or None


def parse_length(value: str) -> str | None:
    """Return a size in pixels, read as browsers read it ("1.0", "0x1", "300px"), or None.

    A percentage is returned only if it makes the picture invisible (at most 2 %).
    """
    match = _LENGTH.match(value)
    return match[1] if match and (not match[2] or int(match[1]) <= 2) else None


def is_letter_class(value: str) -> bool:
    """Tell whether a class marks a picture as an emoji or icon."""
    return bool(_LETTERS.search(value))


def is_letter_address(url: str) -> bool:
    """Tell whether the picture at `url` is an emoji or icon, by its host and path."""
    return bool(_LETTER_HOSTS.match(url) or _LETTERS.search(urlsplit(url).path.replace("/", " ")))


def says_nothing(alt: str) -> bool:
    """Tell whether an alt text is empty, or one that a program wrote."""
    return not alt.strip() or bool(_SAYS_NOTHING.fullmatch(alt))


def is_placeholder(address: str) -> bool:
    """Tell whether the picture at `address` is a placeholder for another one."""
    return bool(_PLACEHOLDER.search(address))


def _find_source(values: Mapping[str, str]) -> str:
    """Return the address of a picture, preferably the lazily loaded one, or ""."""
    lazy = values.get("data-src") or values.get("data-lazy-src")
    if not lazy and (values.get("data-srcset") or values.get("data-lazy-srcset")):
        return ""  # what `src` names keeps the place, blurred
    source = "" if is_placeholder(values.get("src", "")) else values.get("src", "")
    return lazy or source or values.get("data-original") or values.get("data-orig-file") or ""


def _find_size(values: Mapping[str, str], sizes: Mapping[str, int], source: str) -> tuple[int, int]:
    """Return width and height of a picture's file, 0 for what neither attributes nor URL tell."""
    if sizes.get("width"):
        return sizes["width"], sizes.get("height", 0)
    named = _FILE_NAME.search(source)
    if named:
        return int(named[1]), int(named[2])
    numbers = [number for name in FILE_SIZES for number in re.findall(r"\d+", values.get(name, ""))]
    if len(numbers) >= 2:
        return int(numbers[0][:5]), int(numbers[1][:5])
    match = _FILE_WIDTH.search(source)
    return (int(next(filter(None, match.groups()))), 0) if match else (0, 0)


def _choose_file(values: Mapping[str, str], source: str, width: int, room: int) -> tuple[str, int]:
    """Return the address of the file that suits a picture of `width`, and the file's width.

    That is `source` if it is sharp and not too heavy, or else the narrowest sharp file on offer, or
    else the widest file.
    """
    offered = []
    for name in SRCSETS:
        pairs = values.get(name, "").split(" ")
        for size, address in zip(pairs[::2], pairs[1::2], strict=False):
            pixels = float(size[:-1]) * (width or room) if size[-1:] == "x" else int(size)
            offered.append((int(pixels), address))
    known = next((pixels for pixels, address in offered if address == source), width)
    if not offered or (source and SHARP_FROM * room <= known <= HEAVY_FROM * room):
        return source, known
    if source and known:
        offered.append((known, source))
    sharp = [candidate for candidate in offered if candidate[0] >= SHARP_FROM * room]
    pixels, address = min(sharp) if sharp else max(offered)
    return address, pixels


def _read_letter(source: str) -> str:
    """Return the emoji that an address names by its code points, or ""."""
    code = _CODE.search(source)
    points = [int(point, 16) for point in code[1].split("-")] if code else []
    return "".join(map(chr, points)) if all(map(_is_emoji, points)) else ""


def _is_emoji(point: int) -> bool:
    """Tell whether a code point is an emoji, or combines with or colours its neighbours."""
    joins = point in (0x200D, 0x20E3, 0xFE0F)
    return joins or 0x203C <= point <= 0x3299 or 0x1F000 <= point <= 0x1FAFF


def _is_letter(values: Mapping[str, str], sizes: Mapping[str, int], source: str) -> bool:
    """Tell whether a picture is part of a line of text (an emoji, an icon)."""
    if max(sizes.values(), default=0) > LETTER_AT_MOST:
        return False
    if "letter" in (values.get("style"), values.get("class")):
        return True
    if is_letter_address(unescape(source)):
        return True
    return len(sizes) == 2 and max(sizes.values()) <= SMALL_AT_MOST


def _scale_to_mail(width: int, height: int) -> str:
    """Return `width` and `height` attributes scaled to a mail; no height without a width."""
    if not width:
        return ""
    scaled = min(width, PICTURE_WIDTH)
    if not height:
        return f' width="{scaled}"'
    return f' width="{scaled}" height="{max(1, round(height * scaled / width))}"'
