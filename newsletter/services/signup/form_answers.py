"""Parse the answers to the author's own fields of a form."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from newsletter.html.text import to_plain_line
from newsletter.i18n import Text
from newsletter.services.signup.forms import Field
from newsletter.vocabulary import FieldKind

TEXT_AT_MOST = 500


_TICKED = ("1", "on", "true", "yes")


def parse_answers(
    fields: Sequence[Field], values: Mapping[str, object]
) -> tuple[dict[str, object], dict[str, str]]:
    """Return the valid answers to the author's fields, and the problem of every other field.

    Pure.
    """
    answers: dict[str, object] = {}
    problems: dict[str, str] = {}
    for field in fields:
        value = values.get(field.name)
        try:
            answer = (
                _parse_tick(value)
                if field.kind in (FieldKind.CHECKBOX, FieldKind.CONSENT)
                else _parse_text(field, value)
            )
        except ValueError as error:
            problems[field.name] = error.args[0]
            continue
        if field.required and not answer:
            problems[field.name] = (
                Text("Please tick this.") if answer is False else Text("Please fill this in.")
            )
        elif answer or answer is False:
            answers[field.name] = answer
    return answers, problems


def _parse_tick(value: object) -> bool:
    if value in (None, "", False):
        return False
    if value is True or (isinstance(value, str) and value.lower() in _TICKED):
        return True
    raise ValueError(Text("Please tick this, or leave it."))


def _parse_text(field: Field, value: object) -> str:
    if value is None:
        return ""
    if not isinstance(value, str):
        raise ValueError(Text("Please write text here."))
    if len(value) > TEXT_AT_MOST:
        raise ValueError(Text("Please write less here."))
    text = to_plain_line(value, limit=TEXT_AT_MOST)
    if field.kind == FieldKind.CHOICE and text and text not in field.choices:
        raise ValueError(Text("Please choose one of those offered."))
    return text
