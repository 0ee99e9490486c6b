"""Build SQL conditions on subscribers' answers in forms, topics and the campaigns they were sent.

Unlike a subscriber's columns, these have names of the list's own: a name that the list does not
have is refused, because ``fields.twon != "Berlin"`` would otherwise reach everybody.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import NoReturn

from sqlalchemy import ColumnElement, String, cast, func, literal, or_, select
from sqlalchemy.orm import Session, object_session

from newsletter import outbox
from newsletter.authoring.segment_terms import Answer, Answered, Had, OfTopic
from newsletter.errors import InvalidInput
from newsletter.models import Campaign, MailingList, Subscription
from newsletter.services.audience.list_fields import AnswerField, ListFields, read_list_fields
from newsletter.vocabulary import FieldKind

TICKED = ("true", "1")
"""A JSON true as the databases write it: PostgreSQL, SQLite."""


def fact_clause(
    term: Answer | Answered | OfTopic | Had, mailing_list: MailingList
) -> ColumnElement[bool]:
    """Build the SQL condition of one term of a segment; names of fields and topics are its list's.

    Raises `InvalidInput` for a field, topic or campaign that the list does not have.
    """
    session = object_session(mailing_list)
    assert session is not None
    match term:
        case Had(campaign_ids=campaign_ids):
            return _had_clause(session, mailing_list, campaign_ids)
        case OfTopic(topic=topic):
            return _topic_clause(read_list_fields(session, mailing_list.id), topic, mailing_list)
        case Answered(field=name, consent=consent):
            field = _get_field(read_list_fields(session, mailing_list.id), name, mailing_list)
            return _answered_clause(name, field, consent=consent)
        case Answer(field=name, values=values):
            field = _get_field(read_list_fields(session, mailing_list.id), name, mailing_list)
            return _answer_clause(name, field, values)


def _answered_clause(name: str, field: AnswerField, *, consent: bool) -> ColumnElement[bool]:
    if consent and field.kind is not FieldKind.CONSENT:
        _refuse(f"{name} is a field of the kind {field.kind}, not a consent: write fields.{name}")
    if field.kind in (FieldKind.CHECKBOX, FieldKind.CONSENT):
        return _cast_answer(name).in_(TICKED)
    return _cast_answer(name) != ""


def _answer_clause(name: str, field: AnswerField, values: tuple[str, ...]) -> ColumnElement[bool]:
    if field.kind in (FieldKind.CHECKBOX, FieldKind.CONSENT):
        _refuse(f"{name} is ticked or not: write fields.{name} or not fields.{name}")
    if field.kind is FieldKind.CHOICE:
        for value in values:
            if value and value not in field.choices:
                _refuse(f'"{value}" is no choice of {name}', value, field.choices)
    return _cast_answer(name).in_(values)


def _cast_answer(name: str) -> ColumnElement[str]:
    """Return an answer as text, "" where there is none."""
    return func.coalesce(cast(Subscription.answers[name].as_string(), String), "")


def _topic_clause(known: ListFields, name: str, mailing_list: MailingList) -> ColumnElement[bool]:
    ids = [
        topic_id for topic_id, title in known.topics.items() if title.casefold() == name.casefold()
    ]
    if not ids:
        _refuse(f'{mailing_list.slug} has no topic "{name}"', name, known.topics.values())
    chosen = (literal(",") + Subscription.topics + ",").contains(f",{ids[0]},")
    return or_(Subscription.topics == "", chosen)


def _had_clause(
    session: Session, mailing_list: MailingList, campaign_ids: tuple[int, ...]
) -> ColumnElement[bool]:
    query = select(Campaign.id).where(
        Campaign.id.in_(campaign_ids), Campaign.list_id == mailing_list.id
    )
    if missing := set(campaign_ids) - set(session.scalars(query)):
        _refuse(f"{mailing_list.slug} has no campaign {min(missing)}")
    return outbox.was_mailed_clause(campaign_ids)


def _get_field(known: ListFields, name: str, mailing_list: MailingList) -> AnswerField:
    if name not in known.fields:
        _refuse(f"{mailing_list.slug} has no field {name}", name, known.fields)
    return known.fields[name]


def _refuse(why: str, name: str = "", known: Iterable[str] = ()) -> NoReturn:
    names = list(known)
    near = difflib.get_close_matches(name, names, n=1) if name else []
    hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(names)}"
    raise InvalidInput({"segment": f"{why}; {hint}" if names else why})
