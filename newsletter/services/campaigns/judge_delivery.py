"""Decide why a campaign reached a subscriber, or did not. Pure.

A campaign's recipients are fixed at the moment it starts. Somebody who has no message is judged by
their state at that moment, and somebody who has one by what has become of it.
"""

from __future__ import annotations

from datetime import datetime

from newsletter.outbox import DeliveryRow
from newsletter.services.audience.mailable import is_paused, is_receiving
from newsletter.services.campaigns.delivery_case import (
    Case,
    DeliveryFinding,
    DeliveryJudgement,
    SubscriptionFacts,
)
from newsletter.services.sender_state import State
from newsletter.vocabulary import (
    CampaignStatus,
    DeliveryStatus,
    SubscriptionStatus,
    SuppressionReason,
)


def judge(case: Case) -> DeliveryJudgement:
    """Decide why the campaign of `case` reached its address, or did not."""
    if case.delivery is not None:
        return _judge_message(case, case.delivery)
    return _judge_absence(case)


def judge_wait(
    status: CampaignStatus, reason: str, hold: str, states: tuple[State, ...]
) -> DeliveryJudgement | None:
    """Say what keeps all waiting messages of a campaign back; None if only their turn does.

    Reports of a whole campaign and of one subscriber share this.
    """
    if hold:
        words = f"it is held back: no mail leaves ({hold})"
        return DeliveryJudgement(DeliveryFinding.HELD, words, "newsletter db release")
    if status == CampaignStatus.PAUSED:
        words = f"it waits: the campaign is paused ({reason})"
        return DeliveryJudgement(DeliveryFinding.PAUSED, words, "newsletter campaign resume")
    state = next((state for state in states if state.stops), None)
    if state is None:
        return None
    finding = {"server": DeliveryFinding.SERVER_DOWN, "ceiling": DeliveryFinding.CEILING}.get(
        state.cause, DeliveryFinding.RESTS
    )
    return DeliveryJudgement(finding, f"it waits: {state.sentence}", "newsletter status")


def _judge_message(case: Case, row: DeliveryRow) -> DeliveryJudgement:
    words = f" The server said: {_quote(row)}" if row.text else ""
    if row.status == DeliveryStatus.SENT:
        return _judge_sent(case, words)
    if row.status == DeliveryStatus.FAILED:
        tries = f" after {row.attempts} tries" if row.attempts > 1 else ""
        verdict = f"the message was refused for good{tries}.{words}"
        return DeliveryJudgement(DeliveryFinding.FAILED, verdict, "newsletter campaign retry")
    if row.status == DeliveryStatus.CANCELLED:
        return _judge_withdrawn(case, row)
    if row.status == DeliveryStatus.IN_DOUBT and row.due_at is None:
        verdict = (
            f"nobody knows: the server's reply was lost {row.doubts} times, and it may have taken "
            "the message each time; it is not sent again by itself"
        )
        return DeliveryJudgement(
            DeliveryFinding.LEFT_IN_DOUBT, verdict, "newsletter campaign retry"
        )
    return _judge_waiting(case, row, words)


def _judge_withdrawn(case: Case, row: DeliveryRow) -> DeliveryJudgement:
    if case.suppression is not None:
        reason = case.suppression.reason
        verdict = f"the address was suppressed since ({reason}); the message was withdrawn"
        return DeliveryJudgement(
            DeliveryFinding.SUPPRESSED_SINCE, verdict, "newsletter suppression ls"
        )
    verdict = f"the message was withdrawn before it left: {row.text or 'cancelled'}"
    return DeliveryJudgement(DeliveryFinding.CANCELLED, verdict)


def _judge_sent(case: Case, words: str) -> DeliveryJudgement:
    if case.returned is None:
        hint = f"look in the spam folder; the Message-ID is <{case.message_id}>"
        if not case.message_id:  # its delivery is folded
            hint = "look in the spam folder"
        return DeliveryJudgement(
            DeliveryFinding.SENT, f"their mail server took the message.{words}", hint
        )
    reply = f" It said: {case.returned.words}" if case.returned.words else ""
    if case.returned.is_complaint:
        verdict = f"the message was delivered and reported as spam.{reply}"
        return DeliveryJudgement(DeliveryFinding.SPAM, verdict, "newsletter suppression ls")
    verdict = f"the message came back on {case.returned.at:%Y-%m-%d}.{reply}"
    return DeliveryJudgement(DeliveryFinding.RETURNED, verdict, "newsletter bounce ls")


def _judge_waiting(case: Case, row: DeliveryRow, words: str) -> DeliveryJudgement:
    """Judge a message that may still be offered to a server."""
    if case.suppression is not None:
        reason = case.suppression.reason
        verdict = f"the address was suppressed since ({reason}); the message will be withdrawn"
        return DeliveryJudgement(
            DeliveryFinding.SUPPRESSED_SINCE, verdict, "newsletter suppression ls"
        )
    if case.subscription and not is_receiving(case.subscription.status, suppressed=False):
        verdict = f"the subscription is {case.subscription.status} since; it will be withdrawn"
        return DeliveryJudgement(DeliveryFinding.ENDED_SINCE, verdict)
    campaign = case.campaign
    if row.status == DeliveryStatus.IN_DOUBT:
        verdict = (
            "nobody knows: the server may have taken the message before the connection or the "
            "worker ended; it is sent once more as the same mail"
        )
        return DeliveryJudgement(DeliveryFinding.IN_DOUBT, verdict)
    if wait := judge_wait(campaign.status, campaign.reason, case.hold, case.states):
        return wait
    if row.attempts:
        times = f"{row.attempts} times" if row.attempts > 1 else "once"
        due = f" at {row.due_at:%Y-%m-%d %H:%M} UTC" if row.due_at else ""
        verdict = f"the message was refused for now {times} and is tried again{due}.{words}"
        return DeliveryJudgement(DeliveryFinding.REFUSED_FOR_NOW, verdict)
    hint = "`newsletter status` says whether a worker runs"
    return DeliveryJudgement(
        DeliveryFinding.WAITS, "the message waits for its turn: a worker sends it", hint
    )


def _judge_absence(case: Case) -> DeliveryJudgement:
    """Judge an address that the campaign has no message for."""
    campaign = case.campaign
    if campaign.began is None:
        is_cancelled = campaign.status == CampaignStatus.CANCELLED
        finding = DeliveryFinding.CANCELLED if is_cancelled else DeliveryFinding.NOT_STARTED
        return DeliveryJudgement(finding, f"the campaign is {campaign.status}: nobody got it")
    if case.suppression and case.suppression.reason == SuppressionReason.ERASED:
        verdict = f"the address was erased on {case.suppression.since:%Y-%m-%d}; nothing is known"
        return DeliveryJudgement(DeliveryFinding.ERASED, verdict)
    if case.suppression and case.suppression.since <= campaign.began:
        since = f"{case.suppression.since:%Y-%m-%d}"
        verdict = f"the address is suppressed since {since} ({case.suppression.reason})"
        return DeliveryJudgement(
            DeliveryFinding.SUPPRESSED_BEFORE, verdict, "newsletter suppression remove"
        )
    if case.subscription is None:
        return _judge_stranger(case)
    return _judge_subscription(case, case.subscription, campaign.began)


def _judge_stranger(case: Case) -> DeliveryJudgement:
    campaign = case.campaign
    if case.other_lists:
        lists = ", ".join(case.other_lists)
        verdict = f"the address subscribes to {lists}, not to {campaign.list}"
        return DeliveryJudgement(DeliveryFinding.OTHER_LIST, verdict)
    if campaign.removed:
        verdict = (
            f"the address is not known now. {campaign.removed} recipients of this campaign were "
            "removed since; which addresses they had is not kept"
        )
        return DeliveryJudgement(DeliveryFinding.REMOVED_SINCE, verdict)
    verdict = f"the address is not known: it does not subscribe to {campaign.list}"
    return DeliveryJudgement(DeliveryFinding.UNKNOWN_ADDRESS, verdict, "is it spelled like this?")


def _judge_subscription(
    case: Case, subscription: SubscriptionFacts, began: datetime
) -> DeliveryJudgement:
    """Judge a subscription by its state at the moment the campaign began."""
    campaign = case.campaign
    if subscription.status == SubscriptionStatus.PENDING:
        return _judge_pending(subscription)
    if subscription.status == SubscriptionStatus.UNSUBSCRIBED and not subscription.confirmed_at:
        # Imported as unsubscribed: it was never active here.
        return DeliveryJudgement(
            DeliveryFinding.ENDED_BEFORE, "they had unsubscribed before it started"
        )
    if subscription.confirmed_at is None or subscription.confirmed_at > began:
        verdict = "the subscription was confirmed after the campaign had started"
        return DeliveryJudgement(DeliveryFinding.CONFIRMED_AFTER, verdict, "the archive has it")
    if subscription.unsubscribed_at is not None and subscription.unsubscribed_at <= began:
        verdict = f"they had unsubscribed on {subscription.unsubscribed_at:%Y-%m-%d}"
        return DeliveryJudgement(DeliveryFinding.ENDED_BEFORE, verdict)
    if campaign.cadence is not None and campaign.cadence != subscription.cadence:
        verdict = f"it is the {campaign.cadence} digest, and they chose {subscription.cadence}"
        return DeliveryJudgement(DeliveryFinding.OTHER_CADENCE, verdict)
    if is_paused(subscription.paused_until, began):
        until = f"{subscription.paused_until:%Y-%m-%d}"
        verdict = f"they were on a break until {until}; digests make up for it afterwards"
        return DeliveryJudgement(DeliveryFinding.ON_BREAK, verdict)
    if campaign.awaits_subject and subscription.is_mailable and subscription.in_segment:
        verdict = "they get the better of two subjects, which has not been picked yet"
        hint = f"newsletter campaign pick {campaign.id} a"
        return DeliveryJudgement(DeliveryFinding.WAITS_FOR_SUBJECT, verdict, hint)
    if campaign.segment:
        now = "; they are in it now" if subscription.in_segment else ""
        verdict = f"they were not in the segment {campaign.segment} when it started{now}"
        return DeliveryJudgement(DeliveryFinding.NOT_IN_SEGMENT, verdict)
    if subscription.nothing_new:
        return DeliveryJudgement(DeliveryFinding.NOTHING_NEW, subscription.nothing_new)
    verdict = "they were not among its recipients when it started (such as during a break)"
    return DeliveryJudgement(DeliveryFinding.NOT_CHOSEN, verdict)


def _judge_pending(subscription: SubscriptionFacts) -> DeliveryJudgement:
    row = subscription.confirmation
    again = "they can sign up again, and get a new confirmation"
    if row is not None and (
        row.status == DeliveryStatus.FAILED or subscription.confirmation_returned
    ):
        words = f": {_quote(row)}" if row.text else ""
        verdict = f"they could not confirm: the confirmation was refused or came back{words}"
        return DeliveryJudgement(DeliveryFinding.CONFIRMATION_FAILED, verdict, again)
    if row is not None and row.status == DeliveryStatus.QUEUED and row.due_at is None:
        verdict = "they have not confirmed: the confirmation is held back by the flood gate"
        return DeliveryJudgement(DeliveryFinding.CONFIRMATION_HELD, verdict, "newsletter list held")
    verdict = "they have never confirmed the subscription"
    return DeliveryJudgement(DeliveryFinding.NEVER_CONFIRMED, verdict, again)


def _quote(row: DeliveryRow) -> str:
    """Return the reply that a message got, with its code."""
    return f"{row.code or ''} {row.text}".strip()
