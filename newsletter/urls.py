"""The address of everything a reader can open. Always under `base_url`, whatever host a request named (T14)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from newsletter.tokens import Purpose, Tokens


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

    def picture(self, slug: str, name: str) -> str:
        """A letter's picture."""
        return f"{self.base_url}/{slug}/archive/media/{name}"

    def confirm(self, handle: str, round_: int, now: datetime) -> str:
        """Confirms the `round_`-th request of a subscription; 7 days."""
        return self._signed("confirm", f"{handle}.{round_}", now)

    def never(self, handle: str, round_: int, now: datetime) -> str:
        """Says of the `round_`-th request of a subscription that its owner did not make it; 14 days, as long as it is
        kept."""
        return self._signed("never", f"{handle}.{round_}", now)

    def stay(self, handle: str, campaign_id: int, now: datetime) -> str:
        """Confirms again, for a campaign that asks to; 200 days."""
        return f"{self.base_url}/stay/{self.tokens.sign('stay', f'{handle}.{campaign_id}', now)}"

    def preferences(self, handle: str, now: datetime, *, own: bool = False) -> str:
        """A reader's preferences; 30 days. With `own`, the link was asked for and mailed to her alone: for a day it
        opens what no forwarded mail may (services/subscribers/preferences.py)."""
        return self._signed("preferences", f"{handle}.own" if own else handle, now)

    def unsubscribe(self, handle: str, now: datetime) -> str:
        """Ends a subscription; for ever."""
        return self._signed("unsubscribe", handle, now)

    def export(self, handle: str, now: datetime) -> str:
        """Everything that is known of a reader; a day."""
        return self._signed("export", handle, now)

    def erase(self, handle: str, now: datetime) -> str:
        """Forgets a reader; a day."""
        return self._signed("erase", handle, now)

    def address(self, handle: str, mark: str, now: datetime) -> str:
        """Confirms a new address, known by its `mark`; a day."""
        return self._signed("address", f"{handle}.{mark}", now)

    def resource(self, name: str) -> str:
        """What stands for a resource until a reader is known, and for everybody: a page that mails readers theirs."""
        return f"{self.base_url}/resources/{name}"

    def resource_of(self, handle: str, name: str, now: datetime) -> str:
        """A resource, for one reader; 30 days."""
        return self._signed("resources", f"{handle}.{name}", now)

    def _signed(self, purpose: Purpose, payload: str, now: datetime) -> str:
        return f"{self.base_url}/{purpose}/{self.tokens.sign(purpose, payload, now)}"


SIGNED = ("confirm", "stay", "preferences", "unsubscribe", "export", "erase", "address", "resources", "never")
"""Where signed links live: no business of logs and search engines."""

RESERVED_SLUGS = frozenset(
    {
        "address", "admin", "archive", "confirm", "embed", "erase", "export", "favicon.ico", "healthz", "hooks", "link",
        "metrics", "never", "preferences", "resources", "robots.txt", "static", "stay", "subscribe", "unsubscribe",
    }
)  # fmt: skip
"""What no list may be called, because pages of that name are there already."""
