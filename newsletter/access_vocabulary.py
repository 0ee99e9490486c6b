"""Enums of access control: roles of authors, scopes of API tokens; see vocabulary.py."""

from __future__ import annotations

from enum import StrEnum


class TokenScope(StrEnum):
    """The scope of an API token. Each of the first three includes those before it."""

    READ = "read"
    """Reads statistics, texts and entries, but no addresses."""
    WRITE = "write"
    """Also changes subscribers and drafts."""
    SEND = "send"
    """Also sends mail to people."""
    PUBLISH = "publish"
    """Only manages the entries of a list, for a blog's software."""

    def covers(self, needed: TokenScope) -> bool:
        """Tell whether this scope includes `needed`."""
        ladder = (TokenScope.READ, TokenScope.WRITE, TokenScope.SEND)
        if self in ladder and needed in ladder:
            return ladder.index(self) >= ladder.index(needed)
        return self is needed or (self is TokenScope.SEND and needed is TokenScope.PUBLISH)


class AuthorRole(StrEnum):
    """The role of an author on their pages, from fewest to most rights."""

    VIEWER = "viewer"
    """Sees numbers and texts, and no addresses."""
    EDITOR = "editor"
    """Writes, previews, tests; holds and skips entries; looks subscribers up."""
    OWNER = "owner"
    """Sends, imports, exports, erases, changes settings."""

    def includes(self, other: AuthorRole) -> bool:
        """Tell whether this role includes the rights of `other`."""
        order = list(AuthorRole)
        return order.index(self) >= order.index(other)


class ActOutcome(StrEnum):
    """The outcome of an author's act."""

    BEGUN = "begun"
    """It was not finished: the program stopped, or there was an internal error."""
    DONE = "done"
    REFUSED = "refused"


class NamedRow(StrEnum):
    """The kinds of rows whose ids the API encrypts, in names and page cursors."""

    SUBSCRIBER = "subscriber"
    SUBSCRIPTION = "subscription"
    EVENT = "event"
    DELIVERY = "delivery"
    CAMPAIGN = "campaign"
    ENTRY = "entry"
    SUPPRESSION = "suppression"


class ImportState(StrEnum):
    """The state of a subscriber file that was uploaded on a page."""

    UPLOADED = "uploaded"
    """It waits to be read by a worker, without an import."""
    CHECKED = "checked"
    """It was read, and waits for its author's approval."""
    APPROVED = "approved"
    """It waits to be imported by a worker."""
    DONE = "done"
    REFUSED = "refused"
    """It cannot be read, or its author must name a column."""
    DISCARDED = "discarded"
