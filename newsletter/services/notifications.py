"""Mail authors about problems that only they can fix, once per problem."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from newsletter import outbox
from newsletter.access_vocabulary import AuthorRole
from newsletter.addresses import mask_addresses
from newsletter.feeds.protected import PROTECTED
from newsletter.html.text import to_plain_line
from newsletter.models import Author, AuthorList, Campaign, Feed, MailingList
from newsletter.services.runtime import Environment
from newsletter.vocabulary import FeedStatus, MailKind

FAILING_FOR = timedelta(days=1)
"""Servers stumble for hours and get up again; YouTube's feeds do for days."""
FAILURES = 3


def notify_feed_failing(env: Environment, session: Session, feed: Feed) -> None:
    """Tell the author that a feed has failed for a day, or is gone; once until it answers again."""
    since = feed.failing_since or env.now
    lasting = feed.failures >= FAILURES and env.now - since >= FAILING_FOR
    if feed.told_at is not None or not (lasting or feed.status == FeedStatus.GONE):
        return
    feed.told_at = env.now
    if feed.status == FeedStatus.GONE:
        subject = "A feed is gone and is not asked any more"
        next_ = "If your blog has moved, add its new feed:"
        commands = [
            f"newsletter feed add NEW-ADDRESS --list {feed.mailing_list.slug}",
            f"newsletter feed remove {feed.id}",
        ]
    else:
        subject = "A feed cannot be read, so nothing new goes out"
        next_ = (
            "It is polled again at least once a day, and nothing is lost: what is published "
            "meanwhile is mailed once the feed answers. It has failed "
            f"{feed.failures} times since {since:%d %B %Y, %H:%M} UTC. To poll it now:"
        )
        commands = [f"newsletter feed check {feed.id}"]
    notify(
        env,
        session,
        feed.mailing_list,
        subject,
        [f"{feed.url} says: {feed.error}.", next_],
        commands,
        page="sources",
    )


def notify_entries_held(
    env: Environment, session: Session, feed: Feed, reasons: Sequence[str]
) -> None:
    """Ask the author whether held entries are to be mailed; `reasons` has one for each."""
    count = len(reasons)
    entries = f"{count} new entries" if count > 1 else "A new entry"
    paragraphs = [
        f"{entries} of {feed.url} {'are' if count > 1 else 'is'} held until you decide: "
        f"{'; '.join(dict.fromkeys(reasons))}.",
        "When a blog moves or changes its addresses, old posts can look like new ones, which your "
        "subscribers have had already.",
        "Look at them, and skip or release them:",
    ]
    commands = [
        f"newsletter entry ls --list {feed.mailing_list.slug} --fate held",
        f"newsletter entry skip --held --list {feed.mailing_list.slug}",
        f"newsletter entry release --held --list {feed.mailing_list.slug}",
    ]
    if set(reasons) == {PROTECTED}:
        paragraphs[1] = "It goes out by itself once its password is taken away."
        subject = f"{entries} {'are' if count > 1 else 'is'} held: password-protected"
    else:
        subject = f"{entries} {'are' if count > 1 else 'is'} held: has your blog moved?"
    notify(env, session, feed.mailing_list, subject, paragraphs, commands, page="sources?fate=held")


def notify_flood(env: Environment, session: Session, mailing_list: MailingList, count: int) -> None:
    """Tell the author that confirmations are held, because many sign up and few confirm."""
    paragraphs = [
        f"Unusually many addresses were entered into the form of {mailing_list.title}, and very "
        "few of them were confirmed. A robot that fills in the addresses of strangers looks like "
        f"this. So that nobody gets mail without having signed up, {count} confirmations are held. "
        "They are sent as soon as more of the earlier ones have been confirmed.",
        "Look where they come from. If they are real (you spoke on the radio, for example), "
        "release them. If they are not, drop them: those addresses have got no mail from you. "
        "With --network, --domain or --proven you choose some of them.",
    ]
    commands = [
        f"newsletter list confirmations {mailing_list.slug}",
        f"newsletter list confirmations {mailing_list.slug} --release",
        f"newsletter list confirmations {mailing_list.slug} --drop",
    ]
    subject = f"Many sign-ups for {mailing_list.title}, and few are confirmed"
    notify(env, session, mailing_list, subject, paragraphs, commands)


def notify_campaign_paused(env: Environment, session: Session, campaign: Campaign) -> None:
    """Tell the author that a campaign has paused itself, and why."""
    paragraphs = [
        f"“{campaign.subject}” (campaign {campaign.id}) stopped by itself: {campaign.reason}",
        "No message is lost and none is sent twice: the remaining ones wait. Once the reason is "
        "gone, resume the campaign:",
    ]
    commands = [
        f"newsletter campaign report {campaign.id}",
        f"newsletter campaign resume {campaign.id}",
    ]
    notify(
        env,
        session,
        campaign.mailing_list,
        "A campaign has paused itself",
        paragraphs,
        commands,
        page=f"campaigns/{campaign.id}",
    )


def notify_domain_resting(
    env: Environment, session: Session, campaign: Campaign, domain: str, why: str
) -> None:
    """Tell the author that a domain refuses the messages of this sender."""
    paragraphs = [
        f"{domain} refuses your mail while others take it. It says: {why}",
        "Such refusals are about the sender (SPF, DKIM, DMARC, reputation) and not about your "
        "subscribers. The messages are tried again later, less and less often, and no address is "
        "marked. Check what can be checked from here:",
    ]
    notify(
        env,
        session,
        campaign.mailing_list,
        f"{domain} refuses your mail",
        paragraphs,
        ["newsletter doctor"],
        page=f"campaigns/{campaign.id}",
    )


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
    """Tell the author that the mail server lets no more mail through for now, in its own words."""
    paragraphs = [
        f"{server} takes no mail from this installation for now. It says: {why}",
        "No address is marked for it and no message is sent twice: what waits is sent once the "
        f"server takes mail again. It is tried again at {until:%d %B %Y, %H:%M} UTC, and after "
        "that again.",
    ]
    if setting:
        paragraphs.append(
            f"If your provider allows only so much, this setting keeps within it: {setting}."
        )
    notify(
        env,
        session,
        mailing_list,
        "Your mail server takes no more mail for now",
        paragraphs,
        ["newsletter status"],
    )


def notify_pace_learnt(
    env: Environment,
    session: Session,
    mailing_list: MailingList,
    server: str,
    why: str,
    rate: float,
) -> None:
    """Tell the author that the mail server takes fewer messages a second than it was given."""
    paragraphs = [
        f"{server} takes mail more slowly than it was offered. It says: {why}",
        f"Sending continues at about {rate:.1f} messages a second and slowly becomes faster "
        "again; no message is lost. If you know the rate that your provider allows, set it, and "
        "no message is refused any more:",
    ]
    subject = "Your mail server wants mail more slowly"
    notify(
        env,
        session,
        mailing_list,
        subject,
        paragraphs,
        [f"smtp.max_per_second = {max(rate, 0.1):.1f}"],
    )


def notify_message_refused(
    env: Environment, session: Session, campaign: Campaign, why: str
) -> None:
    """Tell the author that servers refuse a campaign for its content or sender."""
    paragraphs = [
        f"Messages of “{campaign.subject}” (campaign {campaign.id}) come back. "
        f"A server says: {why}",
        "That is about the message or its sender: no subscriber is marked for it. "
        "Further reports about this campaign are counted and not mailed to you.",
    ]
    commands = [f"newsletter campaign report {campaign.id}", "newsletter doctor"]
    notify(
        env,
        session,
        campaign.mailing_list,
        "A campaign is refused",
        paragraphs,
        commands,
        page=f"campaigns/{campaign.id}",
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
    paragraphs = [
        f"Somebody replied to a mail of {mailing_list.title}. The reply is attached, and your "
        "answer goes to whoever wrote it.",
    ]
    commands = []
    if proposal is not None:
        paragraphs.append(
            "It seems to ask to be unsubscribed. Nothing was changed; if that is what they want:"
        )
        commands.append(f"newsletter bounce accept {proposal}")
    subject = "A subscriber replied"
    return notify(env, session, mailing_list, subject, paragraphs, commands, reply_id=reply_id)


def list_authors(session: Session, mailing_list: MailingList) -> list[str]:
    """List the addresses of a list's owners and editors, or else the one that notices go to."""
    addresses = _find_authors(session, mailing_list)
    return addresses or [mailing_list.reply_to or mailing_list.from_email]


def _find_authors(session: Session, mailing_list: MailingList) -> list[str]:
    roles = (AuthorRole.OWNER, AuthorRole.EDITOR)
    on_list = select(AuthorList.author_id).where(AuthorList.list_id == mailing_list.id)
    query = select(Author.email).where(
        Author.revoked_at.is_(None),
        Author.role.in_(roles),
        Author.limited.is_(False) | Author.id.in_(on_list),
    )
    return list(session.scalars(query.order_by(Author.id)))


def notify(
    env: Environment,
    session: Session,
    mailing_list: MailingList,
    subject: str,
    paragraphs: list[str],
    commands: list[str],
    *,
    reply_id: int | None = None,
    page: str | None = None,
) -> int:
    """Queue a notice to a list's author, with a reply attached if given; return its id.

    Addresses in the paragraphs are masked: servers repeat those of recipients. `page` is the page
    of the author that helps, below /author/; where the list has an author it is linked to.
    """
    context = {
        "to": mailing_list.reply_to or mailing_list.from_email,
        "list_id": mailing_list.id,
        "subject": subject,
        "paragraphs": [mask_addresses(to_plain_line(text, limit=600)) for text in paragraphs],
        "commands": commands,
        "foot": (
            "This comes from your own newsletter program, to you alone. "
            f"The list: {mailing_list.slug}"
        ),
    }
    if page is not None and _find_authors(session, mailing_list):
        context["page_url"] = env.links.author(page)
    if reply_id is not None:
        context["reply"] = reply_id
    return outbox.enqueue(
        session, mail=MailKind.NOTICE, subscription_id=None, now=env.now, context=context
    )
