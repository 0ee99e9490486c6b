"""Mail security notices to authors: changed passkeys, log-ins from new browsers."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from newsletter import outbox
from newsletter.models import Author, MailingList
from newsletter.services.authors.authors import describe_author
from newsletter.services.runtime import Environment
from newsletter.vocabulary import MailKind


def queue_passkey_notice(
    env: Environment, session: Session, author_id: int, *, added: bool, language: str
) -> None:
    """Queue a notice of a changed passkey in the caller's transaction."""
    author = session.get_one(Author, author_id)
    _queue(env, session, MailKind.PASSKEY, author, language, added=added)


def queue_browser_notice(
    env: Environment, session: Session, author: Author, *, language: str
) -> None:
    """Queue a notice of a log-in from a new browser in the caller's transaction."""
    _queue(env, session, MailKind.BROWSER, author, language)


def _queue(
    env: Environment,
    session: Session,
    mail: MailKind,
    author: Author,
    language: str,
    **facts: object,
) -> None:
    """Queue a mail from the first list that the author may see, or else from any."""
    lists = describe_author(session, author).lists
    list_id = next(iter(lists), None) or session.scalar(select(MailingList.id).limit(1))
    if list_id is None:  # nobody to send as
        return
    context = {
        "to": author.email,
        "list_id": list_id,
        "language": language,
        "page_url": env.links.author("account"),
        **facts,
    }
    outbox.enqueue(session, mail=mail, subscription_id=None, now=env.now, context=context)
