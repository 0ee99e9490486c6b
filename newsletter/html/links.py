"""Make addresses in other people's HTML absolute, or refuse them. Pure."""

from __future__ import annotations

import re
from urllib.parse import urljoin, urlsplit

from newsletter.html.text import drop_control_characters

_CALL = re.compile(r"tel:\+?[\d().-]{3,25}")


def make_absolute(link: str, *, base_url: str, mail: bool = False) -> str | None:
    """Return `link` as an absolute http(s) address, or (if `mail`) a mailto or tel address.

    A tel address is a plain number, no code that a telephone acts upon. Returns None for any other
    scheme, and for an address with a user or password in it.
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
