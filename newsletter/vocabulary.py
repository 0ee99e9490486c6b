"""The closed sets of this program, each declared once.

Database columns, CHECK constraints, labels, help texts and JSON are made from these. A member is a
`str`: it is stored, compared and printed as its value. A `match` over a set ends with
`assert_never`, so that the type checker names every place that must decide about a new member.
"""

from __future__ import annotations

from enum import StrEnum
from typing import assert_never


class Cadence(StrEnum):
    """A choice of how often a subscriber receives a digest."""

    INSTANT = "instant"
    """As soon as an entry is ready and its grace time is over."""
    DAILY = "daily"
    WEEKLY = "weekly"
    MONTHLY = "monthly"

    @property
    def scheduled(self) -> bool:
        """Tell whether digests of this cadence go out at the list's hour rather than at once."""
        match self:
            case Cadence.INSTANT:
                return False
            case Cadence.DAILY | Cadence.WEEKLY | Cadence.MONTHLY:
                return True
            case _:
                assert_never(self)


class SubscriptionStatus(StrEnum):
    """The state of a subscription."""

    PENDING = "pending"
    """Asked for and not confirmed: nothing but the confirmation is mailed."""
    ACTIVE = "active"
    UNSUBSCRIBED = "unsubscribed"


class CampaignKind(StrEnum):
    """The content of a campaign."""

    DIGEST = "digest"
    LETTER = "letter"
    PERMISSION = "permission"
    """A letter that asks its recipients to confirm once more."""


class CampaignStatus(StrEnum):
    """The state of a campaign."""

    DRAFT = "draft"
    SCHEDULED = "scheduled"
    SENDING = "sending"
    PAUSED = "paused"
    SENT = "sent"
    CANCELLED = "cancelled"


class FeedStatus(StrEnum):
    """The state of a feed."""

    ACTIVE = "active"
    PAUSED = "paused"
    GONE = "gone"
    """Its server answered 410, or it stayed away for too long."""


class EntryStatus(StrEnum):
    """The state of an entry."""

    NEW = "new"
    """Found and not yet ready: it waits for its time."""
    HELD = "held"
    """Waits for the author's decision."""
    READY = "ready"
    SKIPPED = "skipped"
    SENT = "sent"


class DeliveryStatus(StrEnum):
    """The state of one message to one subscriber."""

    QUEUED = "queued"
    SENT = "sent"
    """An SMTP server took responsibility for it."""
    FAILED = "failed"
    CANCELLED = "cancelled"
    IN_DOUBT = "in_doubt"
    """A server may or may not have taken it: a crash or a lost reply."""


class SuppressionReason(StrEnum):
    """The reason why an address receives no mail."""

    COMPLAINT = "complaint"
    BOUNCE = "bounce"
    MANUAL = "manual"
    ERASED = "erased"


class FieldKind(StrEnum):
    """The kind of value of a list's own form field."""

    TEXT = "text"
    CHOICE = "choice"
    CHECKBOX = "checkbox"
    CONSENT = "consent"


class EventKind(StrEnum):
    """A transition of a subscription, campaign or entry. Webhooks use these names."""

    SUBSCRIPTION_REQUESTED = "subscription.requested"
    SUBSCRIPTION_CONFIRMED = "subscription.confirmed"
    SUBSCRIPTION_CHANGED = "subscription.changed"
    """Its cadence, topics, pause, fields or address."""
    SUBSCRIPTION_ENDED = "subscription.ended"
    CAMPAIGN_SCHEDULED = "campaign.scheduled"
    CAMPAIGN_STARTED = "campaign.started"
    CAMPAIGN_PAUSED = "campaign.paused"
    CAMPAIGN_RESUMED = "campaign.resumed"
    CAMPAIGN_CANCELLED = "campaign.cancelled"
    CAMPAIGN_FINISHED = "campaign.finished"
    ENTRY_FOUND = "entry.found"
    ENTRY_HELD = "entry.held"
    ENTRY_READY = "entry.ready"
    ENTRY_SKIPPED = "entry.skipped"
    ENTRY_SENT = "entry.sent"
    IMPORT_FINISHED = "import.finished"


class Actor(StrEnum):
    """The cause of a transition."""

    SUBSCRIBER = "subscriber"
    AUTHOR = "author"
    IMPORT = "import"
    BOUNCE = "bounce"
    SYSTEM = "system"
    """The program itself: a feed that was polled, a digest that was due, a ceiling, a clean-up."""
