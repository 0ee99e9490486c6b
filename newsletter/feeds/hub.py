"""Find the WebSub hub that a feed names (W3C WebSub section 4). Pure."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from newsletter.feeds.fetch import Fetched
from newsletter.feeds.types import ParsedFeed

ADDRESS_AT_MOST = 2000
"""Characters of a hub's or topic's URL, as many as the database columns hold."""


@dataclass(frozen=True, slots=True)
class Hub:
    """A WebSub hub, and the URL under which it knows the feed (its topic)."""

    url: str
    topic: str


def find_hub(fetched: Fetched, parsed: ParsedFeed) -> Hub | None:
    """Return the hub in the response's Link header, else the one in the feed itself, or None."""
    links = _read_link_header(fetched.links)
    hub = links.get("hub") or parsed.hub
    topic = links.get("self") or parsed.self_link or fetched.url
    return Hub(hub, topic) if _is_web(hub) and _is_web(topic) else None


def _is_web(address: str) -> bool:
    try:
        parts = urlsplit(address)
    except ValueError:
        return False
    is_short = len(address) <= ADDRESS_AT_MOST
    return is_short and parts.scheme in ("http", "https") and bool(parts.hostname)


def _read_link_header(header: str) -> dict[str, str]:
    """Return the first URL of each relation in a Link header (RFC 8288)."""
    addresses: dict[str, str] = {}
    for part in header.split("<")[1:]:
        address, _, parameters = part.partition(">")
        for parameter in parameters.split(";"):
            name, _, value = parameter.partition("=")
            if name.strip().lower() == "rel":
                for relation in value.strip(' ,"').lower().split():
                    addresses.setdefault(relation, address.strip())
    return addresses
