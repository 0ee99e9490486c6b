"""Data types of the page that explains why a subscriber gets mail."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from newsletter.services.list_look import ListLook
from newsletter.vocabulary import (
    Cadence,
    ConsentKind,
    DeliveryStatus,
    EvidenceSource,
    MailKind,
    SubscriptionStatus,
)


class Beginning(StrEnum):
    """The way in which a subscription came about."""

    FORM = "form"
    """Somebody typed the address into a form."""
    ADDED = "added"
    """The author added it."""
    IMPORTED = "imported"
    """The author imported it from another program."""
    JOINED = "joined"
    """The subscriber chose it on their page of preferences."""
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Upcoming:
    """The next mail to an active subscription.

    `due_at` is the next digest's moment, None for instant mails; `overdue`: it is being made now.
    `held`: it goes once the list's author releases it, and no day is known.
    `waiting` posts wait for it. Where the list's digests need more than there are, `needed` is how
    many, and the digest goes at `latest_at` at the latest. `letter_at` is the moment of the next
    letter of the list's series, or None.
    """

    due_at: datetime | None
    overdue: bool
    held: bool
    waiting: int
    needed: int
    latest_at: datetime | None
    letter_at: datetime | None


@dataclass(frozen=True, slots=True)
class StoryEvent:
    """A piece of evidence: event, time, page and wording."""

    at: datetime
    kind: ConsentKind
    source: EvidenceSource
    page: str
    words: str


@dataclass(frozen=True, slots=True)
class StoryMail:
    """A mail with its status and time; `subject` is "" except for campaigns."""

    at: datetime | None
    mail: MailKind
    subject: str
    status: DeliveryStatus


@dataclass(frozen=True, slots=True)
class ListStory:
    """The story of one subscription; times are in its list's time zone.

    `since` is when it was confirmed, `page` the form's without its query, each empty where it is
    not known. `upcoming` is None unless the subscription is active and not paused. `events` and
    `mails` (newest first) are for its subscriber alone; `cut` tells that there are more of them.
    """

    slug: str
    title: str
    language: str
    timezone: str
    status: SubscriptionStatus
    beginning: Beginning
    page: str
    since: datetime | None
    ended_at: datetime | None
    cadence: Cadence
    paused_until: datetime | None
    upcoming: Upcoming | None
    preferences_url: str = ""
    unsubscribe_url: str = ""
    events: tuple[StoryEvent, ...] = ()
    mails: tuple[StoryMail, ...] = ()
    cut: bool = False


@dataclass(frozen=True, slots=True)
class Story:
    """The stories of all subscriptions on the page.

    `private` tells that the link was mailed to the subscriber on request. Otherwise it may lie in a
    forwarded mail: then `lists` holds that mail's alone, and `name` is empty.
    """

    masked: str
    name: str
    language: str
    list_language: str
    look: ListLook
    private: bool
    lists: tuple[ListStory, ...]
