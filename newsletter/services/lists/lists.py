"""Mailing lists: make one, look, change its settings, remove it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from email.utils import parseaddr
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sqlalchemy import Integer, bindparam, func, or_, select
from sqlalchemy.orm import Session

from newsletter.addresses import parse_address
from newsletter.db.session import reading, transaction
from newsletter.errors import InvalidInput, Refused
from newsletter.html.text import to_plain_line
from newsletter.models import Campaign, MailingList, Subscription
from newsletter.schedule import CADENCES, WEEKDAYS
from newsletter.services.lists import digest_options
from newsletter.services.lookup import get_list
from newsletter.services.polling import entries
from newsletter.services.runtime import Environment
from newsletter.services.suppressions import count_suppressed
from newsletter.urls import RESERVED_SLUGS
from newsletter.vocabulary import SubscriptionStatus

_SLUG = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,58}[a-z0-9])?")
_MAILINGS = (
    select(Campaign.handle, Campaign.subject, Campaign.started_at)
    .join(MailingList)
    .where(MailingList.slug == bindparam("slug"))
    .where(
        Campaign.started_at.is_not(None),
        or_(Campaign.status == "sent", Campaign.status == "sending"),
    )
    .where(
        Campaign.segment == "", Campaign.kind != "permission"
    )  # what was for some is not for everybody
    .where(Campaign.repeats.is_(False))
    .order_by(Campaign.id.desc())
    .limit(bindparam("limit", type_=Integer))
)
_SCHEDULE = {"send_hour", "send_weekday", "send_monthday", "timezone"}


@dataclass(frozen=True, slots=True)
class ListSettings:
    """A list and its settings.

    `weekday` by name; `active` and `pending` count subscriptions; suppressed addresses are not
    among the active.
    """

    slug: str
    title: str
    description: str
    site_url: str
    from_name: str
    from_email: str
    reply_to: str
    postal_address: str
    language: str
    timezone: str
    cadences: tuple[str, ...]
    cadence: str
    hour: int
    day: str
    monthday: int
    grace: int
    min_entries: int
    max_wait: int
    show: str
    order: str
    sections: str
    color: str
    font: str
    radius: int
    logo_url: str
    consent_text: str
    active: int
    pending: int


@dataclass(frozen=True, slots=True)
class ArchivedCampaign:
    """A campaign as the archive names it, by its handle."""

    handle: str
    subject: str
    sent_at: datetime


def add(env: Environment, slug: str, values: Mapping[str, object]) -> ListSettings:
    """Make a list.

    `values` as in `edit`; `from` is required. Raises `InvalidInput`, `Refused`.
    """
    if not _SLUG.fullmatch(slug) or slug in RESERVED_SLUGS:
        raise InvalidInput({"slug": "use a–z, 0–9 and hyphens, and no name of a page of ours"})
    columns: dict[str, Any] = parse_settings({"title": slug.replace("-", " ").title(), **values})
    if "from_email" not in columns:
        raise InvalidInput({"from": 'say who writes, like --from "Ana <ana@example.org>"'})
    offered = columns.pop("cadences", None) or list(CADENCES)
    default = columns.pop("default_cadence", None) or (
        "weekly" if "weekly" in offered else offered[0]
    )
    if default not in offered:
        raise InvalidInput({"cadence": f"{default} is not among those offered"})
    with transaction() as session:
        if session.scalar(select(MailingList.id).where(MailingList.slug == slug)) is not None:
            raise Refused(f"there is a list {slug} already", hint="choose another name")
        made = MailingList(
            slug=slug,
            cadences=offered,
            default_cadence=default,
            schedule_since=env.now,
            created_at=env.now,
            **columns,
        )
        session.add(made)
        session.flush()
        return _view(session, made)


def edit(env: Environment, slug: str, values: Mapping[str, object]) -> ListSettings:
    """Change what is given: title, description, site_url, from, reply_to, address, language,
    timezone, cadence, cadences, hour, day, monthday, grace, min_entries, max_wait, show, order,
    sections, color, font, radius, logo, consent. A changed schedule catches up on nothing in the
    past.
    """
    columns = parse_settings(values)
    with transaction() as session:
        found = get_list(session, slug)
        if "grace_minutes" in columns:
            entries.change_grace_period(env, session, found, columns["grace_minutes"])
        for name, value in columns.items():
            setattr(found, name, value)
        if found.default_cadence not in found.cadences:
            raise InvalidInput({"cadence": f"{found.default_cadence} is not among those offered"})
        if _SCHEDULE & set(columns):
            found.schedule_since = env.now
        session.flush()
        return _view(session, found)


def list_lists() -> list[ListSettings]:
    """Every list."""
    with reading() as session:
        return [
            _view(session, row)
            for row in session.scalars(select(MailingList).order_by(MailingList.id))
        ]


def list_time_zones() -> dict[str, str]:
    """The time zone of each list, by its slug."""
    with reading() as session:
        return {
            row.slug: row.timezone
            for row in session.execute(select(MailingList.slug, MailingList.timezone))
        }


def show(slug: str) -> ListSettings:
    """One list.

    Raises `NotFound`.
    """
    with reading() as session:
        return _view(session, get_list(session, slug))


def remove(slug: str) -> ListSettings:
    """Remove a list with its feeds, subscriptions and campaigns."""
    with transaction() as session:
        found = get_list(session, slug)
        shown = _view(session, found)
        session.delete(found)
        return shown


def list_archived(slug: str, *, limit: int = 20) -> tuple[ArchivedCampaign, ...]:
    """What was mailed to a list, newest first."""
    with reading() as session:
        return find_archived(session, slug, limit=limit)


def find_archived(session: Session, slug: str, *, limit: int) -> tuple[ArchivedCampaign, ...]:
    """The same, within a transaction."""
    rows = session.connection().execute(_MAILINGS, {"slug": slug, "limit": limit})
    return tuple(
        ArchivedCampaign(handle, subject, at) for handle, subject, at in rows if at is not None
    )


def parse_settings(values: Mapping[str, object]) -> dict[str, Any]:
    """Settings as an author writes them, as columns.

    Raises `InvalidInput` with all that is wrong.
    """
    columns: dict[str, Any] = {}
    problems: dict[str, str] = {}
    for name, value in values.items():
        if value is not None:
            try:
                columns.update(_column(name, value))
            except (InvalidInput, ValueError, ZoneInfoNotFoundError, OSError) as error:
                problems[name] = (
                    next(iter(error.fields.values()))
                    if isinstance(error, InvalidInput)
                    else str(error)
                )
    if problems:
        raise InvalidInput(problems)
    return columns


def _column(name: str, value: object) -> dict[str, object]:
    text = to_plain_line(value, limit=2000)
    match name:
        case "from":
            display, email = parseaddr(text)
            return {
                "from_name": to_plain_line(display, limit=200),
                "from_email": parse_address(email, field=name).email,
            }
        case "reply_to":
            return {"reply_to": parse_address(text, field=name).email if text else ""}
        case "address":
            return {"postal_address": text[:500]}
        case "title":
            return {"title": _required(text[:200])}
        case "description" | "site_url" | "language":
            return {name: text}
        case "logo":
            return {"logo_url": _address(text)}
        case "consent":
            return {"consent_text": text}
        case "color":
            return {"theme_color": _color(text)}
        case "timezone":
            return {"timezone": _zone(text)}
        case "cadence":
            return {"default_cadence": _cadence(text)}
        case "cadences":
            return {
                "cadences": [_cadence(word) for word in text.replace(",", " ").split()]
                or list(CADENCES)
            }
        case "hour":
            return {"send_hour": _within(text, 0, 23)}
        case "day":
            return {"send_weekday": _weekday(text)}
        case "monthday":
            return {"send_monthday": _within(text, 1, 31)}
        case "grace":
            return {"grace_minutes": _within(text, 0, 1440)}
    return digest_options.column(name, text)


def _required(text: str) -> str:
    if not text:
        raise ValueError("must not be empty")
    return text


def _address(text: str) -> str:
    if text and not text.startswith(("https://", "http://")):
        raise ValueError("must be a full web address")
    return text


def _color(text: str) -> str:
    if text and not re.fullmatch(r"#[0-9a-fA-F]{6}", text):
        raise ValueError("must look like #2f6f62")
    return text


def _zone(text: str) -> str:
    try:
        ZoneInfo(text)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(
            f"{text or 'that'} is no time zone; use a name like Europe/Berlin"
        ) from None
    return text


def _cadence(word: str) -> str:
    if word not in CADENCES:
        raise ValueError(f"{word} is none of {', '.join(CADENCES)}")
    return word


def _weekday(text: str) -> int:
    if text.lower()[:3] not in WEEKDAYS:
        raise ValueError(f"is none of {', '.join(WEEKDAYS)}")
    return WEEKDAYS.index(text.lower()[:3])


def _within(text: str, low: int, high: int) -> int:
    if not text.isdecimal() or not low <= int(text) <= high:
        raise ValueError(f"must be a number from {low} to {high}")
    return int(text)


def _view(session: Session, row: MailingList) -> ListSettings:
    query = select(Subscription.status, func.count()).where(Subscription.list_id == row.id)
    counts = {
        status: int(count) for status, count in session.execute(query.group_by(Subscription.status))
    }
    active = counts.get(SubscriptionStatus.ACTIVE, 0) - count_suppressed(session, row.id)
    return ListSettings(
        slug=row.slug,
        title=row.title,
        description=row.description,
        site_url=row.site_url,
        from_name=row.from_name,
        from_email=row.from_email,
        reply_to=row.reply_to,
        postal_address=row.postal_address,
        language=row.language,
        timezone=row.timezone,
        cadences=tuple(row.cadences),
        cadence=row.default_cadence,
        hour=row.send_hour,
        day=WEEKDAYS[row.send_weekday],
        monthday=row.send_monthday,
        grace=row.grace_minutes,
        color=row.theme_color,
        logo_url=row.logo_url,
        consent_text=row.consent_text,
        active=active,
        pending=counts.get(SubscriptionStatus.PENDING, 0),
        min_entries=row.digest_min_entries,
        max_wait=row.digest_max_wait,
        show=row.digest_show,
        order=row.digest_order,
        sections=row.digest_sections,
        font=row.theme_font or "system",
        radius=row.theme_radius,
    )


def as_json(shown: ListSettings) -> dict[str, object]:
    """A list as programs read it."""
    return asdict(shown)
