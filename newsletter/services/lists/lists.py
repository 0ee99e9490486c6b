"""Create, show, change and remove mailing lists."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from newsletter.db.session import reading, transaction
from newsletter.digest_vocabulary import DigestOrder, DigestSections, DigestShow
from newsletter.errors import ChangedMeanwhile, InvalidInput, Refused
from newsletter.i18n import Text
from newsletter.models import MailingList, Subscription
from newsletter.schedule import CADENCES, WEEKDAYS
from newsletter.services.lists.list_options import parse_settings
from newsletter.services.lookup import get_list
from newsletter.services.polling import entries
from newsletter.services.runtime import Environment
from newsletter.services.suppressions import count_suppressed
from newsletter.urls import RESERVED_SLUGS
from newsletter.vocabulary import Cadence, SubscriptionStatus

_SLUG = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,58}[a-z0-9])?")
_SCHEDULE = {"send_hour", "send_weekday", "send_monthday", "timezone"}
"""The columns of the schedule of digests."""


@dataclass(frozen=True, slots=True)
class ListSettings:
    """A list and its settings, as options of `list edit` name them.

    `active` and `pending` count subscriptions; suppressed addresses are not among the active.
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
    cadences: tuple[Cadence, ...]
    cadence: Cadence
    hour: int
    day: str
    monthday: int
    grace: int
    min_entries: int
    max_wait: int
    show: DigestShow
    order: DigestOrder
    sections: DigestSections
    indexed: str
    review: str
    review_instant: str
    on_silence: str
    weekly_note: str
    color: str
    font: str
    radius: int
    logo_url: str
    consent_text: str
    active: int
    pending: int


def add(env: Environment, slug: str, values: Mapping[str, object]) -> ListSettings:
    """Create a list.

    `values` are settings as in `edit`; `from` is required. Raises `InvalidInput`, `Refused`.
    """
    if not _SLUG.fullmatch(slug) or slug in RESERVED_SLUGS:
        raise InvalidInput(
            {"slug": Text("use a–z, 0–9 and hyphens; names of the program's own pages are taken")}
        )
    columns = parse_settings({"title": slug.replace("-", " ").title(), **values})
    if "from_email" not in columns:
        raise InvalidInput({"from": Text('say who writes, like --from "Ana <ana@example.org>"')})
    offered = columns.pop("cadences", None) or list(CADENCES)
    usual = Cadence.WEEKLY if Cadence.WEEKLY in offered else offered[0]
    default = columns.pop("default_cadence", None) or usual
    if default not in offered:
        raise InvalidInput(
            {"cadence": Text("%(default)s is not among those offered", default=default)}
        )
    with transaction() as session:
        if session.scalar(select(MailingList.id).where(MailingList.slug == slug)) is not None:
            raise Refused(
                Text("there is a list %(slug)s already", slug=slug),
                hint=Text("choose another name"),
            )
        mailing_list = MailingList(
            slug=slug,
            cadences=offered,
            default_cadence=default,
            schedule_since=env.now,
            created_at=env.now,
            **columns,
        )
        session.add(mailing_list)
        session.flush()
        return _describe(session, mailing_list)


def edit(
    env: Environment,
    slug: str,
    values: Mapping[str, object],
    *,
    expected: ListSettings | None = None,
    keep_domain: bool = False,
) -> ListSettings:
    """Change settings of a list; with `keep_domain`, refuse a sender at another domain.

    These are: title, description, site_url, from, reply_to, address, language, timezone, cadence,
    cadences, hour, day, monthday, grace, min_entries, max_wait, show, order, sections, indexed,
    review, review_instant, on_silence, weekly_note, color, font, radius, logo, consent. After a
    change of its schedule a list catches up on nothing in the past.
    Raises `InvalidInput`, `NotFound`, `ChangedMeanwhile` (settings are not as `expected` any more).
    """
    columns = parse_settings(values)
    with transaction() as session:
        mailing_list = get_list(session, slug)
        session.refresh(mailing_list, with_for_update={"key_share": True})
        if expected is not None:
            current = _describe(session, mailing_list, count=False)
            if current != replace(expected, active=0, pending=0):  # whoever subscribes meanwhile
                raise ChangedMeanwhile
        if "grace_minutes" in columns:
            entries.change_grace_period(env, session, mailing_list, columns["grace_minutes"])
        sender = str(columns.get("from_email", mailing_list.from_email))
        if keep_domain and _extract_domain(sender) != _extract_domain(mailing_list.from_email):
            raise InvalidInput(
                {"from": Text("Only an author of all lists can change the domain it writes from.")}
            )
        for name, value in columns.items():
            setattr(mailing_list, name, value)
        if mailing_list.default_cadence not in mailing_list.cadences:
            raise InvalidInput(
                {
                    "cadence": Text(
                        "%(default_cadence)s is not among those offered",
                        default_cadence=mailing_list.default_cadence,
                    )
                }
            )
        if _SCHEDULE & set(columns):
            mailing_list.schedule_since = env.now
        session.flush()
        return _describe(session, mailing_list)


def _extract_domain(address: str) -> str:
    return address.rpartition("@")[2].lower()


def list_lists(*, count: bool = True) -> list[ListSettings]:
    """Return every list; without `count` their subscriptions are not counted."""
    with reading() as session:
        query = select(MailingList).order_by(MailingList.id)
        return [_describe(session, row, count=count) for row in session.scalars(query)]


def list_time_zones() -> dict[str, str]:
    """Map the slug of each list to its time zone."""
    with reading() as session:
        rows = session.execute(select(MailingList.slug, MailingList.timezone))
        return {row.slug: row.timezone for row in rows}


def show(slug: str, *, count: bool = True) -> ListSettings:
    """Return one list; without `count` its subscriptions are not counted.

    Raises `NotFound`.
    """
    with reading() as session:
        return _describe(session, get_list(session, slug), count=count)


def remove(slug: str) -> ListSettings:
    """Remove a list with its feeds, subscriptions and campaigns, and return its description."""
    with transaction() as session:
        mailing_list = get_list(session, slug)
        settings = _describe(session, mailing_list)
        session.delete(mailing_list)
        return settings


def _count_subscriptions(session: Session, list_id: int) -> dict[SubscriptionStatus, int]:
    """Count the subscriptions of a list by status; suppressed addresses are not active."""
    query = select(Subscription.status, func.count()).where(Subscription.list_id == list_id)
    counts = {
        status: int(count) for status, count in session.execute(query.group_by(Subscription.status))
    }
    active = counts.get(SubscriptionStatus.ACTIVE, 0)
    return counts | {SubscriptionStatus.ACTIVE: active - count_suppressed(session, list_id)}


def _describe(session: Session, row: MailingList, *, count: bool = True) -> ListSettings:
    counts = _count_subscriptions(session, row.id) if count else {}
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
        active=counts.get(SubscriptionStatus.ACTIVE, 0),
        pending=counts.get(SubscriptionStatus.PENDING, 0),
        min_entries=row.digest_min_entries,
        max_wait=row.digest_max_wait,
        show=row.digest_show,
        order=row.digest_order,
        sections=row.digest_sections,
        indexed="all" if row.digest_indexed else "letters",
        review=_describe_minutes(row.review_minutes),
        review_instant="yes" if row.review_instant else "no",
        on_silence="wait" if row.review_waits else "send",
        weekly_note="on" if row.weekly_note else "off",
        font=row.theme_font or "system",
        radius=row.theme_radius,
    )


def _describe_minutes(minutes: int) -> str:
    if not minutes:
        return "off"
    return f"{minutes}m" if minutes % 60 else f"{minutes // 60}h"


def to_json(settings: ListSettings) -> dict[str, object]:
    """Return a list as `--json` prints it."""
    return asdict(settings)
