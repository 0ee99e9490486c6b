"""Log authors in with a mailed link, or with the code in the same mail.

A link works once, for a quarter of an hour, and in the browser that asked. Every address gets the
same answer, after the same statements.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from newsletter import outbox
from newsletter.addresses import parse_address
from newsletter.db.session import reading, transaction
from newsletter.errors import LinkExpired, LinkInvalid, LinkSpent, TooMany
from newsletter.link_purposes import LinkPurpose
from newsletter.models import Author, AuthorLogin, AuthorSession, MailingList
from newsletter.services import counters, request_limits
from newsletter.services.authors.authors import describe_author, find_author, get_author
from newsletter.services.authors.sessions import KNOWN_FOR, NewSession, start_session
from newsletter.services.counters import HOUR
from newsletter.services.request_limits import ELSEWHERE, Visit
from newsletter.services.runtime import Environment
from newsletter.services.signup.equal_work import roll_back
from newsletter.services.suppressions import hash_address
from newsletter.tokens import new_handle
from newsletter.vocabulary import MailKind

LIFETIME = LinkPurpose.LOG_IN.lifetime or timedelta()
PATH_AT_MOST = 300
"""Characters of the path to open after a log-in; a longer one is replaced by the first page."""
MAX_TRIES = 5
"""Attempts to type the code of one log-in; a code has 40 bits, so that guessing is hopeless."""
MAILS_PER_HOUR = 5
"""Log-in mails an hour to one address, and to a browser that is known, so that nobody fills an
author's mailbox."""
_UNKNOWN = Author(id=0, email="nobody@localhost.invalid", limited=False)
"""Stands in for the author of an unknown address, for which the same work is done."""


@dataclass(frozen=True, slots=True)
class LinkedLogin:
    """A log-in request, as the page of its link shows it.

    `same_browser` tells whether this is the browser that asked.
    """

    same_browser: bool


def request_link(
    env: Environment,
    address: str,
    *,
    browser: str,
    ip: str,
    language: str,
    path: str = "",
    session_id: int | None = None,
) -> None:
    """Mail an author a link and a code to log in with, for the browser named `browser`.

    They lead to the page `path`, one of the author's. The answer and its statements are the same
    for every address. `session_id` is the session that the browser has, or had last: where it is
    that author's, its mails are counted apart, so that no stranger keeps an author out by asking.
    Raises `InvalidInput`, `TooMany`.
    """
    typed = parse_address(address)
    if session_id is not None and _is_session_of(session_id, typed.key):
        _request_known(env, typed.key, browser, language, path, session_id)
        return
    visit = Visit(ELSEWHERE, ip, typed.key)
    request_limits.require_room(env, visit)
    with transaction() as session:
        request_limits.count_request(env, session, visit)
        mails = _count_mail(env, session, f"log-in/{hash_address(env, typed.key)[0][:40]}")
        author = find_author(session, typed.key)
        login = _add_login(env, session, author.id if author else None, browser, path)
        entitled = author is not None and mails <= MAILS_PER_HOUR
        if entitled:
            _queue(env, session, author or _UNKNOWN, login, language)
        with roll_back(session):
            if not entitled:
                _queue(env, session, author or _UNKNOWN, login, language)


def _is_session_of(session_id: int, email_key: str) -> bool:
    """Tell whether a session, open or ended, is of the author with an address."""
    query = (
        select(AuthorSession.id)
        .join(Author, Author.id == AuthorSession.author_id)
        .where(AuthorSession.id == session_id, Author.email_key == email_key)
    )
    with reading() as session:
        return session.scalar(query) is not None


def _request_known(
    env: Environment, email_key: str, browser: str, language: str, path: str, session_id: int
) -> None:
    """Mail a log-in link to an author whose browser is already known."""
    with transaction() as session:
        if _count_mail(env, session, f"log-in/session/{session_id}") > MAILS_PER_HOUR:
            seconds = HOUR - int(env.now.timestamp()) % HOUR
            raise TooMany("too many log-in mails were asked for", retry_after=seconds)
        author = find_author(session, email_key)
        if author is not None:
            login = _add_login(env, session, author.id, browser, path)
            _queue(env, session, author, login, language)


def _count_mail(env: Environment, session: Session, name: str) -> int:
    now = int(env.now.timestamp())
    return counters.increment(session, name, now=now, seconds=HOUR)


def make_link(env: Environment, address: str) -> str:
    """Create a log-in link for an author that works in any browser, for the command line.

    Raises `InvalidInput`, `NotFound`.
    """
    with transaction() as session:
        author = get_author(session, address)
        login = _add_login(env, session, author.id, browser="")
        return env.links.log_in(login, env.now)


def inspect_link(env: Environment, token: str, *, browser: str) -> LinkedLogin:
    """Return the log-in request of a link without using it up.

    Raises `LinkInvalid`, `LinkExpired`, `LinkSpent`.
    """
    with reading() as session:
        login = _get_login(env, session, token)
        return LinkedLogin(login.browser in ("", browser))


def use_link(
    env: Environment, token: str, *, browser: str, session_id: int | None, language: str = ""
) -> NewSession:
    """Log an author in with a link, in the browser that requested it, and end its earlier session.

    Raises `LinkInvalid` also in another browser, `LinkExpired`, `LinkSpent`.
    """
    with transaction() as session:
        login = _get_login(env, session, token)
        if login.browser not in ("", browser):
            raise LinkInvalid
        return _enter(env, session, login, session_id, language)


def use_code(
    env: Environment, typed: str, *, browser: str, session_id: int | None, language: str = ""
) -> NewSession | None:
    """Log an author in with the code of the latest log-in that this browser requested.

    Returns None for a wrong code, and for every code once `MAX_TRIES` were typed.
    """
    with transaction() as session:
        query = (
            select(AuthorLogin)
            .where(
                AuthorLogin.browser == browser,
                AuthorLogin.used_at.is_(None),
                AuthorLogin.expires_at > env.now,
            )
            .order_by(AuthorLogin.id.desc())
            .limit(1)
        )
        login = session.scalar(query) if browser else None
        if login is None:
            return None
        counted = (
            update(AuthorLogin)
            .where(AuthorLogin.id == login.id, AuthorLogin.tries < MAX_TRIES)
            .values(tries=AuthorLogin.tries + 1)
            .returning(AuthorLogin.id)
        )
        allowed = session.execute(counted).first() is not None
        if not allowed or not env.tokens.check_code(login.handle, typed):
            return None
        if not login.author_id:
            return None
        return _enter(env, session, login, session_id, language)


def delete_old_logins(session: Session, now: datetime) -> None:
    """Delete expired log-in requests, and sessions of browsers that are no longer known."""
    session.execute(delete(AuthorLogin).where(AuthorLogin.expires_at < now - timedelta(days=1)))
    session.execute(delete(AuthorSession).where(AuthorSession.expires_at < now - KNOWN_FOR))


def _add_login(
    env: Environment, session: Session, author_id: int | None, browser: str, path: str = ""
) -> str:
    login = AuthorLogin(
        handle=new_handle(),
        author_id=author_id,
        browser=browser,
        path=path if len(path) <= PATH_AT_MOST else "",
        created_at=env.now,
        expires_at=env.now + LIFETIME,
    )
    session.add(login)
    session.flush()
    return login.handle


def _queue(env: Environment, session: Session, author: Author, login: str, language: str) -> None:
    """Queue the mail with the link, from the first list that the author may see."""
    allowed_lists = describe_author(session, author).lists
    list_id = next(iter(allowed_lists), None) or session.scalar(select(MailingList.id).limit(1))
    if list_id is None:  # nobody to send as: `newsletter author link` is left
        return
    context = {"to": author.email, "list_id": list_id, "login": login, "language": language}
    outbox.enqueue(
        session, mail=MailKind.LOG_IN, subscription_id=None, now=env.now, context=context
    )


def _get_login(env: Environment, session: Session, token: str) -> AuthorLogin:
    handle = env.tokens.open(LinkPurpose.LOG_IN, token, env.now)
    login = session.scalar(select(AuthorLogin).where(AuthorLogin.handle == handle))
    if login is None or login.author_id is None:
        raise LinkInvalid
    if login.used_at is not None:
        raise LinkSpent("author")
    if login.expires_at <= env.now:
        raise LinkExpired(login.created_at, purpose=LinkPurpose.LOG_IN)
    return login


def _enter(
    env: Environment, session: Session, login: AuthorLogin, session_id: int | None, language: str
) -> NewSession:
    """Mark a log-in request as used and start a session for its author.

    Raises `LinkInvalid` if the author has been revoked, or another request was faster.
    """
    author = session.get_one(Author, login.author_id)
    used = (
        update(AuthorLogin)
        .where(AuthorLogin.id == login.id, AuthorLogin.used_at.is_(None))
        .values(used_at=env.now)
        .returning(AuthorLogin.id)
    )
    if session.execute(used).first() is None or author.revoked_at is not None:
        raise LinkInvalid
    started = start_session(env, session, author, replaces=session_id, language=language)
    return replace(started, path=login.path)
