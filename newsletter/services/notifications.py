"""Mail authors about problems that only they can fix, once per problem."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from newsletter.feeds.protected import PROTECTED
from newsletter.i18n import Text, format_day_and_time, format_decimal
from newsletter.models import Campaign, Feed, MailingList
from newsletter.services import notice_texts as texts
from newsletter.services.checks import Check
from newsletter.services.notice_mail import queue_notice
from newsletter.services.runtime import Environment
from newsletter.stored_texts import Stored, say_stored
from newsletter.vocabulary import FeedStatus

FAILING_FOR = timedelta(days=1)
"""Time for which a feed fails before its author is notified: many servers recover in hours."""
FAILURES = 3


def notify_feed_failing(env: Environment, session: Session, feed: Feed) -> None:
    """Notify the author once that a feed keeps failing or is gone."""
    since = feed.failing_since or env.now
    is_gone = feed.status == FeedStatus.GONE
    lasting = feed.failures >= FAILURES and env.now - since >= FAILING_FOR
    if feed.told_at is not None or not (lasting or is_gone):
        return
    feed.told_at = env.now
    queue_notice(
        env,
        session,
        feed.mailing_list,
        texts.FEED_GONE if is_gone else texts.FEED_FAILING,
        id=feed.id,
        server=feed.url,
        why=Stored(feed.error),
        count=feed.failures,
        since=_write_moment(since, feed.mailing_list),
    )


def notify_entries_held(
    env: Environment, session: Session, feed: Feed, reasons: Sequence[str]
) -> None:
    """Notify the author of held entries, with a reason for each."""
    mailing_list = feed.mailing_list
    sentences = dict.fromkeys(say_stored(reason, mailing_list.language) for reason in reasons)
    is_protected = set(reasons) == {PROTECTED}
    queue_notice(
        env,
        session,
        mailing_list,
        texts.ENTRIES_PROTECTED if is_protected else texts.ENTRIES_HELD,
        url=feed.url,
        why="; ".join(sentences),
        count=len(reasons),
    )


def notify_flood(env: Environment, session: Session, mailing_list: MailingList, count: int) -> None:
    """Notify the author that confirmations are held because of a flood of sign-ups."""
    queue_notice(env, session, mailing_list, texts.FLOOD, count=count)


def notify_campaign_paused(env: Environment, session: Session, campaign: Campaign) -> None:
    """Notify the author that a campaign was paused automatically, and why."""
    queue_notice(
        env,
        session,
        campaign.mailing_list,
        texts.CAMPAIGN_PAUSED,
        id=campaign.id,
        subject=campaign.subject,
        why=Stored(campaign.reason),
    )


def notify_domain_resting(
    env: Environment, session: Session, campaign: Campaign, domain: str, why: str
) -> None:
    """Notify the author that a domain refuses the messages of this sender."""
    mailing_list = campaign.mailing_list
    notice = texts.DOMAIN_RESTING
    queue_notice(env, session, mailing_list, notice, id=campaign.id, domain=domain, why=why)


def notify_sender_resting(
    env: Environment,
    session: Session,
    mailing_list: MailingList,
    server: str,
    why: str,
    *,
    until: datetime,
    setting: str,
) -> None:
    """Notify the author that the mail server accepts no more mail for now, quoting its reply."""
    queue_notice(
        env,
        session,
        mailing_list,
        texts.SENDER_LIMITED if setting else texts.SENDER_RESTING,
        server=server,
        why=why,
        until=_write_moment(until, mailing_list),
        setting=setting,
    )


def notify_pace_learnt(
    env: Environment,
    session: Session,
    mailing_list: MailingList,
    server: str,
    why: str,
    rate: float,
) -> None:
    """Notify the author that the sending rate was lowered because the mail server refused it."""
    queue_notice(
        env,
        session,
        mailing_list,
        texts.PACE_LEARNT,
        server=server,
        why=why,
        rate=format_decimal(rate, mailing_list.language),
        setting=f"{max(rate, 0.1):.1f}",
    )


def notify_message_refused(
    env: Environment, session: Session, campaign: Campaign, why: str
) -> None:
    """Notify the author that servers refuse a campaign for its content or sender."""
    queue_notice(
        env,
        session,
        campaign.mailing_list,
        texts.MESSAGE_REFUSED,
        id=campaign.id,
        subject=campaign.subject,
        why=why,
    )


def notify_reply(
    env: Environment,
    session: Session,
    mailing_list: MailingList,
    reply_id: int,
    proposal: int | None,
) -> int:
    """Queue a subscriber's reply; it is attached when the mail is built. Return the mail's id.

    `proposal` is the event of a reply that asks to end the subscription.
    """
    notice = texts.REPLY if proposal is None else texts.REPLY_TO_END
    return queue_notice(env, session, mailing_list, notice, reply=reply_id, proposal=proposal)


def notify_webhook_paused(
    env: Environment,
    session: Session,
    mailing_list: MailingList,
    webhook_id: int,
    *,
    host: str,
    why: str,
    kept_for: timedelta,
) -> None:
    """Notify the author that a webhook was paused because its receiver fails."""
    queue_notice(
        env,
        session,
        mailing_list,
        texts.WEBHOOK_PAUSED,
        id=webhook_id,
        receiver=host,
        why=Stored(why),
        days=kept_for.days,
    )


def notify_troubles(
    env: Environment, session: Session, mailing_list: MailingList, troubles: Sequence[Check]
) -> None:
    """Notify the author of problems of the installation, with the next step for each."""
    commands = [check.hint for check in troubles if not isinstance(check.hint, Text | Stored)]
    paragraphs = [_describe_trouble(check) for check in troubles]
    notice = texts.Notice(
        texts.TROUBLE_SUBJECT,
        (*paragraphs, texts.TROUBLE_END),
        (*(command.replace("%", "%%") for command in commands if command), "newsletter doctor"),
    )
    queue_notice(env, session, mailing_list, notice)


def _describe_trouble(check: Check) -> Text:
    """Describe a problem, its consequence, and what to do where that is not a command."""
    what: Text = Text("%(what)s.", what=check.what)
    if check.why:
        what = Text("%(what)s (%(why)s).", what=check.what, why=check.why)
    if isinstance(check.hint, Text | Stored):
        return Text("%(trouble)s What to do: %(hint)s.", trouble=what, hint=check.hint)
    return what


def _write_moment(moment: datetime, mailing_list: MailingList) -> str:
    return format_day_and_time(moment, mailing_list.language, mailing_list.zone)
