"""The address of everything a reader can open. Always under `base_url`, whatever host a request named (T14)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from newsletter.tokens import Tokens


@dataclass(frozen=True, slots=True)
class Links:
    """Builds absolute URLs; the signed ones name a subscription by its handle."""

    base_url: str
    tokens: Tokens

    def to(self, path: str) -> str:
        """`path` (with its leading slash) on this installation."""
        return self.base_url + path

    def mailing_list(self, slug: str) -> str:
        """A list's own page."""
        return f"{self.base_url}/{slug}/"

    def archive(self, slug: str, campaign: int | None = None) -> str:
        """What was mailed: all of it, or one mailing."""
        return f"{self.base_url}/{slug}/archive/{campaign or ''}"

    def confirm(self, handle: str, round_: int, now: datetime) -> str:
        """Confirms the `round_`-th request of a subscription; 7 days."""
        return f"{self.base_url}/confirm/{self.tokens.sign('confirm', f'{handle}.{round_}', now)}"

    def preferences(self, handle: str, now: datetime) -> str:
        """A reader's preferences; 30 days."""
        return f"{self.base_url}/preferences/{self.tokens.sign('preferences', handle, now)}"

    def unsubscribe(self, handle: str, now: datetime) -> str:
        """Ends a subscription; for ever."""
        return f"{self.base_url}/unsubscribe/{self.tokens.sign('unsubscribe', handle, now)}"


RESERVED_SLUGS = frozenset(
    {
        "admin", "archive", "confirm", "embed", "favicon.ico", "healthz", "hooks", "link", "metrics", "preferences",
        "resources", "robots.txt", "static", "subscribe", "unsubscribe",
    }
)  # fmt: skip
"""What no list may be called, because pages of that name are there already."""
