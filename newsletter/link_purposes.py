"""The purposes of signed links, each declared once with scope, lifetime and page."""

from __future__ import annotations

from datetime import timedelta
from enum import Enum, StrEnum


class LinkScope(Enum):
    """The scope of a link: the data that its holder may see and change.

    The handle in a link is always a subscription's, but for `LIST` and `AUTHOR`.
    """

    SUBSCRIPTION = "that subscription, and nothing else of its subscriber"
    SUBSCRIBER = "everything of its subscriber: such a link is only mailed on request"
    LIST = "a list, and nobody's data"
    AUTHOR = "the author's pages, once, in the browser that asked"


class LinkPurpose(StrEnum):
    """The purpose of a signed link.

    A token of one purpose opens no page of another.

    `lifetime` is None where a link works for ever. `path` is the page's first segment. A
    `renewable` link that has expired is mailed anew, in one tap, to the address we know.
    """

    scope: LinkScope
    lifetime: timedelta | None
    path: str
    renewable: bool

    def __new__(
        cls,
        value: str,
        scope: LinkScope,
        lifetime: timedelta | None,
        renewable: bool = False,  # noqa: FBT001, FBT002 (a declaration below is a tuple)
        path: str = "",
    ) -> LinkPurpose:
        """Make a member out of its declaration."""
        member = str.__new__(cls, value)
        member._value_ = value
        member.scope = scope
        member.lifetime = lifetime
        member.path = path or value
        member.renewable = renewable
        return member

    CONFIRM = "confirm", LinkScope.SUBSCRIPTION, timedelta(days=7), True
    """Confirms one request of a subscription."""

    NEVER = "never", LinkScope.SUBSCRIPTION, timedelta(days=14)
    """Reports that one request was not made by the address's owner; as long as an unconfirmed
    request is kept.
    """

    STAY = "stay", LinkScope.SUBSCRIPTION, timedelta(days=200)
    """Confirms a subscription again, for a campaign that asks to."""

    PREFERENCES = "preferences", LinkScope.SUBSCRIPTION, timedelta(days=30), True
    """Changes cadence, topics and pause of a subscription, or ends it.

    Stands in every mail, forwarded ones too.
    """

    WHY = "why", LinkScope.SUBSCRIPTION, timedelta(days=30), True
    """Explains why a mail was sent: the origin of its subscription, and what comes next.

    Stands in every mail, forwarded ones too.
    """

    UNSUBSCRIBE = "unsubscribe", LinkScope.SUBSCRIPTION, None
    """Ends a subscription.

    The only link that still works after a change of address.
    """

    RESOURCE = "resources", LinkScope.SUBSCRIPTION, timedelta(days=30), True
    """Opens a file for a confirmed subscription."""

    ANSWER = "answer", LinkScope.SUBSCRIPTION, timedelta(days=7)
    """Gives one answer to a question of a letter.

    Not renewable: when it is over, the answer is nobody's any more (letters/questions).
    """

    ACCOUNT = "account", LinkScope.SUBSCRIBER, timedelta(days=1), True, "preferences"
    """Changes all subscriptions, the name, the language and the address."""

    STORY = "story", LinkScope.SUBSCRIBER, timedelta(days=1), True, "why"
    """Explains the origin of all subscriptions, and lists the mails sent."""

    EXPORT = "export", LinkScope.SUBSCRIBER, timedelta(days=1), True
    """Downloads all data of a subscriber."""

    ERASE = "erase", LinkScope.SUBSCRIBER, timedelta(days=1), True
    """Deletes all data of a subscriber."""

    ADDRESS = "address", LinkScope.SUBSCRIBER, timedelta(days=1)
    """Confirms a new address; mailed to that address."""

    ADDRESS_UNDO = "address-undo", LinkScope.SUBSCRIBER, timedelta(days=7)
    """Undoes a change of address; mailed to the old address.

    Names the change, and no subscription.
    """

    FORM = "form", LinkScope.LIST, timedelta(days=1)
    """Signs the time at which a sign-up form was shown; opens no page."""

    REVIEW = "review", LinkScope.LIST, None
    """Holds a digest under review, or leaves an entry out of it, until it is sent.

    Names the review and the author whom it was mailed to, and no subscription.
    """

    LOG_IN = "log-in", LinkScope.AUTHOR, timedelta(minutes=15), False, "author/enter"
    """Logs an author in once. Refers to a log-in instead of a subscription."""


PATHS = tuple(sorted({purpose.path for purpose in LinkPurpose if purpose is not LinkPurpose.FORM}))
"""The first path segments of all signed links, to hide them from logs, search engines and records.
"""
