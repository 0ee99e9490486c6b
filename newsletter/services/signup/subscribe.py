"""Process a sign-up from a form, a program or the author.

Neither the answer nor its time depends on whether the address is known. One transaction for each
sign-up holds the ceilings, the request and the queued mail. Asks no DNS and sends nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta

from sqlalchemy.orm import Session

from newsletter.addresses import Address
from newsletter.db.session import transaction
from newsletter.errors import Conflict, InvalidInput, LinkError, LinkInvalid
from newsletter.html.text import to_plain_line
from newsletter.i18n import Text, find_language
from newsletter.link_purposes import LinkPurpose
from newsletter.names import clean_name
from newsletter.services import request_limits, suppressions
from newsletter.services.consent import Evidence, find_wording
from newsletter.services.lists import topics
from newsletter.services.request_limits import Visit
from newsletter.services.runtime import Environment
from newsletter.services.signup import forms
from newsletter.services.signup.address_policy import accept_address
from newsletter.services.signup.double_opt_in import SignUpRequest, record_request
from newsletter.services.signup.form_answers import parse_answers
from newsletter.services.signup.forms import Form
from newsletter.services.signup.known_address import ask_what_is_known
from newsletter.vocabulary import Cadence, EvidenceSource, FieldKind

TOO_FAST = timedelta(seconds=2)
NAME_AT_MOST = 200
SAME_MOMENT = ("uq_subscribers_email_key", "uq_subscriptions_list_id_subscriber_id")
"""Constraints that two concurrent sign-ups of one address may break."""


@dataclass(frozen=True, slots=True)
class Submission:
    """The content of a submitted form.

    `trap` is the field that only robots see, `stamp` the signed time of our own form, `altcha` a
    puzzle's solution, `wording` the version of the text that the form shows, `answers` the author's
    fields, `topics` the names or ids of those chosen (none: all).
    """

    email: object
    name: object = ""
    cadence: object = ""
    language: object = ""
    trap: object = ""
    stamp: object = ""
    altcha: object = ""
    wording: object = ""
    topics: object = ()
    answers: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Checked:
    """A validated sign-up."""

    address: Address
    name: str
    language: str
    cadence: Cadence
    answers: dict[str, object]
    topics: str = ""


def subscribe(env: Environment, slug: str, sign_up: Submission, evidence: Evidence) -> Form:
    """Request a subscription, which the address must confirm; return the list's form.

    Ceilings and required fields are for visitors: the author fills in no form.

    Raises `NotFound` (no such list), `InvalidInput` (by field), `TooMany`.
    """
    form = forms.get_form(slug)
    visitor = evidence.source is not EvidenceSource.AUTHOR
    form = form if visitor else _make_author_form(form, sign_up.answers)
    checked = _check_sign_up(env, form, sign_up, visitor=visitor)
    solved = env.puzzles.check(sign_up.altcha, env.now)
    robot = _is_robot(env, sign_up)
    visit = Visit(form.list_id, evidence.ip, checked.address.key, solved)
    if visitor:
        request_limits.require_room(env, visit)
    try:
        with transaction(grouped=True) as session:
            proven = visitor and request_limits.count_request(env, session, visit)
            if not robot:
                _record_submission(env, session, form, checked, sign_up, evidence, proven=proven)
    except Conflict as conflict:
        if conflict.constraint not in SAME_MOMENT:
            raise
        # The other request for this address has queued the mail.
    return form


def _make_author_form(form: Form, answers: Mapping[str, object]) -> Form:
    """Return a form with the fields that an author fills in for a subscriber.

    Raises `InvalidInput` for a field that the list does not have, and for a consent.
    """
    names = {field.name for field in form.fields}
    problems = {name: f"{form.slug} has no field {name}" for name in answers if name not in names}
    for row in form.fields:
        if row.kind == FieldKind.CONSENT and answers.get(row.name):
            problems[row.name] = "a consent is given by the subscriber, in the form"
    if problems:
        raise InvalidInput(problems)
    fields = (replace(row, required=False) for row in form.fields if row.name in answers)
    return replace(form, fields=tuple(fields))


def _check_sign_up(env: Environment, form: Form, sign_up: Submission, *, visitor: bool) -> _Checked:
    problems: dict[str, str] = {}
    address = Address("", "")
    try:
        address = accept_address(env, sign_up.email)
    except InvalidInput as error:
        problems.update(error.fields)
    cadence = sign_up.cadence or form.cadence
    if not isinstance(cadence, str) or cadence not in form.cadences:
        problems["cadence"] = Text(
            "Please choose one of those offered.", detail=f"({', '.join(form.cadences)})"
        )
    if not isinstance(sign_up.name, str | None):
        problems["name"] = Text("Please write text here.")
    elif len(sign_up.name or "") > NAME_AT_MOST:
        problems["name"] = Text("Please use a shorter name.")
    answers, wrong = parse_answers(form.fields, sign_up.answers)
    problems.update(wrong)
    chosen = ""
    try:
        chosen = topics.parse_choice(form.topics, topics.split_topics(sign_up.topics))
    except InvalidInput as error:
        problems.update(error.fields)
    if problems:
        raise InvalidInput(problems)
    typed = to_plain_line(sign_up.name, limit=NAME_AT_MOST)
    name = clean_name(typed) if visitor else typed
    return _Checked(
        address, name, find_language(sign_up.language), Cadence(str(cadence)), answers, chosen
    )


def _is_robot(env: Environment, sign_up: Submission) -> bool:
    """Tell whether a robot filled in the form (S14).

    The sign is the hidden field, or a time that nobody needs to type.
    """
    if sign_up.trap:
        return True
    if not sign_up.stamp:
        return False
    stamp = str(sign_up.stamp)
    try:
        env.tokens.open(LinkPurpose.FORM, stamp, env.now)
    except LinkError as error:
        return isinstance(error, LinkInvalid)  # an expired stamp is a page left open over lunch
    return env.now - env.tokens.read_signing_time(LinkPurpose.FORM, stamp) < TOO_FAST


def _record_submission(
    env: Environment,
    session: Session,
    form: Form,
    checked: _Checked,
    sign_up: Submission,
    evidence: Evidence,
    *,
    proven: bool,
) -> None:
    """Record the request of a valid submission."""
    agreed = {
        field.name: field.label
        for field in form.fields
        if field.kind == FieldKind.CONSENT and checked.answers.get(field.name)
    }
    request = SignUpRequest(
        list_id=form.list_id,
        sender=form.from_email,
        email=checked.address.email,
        email_key=checked.address.key,
        cadence=checked.cadence,
        wording=find_wording(session, sign_up.wording, form.wording(checked.language)),
        evidence=evidence,
        name=checked.name,
        language=checked.language,
        answers=checked.answers,
        agreed=agreed,
        topics=checked.topics,
        proven=proven,
    )
    suppression = suppressions.ask_suppressed(env, session, checked.address.key)
    known = ask_what_is_known(env, session, form.list_id, checked.address.key)
    [row] = suppression.read()
    record_request(
        env,
        session,
        request,
        known,
        suppressed=row.suppressed,
        from_form=evidence.source is not EvidenceSource.AUTHOR,
    )
