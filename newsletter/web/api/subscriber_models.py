"""The bodies about subscribers and their subscriptions."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StrictBool, StringConstraints

from newsletter.vocabulary import (
    Cadence,
    SubscriptionStatus,
)
from newsletter.web.api.answers import Editable
from newsletter.web.api.models import (
    LINE,
    Address,
    Language,
    Line,
    Lines,
    Moment,
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


class Taken(BaseModel):
    """The answer to a token that is limited to lists: what it brought, and nothing else."""

    email: str
    list: str


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
    language: Language = ""
    cadence: Cadence | None = None
    topics: Lines = Field(default_factory=Texts, max_length=40)
    fields: dict[Word, Line | StrictBool] = Field(default_factory=dict, max_length=20)
    tags: Words = Field(default_factory=Texts, max_length=50)
    because: Line = ""


class SubscriberChange(Sent):
    """The changes to make to a subscriber; a new address needs `because`."""

    email: Address | None = None
    name: Annotated[str, StringConstraints(max_length=200, pattern=LINE)] | None = None
    language: Language | None = None
    add_tags: Words = Field(default_factory=Texts, max_length=50)
    remove_tags: Words = Field(default_factory=Texts, max_length=50)
    because: Line = ""


class SubscriptionChange(Sent):
    """The changes to make to a subscription; to give a consent needs `because`.

    No `topics` at all means every one; `paused_until` null ends a pause.
    """

    cadence: Cadence | None = None
    topics: Lines | None = Field(None, max_length=40)
    fields: dict[Word, Line | StrictBool] = Field(default_factory=dict, max_length=20)
    paused_until: Moment | None = None
    because: Line = ""


class ImportQuery(Sent):
    """The way a file of subscribers is read."""

    list: Slug | None = Field(
        None, description="The list of rows that name none; needed where there are several."
    )
    because: Line = Field("", description="How you know that they agreed, kept as evidence.")
    dry_run: bool = Field(default=False, description="Tell what would happen, and change nothing.")


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
