"""Data types for explaining a delivery: the facts about a campaign and an address, the finding."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from newsletter.outbox import DeliveryRow
from newsletter.services.sender_state import State
from newsletter.vocabulary import (
    Cadence,
    CampaignKind,
    CampaignStatus,
    SubscriptionStatus,
    SuppressionReason,
)


class DeliveryFinding(StrEnum):
    """The state of a campaign for one address; `--json` shows it as `case`."""

    SENT = "sent"
    RETURNED = "returned"
    SPAM = "spam"
    FAILED = "failed"
    CANCELLED = "cancelled"
    SUPPRESSED_SINCE = "suppressed_since"
    ENDED_SINCE = "unsubscribed_since"
    LEFT_IN_DOUBT = "left_in_doubt"
    IN_DOUBT = "in_doubt"
    HELD = "held"
    PAUSED = "paused"
    SERVER_DOWN = "server_down"
    CEILING = "ceiling"
    RESTS = "sender_rests"
    REFUSED_FOR_NOW = "refused_for_now"
    WAITS = "waits"
    WAITS_FOR_SUBJECT = "waits_for_subject"
    NOT_STARTED = "not_started"
    ERASED = "erased"
    SUPPRESSED_BEFORE = "suppressed_before"
    UNKNOWN_ADDRESS = "unknown_address"
    REMOVED_SINCE = "removed_since"
    OTHER_LIST = "other_list"
    CONFIRMATION_FAILED = "confirmation_failed"
    CONFIRMATION_HELD = "confirmation_held"
    NEVER_CONFIRMED = "never_confirmed"
    CONFIRMED_AFTER = "confirmed_after"
    ENDED_BEFORE = "unsubscribed_before"
    OTHER_CADENCE = "other_cadence"
    ON_BREAK = "on_break"
    NOT_IN_SEGMENT = "not_in_segment"
    NOTHING_NEW = "nothing_new"
    NOT_CHOSEN = "not_chosen"


_GOT = frozenset({DeliveryFinding.SENT, DeliveryFinding.SPAM})
_OPEN = frozenset(
    {
        DeliveryFinding.LEFT_IN_DOUBT,
        DeliveryFinding.IN_DOUBT,
        DeliveryFinding.HELD,
        DeliveryFinding.PAUSED,
        DeliveryFinding.SERVER_DOWN,
        DeliveryFinding.CEILING,
        DeliveryFinding.RESTS,
        DeliveryFinding.REFUSED_FOR_NOW,
        DeliveryFinding.WAITS,
        DeliveryFinding.WAITS_FOR_SUBJECT,
        DeliveryFinding.NOT_STARTED,
        DeliveryFinding.ERASED,
        DeliveryFinding.REMOVED_SINCE,
    }
)
"""Findings that leave open whether the address received the campaign."""


@dataclass(frozen=True, slots=True)
class CampaignFacts:
    """The facts about a campaign; `removed` counts recipients who were removed since."""

    id: int
    list: str
    kind: CampaignKind
    status: CampaignStatus
    reason: str
    began: datetime | None
    segment: str
    cadence: Cadence | None
    awaits_subject: bool
    removed: int


@dataclass(frozen=True, slots=True)
class SubscriptionFacts:
    """The facts about a subscription.

    `in_segment` and `is_mailable` say whether the campaign would reach it now. `nothing_new` says
    why a digest had nothing for it, if that is so.
    """

    status: SubscriptionStatus
    cadence: Cadence
    confirmed_at: datetime | None
    unsubscribed_at: datetime | None
    paused_until: datetime | None
    in_segment: bool
    is_mailable: bool
    nothing_new: str = ""
    confirmation: DeliveryRow | None = None
    confirmation_returned: bool = False


@dataclass(frozen=True, slots=True)
class SuppressionFacts:
    """The facts about the suppression of an address."""

    reason: SuppressionReason
    since: datetime


@dataclass(frozen=True, slots=True)
class ReturnFacts:
    """The facts about a message that bounced or was reported as spam."""

    is_complaint: bool
    words: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Case:
    """All facts about one campaign and one address."""

    campaign: CampaignFacts
    subscription: SubscriptionFacts | None
    delivery: DeliveryRow | None
    message_id: str
    returned: ReturnFacts | None
    suppression: SuppressionFacts | None
    other_lists: tuple[str, ...]
    hold: str
    states: tuple[State, ...]


@dataclass(frozen=True, slots=True)
class DeliveryJudgement:
    """The finding, in words and with the next step."""

    finding: DeliveryFinding
    verdict: str
    hint: str = ""

    @property
    def has_received(self) -> bool | None:
        """Tell whether the address received the campaign; None while that is open or unknown."""
        return None if self.finding in _OPEN else self.finding in _GOT
