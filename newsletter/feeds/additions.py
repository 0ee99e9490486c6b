"""Remove what blogs add to posts: links to their origin, "read on", and dots of excerpts. Pure."""

from __future__ import annotations

import re
from html import unescape

from newsletter.feeds.identity import canonicalize_link

_LAST = re.compile(r"<p\b[^<>]*>((?:(?!</?p\b).)*)</p>\s*\Z", re.S | re.I)
_HREF = re.compile(r"""href=["']([^"'<>]+)["']""", re.I)
_READ_ON = re.compile(r"""<a\b(?=[^<>]*\bmore-link\b)[^<>]*+>.{0,400}?</a>""", re.S | re.I)
_THE_POST = re.compile(r"(<p>\s?)?The post\b", re.I)
_APPEARED = re.compile(r"\bappeared first on\b", re.I)
ORIGIN_AT_MOST = 600
"""Characters of each half of "The post A appeared first on B", including the markup of its
links."""
TAIL_AT_MOST = 1500
"""Characters at the end of a post that are searched for such additions."""
_DOTS = ("[…]", "[&hellip;]", "[&#8230;]", "[...]", "[&#8230;", "&#8230;]", "&#8230;")
"""Marks at the end of an excerpt, each before those that it ends with."""


def remove_additions(html: str, link_key: str, site_key: str) -> str:
    """Return `html` without the texts and links that WordPress adds to posts and excerpts.

    That is "The post A appeared first on B", in whatever language, and its "read on" link.
    """
    html = html.replace("\0", "").encode("utf-8", "replace").decode("utf-8")
    end = html[-TAIL_AT_MOST:]
    last = _LAST.search(end)
    if last and [canonicalize_link(unescape(href)) for href in _HREF.findall(last[1])] == [
        link_key,
        site_key,
    ]:
        end = end[: last.start()]
    end = _unify_dots(_READ_ON.sub("", _remove_origin(end)))
    return (html[:-TAIL_AT_MOST] + end).strip()


def _remove_origin(end: str) -> str:
    """Return the end of a post without a final sentence "The post A appeared first on B"."""
    appeared = max((match.start() for match in _APPEARED.finditer(end)), default=-1)
    starts = [match for match in _THE_POST.finditer(end) if match.start() < appeared]
    start = next(
        (match.start() for match in reversed(starts) if match[1]),
        starts[-1].start() if starts else -1,
    )
    if start < 0 or appeared - start > ORIGIN_AT_MOST or len(end) - appeared > ORIGIN_AT_MOST:
        return end
    return end[:start].rstrip()


def _unify_dots(end: str) -> str:
    """Return the end of an excerpt with one ellipsis in place of the blog's own mark."""
    bare = end.rstrip().removesuffix("</p>").rstrip()
    mark = next((mark for mark in _DOTS if bare.endswith(mark)), "")
    return f"{bare.removesuffix(mark).rstrip()} …" if mark else end
