"""Start, find, rotate and end the sessions of authors; a cookie's value is stored as a hash."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, delete, or_, select, update
from sqlalchemy.orm import Session

from newsletter.access_vocabulary import AuthorRole
from newsletter.db.session import reading, transaction
from newsletter.models import Author, AuthorSession
from newsletter.services.authors.account_mail import queue_browser_notice
from newsletter.services.authors.acts import has_act, record_act
from newsletter.services.authors.authors import AuthorView, describe_author
from newsletter.services.runtime import Environment

LIFETIME = timedelta(days=30)
LOG_IN_ACT = "log-in"
"""The name of a log-in in the audit log."""
ROTATED_AFTER = timedelta(days=1)
OVERLAP = timedelta(minutes=1)
"""Time for which the cookie's old value is accepted after a rotation, for concurrent requests."""
KNOWN_FOR = timedelta(days=30)
"""Time for which a browser stays known after its session has expired or was logged out."""
CONFIRMED_FOR = timedelta(hours=1)
"""Age of a log-in above which sending, exporting and erasing ask for a new one."""


@dataclass(frozen=True, slots=True)
class NewSession:
    """A new session with the value of its cookie, which is not stored.

    `path`: the page that was asked for before the log-in, "" for the first.
    """

    token: str
    author: AuthorView
    path: str = ""


@dataclass(frozen=True, slots=True)
class OpenSession:
    """The session of a request.

    `token` is the new value of its cookie where it was rotated; `recent` tells that the author
    proved a short while ago who they are.
    """

    id: int
    author: AuthorView
    created_at: datetime
    recent: bool
    token: str | None


@dataclass(frozen=True, slots=True)
class SessionView:
    """A browser in which an author is logged in."""

    id: int
    created_at: datetime
    used_at: datetime


def hash_cookie(value: str) -> str:
    """Return the hash that a cookie's value is stored by."""
    return hashlib.sha256(value.encode("utf-8", "replace")).hexdigest()


def make_cookie() -> str:
    """Create a cookie's value: 256 random bits."""
    return secrets.token_urlsafe(32)


def start_session(
    env: Environment,
    session: Session,
    author: Author,
    *,
    replaces: int | None,
    by: str = "",
    language: str = "",
) -> NewSession:
    """Start a session for an author under a new cookie, and end the one that it replaces.

    `by` is what the record says of the log-in, such as `passkey 3`. An author is told by mail of
    every log-in but the first that does not replace a session of theirs: a browser that is new.
    """
    replaced = session.get(AuthorSession, replaces) if replaces is not None else None
    known = replaced is not None and replaced.author_id == author.id
    if replaced is not None:
        session.delete(replaced)
    if not known and has_act(session, author.id, LOG_IN_ACT):
        queue_browser_notice(env, session, author, language=language)
    token = make_cookie()
    now = env.now
    session.add(
        AuthorSession(
            author_id=author.id,
            token_hash=hash_cookie(token),
            created_at=now,
            confirmed_at=now,
            rotated_at=now,
            expires_at=now + LIFETIME,
        )
    )
    record_act(session, author.id, LOG_IN_ACT, by, now)
    return NewSession(token, describe_author(session, author))


def find_session(env: Environment, cookie: str) -> OpenSession | None:
    """Return the session of a cookie, with a new cookie value once a day.

    A value that was replaced long ago has been stolen, or the other one has: it ends the session.
    """
    cookie_hash = hash_cookie(cookie)
    query = (
        select(AuthorSession, Author)
        .join(Author, Author.id == AuthorSession.author_id)
        .where(
            or_(
                AuthorSession.token_hash == cookie_hash,
                AuthorSession.previous_hash == cookie_hash,
            ),
            *_open_clauses(env),
        )
    )
    with reading() as session:
        row = session.execute(query).first()
        if row is None:
            return None
        open_row, author = row
        session_id = open_row.id
        created_at = open_row.created_at
        current = open_row.token_hash == cookie_hash
        age = env.now - open_row.rotated_at
        recent = env.now - open_row.confirmed_at <= CONFIRMED_FOR
        view = describe_author(session, author)
    if not current and age > OVERLAP:
        end_session(session_id)
        return None
    rotate = current and age > ROTATED_AFTER
    token = _rotate(env, session_id, cookie_hash) if rotate else None
    return OpenSession(session_id, view, created_at, recent, token)


def may_write(env: Environment, session_id: int) -> bool:
    """Tell whether a session is still open and its author may write."""
    query = (
        select(Author.role)
        .join(AuthorSession, AuthorSession.author_id == Author.id)
        .where(
            AuthorSession.id == session_id,
            *_open_clauses(env),
        )
    )
    with reading() as session:
        role = session.scalar(query)
        return role is not None and role.includes(AuthorRole.EDITOR)


def _open_clauses(env: Environment) -> tuple[ColumnElement[bool], ...]:
    """Return the conditions of a session that is open, joined with its author.

    What a log-out has ended stays ended, also where the clock is set back afterwards.
    """
    return (
        AuthorSession.ended_at.is_(None),
        AuthorSession.expires_at > env.now,
        Author.revoked_at.is_(None),
    )


def _rotate(env: Environment, session_id: int, cookie_hash: str) -> str | None:
    """Replace the value of a session's cookie; None if another request was faster."""
    token = make_cookie()
    replaced = (
        update(AuthorSession)
        .where(AuthorSession.id == session_id, AuthorSession.token_hash == cookie_hash)
        .values(token_hash=hash_cookie(token), previous_hash=cookie_hash, rotated_at=env.now)
        .returning(AuthorSession.id)
    )
    with transaction() as session:
        return token if session.execute(replaced).first() is not None else None


def find_ended_session(cookie: str) -> int | None:
    """Return the ended session by which a cookie's browser is still known, or None."""
    query = select(AuthorSession.id).where(AuthorSession.token_hash == hash_cookie(cookie))
    with reading() as session:
        session_id: int | None = session.scalar(query)
        return session_id


def close_session(env: Environment, session_id: int) -> str:
    """End a session with a log-out; return a new value of its cookie, by which it stays known."""
    token = make_cookie()
    closed = (
        update(AuthorSession)
        .where(AuthorSession.id == session_id)
        .values(
            ended_at=env.now, expires_at=env.now, token_hash=hash_cookie(token), previous_hash=None
        )
    )
    with transaction() as session:
        session.execute(closed)
    return token


def end_session(session_id: int) -> None:
    """End one session."""
    with transaction() as session:
        session.execute(delete(AuthorSession).where(AuthorSession.id == session_id))


def end_sessions(author_id: int) -> None:
    """End every session of an author."""
    with transaction() as session:
        session.execute(delete(AuthorSession).where(AuthorSession.author_id == author_id))


def list_sessions(env: Environment, author_id: int) -> list[SessionView]:
    """List the browsers in which an author is logged in, newest first."""
    query = (
        select(AuthorSession)
        .join(Author, Author.id == AuthorSession.author_id)
        .where(AuthorSession.author_id == author_id, *_open_clauses(env))
        .order_by(AuthorSession.id.desc())
    )
    with reading() as session:
        return [
            SessionView(row.id, row.created_at, row.rotated_at) for row in session.scalars(query)
        ]
