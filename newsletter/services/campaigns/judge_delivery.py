"""Decide from the facts why a campaign reached an address, or did not. Pure.

A campaign's recipients are fixed at the moment it starts. Somebody who has no message is judged by
their state at that moment, and somebody who has one by what has become of it.
"""

from __future__ import annotations

from datetime import datetime
from typing import assert_never

from newsletter.i18n import Text
from newsletter.outbox import DeliveryRow
from newsletter.services.audience.mailable import is_paused, is_receiving
from newsletter.services.campaigns.delivery_case import (
    CampaignFacts,
    Case,
    DeliveryFinding,
    DeliveryJudgement,
    SubscriptionFacts,
)
from newsletter.services.sender_state import State
from newsletter.stored_texts import Stored
from newsletter.vocabulary import (
    Cadence,
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
    """Explain what keeps all of a campaign's messages waiting; None if they only wait their turn.

    Reports of a whole campaign and of one subscriber share this.
    """
    if hold:
        words = Text("it is held back: no mail leaves (%(why)s)", why=Stored(hold))
        return DeliveryJudgement(DeliveryFinding.HELD, words, "newsletter db release")
    if status == CampaignStatus.PAUSED:
        words = Text("it waits: the campaign is paused (%(why)s)", why=Stored(reason))
        return DeliveryJudgement(DeliveryFinding.PAUSED, words, "newsletter campaign resume")
    state = next((state for state in states if state.stops), None)
    if state is None:
        return None
    finding = {"server": DeliveryFinding.SERVER_DOWN, "ceiling": DeliveryFinding.CEILING}.get(
        state.cause, DeliveryFinding.RESTS
    )
    verdict = Text("it waits: %(why)s", why=state.sentence)
    return DeliveryJudgement(finding, verdict, "newsletter status")


CADENCE_NAMES: dict[Cadence, Text] = {
    Cadence.INSTANT: Text("instant"),
    Cadence.DAILY: Text("daily"),
    Cadence.WEEKLY: Text("weekly"),
    Cadence.MONTHLY: Text("monthly"),
}
"""The cadences as adjectives."""


def _judge_message(case: Case, row: DeliveryRow) -> DeliveryJudgement:
    words = _say_reply(row)
    if row.status == DeliveryStatus.SENT:
        return _judge_sent(case, words)
    if row.status == DeliveryStatus.FAILED:
        verdict = Text("the message was refused for good.%(reply)s", reply=words)
        if row.attempts > 1:
            verdict = Text(
                "the message was refused for good after %(tries)d tries.%(reply)s",
                tries=row.attempts,
                reply=words,
            )
        return DeliveryJudgement(DeliveryFinding.FAILED, verdict, "newsletter campaign retry")
    if row.status == DeliveryStatus.CANCELLED:
        return _judge_withdrawn(case, row)
    if row.status == DeliveryStatus.IN_DOUBT and row.due_at is None:
        verdict = Text(
            "nobody knows: the server's reply was lost %(times)d times, and it may have taken "
            "the message each time; it is not sent again by itself",
            times=row.doubts,
        )
        return DeliveryJudgement(
            DeliveryFinding.LEFT_IN_DOUBT, verdict, "newsletter campaign retry"
        )
    return _judge_waiting(case, row, words)


def _judge_withdrawn(case: Case, row: DeliveryRow) -> DeliveryJudgement:
    if case.suppression is not None:
        reason = case.suppression.reason
        verdict = Text(
            "the address was suppressed since (%(why)s); the message was withdrawn", why=reason
        )
        return DeliveryJudgement(
            DeliveryFinding.SUPPRESSED_SINCE, verdict, "newsletter suppression ls"
        )
    verdict = Text("the message was withdrawn before it left")
    if row.text:
        verdict = Text("the message was withdrawn before it left: %(why)s", why=Stored(row.text))
    return DeliveryJudgement(DeliveryFinding.CANCELLED, verdict)


def _judge_sent(case: Case, words: str) -> DeliveryJudgement:
    if case.returned is None:
        hint = Text("look in the spam folder; the Message-ID is <%(id)s>", id=case.message_id)
        if not case.message_id:  # its delivery is folded
            hint = Text("look in the spam folder")
        verdict = Text("their mail server took the message.%(reply)s", reply=words)
        return DeliveryJudgement(DeliveryFinding.SENT, verdict, hint)
    reply: str = ""
    if case.returned.words:
        reply = Text(" It said: %(words)s", words=case.returned.words)
    if case.returned.is_complaint:
        verdict = Text("the message was delivered and reported as spam.%(reply)s", reply=reply)
        return DeliveryJudgement(DeliveryFinding.SPAM, verdict, "newsletter suppression ls")
    verdict = Text(
        "the message came back on %(day)s.%(reply)s",
        day=f"{case.returned.at:%Y-%m-%d}",
        reply=reply,
    )
    return DeliveryJudgement(DeliveryFinding.RETURNED, verdict, "newsletter bounce ls")


def _judge_waiting(case: Case, row: DeliveryRow, words: str) -> DeliveryJudgement:
    """Judge a message that may still be offered to a server."""
    if case.suppression is not None:
        reason = case.suppression.reason
        verdict = Text(
            "the address was suppressed since (%(why)s); the message will be withdrawn", why=reason
        )
        return DeliveryJudgement(
            DeliveryFinding.SUPPRESSED_SINCE, verdict, "newsletter suppression ls"
        )
    if case.subscription and not is_receiving(case.subscription.status, suppressed=False):
        verdict = Text("the subscription has ended since; the message will be withdrawn")
        return DeliveryJudgement(DeliveryFinding.ENDED_SINCE, verdict)
    campaign = case.campaign
    if row.status == DeliveryStatus.IN_DOUBT:
        verdict = Text(
            "nobody knows: the server may have taken the message before the connection or the "
            "worker ended; it is sent once more as the same mail"
        )
        return DeliveryJudgement(DeliveryFinding.IN_DOUBT, verdict)
    if wait := judge_wait(campaign.status, campaign.reason, case.hold, case.states):
        return wait
    if row.attempts:
        due: str = f"{row.due_at:%Y-%m-%d %H:%M} UTC" if row.due_at else Text("soon")
        verdict = Text(
            "the message was refused for now and is tried again (tries: %(tries)d; next: %(due)s)."
            "%(reply)s",
            tries=row.attempts,
            due=due,
            reply=words,
        )
        return DeliveryJudgement(DeliveryFinding.REFUSED_FOR_NOW, verdict)
    hint = Text("`newsletter status` says whether a worker runs")
    verdict = Text("the message waits for its turn: a worker sends it")
    return DeliveryJudgement(DeliveryFinding.WAITS, verdict, hint)


def _judge_absence(case: Case) -> DeliveryJudgement:
    """Judge an address to which the campaign has no message."""
    campaign = case.campaign
    if campaign.began is None:
        if campaign.status == CampaignStatus.CANCELLED:
            verdict = Text("the campaign is cancelled: nobody got it")
            return DeliveryJudgement(DeliveryFinding.CANCELLED, verdict)
        verdict = Text("the campaign has not started: nobody got it yet")
        return DeliveryJudgement(DeliveryFinding.NOT_STARTED, verdict)
    if case.suppression and case.suppression.reason == SuppressionReason.ERASED:
        day = f"{case.suppression.since:%Y-%m-%d}"
        verdict = Text("the address was erased on %(day)s; nothing is known", day=day)
        return DeliveryJudgement(DeliveryFinding.ERASED, verdict)
    if case.suppression and case.suppression.since <= campaign.began:
        verdict = Text(
            "the address is suppressed since %(day)s (%(why)s)",
            day=f"{case.suppression.since:%Y-%m-%d}",
            why=case.suppression.reason,
        )
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
        verdict = Text(
            "the address subscribes to %(others)s, not to %(list)s",
            others=lists,
            list=campaign.list,
        )
        return DeliveryJudgement(DeliveryFinding.OTHER_LIST, verdict)
    if campaign.removed:
        verdict = Text(
            "the address is not known now. %(count)d recipients of this campaign were "
            "removed since; which addresses they had is not kept",
            count=campaign.removed,
        )
        return DeliveryJudgement(DeliveryFinding.REMOVED_SINCE, verdict)
    verdict = Text(
        "the address is not known: it does not subscribe to %(list)s", list=campaign.list
    )
    hint = Text("is it spelled like this?")
    return DeliveryJudgement(DeliveryFinding.UNKNOWN_ADDRESS, verdict, hint)


def _judge_subscription(
    case: Case, subscription: SubscriptionFacts, began: datetime
) -> DeliveryJudgement:
    """Judge a subscription by its state at the moment the campaign began."""
    campaign = case.campaign
    match subscription.status:
        case SubscriptionStatus.PENDING:
            return _judge_pending(subscription)
        case SubscriptionStatus.UNSUBSCRIBED if not subscription.confirmed_at:
            # Imported as unsubscribed: it was never active here.
            verdict = Text("they had unsubscribed before it started")
            return DeliveryJudgement(DeliveryFinding.ENDED_BEFORE, verdict)
        case SubscriptionStatus.ACTIVE | SubscriptionStatus.UNSUBSCRIBED:
            pass
        case _:
            assert_never(subscription.status)
    if subscription.confirmed_at is None or subscription.confirmed_at > began:
        verdict = Text("the subscription was confirmed after the campaign had started")
        return DeliveryJudgement(
            DeliveryFinding.CONFIRMED_AFTER, verdict, Text("the archive has it")
        )
    if subscription.unsubscribed_at is not None and subscription.unsubscribed_at <= began:
        day = f"{subscription.unsubscribed_at:%Y-%m-%d}"
        verdict = Text("they had unsubscribed on %(day)s", day=day)
        return DeliveryJudgement(DeliveryFinding.ENDED_BEFORE, verdict)
    if campaign.cadence is not None and campaign.cadence != subscription.cadence:
        verdict = Text(
            "it is the %(cadence)s digest, and they chose %(chosen)s",
            cadence=CADENCE_NAMES[campaign.cadence],
            chosen=CADENCE_NAMES[subscription.cadence],
        )
        return DeliveryJudgement(DeliveryFinding.OTHER_CADENCE, verdict)
    return _judge_active(subscription, campaign, began)


def _judge_active(
    subscription: SubscriptionFacts, campaign: CampaignFacts, began: datetime
) -> DeliveryJudgement:
    """Judge a subscription that was active when the campaign began, and of its cadence."""
    if is_paused(subscription.paused_until, began):
        until = f"{subscription.paused_until:%Y-%m-%d}"
        verdict = Text(
            "they were on a break until %(day)s; digests make up for it afterwards", day=until
        )
        return DeliveryJudgement(DeliveryFinding.ON_BREAK, verdict)
    if campaign.awaits_subject and subscription.is_mailable and subscription.in_segment:
        verdict = Text("they get the better of two subjects, which has not been picked yet")
        hint = f"newsletter campaign pick {campaign.id} a"
        return DeliveryJudgement(DeliveryFinding.WAITS_FOR_SUBJECT, verdict, hint)
    if campaign.segment:
        segment = campaign.segment
        verdict = Text("they were not in the segment %(segment)s when it started", segment=segment)
        if subscription.in_segment:
            verdict = Text(
                "they were not in the segment %(segment)s when it started; they are in it now",
                segment=segment,
            )
        return DeliveryJudgement(DeliveryFinding.NOT_IN_SEGMENT, verdict)
    if subscription.nothing_new:
        return DeliveryJudgement(DeliveryFinding.NOTHING_NEW, subscription.nothing_new)
    verdict = Text("they were not among its recipients when it started (such as during a break)")
    return DeliveryJudgement(DeliveryFinding.NOT_CHOSEN, verdict)


def _judge_pending(subscription: SubscriptionFacts) -> DeliveryJudgement:
    row = subscription.confirmation
    again = Text("they can sign up again, and get a new confirmation")
    if row is not None and (
        row.status == DeliveryStatus.FAILED or subscription.confirmation_returned
    ):
        verdict = Text(
            "they could not confirm: the confirmation was refused or came back.%(reply)s",
            reply=_say_reply(row),
        )
        return DeliveryJudgement(DeliveryFinding.CONFIRMATION_FAILED, verdict, again)
    if row is not None and row.status == DeliveryStatus.QUEUED and row.due_at is None:
        verdict = Text("they have not confirmed: the confirmation is held back by the flood gate")
        return DeliveryJudgement(DeliveryFinding.CONFIRMATION_HELD, verdict, "newsletter list held")
    verdict = Text("they have never confirmed the subscription")
    return DeliveryJudgement(DeliveryFinding.NEVER_CONFIRMED, verdict, again)


def _say_reply(row: DeliveryRow) -> str:
    """Return a sentence with the server's reply and code, or "" if there was none."""
    if not row.text:
        return ""
    return Text(" The server said: %(reply)s", reply=f"{row.code or ''} {row.text}".strip())
