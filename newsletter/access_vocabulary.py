"""The closed sets of access: roles of authors, scopes of programs' tokens; see vocabulary.py."""

from __future__ import annotations

from enum import StrEnum


class TokenScope(StrEnum):
    """The reach of a program's token. Each of the first three includes those before it."""

    READ = "read"
    """Numbers, texts and entries; no addresses."""
    WRITE = "write"
    """Subscribers and drafts."""
    SEND = "send"
    """Whatever mails people."""
    PUBLISH = "publish"
    """All that a blog needs for the entries of its list, and nothing else."""

    def covers(self, needed: TokenScope) -> bool:
        """Tell whether a token of this scope may do what needs `needed`."""
        ladder = (TokenScope.READ, TokenScope.WRITE, TokenScope.SEND)
        if self in ladder and needed in ladder:
            return ladder.index(self) >= ladder.index(needed)
        return self is needed or (self is TokenScope.SEND and needed is TokenScope.PUBLISH)


class AuthorRole(StrEnum):
    """The rights of an author on their pages, from least to most."""

    VIEWER = "viewer"
    """Sees numbers and texts, and no addresses."""
    EDITOR = "editor"
    """Writes, previews, tests; holds and skips entries; looks subscribers up."""
    OWNER = "owner"
    """Sends, imports, exports, erases, changes settings."""

    def includes(self, other: AuthorRole) -> bool:
        """Tell whether this role may do everything that `other` may."""
        order = list(AuthorRole)
        return order.index(self) >= order.index(other)


class ActOutcome(StrEnum):
    """The outcome of an author's act."""

    BEGUN = "begun"
    """Its end was not recorded: the program stopped, or an internal error."""
    DONE = "done"
    REFUSED = "refused"


class NamedRow(StrEnum):
    """Kinds of rows whose ids the API encrypts, in names and page cursors."""

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
    """A worker is to read it, and changes nothing."""
    CHECKED = "checked"
    """It was read; its author looks at what would happen."""
    APPROVED = "approved"
    """A worker is to import it."""
    DONE = "done"
    REFUSED = "refused"
    """It cannot be read, or not without a word on one of its columns."""
    DISCARDED = "discarded"
