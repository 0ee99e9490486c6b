"""The kinds of links that subscribers can request by mail."""

from __future__ import annotations

from enum import StrEnum

from newsletter.vocabulary import MailKind


class RequestedLink(StrEnum):
    """The destination of a requested link."""

    ACCOUNT = "link"
    STORY = "story"
    EXPORT = "export"
    ERASE = "erase"
    RESOURCE = "resource"

    @property
    def mail(self) -> MailKind:
        """Return the kind of mail that carries the link."""
        return MailKind(self.value)
