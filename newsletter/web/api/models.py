"""The bodies that programs send and get. Times are ISO 8601 with an offset.

Names that begin with `Api` stand without it in the OpenAPI document.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from newsletter.vocabulary import (
    Actor,
    Cadence,
    EntryStatus,
    EventKind,
    SuppressionReason,
)
from newsletter.web.api.answers import Editable

LINE = r"^[^\x00-\x1f\x7f]*$"
TEXT = r"^[^\x00]*$"
Word = Annotated[str, StringConstraints(max_length=60, pattern=LINE)]
Line = Annotated[str, StringConstraints(max_length=500, pattern=LINE)]
Address = Annotated[str, StringConstraints(min_length=3, max_length=254, pattern=LINE)]
Slug = Annotated[str, StringConstraints(min_length=1, max_length=60, pattern=r"^[a-z0-9-]+$")]
Markdown = Annotated[str, StringConstraints(min_length=1, max_length=200_000, pattern=TEXT)]
Segment = Annotated[str, StringConstraints(max_length=1000, pattern=LINE)]

# Where a model has a field `list`, the builtin of that name is hidden.
Texts = list[str]
Lines = list[Line]
Words = list[Word]


class Sent(BaseModel):
    """A body that programs send: names that are not described are refused."""

    model_config = ConfigDict(extra="forbid")


class Page(Sent):
    """A page of a listing; pages are newest first."""

    cursor: Annotated[str, StringConstraints(max_length=40, pattern=LINE)] | None = None
    limit: Annotated[int, Field(ge=1, le=200)] = 50


class ListedPage(Page):
    """A page of a listing, of one list or of all that the token is for."""

    list: Slug | None = None


class MailingListChange(Sent):
    """Settings of a list to change, as options of `newsletter list edit` name them."""

    title: Line | None = None
    description: Line | None = None
    site_url: Line | None = None
    sender: Line | None = Field(None, alias="from")
    reply_to: Line | None = None
    address: Line | None = None
    language: Word | None = None
    timezone: Word | None = None
    cadence: Cadence | None = None
    hour: Annotated[int, Field(ge=0, le=23)] | None = None
    day: Word | None = None
    monthday: Annotated[int, Field(ge=1, le=31)] | None = None
    grace: Annotated[int, Field(ge=0, le=1440)] | None = None


class NewMailingList(MailingListChange):
    """A list to make; `from` says who writes: Ana <ana@example.org>."""

    slug: Slug
    sender: Line = Field(alias="from")


class ApiMailingList(Editable):
    """A mailing list and its settings."""

    model_config = ConfigDict(from_attributes=True)

    slug: str
    title: str
    description: str
    site_url: str
    from_name: str
    from_email: str
    reply_to: str
    postal_address: str
    language: str
    timezone: str
    cadences: list[Cadence]
    cadence: Cadence
    hour: int
    day: str
    monthday: int
    grace: int


class MailingLists(BaseModel):
    """Every list that the token is for."""

    data: list[ApiMailingList]


class ApiEntry(BaseModel):
    """A post or video of a feed, and what becomes of it.

    `at_once`: it is being mailed now, and does not wait for the next digest.
    """

    model_config = ConfigDict(from_attributes=True)

    id: int
    list: str
    feed: str
    title: str
    link: str
    published: datetime | None
    fate: EntryStatus
    why: str
    at_once: bool


class Entries(BaseModel):
    """A page of entries."""

    data: list[ApiEntry]
    next: str | None


class EntryQuery(ListedPage):
    """A choice of entries: of a list, a fate, or with this link."""

    fate: EntryStatus | None = None
    link: Annotated[str, StringConstraints(max_length=2000, pattern=LINE)] | None = None


class ApiSuppression(BaseModel):
    """An address that is never mailed; `email` is empty where it was erased."""

    model_config = ConfigDict(from_attributes=True)

    id: int
    email: str
    reason: SuppressionReason
    note: str
    created_at: datetime


class Suppressions(BaseModel):
    """A page of suppressions."""

    data: list[ApiSuppression]
    next: str | None


class NewSuppression(Sent):
    """An address that is never to be mailed."""

    email: Address
    note: Line = ""


class SuppressionRelease(Sent):
    """An address that may be mailed again, and how you know; that is kept as evidence."""

    email: Address
    because: Annotated[str, StringConstraints(min_length=1, max_length=500, pattern=LINE)]


class Release(BaseModel):
    """The end of a suppression; `confirmations` counts subscriptions that wait to be confirmed."""

    confirmations: int


class ResourceQuery(Sent):
    """The name of a file with its ending, and how it is called."""

    filename: Annotated[
        str, StringConstraints(min_length=3, max_length=200, pattern=r"^[^/\\\x00-\x1f\x7f]+$")
    ]
    title: Line = ""
    name: Annotated[str, StringConstraints(max_length=60, pattern=r"^[a-z0-9-]*$")] = ""


class ApiResource(BaseModel):
    """A file that only confirmed subscribers can fetch."""

    model_config = ConfigDict(from_attributes=True)

    name: str
    title: str
    filename: str
    content_type: str
    size: int
    created_at: datetime


class Resources(BaseModel):
    """Every file."""

    data: list[ApiResource]


class ApiEvent(BaseModel):
    """A transition of a subscription, campaign, entry or delivery."""

    id: str
    at: datetime
    type: EventKind
    actor: Actor
    reason: str
    list: str
    subscriber: str | None
    campaign: int | None
    entry: int | None


class Events(BaseModel):
    """A page of events."""

    data: list[ApiEvent]
    next: str | None


class EventQuery(ListedPage):
    """A choice of events: of a list, or a type."""

    type: EventKind | None = None
