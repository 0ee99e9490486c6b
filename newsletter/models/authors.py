"""Tables of authors: accounts, log-ins, sessions, passkeys and acts."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, Boolean, ForeignKey, Integer, LargeBinary, String, false
from sqlalchemy.orm import Mapped, mapped_column

from newsletter.access_vocabulary import ActOutcome, AuthorRole
from newsletter.db.column_types import ClosedSet, make_member_check
from newsletter.db.session import Base, BigId
from newsletter.models.lists import MailingList
from newsletter.tokens import new_handle


class Author(Base):
    """A person who may log in to the author's pages.

    A `limited` author sees the lists of `AuthorList` and nothing of others, also when each of those
    lists has been removed. One who was revoked stays, so that what they did keeps its name.
    `handle` is what passkeys know the author by: random, so that it tells a device nothing.
    """

    __tablename__ = "authors"
    __table_args__ = (make_member_check("role", AuthorRole), {"sqlite_autoincrement": True})

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    handle: Mapped[str] = mapped_column(String(20), unique=True, default=new_handle)
    email: Mapped[str] = mapped_column(String(320))
    email_key: Mapped[str] = mapped_column(String(320), unique=True)
    role: Mapped[AuthorRole] = mapped_column(ClosedSet(AuthorRole, 10))
    limited: Mapped[bool] = mapped_column(Boolean, default=False, server_default=false())
    created_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]


class AuthorList(Base):
    """A list that a limited author may see."""

    __tablename__ = "author_lists"

    author_id: Mapped[int] = mapped_column(
        ForeignKey(Author.id, ondelete="CASCADE"), primary_key=True
    )
    list_id: Mapped[int] = mapped_column(
        ForeignKey(MailingList.id, ondelete="CASCADE"), primary_key=True, index=True
    )


class AuthorLogin(Base):
    """A requested log-in: one link and one code, for one use.

    Link and code are made from `handle` with the secret key and stand nowhere. `browser` is a hash
    that names the browser which asked, "" for a link from the command line, which any browser may
    open. An address that is no author's has a row without `author_id`, so that every answer costs
    the same. `path`: the page that was asked for ("": the first).
    """

    __tablename__ = "author_logins"
    __table_args__ = {"sqlite_autoincrement": True}

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    handle: Mapped[str] = mapped_column(String(20), unique=True)
    author_id: Mapped[int | None] = mapped_column(
        ForeignKey(Author.id, ondelete="CASCADE"), index=True
    )
    browser: Mapped[str] = mapped_column(String(64), index=True)
    path: Mapped[str] = mapped_column(String(300), default="", server_default="")
    tries: Mapped[int] = mapped_column(Integer, default=0, server_default="0")
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime] = mapped_column(index=True)
    used_at: Mapped[datetime | None]


class AuthorSession(Base):
    """A browser in which an author is logged in.

    The cookie's value is stored as a hash, and replaced every day; the `previous_hash` is accepted
    for a moment more, for requests that were under way. `confirmed_at`: when the author last proved
    with a link or a code who they are. `ended_at`: when they logged out; the browser stays known.
    """

    __tablename__ = "author_sessions"
    __table_args__ = {"sqlite_autoincrement": True}

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    author_id: Mapped[int] = mapped_column(ForeignKey(Author.id, ondelete="CASCADE"), index=True)
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    previous_hash: Mapped[str | None] = mapped_column(String(64), index=True)
    created_at: Mapped[datetime]
    confirmed_at: Mapped[datetime]
    rotated_at: Mapped[datetime]
    expires_at: Mapped[datetime] = mapped_column(index=True)
    ended_at: Mapped[datetime | None]


class AuthorPasskey(Base):
    """A passkey that an author logs in with: the public half of a key pair on a device.

    `credential_id` (base64url) names it, `public_key` is a COSE key (RFC 9052 section 7).
    `sign_count`: how often it was used as the device counts, always 0 where the device does not.
    """

    __tablename__ = "author_passkeys"
    __table_args__ = {"sqlite_autoincrement": True}

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    author_id: Mapped[int] = mapped_column(ForeignKey(Author.id, ondelete="CASCADE"), index=True)
    credential_id: Mapped[str] = mapped_column(String(1400), unique=True)
    public_key: Mapped[bytes] = mapped_column(LargeBinary)
    sign_count: Mapped[int] = mapped_column(BigInteger)
    name: Mapped[str] = mapped_column(String(60))
    created_at: Mapped[datetime]
    used_at: Mapped[datetime | None]


class AuthorAct(Base):
    """One act of an author in the audit log: action, time, subject and outcome.

    Holds ids, never an address or typed text; `subject` is like `campaign 12`. A row is written
    before the act, so that nothing is done without one.
    """

    __tablename__ = "author_acts"
    __table_args__ = (make_member_check("outcome", ActOutcome), {"sqlite_autoincrement": True})

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    at: Mapped[datetime] = mapped_column(index=True)
    author_id: Mapped[int] = mapped_column(ForeignKey(Author.id, ondelete="CASCADE"), index=True)
    act: Mapped[str] = mapped_column(String(60))
    subject: Mapped[str] = mapped_column(String(80), default="", server_default="")
    outcome: Mapped[ActOutcome] = mapped_column(ClosedSet(ActOutcome, 10))
