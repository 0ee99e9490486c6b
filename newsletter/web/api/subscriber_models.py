"""The bodies about subscribers and their subscriptions."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

from newsletter.vocabulary import (
    Cadence,
    SubscriptionStatus,
)
from newsletter.web.api.answers import Editable
from newsletter.web.api.models import (
    LINE,
    Address,
    Line,
    Lines,
    Page,
    Segment,
    Sent,
    Slug,
    Texts,
    Word,
    Words,
)


class ApiSubscription(Editable):
    """A subscription of a subscriber to a list; `ended_at`: when it was last ended."""

    id: str
    subscriber: str
    email: str
    list: str
    status: SubscriptionStatus
    cadence: Cadence
    paused_until: datetime | None
    topics: Texts
    fields: dict[str, Any]
    created_at: datetime
    confirmed_at: datetime | None
    ended_at: datetime | None


class ApiSubscriber(Editable):
    """A subscriber with the subscriptions that the token is for."""

    id: str
    email: str
    name: str
    language: str
    created_at: datetime
    tags: Texts
    subscriptions: list[ApiSubscription]


class Subscriptions(BaseModel):
    """A page of the subscriptions of a list."""

    data: list[ApiSubscription]
    next: str | None


class SubscriptionQuery(Page):
    """A choice of subscriptions: of one list, and of a status or a cadence."""

    list: Slug
    status: SubscriptionStatus | None = None
    cadence: Cadence | None = None


class Subscribers(BaseModel):
    """A page of subscribers."""

    data: list[ApiSubscriber]
    next: str | None


class SubscriberQuery(Page):
    """A choice of subscribers: of a list, a status, a cadence, a tag, or a segment of a list."""

    list: Slug | None = None
    status: SubscriptionStatus | None = None
    cadence: Cadence | None = None
    tag: Word | None = None
    segment: Segment | None = None


class SubscriberSearch(Sent):
    """The address to look for: in the body, because addresses of pages stand in logs."""

    email: Address


class NewSubscriber(Sent):
    """A subscriber to add.

    With `because` (how you know that they agreed, kept as evidence) they are active at once;
    without it they are asked to confirm by mail, as everybody.
    """

    email: Address
    list: Slug
    name: Annotated[str, StringConstraints(max_length=200, pattern=LINE)] = ""
    language: Word = ""
    cadence: Cadence | None = None
    topics: Lines = Field(default_factory=Texts, max_length=40)
    fields: dict[Word, Line | bool] = Field(default_factory=dict, max_length=20)
    tags: Words = Field(default_factory=Texts, max_length=50)
    because: Line = ""


class SubscriberChange(Sent):
    """The changes to make to a subscriber; a new address needs `because`."""

    email: Address | None = None
    name: Annotated[str, StringConstraints(max_length=200, pattern=LINE)] | None = None
    language: Word | None = None
    add_tags: Words = Field(default_factory=Texts, max_length=50)
    remove_tags: Words = Field(default_factory=Texts, max_length=50)
    because: Line = ""


class SubscriptionChange(Sent):
    """The changes to make to a subscription; to give a consent needs `because`.

    No `topics` at all means every one; `paused_until` null ends a pause.
    """

    cadence: Cadence | None = None
    topics: Lines | None = Field(None, max_length=40)
    fields: dict[Word, Line | bool] = Field(default_factory=dict, max_length=20)
    paused_until: AwareDatetime | None = None
    because: Line = ""


class ImportQuery(Sent):
    """The way a file of subscribers is read."""

    list: Slug | None = None
    because: Line = ""
    dry_run: bool = False


class ImportReport(BaseModel):
    """The result of an import: rows = new + updated + duplicate + rejected."""

    model_config = ConfigDict(from_attributes=True)

    rows: int
    new: int
    updated: int
    duplicate: int
    rejected: int
    active: int
    pending: int
    unsubscribed: int
    suppressed: int
    problems: Texts
