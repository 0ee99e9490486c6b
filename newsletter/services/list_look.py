"""Describe the look of a list's public pages: site, logo, colour and font."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit


@dataclass(frozen=True, slots=True)
class ListLook:
    """The settings of a list's look; empty where not set."""

    slug: str
    site_url: str
    logo_url: str
    color: str
    font: str

    @property
    def site(self) -> str:
        """The host of the author's site."""
        return (urlsplit(self.site_url).hostname or "").removeprefix("www.")

    @property
    def themed(self) -> bool:
        """Tell whether the list has a colour or a font of its own."""
        return bool(self.color or self.font)


def describe_look(mailing_list: Any) -> ListLook:
    """Return the look of a list, given as an object or as a row with its columns."""
    return ListLook(
        slug=mailing_list.slug,
        site_url=_accept_web_url(mailing_list.site_url),
        logo_url=_accept_web_url(mailing_list.logo_url),
        color=mailing_list.theme_color,
        font=mailing_list.theme_font,
    )


def _accept_web_url(url: str) -> str:
    return url if url.startswith(("https://", "http://")) else ""
