"""Subscriber files that were uploaded on a page, until a worker has imported them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, Float, ForeignKey, Integer, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from newsletter.access_vocabulary import ImportState
from newsletter.db.column_types import ClosedSet, make_member_check
from newsletter.db.session import Base
from newsletter.models.authors import Author


class ImportFile(Base):
    """An uploaded file of subscribers, with the author's choices and the progress.

    Its bytes lie in ``imports/<handle>/`` beside the settings until it is imported or discarded.
    `result` are the counts, columns and problems of the latest reading; `tries` how often a worker
    began with it since its author last decided. While a worker has it, `leased_until` is ahead.
    """

    __tablename__ = "import_files"
    __table_args__ = (make_member_check("state", ImportState), {"sqlite_autoincrement": True})

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    handle: Mapped[str] = mapped_column(String(20), unique=True)
    author_id: Mapped[int] = mapped_column(ForeignKey(Author.id, ondelete="CASCADE"), index=True)
    filename: Mapped[str] = mapped_column(String(120))
    size: Mapped[int] = mapped_column(BigInteger)
    slug: Mapped[str] = mapped_column(String(60))
    platform: Mapped[str] = mapped_column(String(40))
    choices: Mapped[dict[str, str]] = mapped_column(JSON)
    because: Mapped[str] = mapped_column(String(500))
    state: Mapped[ImportState] = mapped_column(ClosedSet(ImportState, 10))
    tries: Mapped[int] = mapped_column(Integer, default=0)
    share: Mapped[float] = mapped_column(Float, default=0.0)
    result: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    problem: Mapped[str] = mapped_column(Text, default="")
    created_at: Mapped[datetime]
    changed_at: Mapped[datetime]
    leased_until: Mapped[datetime | None]
