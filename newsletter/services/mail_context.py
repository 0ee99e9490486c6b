"""Build the template variables of mails (list, subscriber), and compile a list's mails."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email.utils import format_datetime
from functools import lru_cache
from urllib.parse import urlsplit

from newsletter.html.text import to_plain_line
from newsletter.i18n import Text, find_language
from newsletter.mail.header_fields import make_verbatim_header
from newsletter.mail.headers import Sender, make_list_headers, make_single_headers
from newsletter.mail.message import CompiledMessage, MessageDraft, compile_message
from newsletter.mail.render import MailContent
from newsletter.mail.slots import make_slot
from newsletter.mail.theme import Theme, make_theme
from newsletter.models import MailingList
from newsletter.services.runtime import Environment
from newsletter.urls import Links
from newsletter.vocabulary import Cadence

CADENCE_TEXT: dict[str, Text] = {
    Cadence.INSTANT: Text("whenever there is something new"),
    Cadence.DAILY: Text("once a day, if there is something new"),
    Cadence.WEEKLY: Text("once a week, if there is something new"),
    Cadence.MONTHLY: Text("once a month, if there is something new"),
}
"""The description of each cadence, as the end of a sentence."""


@dataclass(frozen=True, slots=True)
class ListContext:
    """The attributes of `list` in mail templates.

    `language` is the mail's, `own_language` the list's.
    """

    id: int
    slug: str
    title: str
    url: str
    site_url: str
    archive_url: str
    from_name: str
    from_email: str
    reply_to: str
    postal_address: str
    language: str
    own_language: str
    color: str
    logo_url: str
    theme: Theme

    def in_language(self, language: object) -> ListContext:
        """Return the list's attributes for a mail in `language`, else in the list's own."""
        return replace(self, language=find_language(language) or self.own_language)


@dataclass(frozen=True, slots=True)
class SubscriberContext:
    """The attributes of `subscriber` in mail templates: values, or slots in a campaign."""

    name: str
    preferences_url: str
    unsubscribe_url: str
    why_url: str


ANY_SUBSCRIBER = SubscriberContext(
    make_slot("name"),
    make_slot("preferences_url"),
    make_slot("unsubscribe_url"),
    make_slot("why_url"),
)
"""The placeholder subscriber of a mail that is rendered once and filled in for each recipient."""

OWN_LINKS: dict[str, Callable[[Links, str, datetime], str]] = {
    "unsubscribe_url": Links.unsubscribe,
    "preferences_url": Links.preferences,
    "why_url": Links.why,
}
"""The links of one subscription that its mails may contain, by their slots."""


def make_list_context(env: Environment, mailing_list: MailingList) -> ListContext:
    """Describe a list for mail templates."""
    return ListContext(
        id=mailing_list.id,
        slug=mailing_list.slug,
        title=to_plain_line(mailing_list.title, limit=200),
        url=env.links.mailing_list(mailing_list.slug),
        site_url=mailing_list.site_url,
        archive_url=env.links.archive(mailing_list.slug),
        from_name=to_plain_line(mailing_list.from_name, limit=200),
        from_email=mailing_list.from_email,
        reply_to=mailing_list.reply_to,
        postal_address=to_plain_line(mailing_list.postal_address, limit=500),
        language=mailing_list.language,
        own_language=mailing_list.language,
        color=mailing_list.theme_color,
        logo_url=mailing_list.logo_url,
        theme=make_theme(
            mailing_list.theme_color, mailing_list.theme_font, mailing_list.theme_radius
        ),
    )


def compile_for_list(
    env: Environment,
    mailing_list: ListContext,
    content: MailContent,
    *,
    stream: str,
    unsubscribe_by_mail: bool = False,
) -> CompiledMessage:
    """Compile a mail to a list, to be filled in for each subscriber.

    `stream` names the kind of mail in Feedback-ID. With `unsubscribe_by_mail` List-Unsubscribe
    holds the slot `unsubscribe_mail` as well.
    """
    host = urlsplit(env.settings.base_url).hostname or "localhost"
    headers = make_list_headers(
        make_sender(mailing_list),
        content.subject,
        title=mailing_list.title,
        list_id=f"{mailing_list.slug}.{host}",
        help_url=mailing_list.url,
        archive_url=mailing_list.archive_url,
        feedback_id=f"{mailing_list.slug}:{stream}:newsletter",
        unsubscribe_by_mail=unsubscribe_by_mail,
    )
    headers += [make_verbatim_header(*header) for header in env.settings.smtp.campaign_headers]
    return compile_message(MessageDraft(headers, content.text, content.html))


def compile_single(mailing_list: ListContext, content: MailContent) -> CompiledMessage:
    """Compile a mail to one person, without the header fields of mail to a list."""
    headers = make_single_headers(make_sender(mailing_list), content.subject)
    return compile_message(MessageDraft(headers, content.text, content.html))


def make_sender(mailing_list: ListContext) -> Sender:
    """Return the sender of a list's mail: name, From address and Reply-To address."""
    return Sender(mailing_list.from_name, mailing_list.from_email, mailing_list.reply_to)


def format_mail_date(now: datetime) -> str:
    """Format a moment as a Date header has it, in UTC (RFC 5322 section 3.3)."""
    return _format_second(int(now.timestamp()))


@lru_cache(maxsize=2)
def _format_second(second: int) -> str:
    return format_datetime(datetime.fromtimestamp(second, UTC))


def make_own_links(
    links: Links, handle: str, now: datetime, slots: Collection[str] = OWN_LINKS.keys()
) -> dict[str, str]:
    """Sign the links of a subscription that a mail has `slots` for."""
    return {name: make(links, handle, now) for name, make in OWN_LINKS.items() if name in slots}
