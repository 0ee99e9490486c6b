"""The bodies about feeds: the sources of a list's entries."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StrictBool, StringConstraints

from newsletter.vocabulary import FeedStatus
from newsletter.web.api.answers import Editable
from newsletter.web.api.models import LINE, Lines, Sent, Slug, Texts

Pattern = Annotated[str, StringConstraints(max_length=200, pattern=LINE)]


class FeedChange(Sent):
    """The filters of a feed, and whether pictures are looked for on the pages of its entries.

    An entry is taken that has one of `only_categories` (none: any), none of `not_categories`, and a
    title in which the pattern `not_title` (RE2) is not found.
    """

    only_categories: Lines | None = Field(None, max_length=50)
    not_categories: Lines | None = Field(None, max_length=50)
    not_title: Pattern | None = None
    page_pictures: StrictBool | None = None


class NewFeed(FeedChange):
    """A feed to add: its address, or that of a page or channel that names one.

    The newest `backlog` of its entries will be mailed, and whatever comes later.
    """

    list: Slug
    url: Annotated[str, StringConstraints(min_length=1, max_length=2000, pattern=LINE)]
    backlog: Annotated[int, Field(ge=0, le=100)] = 0


class FeedQuery(Sent):
    """The list to see the feeds of."""

    list: Slug | None = None


class ApiFeed(Editable):
    """A feed of a list; times are null where it has not happened yet."""

    model_config = ConfigDict(from_attributes=True)
    counted = frozenset({"title", "read_at", "next_poll_at", "failures", "error"})

    id: int
    list: str
    url: str
    title: str
    status: FeedStatus
    read_at: datetime | None
    next_poll_at: datetime
    failures: int
    error: str
    leaves_out: Texts
    only_categories: Texts
    not_categories: Texts
    not_title: str
    page_pictures: bool


class ListedFeeds(BaseModel):
    """Every feed of the lists that the token is for."""

    data: list[ApiFeed]
