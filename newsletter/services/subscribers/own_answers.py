"""Read and change a subscriber's answers to the author's own fields.

Only a link to the account shows these: what somebody wrote of themselves is not for whoever gets a
forwarded mail. A consent that is given here is recorded with its words, as in the form.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy.orm import Session

from newsletter.errors import InvalidInput
from newsletter.models import Subscription
from newsletter.services.consent import Evidence, note_consent
from newsletter.services.signup import forms
from newsletter.services.signup.form_answers import parse_answers
from newsletter.services.signup.forms import Field
from newsletter.services.subscription_state import record_change
from newsletter.vocabulary import ConsentKind, FieldKind


@dataclass(frozen=True, slots=True)
class OwnAnswer:
    """An author's field with its answer: a text, or the state of a checkbox."""

    name: str
    kind: FieldKind
    label: str
    choices: tuple[str, ...]
    value: str | bool


def list_answers(session: Session, subscription: Subscription) -> tuple[OwnAnswer, ...]:
    """List the fields of a subscription's list with its answers, in the author's order."""
    return tuple(
        OwnAnswer(
            field.name, field.kind, field.label, field.choices, _read_value(field, subscription)
        )
        for field in forms.read_fields(session, subscription.list_id)
    )


def _read_value(field: Field, subscription: Subscription) -> str | bool:
    value = subscription.answers.get(field.name)
    if field.kind in (FieldKind.CHECKBOX, FieldKind.CONSENT):
        return value in (True, 1, "true")
    return str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""


def change_answers(
    session: Session,
    subscription: Subscription,
    typed: Mapping[str, str],
    evidence: Evidence,
    now: datetime,
) -> None:
    """Replace the answers by those `typed`; texts may be emptied and consents withdrawn.

    Raises `InvalidInput` by ``field-<list>-<name>``.
    """
    fields = forms.read_fields(session, subscription.list_id)
    answers, problems = parse_answers([replace(row, required=False) for row in fields], typed)
    if problems:
        slug = subscription.mailing_list.slug
        raise InvalidInput({f"field-{slug}-{name}": text for name, text in problems.items()})
    before = {row.name: row.value for row in list_answers(session, subscription)}
    changed = [row for row in fields if before[row.name] != answers.get(row.name, "")]
    if not changed:
        return
    names = {row.name for row in fields}
    others = {name: value for name, value in subscription.answers.items() if name not in names}
    subscription.answers = others | answers
    for row in changed:
        if row.kind is FieldKind.CONSENT and answers.get(row.name):
            agreed = replace(evidence, note=row.name)
            note_consent(
                session, subscription.id, ConsentKind.AGREED, agreed, now, wording=row.label
            )
    noted = replace(evidence, note=f"fields: {', '.join(row.name for row in changed)}")
    record_change(session, subscription, "fields", noted, now, kind=ConsentKind.CHANGED)
