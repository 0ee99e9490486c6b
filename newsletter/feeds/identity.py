"""Compute the identity of an entry from its id, else its link, else its title and date.

Pure.

Links are normalised before they are compared: http or https, the host's case, a default port, a
trailing slash, a fragment, and parameters that only count clicks make no difference. docs/feeds.md
states the rules for authors.
"""

from __future__ import annotations

import hashlib
import re
from datetime import datetime
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

_TRACKING = re.compile(
    r"(utm_\w+|mc_[ce]id|fbclid|gclid|dclid|msclkid|igshid|mkt_tok|yclid|_hs\w+|ref_src|"
    r"source_rss)",
    re.I,
)
IDENTITY_AT_MOST = 400


def canonicalize_link(link: str) -> str:
    """Return `link` without parts that do not distinguish pages; "" if it is not http(s)."""
    try:
        parts = urlsplit(link.strip())
        port = parts.port
    except ValueError:
        return ""
    if parts.scheme not in ("http", "https") or not parts.hostname:
        return ""
    place = parts.hostname.lower().rstrip(".") + (f":{port}" if port not in (None, 80, 443) else "")
    parameters = [
        (name, value)
        for name, value in parse_qsl(parts.query, keep_blank_values=True)
        if not _TRACKING.fullmatch(name)
    ]
    query = f"?{urlencode(sorted(parameters))}" if parameters else ""
    path = quote(unquote(parts.path), safe="/%:@!$&'()*+,;=~-._").rstrip("/")
    return f"{place}{path}{query}"[:2000]


def make_identity(raw_id: str, link: str, title: str, published: datetime | None) -> str:
    """Return the stable identity of an entry within its feed, of at most 400 characters."""
    raw_id = raw_id.strip()
    name = canonicalize_link(raw_id) or raw_id or canonicalize_link(link)
    if not name:
        when = published.isoformat() if published else ""
        name = "made:" + hashlib.sha256(f"{title}\n{when}".encode("utf-8", "replace")).hexdigest()
    return (
        name
        if len(name) <= IDENTITY_AT_MOST
        else "long:" + hashlib.sha256(name.encode("utf-8", "replace")).hexdigest()
    )
