"""Repair the bytes of a feed that a parser would fail on.

Pure.

CDATA sections and comments are left unchanged: text in them that looks like an element is none.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape

ENTRIES_AT_MOST = 10_000
DEPTH_AT_MOST = 400
SUBSET_AT_MOST = 20_000

# Each alternative stops at the next bracket or at its own end, so that a million of them without an
# end stay linear.
_ASIDE = rb"<!\[CDATA\[(?:[^\]]|\](?!\]>))*+(?:\]\]>|\Z)|<!--(?:[^-]|-(?!->))*+(?:-->|\Z)"
_TOKEN = re.compile(_ASIDE + rb"|<(?P<close>/?)(?P<name>[A-Za-z_][\w:.-]*+)(?P<rest>[^<>]*+)>")
_ROOT = re.compile(rb"<(?:[A-Za-z_][\w.-]*:)?(?:rss|feed|rdf|channel|entry)\b", re.I)
_HALF = re.compile(
    rb"&#(?:x0*d[89a-f][0-9a-f]{2}"
    rb"|0*5(?:529[6-9]|5[3-9]\d\d|6\d{3}|7[0-2]\d\d|73[0-3]\d|734[0-3]));",
    re.I,
)
"""Pattern of a reference to half a character (a surrogate), on which feedparser fails anywhere."""
_SHIFTS = re.compile(rb"\x1b[$(]")
_MARK = b"\xef\xbb\xbf"
_DECLARATION = re.compile(rb"(?:\xef\xbb\xbf)?<\?xml[^<>]{0,400}?\?>", re.I)
_TEXT_TAGS = frozenset((b"br", b"img", b"hr", b"link", b"meta", b"p", b"li", b"input"))
_ITEM_TAGS = frozenset((b"item", b"entry"))
_REFERENCE = re.compile(
    rb"(?P<aside>"
    + _ASIDE
    + rb")|&#x(?P<high>d[89ab][0-9a-f]{2});&#x(?P<low>d[c-f][0-9a-f]{2});"
    + rb"|&(?P<name>#[0-9]{1,9}|#x[0-9a-f]{1,9}|[a-z_][\w.:-]{0,60}+);|&",
    re.I,
)
_NO_LINK = re.compile(rb"<link>\s*(?:<!\[CDATA\[\s*\]\]>\s*)?</link>|<link\s*/>", re.I)
_REFERS = re.compile(
    rb"<(?:[A-Za-z][\w.-]*+:)?(?:link|enclosure|content|thumbnail|image|icon|logo|url)\b[^<>]*+>",
    re.I,
)
_EMPTY_REFERENCE = re.compile(
    rb"""\s(?:href|src|url|(?:rdf:)?resource)\s*+=\s*+(?:"\s*+"|'\s*+')""", re.I
)
"""Pattern of an empty URL attribute, which a parser would resolve to the URL of the feed itself."""
_PLAIN = frozenset((b"amp", b"lt", b"gt", b"quot", b"apos"))


def trim(body: bytes) -> bytes:
    """Return `body` without white space or stray bytes before the XML declaration."""
    start = body[:1000].find(b"<?xml")
    return (
        body[start:]
        if start > 0 and not body.startswith((b"\xff\xfe", b"\xfe\xff"))
        else body.lstrip(b" \t\r\n")
    )


def separate_declaration(body: bytes) -> bytes:
    """Return `body` with its XML declaration on its own line, or without a broken one.

    feedparser looks for the encoding in the whole first line, with an expression that takes hours
    over a line with many parts that seem to name it.
    """
    if declaration := _DECLARATION.match(body):
        document = body[declaration.end() :]
        return (
            body if document.startswith(b"\n") else declaration[0] + b"\n<!-- -->" + document
        )  # a document type stays where it was
    return body.replace(b"<?", b"<!-- -->", 1) if body.lstrip(_MARK).startswith(b"<?") else body


def has_root(body: bytes) -> bool:
    """Tell whether `body` contains an element with which a feed begins.

    A body in UTF-16 or UTF-32 is assumed to contain one.
    """
    return b"\0" in body[:200] or _ROOT.search(body) is not None


def is_too_deep(body: bytes) -> bool:
    """Tell whether elements are nested deeper than in any real feed."""
    depth = 0
    for match in _iterate_tags(body):
        if match["rest"].endswith(b"/") or match["name"] in _TEXT_TAGS:
            continue
        depth = max(0, depth - 1) if match["close"] else depth + 1
        if depth > DEPTH_AT_MOST:
            return True
    return False


def _iterate_tags(body: bytes) -> Iterator[re.Match[bytes]]:
    return (match for match in _TOKEN.finditer(body) if match["name"])


def repair(body: bytes) -> bytes:
    """Return `body` repaired, with its first `ENTRIES_AT_MOST` entries.

    Nested entries are put one after the other (E09). Entity references are replaced by those that
    XML allows. Empty links, which would hide that an id is a link, and empty URL attributes are
    removed.
    """
    if not _SHIFTS.search(body):  # where a byte below 128 is the letter it is in ASCII
        body = _NO_LINK.sub(b"", _HALF.sub(b"&#xFFFD;", _repair_references(body)))
        body = _REFERS.sub(lambda match: _EMPTY_REFERENCE.sub(b"", match[0]), body)
    marks = [match for match in _iterate_tags(body) if match["name"].lower() in _ITEM_TAGS]
    depth = 0
    nested = False
    count = 0
    for match in marks:
        opens = not match["close"] and not match["rest"].endswith(b"/")
        nested = nested or (not match["close"] and depth > 0)
        depth += 1 if opens else -1 if match["close"] else 0
        count += bool(match["close"])
    if nested and depth == 0:
        return _unnest_entries(body, marks)
    return _truncate(body, marks) if count > ENTRIES_AT_MOST else body


def _repair_references(body: bytes) -> bytes:
    """Replace HTML entities and bare ampersands by references that XML allows (F10).

    The strict parser silently drops HTML entities if a document type is declared, and the lenient
    one turns bare ampersands into references.
    """
    declared = frozenset(re.findall(rb"<!ENTITY\s+([\w.:-]{1,60})", body[:SUBSET_AT_MOST]))
    return _REFERENCE.sub(lambda match: _repair_reference(match, declared), body)


def _repair_reference(match: re.Match[bytes], declared: frozenset[bytes]) -> bytes:
    name = match["name"]
    if match["aside"] is not None or name in _PLAIN or name in declared:
        return match[0]
    if match["high"]:  # one letter, in two halves
        return b"&#%d;" % (
            0x10000 + ((int(match["high"], 16) - 0xD800) << 10) + int(match["low"], 16) - 0xDC00
        )
    if not name:
        return b"&amp;"
    reference = match[0].decode("ascii", "replace")
    character = unescape(reference)
    return (
        match[0]
        if character == reference
        else "".join(f"&#{ord(letter)};" for letter in character).encode()
    )


def _unnest_entries(body: bytes, marks: list[re.Match[bytes]]) -> bytes:
    """Move each entry that is nested in another one behind it."""
    out: list[bytes] = []
    open_: list[list[bytes]] = []
    behind: list[bytes] = []
    end = 0
    for match in marks:
        (open_[-1] if open_ else out).append(body[end : match.start()])
        end = match.end()
        if match["rest"].endswith(b"/"):
            continue
        if not match["close"]:
            open_.append([match[0]])
        elif open_:
            element = b"".join([*open_.pop(), match[0]])
            if open_:
                behind.append(element)
            else:
                out += [element, *behind]
                behind = []
    return b"".join([*out, body[end:]])


def _truncate(body: bytes, marks: list[re.Match[bytes]]) -> bytes:
    """Return `body` without the entries beyond the maximum number that is read."""
    ends = [match.end() for match in marks if match["close"]]
    return body[: ends[ENTRIES_AT_MOST - 1]] + body[ends[-1] :]
