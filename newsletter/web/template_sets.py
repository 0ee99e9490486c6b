"""Pass the enums of closed sets to page templates.

A template writes `feed.status == FeedStatus.ACTIVE`, as the code does. Members are text, so
templates that authors have changed may still compare with "active".
"""

from __future__ import annotations

from enum import StrEnum

from flask import Flask

from newsletter.access_vocabulary import ImportState
from newsletter.digest_vocabulary import OutlookState
from newsletter.services.subscribers.address_change import ChangeState
from newsletter.services.subscribers.story_view import Beginning
from newsletter.setup_vocabulary import CheckVerdict, EmbedKind
from newsletter.vocabulary import (
    Cadence,
    CampaignKind,
    CampaignStatus,
    EntryStatus,
    FeedStatus,
    FieldKind,
    SubscriptionStatus,
)

SETS: tuple[type[StrEnum], ...] = (
    Beginning,
    Cadence,
    CampaignKind,
    CampaignStatus,
    ChangeState,
    CheckVerdict,
    EmbedKind,
    EntryStatus,
    FeedStatus,
    FieldKind,
    ImportState,
    OutlookState,
    SubscriptionStatus,
)


def install(app: Flask) -> None:
    """Register each enum with the templates of an application, by name."""
    app.jinja_env.globals.update({members.__name__: members for members in SETS})
