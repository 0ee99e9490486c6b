"""Render a notice in its list's language, and queue it to the list's authors."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import select
from sqlalchemy.orm import Session

from newsletter import outbox
from newsletter.access_vocabulary import AuthorRole
from newsletter.addresses import mask_addresses
from newsletter.html.text import to_plain_line
from newsletter.i18n import Text, get_direction, say
from newsletter.models import Author, AuthorList, MailingList
from newsletter.services.notice_texts import Notice
from newsletter.services.runtime import Environment
from newsletter.stored_texts import Stored, say_stored
from newsletter.vocabulary import MailKind

_FOOT = Text("This comes from your own newsletter program, to you alone. The list: %(slug)s")


def queue_notice(
    env: Environment,
    session: Session,
    mailing_list: MailingList,
    notice: Notice,
    *,
    reply: int | None = None,
    **values: object,
) -> int:
    """Queue a notice to a list's author, with `values` filled in; return the id of its mail.

    A value stays as it is, such as a server's reply, unless it is a text or a `Stored` one.
    Addresses in it are masked: servers repeat those of recipients. The page of the notice is linked
    to where the list has an author. `reply` is the id of a reply that is attached.
    """
    language = mailing_list.language
    values = {"list": mailing_list.title, "slug": mailing_list.slug, **values}
    context = {
        "to": mailing_list.reply_to or mailing_list.from_email,
        "list_id": mailing_list.id,
        "language": language,
        "subject": _say(notice.subject, values, language),
        "paragraphs": [_say(text, values, language) for text in notice.paragraphs],
        "commands": [command % values for command in notice.commands],
        "foot": _say(_FOOT, values, language),
    }
    if notice.page is not None and _find_authors(session, mailing_list):
        context["page_url"] = env.links.author(notice.page % values)
    if reply is not None:
        context["reply"] = reply
    return outbox.enqueue(
        session, mail=MailKind.NOTICE, subscription_id=None, now=env.now, context=context
    )


def _say(text: Text, values: Mapping[str, object], language: str) -> str:
    """Translate a text, filled with its own values or else these, each cut to one line."""
    filled = text.values or values
    return say(
        text.refill({name: _say_value(value, language) for name, value in filled.items()}), language
    )


def _say_value(value: object, language: str) -> object:
    if not isinstance(value, str):
        return value
    words = say_stored(value, language) if isinstance(value, Text | Stored) else value
    line = mask_addresses(to_plain_line(words))
    if " " in line and get_direction(language) == "rtl":
        return f"\u2068{line}\u2069"  # its numbers and full stops stay where they are (UAX 9)
    return line


def list_authors(session: Session, mailing_list: MailingList) -> list[str]:
    """List the addresses of a list's owners and editors, or else its notification address."""
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
