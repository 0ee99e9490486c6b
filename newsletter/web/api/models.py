"""The models of request and response bodies of the API. Times are ISO 8601 with an offset.

Names that begin with `Api` stand without it in the OpenAPI document.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated

from pydantic import (
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
)

from newsletter.authoring.segment import FIELDS, FUNCTIONS
from newsletter.i18n import LANGUAGES
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
Address = Annotated[
    str,
    StringConstraints(min_length=3, max_length=254, pattern=LINE),
    Field(json_schema_extra={"format": "email"}),
]
Slug = Annotated[str, StringConstraints(min_length=1, max_length=60, pattern=r"^[a-z0-9-]+$")]
SEGMENTS = (
    'Who of the list: conditions joined with `and`, `or`, `not`, like `cadence == "weekly" and '
    '"berlin" in tags`; empty: everybody. Known are '
    + "; ".join(f"`{name}` ({what})" for name, what in (FIELDS | FUNCTIONS).items())
    + "."
)
PERSONAL = (
    "CommonMark, with `{{ subscriber.name }}` and the like for personal fields: name, email, "
    "cadence, language, tags, joined, topics, fields.NAME. Mistakes are named by its lines."
)
Markdown = Annotated[
    str,
    StringConstraints(min_length=1, max_length=200_000, pattern=TEXT),
    Field(description=PERSONAL),
]
Segment = Annotated[
    str, StringConstraints(max_length=1000, pattern=LINE), Field(description=SEGMENTS)
]
Language = Annotated[
    str,
    StringConstraints(max_length=60, pattern=LINE),
    Field(description=f"One of {', '.join(sorted(LANGUAGES))}."),
]


def _require_text(value: object) -> object:
    """Refuse a time as a number, which pydantic would read as seconds since 1970."""
    if not isinstance(value, str) or not value.count("-"):
        raise ValueError("write it like 2026-11-29, a moment like 2026-11-29T08:00:00+01:00")
    return value


Moment = Annotated[AwareDatetime, BeforeValidator(_require_text)]
Day = Annotated[date, BeforeValidator(_require_text)]

# Where a model has a field `list`, the builtin of that name is hidden.
Texts = list[str]
Lines = list[Line]
Words = list[Word]

LINKS_AT_MOST = 200
"""The most links of one search for entries."""
EntryLink = Annotated[str, StringConstraints(max_length=2000, pattern=LINE)]
Links = Annotated[list[EntryLink], Field(min_length=1, max_length=LINKS_AT_MOST)]


class Sent(BaseModel):
    """A body that programs send: names that are not described are refused."""

    model_config = ConfigDict(extra="forbid")


class Page(Sent):
    """A page of a listing; pages are newest first."""

    cursor: Annotated[str, StringConstraints(pattern=r"^[a-z2-7]{24}$")] | None = Field(
        None, description="The `next` of the page before."
    )
    limit: Annotated[int, Field(ge=1, le=200)] = 50


class ListedPage(Page):
    """A page of a listing, of one list or of all that the token is for."""

    list: Slug | None = None


SENDER = "Who writes: Ana <ana@example.org>; read back as `from_name` and `from_email`."
HOUR = "The hour of digests, in the list's time zone."
DAY = "The day of weekly digests: mon, tue, wed, thu, fri, sat or sun."
MONTHDAY = "The day of monthly digests; the month's last where it has fewer."
GRACE = "Minutes that instant mails wait for corrections."


class MailingListChange(Sent):
    """Settings of a list to change, as options of `newsletter list edit` name them."""

    title: Annotated[Line, StringConstraints(min_length=1)] | None = None
    description: Line | None = None
    site_url: Line | None = None
    sender: Line | None = Field(None, alias="from", description=SENDER)
    reply_to: Line | None = None
    address: Line | None = Field(None, description="The `postal_address` at the foot of mails.")
    language: Language | None = None
    timezone: Word | None = Field(None, description="A name of the IANA, like Europe/Berlin.")
    cadence: Cadence | None = Field(None, description="What the form proposes.")
    hour: int | None = Field(None, ge=0, le=23, description=HOUR)
    day: Word | None = Field(None, description=DAY)
    monthday: int | None = Field(None, ge=1, le=31, description=MONTHDAY)
    grace: int | None = Field(None, ge=0, le=1440, description=GRACE)


class NewMailingList(MailingListChange):
    """A list to make; `from` says who writes: Ana <ana@example.org>."""

    slug: Slug
    sender: Line = Field(alias="from", description=SENDER)


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
    hour: int = Field(description=HOUR)
    day: str = Field(description=DAY)
    monthday: int = Field(description=MONTHDAY)
    grace: int = Field(description=GRACE)


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
    link: EntryLink | None = None


class EntrySearch(Sent):
    """The posts to look for: a page of a blog's own list of them."""

    list: Slug
    links: Links


class FoundEntries(BaseModel):
    """The entries that were found, newest first."""

    data: list[ApiEntry]


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
    title: Line = Field("", description="What subscribers read; empty: the file's name.")
    name: Annotated[str, StringConstraints(max_length=60, pattern=r"^[a-z0-9-]*$")] = Field(
        "", description="Its name in links; empty: made from the file's name."
    )


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
