"""Read the names of a list's own fields and topics, for segments and letters."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from newsletter.html.text import to_plain_line
from newsletter.models import FormField, Topic
from newsletter.vocabulary import FieldKind

ANSWER_AT_MOST = 500
"""Characters of an answer that a letter may write: as many as a form takes."""


@dataclass(frozen=True, slots=True)
class AnswerField:
    """The attributes of a form field that a segment's condition needs."""

    kind: FieldKind
    choices: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ListFields:
    """The author's fields of a list by name, and the names of its topics by id, in their order."""

    fields: Mapping[str, AnswerField]
    topics: Mapping[int, str]

    def name_topics(self, stored: str) -> tuple[str, ...]:
        """Return the topics that a subscription gets, by name: all of them if none was chosen."""
        chosen = {int(part) for part in stored.split(",") if part}
        names = tuple(name for topic_id, name in self.topics.items() if topic_id in chosen)
        return names or tuple(self.topics.values())

    def clean_answers(self, stored: Mapping[str, Any]) -> dict[str, object]:
        """Return an answer for each field of the list, None where it was not given.

        Answers are strangers' text and may come from a file: what is neither text nor a yes or no
        is left out.
        """
        return {name: _clean_answer(stored.get(name)) for name in self.fields}


def _clean_answer(value: object) -> object:
    if isinstance(value, bool):
        return value
    if isinstance(value, str | int):
        return to_plain_line(str(value), limit=ANSWER_AT_MOST) or None
    return None


def read_list_fields(session: Session, list_id: int) -> ListFields:
    """Read the author's fields and the topics of a list."""
    fields = select(FormField).where(FormField.list_id == list_id).order_by(FormField.id)
    topics = select(Topic).where(Topic.list_id == list_id).order_by(Topic.position, Topic.id)
    return ListFields(
        {row.name: AnswerField(row.kind, tuple(row.choices)) for row in session.scalars(fields)},
        {row.id: row.name for row in session.scalars(topics)},
    )
