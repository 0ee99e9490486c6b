"""Tables of mailing lists and their form fields."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    ForeignKey,
    Integer,
    String,
    Text,
    UniqueConstraint,
    false,
    true,
)
from sqlalchemy.orm import Mapped, mapped_column

from newsletter.db.column_types import ClosedSet, ClosedSets, make_member_check
from newsletter.db.session import Base
from newsletter.digest_vocabulary import DigestOrder, DigestSections, DigestShow
from newsletter.schedule import Schedule, get_zone
from newsletter.vocabulary import Cadence, FieldKind

FIELD_KINDS = tuple(FieldKind)


class MailingList(Base):
    """A newsletter: its sender, its cadences, its texts.

    `schedule_since`: moments before it are not caught up on.

    A scheduled digest waits for `digest_min_entries`, `digest_max_wait` days at most.
    `digest_indexed`: search engines may list archive pages of digests with several posts, too.
    `section_order` holds the ids of the feeds or topics (`digest_sections`) that come first.

    `review_minutes`: authors are mailed a digest so long before it goes (0: not at all); instant
    mails only with `review_instant`; with `review_waits` it goes only once it is released.

    `weekly_note`: its authors are mailed its numbers each week; `noted_week`: the last that they
    were, as ``2026-W48``.

    `flood_told_at`: when the author was told that confirmations wait because of a flood of
    sign-ups.
    """

    __tablename__ = "mailing_lists"
    __table_args__ = (
        CheckConstraint("send_hour BETWEEN 0 AND 23", name="send_hour"),
        CheckConstraint("send_weekday BETWEEN 0 AND 6", name="send_weekday"),
        CheckConstraint("send_monthday BETWEEN 1 AND 31", name="send_monthday"),
        make_member_check("default_cadence", Cadence),
        make_member_check("digest_show", DigestShow),
        make_member_check("digest_order", DigestOrder),
        make_member_check("digest_sections", DigestSections),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    slug: Mapped[str] = mapped_column(String(60), unique=True)
    title: Mapped[str] = mapped_column(String(200))
    description: Mapped[str] = mapped_column(Text, default="")
    site_url: Mapped[str] = mapped_column(String(2000), default="")
    from_name: Mapped[str] = mapped_column(String(200))
    from_email: Mapped[str] = mapped_column(String(254))
    reply_to: Mapped[str] = mapped_column(String(254), default="")
    postal_address: Mapped[str] = mapped_column(String(500), default="")
    language: Mapped[str] = mapped_column(String(20), default="en")
    timezone: Mapped[str] = mapped_column(String(60), default="UTC")
    cadences: Mapped[list[Cadence]] = mapped_column(ClosedSets(Cadence))
    default_cadence: Mapped[Cadence] = mapped_column(ClosedSet(Cadence, 10))
    send_hour: Mapped[int] = mapped_column(Integer, default=8)
    send_weekday: Mapped[int] = mapped_column(Integer, default=0)
    send_monthday: Mapped[int] = mapped_column(Integer, default=1)
    schedule_since: Mapped[datetime]
    grace_minutes: Mapped[int] = mapped_column(Integer, default=10, server_default="10")
    theme_color: Mapped[str] = mapped_column(String(7), default="")
    theme_font: Mapped[str] = mapped_column(String(20), default="", server_default="")
    theme_radius: Mapped[int] = mapped_column(Integer, default=10, server_default="10")
    logo_url: Mapped[str] = mapped_column(String(2000), default="")
    digest_min_entries: Mapped[int] = mapped_column(Integer, default=1, server_default="1")
    digest_max_wait: Mapped[int] = mapped_column(Integer, default=14, server_default="14")
    digest_show: Mapped[DigestShow] = mapped_column(
        ClosedSet(DigestShow, 10), default=DigestShow.AUTO, server_default="auto"
    )
    digest_order: Mapped[DigestOrder] = mapped_column(
        ClosedSet(DigestOrder, 10), default=DigestOrder.NEWEST, server_default="newest"
    )
    digest_indexed: Mapped[bool] = mapped_column(Boolean, default=False, server_default=false())
    digest_sections: Mapped[DigestSections] = mapped_column(
        ClosedSet(DigestSections, 10), default=DigestSections.NONE, server_default="none"
    )
    section_order: Mapped[list[str]] = mapped_column(default=list, server_default="[]")
    review_minutes: Mapped[int] = mapped_column(Integer, default=0, server_default="0")
    review_instant: Mapped[bool] = mapped_column(Boolean, default=False, server_default=false())
    weekly_note: Mapped[bool] = mapped_column(Boolean, default=True, server_default=true())
    noted_week: Mapped[str] = mapped_column(String(10), default="", server_default="")
    review_waits: Mapped[bool] = mapped_column(Boolean, default=False, server_default=false())
    consent_text: Mapped[str] = mapped_column(Text, default="")
    entry_seq: Mapped[int] = mapped_column(Integer, default=0)
    flood_told_at: Mapped[datetime | None]
    created_at: Mapped[datetime]

    @property
    def zone(self) -> ZoneInfo:
        """Return the list's time zone, or UTC if the machine does not know it."""
        return get_zone(self.timezone)

    @property
    def schedule(self) -> Schedule:
        """The list's hour and days in its own zone."""
        return Schedule(self.zone, self.send_hour, self.send_weekday, self.send_monthday)


class FormField(Base):
    """A field of the author's own in a list's form.

    The `label` of a `consent` is the wording that is agreed to.
    """

    __tablename__ = "form_fields"
    __table_args__ = (
        UniqueConstraint("list_id", "name"),
        make_member_check("kind", FieldKind),
    )

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    list_id: Mapped[int] = mapped_column(ForeignKey(MailingList.id, ondelete="CASCADE"))
    name: Mapped[str] = mapped_column(String(40))
    kind: Mapped[FieldKind] = mapped_column(ClosedSet(FieldKind, 10))
    label: Mapped[str] = mapped_column(Text)
    choices: Mapped[list[str]]
    required: Mapped[bool] = mapped_column(Boolean)
