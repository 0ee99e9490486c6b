"""Describe a list's sign-up form, and manage the author's own fields."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

from sqlalchemy import Table, bindparam, exists, select
from sqlalchemy.orm import Session

from newsletter.db.looks import read_alone
from newsletter.db.prepared import Prepared
from newsletter.db.session import reading, transaction
from newsletter.errors import InvalidInput, NotFound, Refused
from newsletter.html.text import to_plain_line, to_plain_lines
from newsletter.i18n import Text
from newsletter.models import FormField, MailingList, Topic
from newsletter.models.lists import FIELD_KINDS
from newsletter.services.consent import make_wording, store_wording
from newsletter.services.list_look import ListLook, describe_look
from newsletter.services.lists.archived_campaigns import ArchivedCampaign, list_archived
from newsletter.services.lists.topics import TopicOffer, find_offers
from newsletter.services.lookup import get_list
from newsletter.services.runtime import Environment
from newsletter.urls import RESERVED_SLUGS
from newsletter.vocabulary import Cadence, FieldKind

TRAP = "website"
"""The honeypot field, which only robots fill in."""
OWN_NAMES = frozenset(
    {
        "email",
        "name",
        "cadence",
        "language",
        "topics",
        "stamp",
        "altcha",
        "form",
        "wording",
        "page",
        "list",
        TRAP,
    }
)
"""Reserved names of the form's own fields."""
FIELDS_AT_MOST = 20
_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")
_table = cast(Table, MailingList.__table__)
_columns: list[Any] = [
    _table.c[name]
    for name in (
        "id",
        "slug",
        "title",
        "description",
        "from_name",
        "from_email",
        "site_url",
        "logo_url",
        "theme_color",
        "theme_font",
        "language",
        "cadences",
        "default_cadence",
        "consent_text",
    )
]
_EVERY = Prepared(select(*_columns).order_by(_table.c.id))
_ONE = Prepared(
    select(
        *_columns,
        exists().where(FormField.list_id == _table.c.id).label("has_fields"),
        exists().where(Topic.list_id == _table.c.id).label("has_topics"),
    ).where(_table.c.slug == bindparam("slug"))
)


@dataclass(frozen=True, slots=True)
class Field:
    """A field of the author's own."""

    name: str
    kind: FieldKind
    label: str
    choices: tuple[str, ...] = ()
    required: bool = False


@dataclass(frozen=True, slots=True)
class Form:
    """A list's sign-up form.

    Reading it counts nothing, so that it costs the same for any list.
    """

    list_id: int
    slug: str
    title: str
    description: str
    from_name: str
    from_email: str
    look: ListLook
    language: str
    cadences: tuple[Cadence, ...]
    cadence: Cadence
    consent_text: str
    fields: tuple[Field, ...]
    topics: tuple[TopicOffer, ...] = ()

    def wording(self, language: str = "") -> str:
        """Return the consent text in `language` or else in the list's."""
        spoken = language or self.language
        return make_wording(consent_text=self.consent_text, title=self.title, language=spoken)


def get_form(slug: str) -> Form:
    """Return a list's form.

    Raises `NotFound`.
    """
    rows = [] if slug in RESERVED_SLUGS else read_alone(_ONE, {"slug": slug})
    if not rows:
        raise NotFound("there is no such list")
    [row] = rows
    if not (row.has_fields or row.has_topics):
        return _make_form(row)
    with reading() as session:
        return _make_form(row, read_fields(session, row.id), find_offers(session, row.id))


def get_list_page(slug: str, *, limit: int = 5) -> tuple[Form, tuple[ArchivedCampaign, ...]]:
    """Return the content of a list's page: its form and its latest campaigns.

    Raises `NotFound`.
    """
    return get_form(slug), list_archived(slug, limit=limit)


def list_forms() -> tuple[Form, ...]:
    """List every list's form, without fields and topics, for the first page."""
    return tuple(_make_form(row) for row in read_alone(_EVERY, {}))


def get_form_to_paste(env: Environment, slug: str, language: str = "") -> Form:
    """Return a list's form for a snippet, and store its wording.

    A pasted form may name that wording for years. Raises `NotFound`.
    """
    form = get_form(slug)
    with transaction() as session:
        store_wording(session, form.wording(language), env.now)
    return form


def _make_form(
    row: Any, fields: tuple[Field, ...] = (), topics: tuple[TopicOffer, ...] = ()
) -> Form:
    return Form(
        list_id=row.id,
        slug=row.slug,
        title=row.title,
        description=row.description,
        from_name=row.from_name,
        from_email=row.from_email,
        look=describe_look(row),
        language=row.language,
        cadences=tuple(row.cadences),
        cadence=row.default_cadence,
        consent_text=row.consent_text,
        fields=fields,
        topics=topics,
    )


def read_fields(session: Session, list_id: int) -> tuple[Field, ...]:
    """Read the author's own fields of a list, in their order."""
    query = select(FormField).where(FormField.list_id == list_id).order_by(FormField.id)
    return tuple(
        Field(row.name, row.kind, row.label, tuple(row.choices), row.required)
        for row in session.scalars(query)
    )


def list_fields(slug: str) -> tuple[Field, ...]:
    """Return the author's own fields of a list, in their order.

    Raises `NotFound`.
    """
    return get_form(slug).fields


def add_field(
    slug: str,
    name: str,
    kind: FieldKind,
    label: str,
    choices: Sequence[str] = (),
    *,
    required: bool = False,
) -> Field:
    """Add a field.

    Raises `InvalidInput` by part, `NotFound`, `Refused`.
    """
    field = Field(
        name,
        kind,
        to_plain_lines(label, limit=2000).strip(),
        tuple(to_plain_line(choice, limit=200) for choice in choices),
        required,
    )
    if problems := _find_problems(field):
        raise InvalidInput(problems)
    with transaction() as session:
        mailing_list = get_list(session, slug)
        existing = read_fields(session, mailing_list.id)
        if name in {choice.name for choice in existing}:
            raise Refused(
                Text("%(slug)s has a field %(name)s already", slug=slug, name=name),
                hint=Text("remove it first, or choose another name"),
            )
        if len(existing) >= FIELDS_AT_MOST:
            raise Refused(
                Text(
                    "%(slug)s has %(most)s fields already",
                    slug=slug,
                    most=FIELDS_AT_MOST,
                ),
                hint=Text("nobody fills in so long a form"),
            )
        session.add(
            FormField(
                list_id=mailing_list.id,
                name=name,
                kind=kind,
                label=field.label,
                choices=list(field.choices),
                required=required,
            )
        )
    return field


def _find_problems(field: Field) -> dict[str, str]:
    problems = {}
    if not _NAME.fullmatch(field.name) or field.name in OWN_NAMES:
        problems["name"] = (
            "use a–z, 0–9 and _, beginning with a letter, and none of the form's own names"
        )
    if field.kind not in FIELD_KINDS:
        problems["kind"] = f"is unknown; use one of {', '.join(FIELD_KINDS)}"
    if not field.label:
        problems["label"] = "say what the form shows"
    if field.kind == FieldKind.CHOICE and (
        len(set(field.choices)) < 2 or len(set(field.choices)) != len(field.choices)
    ):
        problems["choices"] = "give two or more different ones"
    if field.kind != FieldKind.CHOICE and field.choices:
        problems["choices"] = "only a choice has them"
    return problems


def remove_field(slug: str, name: str) -> None:
    """Remove a field from the form, keeping subscribers' answers.

    Raises `NotFound`.
    """
    with transaction() as session:
        query = (
            select(FormField)
            .join(MailingList)
            .where(MailingList.slug == slug, FormField.name == name)
        )
        row = session.scalar(query)
        if row is None:
            raise NotFound(
                f"{slug} has no field {name}",
                hint="see `newsletter field ls`",
            )
        session.delete(row)
