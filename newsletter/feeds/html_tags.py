"""Find single tags in a web page without parsing the page.

The standard library's parsers fail on pages that are made to trip them, and take quadratic time
over tags that never end. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape

PAGE_AT_MOST = 1_000_000

# Each stops at the next bracket, so that a million of them without an end stay linear.
_TAG = re.compile(r"<(link|meta|a)\b([^<>]{0,4000})>", re.I)
_ATTRIBUTE = re.compile(
    r"""(?<![\w:-])([\w:-]{1,40}+)\s*+=\s*+(?:"([^"<>]*)"|'([^'<>]*)'|([^\s"'<>]+))"""
)


def find_tags(page: str, *names: str) -> Iterator[dict[str, str]]:
    """Yield the attributes of every tag with one of `names` (link, meta, a), in the page's order.

    If an attribute occurs twice, the first one counts.
    """
    for match in _TAG.finditer(page[:PAGE_AT_MOST]):
        if match[1].lower() in names:
            attributes: dict[str, str] = {}
            for name, *values in _ATTRIBUTE.findall(match[2]):
                attributes.setdefault(name.lower(), unescape("".join(values)).strip())
            yield attributes
