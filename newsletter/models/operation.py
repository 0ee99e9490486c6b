"""What workers and pages share to stay within limits and to be seen alive."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, Integer, String
from sqlalchemy.orm import Mapped, mapped_column

from newsletter.db.session import Base


class Counter(Base):
    """How often `name` happened in the window that begins at `starts_at` (since 1970, in seconds; in milliseconds
    where the pace of sending is counted)."""

    __tablename__ = "counters"

    name: Mapped[str] = mapped_column(String(120), primary_key=True)
    starts_at: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    count: Mapped[int] = mapped_column(Integer)


class WorkerRow(Base):
    """A worker process and when it last ticked."""

    __tablename__ = "workers"

    name: Mapped[str] = mapped_column(String(200), primary_key=True)
    ticked_at: Mapped[datetime] = mapped_column(index=True)


class Rest(Base):
    """A recipients' domain that refuses us: campaigns leave it alone `until` then; `seconds` is how long that is."""

    __tablename__ = "rests"

    domain: Mapped[str] = mapped_column(String(255), primary_key=True)
    until: Mapped[datetime]
    seconds: Mapped[int] = mapped_column(Integer)
    why: Mapped[str] = mapped_column(String(500))
