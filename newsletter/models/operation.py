"""Tables of state shared by workers and pages: counters, workers, keys, back-offs, holds."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, Float, Integer, String
from sqlalchemy.orm import Mapped, mapped_column

from newsletter.db.session import Base


class Counter(Base):
    """A count of `name` in the window that begins at `starts_at`.

    `starts_at` is in seconds since 1970, or in milliseconds for the pace of sending.
    """

    __tablename__ = "counters"

    name: Mapped[str] = mapped_column(String(120), primary_key=True)
    starts_at: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    count: Mapped[int] = mapped_column(Integer)


class InstallationKey(Base):
    """A random key of this installation, created with its database and never changed.

    `deliveries` names messages to the outside (`newsletter.outbox.references`): a message keeps its
    Message-ID whatever becomes of `secret_key`.
    """

    __tablename__ = "installation_keys"

    name: Mapped[str] = mapped_column(String(40), primary_key=True)
    value: Mapped[str] = mapped_column(String(64))


class SeenDkimKey(Base):
    """A DKIM key that the DNS has published for a domain.

    `fingerprint` is a hash of the public key: another key of the same selector was not seen.
    """

    __tablename__ = "seen_dkim_keys"

    domain: Mapped[str] = mapped_column(String(255), primary_key=True)
    selector: Mapped[str] = mapped_column(String(63), primary_key=True)
    fingerprint: Mapped[str] = mapped_column(String(64))


class Worker(Base):
    """A worker process and when it last ticked."""

    __tablename__ = "workers"

    name: Mapped[str] = mapped_column(String(200), primary_key=True)
    ticked_at: Mapped[datetime] = mapped_column(index=True)


class DomainBackoff(Base):
    """A recipients' domain that refuses our mail: campaigns skip it `until` then.

    `seconds` is the length of that back-off.
    """

    __tablename__ = "domain_backoffs"

    domain: Mapped[str] = mapped_column(String(255), primary_key=True)
    until: Mapped[datetime]
    seconds: Mapped[int] = mapped_column(Integer)
    why: Mapped[str] = mapped_column(String(500))


class LastingKey(Base):
    """A random key for permanent hashes, of suppressions and erasures.

    It is independent of `secret_key`, so that replacing that one forgets nothing. The oldest key
    makes new hashes. A restore adds the keys of the database that it replaces, so that the hashes
    of both are still recognised.
    """

    __tablename__ = "lasting_keys"
    __table_args__ = {"sqlite_autoincrement": True}

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    key: Mapped[str] = mapped_column(String(64), unique=True)
    created_at: Mapped[datetime]


class Installation(Base):
    """The single row with the state of the installation.

    `key_fingerprint` identifies the `secret_key` that signs this installation's links, without
    revealing it. While `held_at` is set nothing is mailed; `held_because` is the reason.
    """

    __tablename__ = "installation"
    __table_args__ = (CheckConstraint("id = 1", name="single_row"),)

    id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    key_fingerprint: Mapped[str] = mapped_column(String(32), default="", server_default="")
    held_at: Mapped[datetime | None]
    held_because: Mapped[str] = mapped_column(String(500), default="", server_default="")


class SenderState(Base):
    """A cause that slows or stops sending, shared by all processes.

    `cause` is one of `newsletter.services.sender_state`. Sending rests `until` then where the cause
    stops it; `seconds` is the length of that rest, and the next one is twice as long. `why` holds
    the server's own words, `server` the name of the server that said them. `rate` is the pace that
    was learnt, in messages per second. `since`: when the trouble began; `told_at`: when an author
    was told.
    """

    __tablename__ = "sender_states"

    cause: Mapped[str] = mapped_column(String(20), primary_key=True)
    until: Mapped[datetime]
    seconds: Mapped[int] = mapped_column(Integer, default=0, server_default="0")
    rate: Mapped[float | None] = mapped_column(Float)
    why: Mapped[str] = mapped_column(String(500))
    server: Mapped[str] = mapped_column(String(300), default="", server_default="")
    since: Mapped[datetime]
    told_at: Mapped[datetime | None]
