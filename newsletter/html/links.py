"""Make addresses in other people's HTML absolute, or refuse them. Pure."""

from __future__ import annotations

import re
from urllib.parse import parse_qs, urljoin, urlsplit

from newsletter.html.text import drop_control_characters

_DETOURS = {
    "www.google.com": ("/url", ("q", "url")),
    "l.facebook.com": ("/l.php", ("u",)),
    "lm.facebook.com": ("/l.php", ("u",)),
    "t.umblr.com": ("/redirect", ("z",)),
    "out.reddit.com": ("/", ("url",)),
    "slack-redir.net": ("/link", ("url",)),
    "www.youtube.com": ("/redirect", ("q",)),
    "l.instagram.com": ("/", ("u",)),
    "steamcommunity.com": ("/linkfilter/", ("url", "u")),
}
"""Redirecting pages by host: the path, and the parameters that hold the target."""
_CALL = re.compile(r"tel:\+?[\d().-]{3,25}")


def make_absolute(link: str, *, base_url: str, mail: bool = False) -> str | None:
    """Return `link` as an absolute http(s) address, or (if `mail`) a mailto or tel address.

    A tel address is a plain number, not a code that makes a telephone act. Return None for any
    other scheme, and for an address with a user or password.
    """
    link = drop_control_characters(re.sub(r"[\t\r\n]", "", link)).strip()
    try:
        if mail and _CALL.fullmatch(link.replace(" ", "")):
            return link.replace(" ", "")
        address = urljoin(base_url, link)
        parts = urlsplit(address)
        if mail and parts.scheme == "mailto":
            return address
        is_web = parts.scheme in ("http", "https") and bool(parts.hostname)
        if not is_web or parts.username is not None:
            return None
        parts.port  # noqa: B018 (raises where it is no number)
    except ValueError:
        return None
    return address.replace(" ", "%20").replace('"', "%22").replace("<", "%3C").replace(">", "%3E")


def skip_detour(link: str) -> str:
    """Return the target of a link to a redirecting page, any other link as it is.

    Google's editor and social networks insert such pages into links that are pasted there.
    """
    parts = urlsplit(link)
    path, names = _DETOURS.get(parts.hostname or "", ("", ()))
    if not path or parts.path != path:
        return link
    query = parse_qs(parts.query)
    target = next((query[name][0] for name in names if name in query), "")
    return make_absolute(target, base_url="") or link
