"""The bodies about letters and campaigns."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, StrictBool, StringConstraints

from newsletter.setup_vocabulary import CheckVerdict
from newsletter.vocabulary import (
    CampaignKind,
    CampaignStatus,
    DeliveryStatus,
)
from newsletter.web.api.answers import Editable
from newsletter.web.api.models import (
    LINE,
    Address,
    Line,
    ListedPage,
    Markdown,
    Moment,
    Segment,
    Sent,
    Slug,
)


class NewLetter(Sent):
    """A letter: Markdown, with Jinja for personal fields."""

    list: Slug
    subject: Annotated[str, StringConstraints(min_length=1, max_length=300, pattern=LINE)]
    markdown: Markdown
    preheader: Line = ""
    segment: Segment = ""


class LetterChange(Sent):
    """The changes to make to a draft, or of a scheduled letter that has not started."""

    subject: (
        Annotated[str, StringConstraints(min_length=1, max_length=300, pattern=LINE)] | None
    ) = None
    markdown: Markdown | None = None
    preheader: Line | None = None
    segment: Segment | None = None


class ApiLetter(Editable):
    """A letter and its state; `recipients` counts whom it would reach now, or has reached.

    Its `id` is that of the campaign that it is or becomes: `GET /campaigns?kind=letter` lists all.
    """

    counted = frozenset({"recipients"})

    id: int
    list: str
    status: CampaignStatus
    subject: str
    preheader: str
    segment: str
    markdown: str
    recipients: int
    scheduled_at: datetime | None


class ApiPreview(BaseModel):
    """A letter as it would be mailed, without anything personal."""

    subject: str
    text: str
    html: str


class ApiCheck(BaseModel):
    """One check of the preflight; with the verdict `bad` a letter is not sent."""

    model_config = ConfigDict(from_attributes=True)

    id: str
    verdict: CheckVerdict
    what: str
    hint: str


class Checks(BaseModel):
    """The preflight of a letter."""

    data: list[ApiCheck]


class TestRequest(Sent):
    """The address that a test goes to: one address, marked [Test]. A worker mails it."""

    to: Address


class SendRequest(Sent):
    """The way a letter is sent: once, to all of its segment.

    `again` sends a letter that the list was sent already, `to_new` sends that to those who have not
    had it.
    """

    again: StrictBool = False
    to_new: StrictBool = False


class ScheduleRequest(Sent):
    """The moment when a letter is sent."""

    at: Moment


class ApiCampaign(BaseModel):
    """A digest or letter, with the state of its messages."""

    id: int
    list: str
    kind: CampaignKind
    subject: str
    status: CampaignStatus
    reason: str
    segment: str
    created_at: datetime
    scheduled_at: datetime | None
    started_at: datetime | None
    finished_at: datetime | None
    recipients: int
    sent: int
    failed: int
    cancelled: int
    waiting: int
    in_doubt: int


class Campaigns(BaseModel):
    """A page of campaigns."""

    data: list[ApiCampaign]
    next: str | None


class CampaignQuery(ListedPage):
    """A choice of campaigns: of a list, or a kind."""

    kind: CampaignKind | None = None


class ApiQuestion(BaseModel):
    """A question of a letter, and how often each choice was a subscriber's last one."""

    question: str
    choices: dict[str, int]


class ApiCampaignReport(ApiCampaign):
    """A campaign, and what came back; `answers` to its questions, without names."""

    bounced: int
    complained: int
    replied: int
    answers: list[ApiQuestion]


class ApiDelivery(BaseModel):
    """One message of a campaign to one subscriber."""

    id: str
    email: str
    status: DeliveryStatus
    attempts: int
    code: int | None
    text: str
    message_id: str


class Deliveries(BaseModel):
    """A page of deliveries, in the order in which they were queued."""

    data: list[ApiDelivery]
    next: str | None
