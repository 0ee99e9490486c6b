"""Build the URLs of all pages.

They stand under `base_url`, whatever host a request named (T14).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from newsletter.link_purposes import PATHS, LinkPurpose
from newsletter.tokens import Tokens


@dataclass(frozen=True, slots=True)
class Links:
    """Builds absolute URLs. Signed ones contain the handle of a subscription."""

    base_url: str
    tokens: Tokens

    def to(self, path: str) -> str:
        """Return the URL of `path`, which begins with a slash."""
        return self.base_url + path

    def mailing_list(self, slug: str) -> str:
        """Return the URL of a list's page."""
        return f"{self.base_url}/{slug}/"

    def archive(self, slug: str, campaign: str = "") -> str:
        """Return the URL of a list's archive, or of one campaign in it, by its handle."""
        return f"{self.base_url}/{slug}/archive/{campaign}"

    def picture(self, slug: str, name: str) -> str:
        """Return the URL of a letter's image."""
        return f"{self.base_url}/{slug}/archive/media/{name}"

    def confirm(self, handle: str, round_: int, now: datetime) -> str:
        """Return the link that confirms the `round_`-th request of a subscription."""
        return self._sign_url(LinkPurpose.CONFIRM, f"{handle}.{round_}", now)

    def never(self, handle: str, round_: int, now: datetime) -> str:
        """Return the link that reports the `round_`-th request as not made by the owner."""
        return self._sign_url(LinkPurpose.NEVER, f"{handle}.{round_}", now)

    def stay(self, handle: str, campaign: str, now: datetime) -> str:
        """Return the link that reconfirms a subscription, for a reconfirmation campaign."""
        return self._sign_url(LinkPurpose.STAY, f"{handle}.{campaign}", now)

    def preferences(self, handle: str, now: datetime) -> str:
        """Return the link that changes or ends one subscription."""
        return self._sign_url(LinkPurpose.PREFERENCES, handle, now)

    def account(self, handle: str, now: datetime) -> str:
        """Return the link to a subscriber's whole account; for mails on request."""
        return self._sign_url(LinkPurpose.ACCOUNT, handle, now)

    def why(self, handle: str, now: datetime) -> str:
        """Return the link that explains why mails of one subscription are sent."""
        return self._sign_url(LinkPurpose.WHY, handle, now)

    def story(self, handle: str, now: datetime) -> str:
        """Return the link to the story of all subscriptions; for mails on request."""
        return self._sign_url(LinkPurpose.STORY, handle, now)

    def unsubscribe(self, handle: str, now: datetime) -> str:
        """Return the link that ends one subscription."""
        return self._sign_url(LinkPurpose.UNSUBSCRIBE, handle, now)

    def export(self, handle: str, now: datetime) -> str:
        """Return the link that downloads a subscriber's data."""
        return self._sign_url(LinkPurpose.EXPORT, handle, now)

    def erase(self, handle: str, now: datetime) -> str:
        """Return the link that erases a subscriber."""
        return self._sign_url(LinkPurpose.ERASE, handle, now)

    def address(self, handle: str, mark: str, now: datetime) -> str:
        """Return the link that confirms a new address, identified by its `mark`."""
        return self._sign_url(LinkPurpose.ADDRESS, f"{handle}.{mark}", now)

    def address_undo(self, change: str, now: datetime) -> str:
        """Return the link that undoes a change of address, identified by its handle."""
        return self._sign_url(LinkPurpose.ADDRESS_UNDO, change, now)

    def resource(self, name: str) -> str:
        """Return the URL of a resource's public page, which mails subscribers a signed link."""
        return f"{self.base_url}/resources/{name}"

    def resource_of(self, handle: str, name: str, now: datetime) -> str:
        """Return a signed link to a resource for one subscription; it works for 30 days."""
        return self._sign_url(LinkPurpose.RESOURCE, f"{handle}.{name}", now)

    def answer(self, handle: str, campaign: str, question: int, choice: int, now: datetime) -> str:
        """Return the link that gives an answer to a question of a campaign; it works for 7 days."""
        return self._sign_url(LinkPurpose.ANSWER, f"{handle}.{campaign}.{question}.{choice}", now)

    def answer_example(self) -> str:
        """Return the placeholder URL of answers in previews and tests."""
        return f"{self.base_url}/answer/example"

    def log_in(self, login: str, now: datetime) -> str:
        """Return the link that logs an author in once, by the handle of the log-in."""
        return self._sign_url(LinkPurpose.LOG_IN, login, now)

    def review(self, review: str, act: str, now: datetime) -> str:
        """Return the link to an act on a digest under review: `hold`, or `leave-out/` and an id.

        The review is named by its handle, with the mark of the author whose link it is.
        """
        return f"{self._sign_url(LinkPurpose.REVIEW, review, now)}/{act}"

    def author(self, path: str = "") -> str:
        """Return the URL of one of the author's pages, which asks for a log-in."""
        return f"{self.base_url}/author/{path}"

    def _sign_url(self, purpose: LinkPurpose, payload: str, now: datetime) -> str:
        return f"{self.base_url}/{purpose.path}/{self.tokens.sign(purpose, payload, now)}"


RESERVED_SLUGS = frozenset(
    {
        "admin",
        "api",
        "archive",
        "author",
        "embed",
        "favicon.ico",
        "healthz",
        "hooks",
        "link",
        "metrics",
        "ping",
        "robots.txt",
        "static",
        "subscribe",
        "websub",
        *(purpose.value for purpose in LinkPurpose),
        *PATHS,
    }
)
"""Slugs that no list may have, because pages use them."""
