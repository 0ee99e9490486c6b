"""Enums of the program: cadences, statuses, kinds of mails, events and evidence.

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
    """As soon as an entry is ready and its grace period is over."""
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
    """Requested and not confirmed: only the confirmation is mailed."""
    ACTIVE = "active"
    UNSUBSCRIBED = "unsubscribed"


class CampaignKind(StrEnum):
    """The content of a campaign."""

    DIGEST = "digest"
    LETTER = "letter"
    PERMISSION = "permission"
    """A letter that asks its recipients to confirm again."""


class CampaignStatus(StrEnum):
    """The state of a campaign."""

    DRAFT = "draft"
    SCHEDULED = "scheduled"
    SENDING = "sending"
    PAUSED = "paused"
    SENT = "sent"
    CANCELLED = "cancelled"


class QueueState(StrEnum):
    """The state of messages that wait in the outbox."""

    DUE = "due"
    LATER = "later"
    LEASED = "leased"
    """A worker has taken them."""
    HELD = "held"
    """At the gate (outbox/held.py)."""
    CAMPAIGN = "campaign"
    """Of campaigns that are being sent, not leased yet."""
    PAUSED = "paused"


class Folded(StrEnum):
    """The part of a finished campaign's deliveries that was folded into its totals."""

    NOTHING = "nothing"
    SENT = "sent"
    """All but those that failed or are in doubt."""
    ALL = "all"


class FeedStatus(StrEnum):
    """The state of a feed."""

    ACTIVE = "active"
    PAUSED = "paused"
    GONE = "gone"
    """Its server answered 410, or it failed for too long."""


class EntryStatus(StrEnum):
    """The state of an entry."""

    NEW = "new"
    """Found and not yet ready: it waits for its time."""
    HELD = "held"
    """Waits for the author's decision."""
    READY = "ready"
    SKIPPED = "skipped"
    SENT = "sent"


class EntryReason(StrEnum):
    """The reason for an entry's status, recorded with its event."""

    NONE = ""
    BACKLOG = "backlog"
    """It was in its feed before the feed was added."""
    MOVED = "moved"
    """Too many new entries at once: the blog may have moved."""
    GAP = "gap"
    """Entries may have been missed between two readings of the feed."""
    SLID_IN = "slid_in"
    """It is older than all known entries, and appeared because others were deleted."""
    PASSWORD = "password"  # noqa: S105 (a reason)
    """Its blog asks for a password; as the reason of `ready`, it no longer does."""
    DATED_AHEAD = "dated_ahead"
    LEFT_OUT = "left_out"
    """It is a kind of video that its feed leaves out."""
    DUPLICATE = "duplicate"
    """Another entry of the list carries the same story; of `ready`: it no longer does."""
    WITHDRAWN = "withdrawn"
    """Its feed does not have it any more."""
    RETURNED = "returned"
    """Its feed has it again."""
    FEED_REMOVED = "feed_removed"
    """It takes the place of an entry whose feed was removed."""


class DeliveryStatus(StrEnum):
    """The state of one message to one subscriber."""

    QUEUED = "queued"
    SENT = "sent"
    """An SMTP server accepted it."""
    FAILED = "failed"
    CANCELLED = "cancelled"
    IN_DOUBT = "in_doubt"
    """A server may have accepted it: a crash or a lost reply."""


class MailKind(StrEnum):
    """A kind of mail, by the folder of its templates; `newsletter/mail/kinds.py` declares each."""

    CONFIRM = "confirm"
    """Asks a new subscriber to confirm."""
    ALREADY = "already"
    """Tells somebody who signed up again that they are subscribed."""
    WELCOME = "welcome"
    GOODBYE = "goodbye"
    LINK = "link"
    """Holds the link to everything of a subscriber, on request."""
    STORY = "story"
    """Holds the link to how a subscriber's subscriptions came about, on request."""
    EXPORT = "export"
    ERASE = "erase"
    RESOURCE = "resource"
    """Holds a fresh link to a file."""
    ADDRESS = "address"
    """Asks the owner of a new address to confirm it."""
    MOVED = "moved"
    """Tells the old address that the mail goes elsewhere."""
    NOTICE = "notice"
    DIGEST = "digest"
    LETTER = "letter"
    PERMISSION = "permission"
    """Asks subscribers to confirm once more."""
    SERIES = "series"
    """A letter of a list's series; it is rendered with the templates of a letter."""
    LOG_IN = "log_in"
    PASSKEY = "passkey"
    BROWSER = "browser"
    REVIEW = "review"
    """Shows a digest to a list's authors before it goes out."""
    WEEKLY = "weekly"
    """Tells a list's authors once a week who joined and left, and what goes out next."""


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


class ConsentKind(StrEnum):
    """The kind of a piece of evidence in the consent record."""

    REQUESTED = "requested"
    """Somebody typed the address into a form."""
    AGREED = "agreed"
    """A consent field of the form was ticked; recorded when the request is confirmed."""
    ASKED = "asked"
    """A confirmation that had been withheld was mailed."""
    CONFIRMED = "confirmed"
    """With a link from a mail to the address."""
    REAFFIRMED = "reaffirmed"
    """Confirmed once more, when a campaign asked for it."""
    LAPSED = "lapsed"
    """Ended because a reconfirmation campaign got no answer."""
    UNSUBSCRIBED = "unsubscribed"
    RESUBSCRIBED = "resubscribed"
    """An unsubscription was undone within a day."""
    CHANGED = "changed"
    """A cadence, a pause, topics or answers."""
    MOVED = "moved"
    """The address was changed."""
    ADDED = "added"
    """Added by the author, who gives a reason."""
    IMPORTED = "imported"
    REASON = "reason"
    """The subscriber chose from a list why they left."""
    RELEASED = "released"
    """The author lifted the suppression of the address."""


class EvidenceSource(StrEnum):
    """The source of a piece of evidence."""

    FORM = "form"
    JSON = "json"
    LINK = "link"
    """A signed link from a mail."""
    ONE_CLICK = "one-click"
    """A mail program's POST (RFC 8058)."""
    PREFERENCES = "preferences"
    MAIL = "mail"
    """A mail to the list's unsubscribe address."""
    AUTHOR = "author"
    IMPORT = "import"
    CONFIRMATION = "confirmation"
    """The program mailed a confirmation that had been withheld."""
    PERMISSION = "permission"
    """A campaign that asked for a new confirmation was settled."""
    RESTORE = "restore"
    """Merged from the database that a restored backup replaced."""

    @property
    def actor(self) -> Actor:
        """The actor of a change with this evidence."""
        match self:
            case (
                EvidenceSource.FORM
                | EvidenceSource.JSON
                | EvidenceSource.LINK
                | EvidenceSource.ONE_CLICK
                | EvidenceSource.PREFERENCES
                | EvidenceSource.MAIL
            ):
                return Actor.SUBSCRIBER
            case EvidenceSource.AUTHOR:
                return Actor.AUTHOR
            case EvidenceSource.IMPORT:
                return Actor.IMPORT
            case EvidenceSource.CONFIRMATION | EvidenceSource.PERMISSION | EvidenceSource.RESTORE:
                return Actor.SYSTEM
            case _:
                assert_never(self)


class EventKind(StrEnum):
    """A transition of a subscription, campaign, entry or delivery. Webhooks use these names."""

    SUBSCRIPTION_REQUESTED = "subscription.requested"
    SUBSCRIPTION_CONFIRMED = "subscription.confirmed"
    SUBSCRIPTION_CHANGED = "subscription.changed"
    """Its cadence, topics, pause, fields or address."""
    SUBSCRIPTION_ENDED = "subscription.ended"
    CAMPAIGN_SCHEDULED = "campaign.scheduled"
    CAMPAIGN_UNSCHEDULED = "campaign.unscheduled"
    """It is a draft again."""
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
    DELIVERY_FAILED = "delivery.failed"
    DELIVERY_BOUNCED = "delivery.bounced"
    DELIVERY_COMPLAINED = "delivery.complained"
    IMPORT_FINISHED = "import.finished"


class MessageStatus(StrEnum):
    """The status of a message to a webhook."""

    QUEUED = "queued"
    SENT = "sent"
    """The receiver answered with a 2xx status."""


class Actor(StrEnum):
    """The actor of a transition."""

    SUBSCRIBER = "subscriber"
    AUTHOR = "author"
    IMPORT = "import"
    BOUNCE = "bounce"
    SYSTEM = "system"
    """The program itself: polling, digests, limits, clean-up."""
