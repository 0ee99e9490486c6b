"""The links that a subscriber can have mailed on request."""

from __future__ import annotations

from enum import StrEnum

from newsletter.vocabulary import MailKind


class RequestedLink(StrEnum):
    """The destination of the link in a mail on request."""

    ACCOUNT = "link"
    STORY = "story"
    EXPORT = "export"
    ERASE = "erase"
    RESOURCE = "resource"

    @property
    def mail(self) -> MailKind:
        """Return the kind of mail that carries the link."""
        return MailKind(self.value)
