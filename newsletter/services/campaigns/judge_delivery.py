"""Decide why a campaign reached a subscriber, or did not. Pure.

A campaign's recipients are fixed at the moment it starts. Somebody who has no message is judged by
their state at that moment, and somebody who has one by what has become of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from newsletter.outbox import DeliveryRow
from newsletter.services.audience.mailable import is_paused, is_receiving
from newsletter.services.sender_state import State
from newsletter.vocabulary import (
    Cadence,
    CampaignKind,
    CampaignStatus,
    DeliveryStatus,
    SubscriptionStatus,
    SuppressionReason,
)


class Finding(StrEnum):
    """What stands between a campaign and one address; `--json` shows it as `case`."""

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


_GOT = frozenset({Finding.SENT, Finding.SPAM})
_OPEN = frozenset(
    {
        Finding.LEFT_IN_DOUBT,
        Finding.IN_DOUBT,
        Finding.HELD,
        Finding.PAUSED,
        Finding.SERVER_DOWN,
        Finding.CEILING,
        Finding.RESTS,
        Finding.REFUSED_FOR_NOW,
        Finding.WAITS,
        Finding.WAITS_FOR_SUBJECT,
        Finding.NOT_STARTED,
        Finding.ERASED,
        Finding.REMOVED_SINCE,
    }
)
"""Findings after which nobody knows (yet) whether the address has got the campaign."""


@dataclass(frozen=True, slots=True)
class CampaignFacts:
    """A campaign as its judge sees it; `removed` counts recipients who were removed since."""

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
    """A subscription as its judge sees it.

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
    """That an address is suppressed, since when and why."""

    reason: SuppressionReason
    since: datetime


@dataclass(frozen=True, slots=True)
class ReturnFacts:
    """That a message came back, or was called spam."""

    is_complaint: bool
    words: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Case:
    """All that is known of one campaign and one address."""

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
class Judgement:
    """The finding, in words and with the next step."""

    finding: Finding
    verdict: str
    hint: str = ""

    @property
    def got(self) -> bool | None:
        """Tell whether the address got the campaign; None while that is open or not known."""
        return None if self.finding in _OPEN else self.finding in _GOT


def judge(case: Case) -> Judgement:
    """Decide why the campaign of `case` reached its address, or did not."""
    if case.delivery is not None:
        return _judge_message(case, case.delivery)
    return _judge_absence(case)


def judge_wait(
    status: CampaignStatus, reason: str, hold: str, states: tuple[State, ...]
) -> Judgement | None:
    """Say what keeps all waiting messages of a campaign back; None if only their turn does.

    Reports of a whole campaign and of one subscriber share this.
    """
    if hold:
        words = f"it is held back: no mail leaves ({hold})"
        return Judgement(Finding.HELD, words, "newsletter db release")
    if status == CampaignStatus.PAUSED:
        words = f"it waits: the campaign is paused ({reason})"
        return Judgement(Finding.PAUSED, words, "newsletter campaign resume")
    state = next((state for state in states if state.stops), None)
    if state is None:
        return None
    finding = {"server": Finding.SERVER_DOWN, "ceiling": Finding.CEILING}.get(
        state.cause, Finding.RESTS
    )
    return Judgement(finding, f"it waits: {state.sentence}", "newsletter status")


def _judge_message(case: Case, row: DeliveryRow) -> Judgement:
    words = f" The server said: {_quote(row)}" if row.text else ""
    if row.status == DeliveryStatus.SENT:
        return _judge_sent(case, words)
    if row.status == DeliveryStatus.FAILED:
        tries = f" after {row.attempts} tries" if row.attempts > 1 else ""
        verdict = f"the message was refused for good{tries}.{words}"
        return Judgement(Finding.FAILED, verdict, "newsletter campaign retry")
    if row.status == DeliveryStatus.CANCELLED:
        return _judge_withdrawn(case, row)
    if row.status == DeliveryStatus.IN_DOUBT and row.due_at is None:
        verdict = (
            f"nobody knows: the server's reply was lost {row.doubts} times, and it may have taken "
            "the message each time; it is not sent again by itself"
        )
        return Judgement(Finding.LEFT_IN_DOUBT, verdict, "newsletter campaign retry")
    return _judge_waiting(case, row, words)


def _judge_withdrawn(case: Case, row: DeliveryRow) -> Judgement:
    if case.suppression is not None:
        reason = case.suppression.reason
        verdict = f"the address was suppressed since ({reason}); the message was withdrawn"
        return Judgement(Finding.SUPPRESSED_SINCE, verdict, "newsletter suppression ls")
    verdict = f"the message was withdrawn before it left: {row.text or 'cancelled'}"
    return Judgement(Finding.CANCELLED, verdict)


def _judge_sent(case: Case, words: str) -> Judgement:
    if case.returned is None:
        hint = f"look in the spam folder; the Message-ID is <{case.message_id}>"
        return Judgement(Finding.SENT, f"their mail server took the message.{words}", hint)
    said = f" It said: {case.returned.words}" if case.returned.words else ""
    if case.returned.is_complaint:
        verdict = f"the message was delivered and reported as spam.{said}"
        return Judgement(Finding.SPAM, verdict, "newsletter suppression ls")
    verdict = f"the message came back on {case.returned.at:%Y-%m-%d}.{said}"
    return Judgement(Finding.RETURNED, verdict, "newsletter bounce ls")


def _judge_waiting(case: Case, row: DeliveryRow, words: str) -> Judgement:
    """Judge a message that may still be offered to a server."""
    if case.suppression is not None:
        reason = case.suppression.reason
        verdict = f"the address was suppressed since ({reason}); the message will be withdrawn"
        return Judgement(Finding.SUPPRESSED_SINCE, verdict, "newsletter suppression ls")
    if case.subscription and not is_receiving(case.subscription.status, suppressed=False):
        verdict = f"the subscription is {case.subscription.status} since; it will be withdrawn"
        return Judgement(Finding.ENDED_SINCE, verdict)
    campaign = case.campaign
    if row.status == DeliveryStatus.IN_DOUBT:
        verdict = (
            "nobody knows: the server may have taken the message before the connection or the "
            "worker ended; it is sent once more as the same mail"
        )
        return Judgement(Finding.IN_DOUBT, verdict)
    if wait := judge_wait(campaign.status, campaign.reason, case.hold, case.states):
        return wait
    if row.attempts:
        times = f"{row.attempts} times" if row.attempts > 1 else "once"
        due = f" at {row.due_at:%Y-%m-%d %H:%M} UTC" if row.due_at else ""
        verdict = f"the message was refused for now {times} and is tried again{due}.{words}"
        return Judgement(Finding.REFUSED_FOR_NOW, verdict)
    hint = "`newsletter status` says whether a worker runs"
    return Judgement(Finding.WAITS, "the message waits for its turn: a worker sends it", hint)


def _judge_absence(case: Case) -> Judgement:
    """Judge an address that the campaign has no message for."""
    campaign = case.campaign
    if campaign.began is None:
        is_cancelled = campaign.status == CampaignStatus.CANCELLED
        finding = Finding.CANCELLED if is_cancelled else Finding.NOT_STARTED
        return Judgement(finding, f"the campaign is {campaign.status}: nobody got it")
    if case.suppression and case.suppression.reason == SuppressionReason.ERASED:
        verdict = f"the address was erased on {case.suppression.since:%Y-%m-%d}; nothing is known"
        return Judgement(Finding.ERASED, verdict)
    if case.suppression and case.suppression.since <= campaign.began:
        since, reason = case.suppression.since, case.suppression.reason
        verdict = f"the address is suppressed since {since:%Y-%m-%d} ({reason})"
        return Judgement(Finding.SUPPRESSED_BEFORE, verdict, "newsletter suppression remove")
    if case.subscription is None:
        return _judge_stranger(case)
    return _judge_subscription(case, case.subscription, campaign.began)


def _judge_stranger(case: Case) -> Judgement:
    campaign = case.campaign
    if case.other_lists:
        lists = ", ".join(case.other_lists)
        verdict = f"the address subscribes to {lists}, not to {campaign.list}"
        return Judgement(Finding.OTHER_LIST, verdict)
    if campaign.removed:
        verdict = (
            f"the address is not known now. {campaign.removed} recipients of this campaign were "
            "removed since; which addresses they had is not kept"
        )
        return Judgement(Finding.REMOVED_SINCE, verdict)
    verdict = f"the address is not known: it does not subscribe to {campaign.list}"
    return Judgement(Finding.UNKNOWN_ADDRESS, verdict, "is it spelled like this?")


def _judge_subscription(case: Case, subscription: SubscriptionFacts, began: datetime) -> Judgement:
    """Judge a subscription by its state at the moment the campaign began."""
    campaign = case.campaign
    if subscription.status == SubscriptionStatus.PENDING:
        return _judge_pending(subscription)
    if subscription.status == SubscriptionStatus.UNSUBSCRIBED and not subscription.confirmed_at:
        # Imported as unsubscribed: it was never active here.
        return Judgement(Finding.ENDED_BEFORE, "they had unsubscribed before it started")
    if subscription.confirmed_at is None or subscription.confirmed_at > began:
        verdict = "the subscription was confirmed after the campaign had started"
        return Judgement(Finding.CONFIRMED_AFTER, verdict, "the archive has it")
    if subscription.unsubscribed_at is not None and subscription.unsubscribed_at <= began:
        verdict = f"they had unsubscribed on {subscription.unsubscribed_at:%Y-%m-%d}"
        return Judgement(Finding.ENDED_BEFORE, verdict)
    if campaign.cadence is not None and campaign.cadence != subscription.cadence:
        verdict = f"it is the {campaign.cadence} digest, and they chose {subscription.cadence}"
        return Judgement(Finding.OTHER_CADENCE, verdict)
    if is_paused(subscription.paused_until, began):
        until = f"{subscription.paused_until:%Y-%m-%d}"
        verdict = f"they were on a break until {until}; digests make up for it afterwards"
        return Judgement(Finding.ON_BREAK, verdict)
    if campaign.awaits_subject and subscription.is_mailable and subscription.in_segment:
        verdict = "they get the better of two subjects, which has not been picked yet"
        hint = f"newsletter campaign pick {campaign.id} a"
        return Judgement(Finding.WAITS_FOR_SUBJECT, verdict, hint)
    if campaign.segment:
        now = "; they are in it now" if subscription.in_segment else ""
        verdict = f"they were not in the segment {campaign.segment} when it started{now}"
        return Judgement(Finding.NOT_IN_SEGMENT, verdict)
    if subscription.nothing_new:
        return Judgement(Finding.NOTHING_NEW, subscription.nothing_new)
    verdict = "they were not among its recipients when it started (such as during a break)"
    return Judgement(Finding.NOT_CHOSEN, verdict)


def _judge_pending(subscription: SubscriptionFacts) -> Judgement:
    row = subscription.confirmation
    again = "they can sign up again, and get a new confirmation"
    if row is not None and (
        row.status == DeliveryStatus.FAILED or subscription.confirmation_returned
    ):
        words = f": {_quote(row)}" if row.text else ""
        verdict = f"they could not confirm: the confirmation was refused or came back{words}"
        return Judgement(Finding.CONFIRMATION_FAILED, verdict, again)
    if row is not None and row.status == DeliveryStatus.QUEUED and row.due_at is None:
        verdict = "they have not confirmed: the confirmation is held back by the flood gate"
        return Judgement(Finding.CONFIRMATION_HELD, verdict, "newsletter list held")
    verdict = "they have never confirmed the subscription"
    return Judgement(Finding.NEVER_CONFIRMED, verdict, again)


def _quote(row: DeliveryRow) -> str:
    """Return the reply that a message got, with its code."""
    return f"{row.code or ''} {row.text}".strip()
