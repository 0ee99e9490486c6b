"""A form takes fields, addresses and moments on one side of each limit, and not on the other."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import select

from newsletter.addresses import Address, parse_address
from newsletter.db.session import reading, transaction
from newsletter.errors import InvalidInput, NotFound, Refused
from newsletter.models import Subscriber, Subscription, SubscriptionRequest
from newsletter.services.consent import Evidence
from newsletter.services.runtime import Environment
from newsletter.services.signup import forms
from newsletter.services.signup.address_policy import find_refusal
from newsletter.services.signup.domain_slips import find_intended_domain
from newsletter.services.signup.form_answers import parse_answers
from newsletter.services.signup.forms import FIELDS_AT_MOST, Field
from newsletter.services.signup.subscribe import NAME_AT_MOST, Submission, subscribe
from newsletter.vocabulary import EvidenceSource, FieldKind
from tests.fakes import Clock
from tests.people import add_list

FORM = Evidence(EvidenceSource.FORM, ip="192.0.2.77")
AUTHOR = Evidence(EvidenceSource.AUTHOR)
TOWN = Field("town", FieldKind.TEXT, "Town")
SIZE = Field("size", FieldKind.CHOICE, "Size", ("S", "M"))
TERMS = Field("terms", FieldKind.CONSENT, "Terms", required=True)


@pytest.mark.parametrize(
    ("field", "value", "answer"),
    [
        (TOWN, "Berlin", "Berlin"),
        (TOWN, "", None),
        (TOWN, None, None),
        (TOWN, "x" * 500, "x" * 500),
        (TOWN, "x" * 501, "Please write less here."),
        (TOWN, 7, "Please write text here."),
        (replace(TOWN, required=True), "", "Please fill this in."),
        (replace(TOWN, required=True), "Berlin", "Berlin"),
        (SIZE, "M", "M"),
        (SIZE, "XL", "Please choose one of those offered."),
        (SIZE, "", None),
        (replace(SIZE, required=True), None, "Please fill this in."),
        (TERMS, "on", True),
        (TERMS, "", "Please tick this."),
        (TERMS, "maybe", "Please tick this, or leave it."),
        (replace(TERMS, required=False), None, False),
    ],
)
def test_a_field_has_an_answer_or_a_problem(field: Field, value: object, answer: object) -> None:
    answers, problems = parse_answers([field], {field.name: value, "other": "x"})
    is_problem = isinstance(answer, str) and answer.startswith("Please")
    assert problems == ({field.name: answer} if is_problem else {})
    assert answers == ({} if is_problem or answer is None else {field.name: answer})


@pytest.mark.parametrize(
    ("email", "policy", "word"),
    [
        ("noreply@example.com", {}, "role"),
        ("NoReply+x@example.com", {}, "role"),
        ("noreply@example.com", {"refuse_role_addresses": False}, ""),
        ("noreplyx@example.com", {}, ""),
        ("ana@mailinator.com", {"refuse_disposable": True}, "minutes"),
        ("ana@mailinator.com", {"refuse_disposable": False}, ""),
        ("ana@example.com", {"refuse_disposable": True}, ""),
        ("ana@example.com", {"refuse_domains": ("example.com",)}, "domain"),
        ("ana@mail.example.com", {"refuse_domains": ("example.com",)}, "domain"),
        ("ana@notexample.com", {"refuse_domains": ("example.com",)}, ""),
        ("ana@example.com", {"refuse_domains": ("mail.example.com", "com")}, ""),
    ],
)
def test_an_address_is_refused_for_its_name_or_its_domain(
    env: Environment, email: str, policy: dict[str, object], word: str
) -> None:
    more = env.settings.signup.model_copy(update=policy)
    env = replace(env, settings=env.settings.model_copy(update={"signup": more}))
    why = find_refusal(env, parse_address(email, field="email"))
    assert (word in why) if word else not why


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("live.d", ""),
        ("gmx.dee", "gmx.de"),
        ("me.comm", "me.com"),
        ("live.cpm", "live.com"),
        ("ilve.com", "live.com"),
        ("live.ocm", "live.com"),
        ("live.comxx", ""),
        ("liiive.com", ""),
        ("xive.con", ""),
        ("xlive.com", "live.com"),
    ],
)
def test_a_slip_is_one_letter_anywhere(typed: str, meant: str) -> None:
    assert find_intended_domain(typed) == meant


def test_a_name_has_200_letters_at_most(env: Environment) -> None:
    with transaction() as session:
        add_list(session)
        add_list(session, "other")
    subscribe(env, "blog", Submission("a@example.com", name="x" * NAME_AT_MOST), FORM)
    with pytest.raises(InvalidInput) as error:
        subscribe(env, "blog", Submission("b@example.com", name="x" * (NAME_AT_MOST + 1)), FORM)
    assert set(error.value.fields) == {"name"}
    with reading() as session:
        assert session.scalars(select(Subscriber.email)).all() == ["a@example.com"]


@pytest.mark.parametrize(
    ("field", "part"),
    [
        (replace(TOWN, name="email"), "name"),
        (replace(TOWN, name="Town"), "name"),
        (replace(TOWN, name="t" * 41), "name"),
        (replace(TOWN, label=" "), "label"),
        (replace(TOWN, choices=("a", "b")), "choices"),
        (replace(SIZE, choices=("S",)), "choices"),
        (replace(SIZE, choices=("S", "S")), "choices"),
        (replace(SIZE, choices=("S", "M", "S")), "choices"),
        (replace(TOWN, kind="colour"), "kind"),  # type: ignore[arg-type]
    ],
)
def test_a_field_that_no_form_can_show_is_refused(
    env: Environment, field: Field, part: str
) -> None:
    with transaction() as session:
        add_list(session)
    with pytest.raises(InvalidInput) as error:
        forms.add_field("blog", field.name, field.kind, field.label, field.choices)
    assert set(error.value.fields) == {part}


def test_a_list_has_its_own_fields_each_name_once_and_twenty_at_most(env: Environment) -> None:
    with transaction() as session:
        add_list(session, "other")
        add_list(session)
    forms.add_field("other", "town", FieldKind.TEXT, "Village")
    forms.add_field("blog", "t" * 40, FieldKind.TEXT, " Town ")
    forms.add_field("blog", "size", FieldKind.CHOICE, "Size", ["S", "M"], required=True)
    assert forms.list_fields("blog") == (
        Field("t" * 40, FieldKind.TEXT, "Town"),
        replace(SIZE, required=True),
    )
    with pytest.raises(Refused, match="already"):
        forms.add_field("blog", "size", FieldKind.TEXT, "Size")
    with pytest.raises(NotFound):
        forms.remove_field("blog", "town")
    forms.remove_field("blog", "t" * 40)
    assert [field.label for field in forms.list_fields("other")] == ["Village"]
    for number in range(FIELDS_AT_MOST - 1):
        forms.add_field("blog", f"f{number}", FieldKind.TEXT, "More")
    with pytest.raises(Refused, match="20"):
        forms.add_field("blog", "last", FieldKind.TEXT, "More")
    assert len(forms.list_fields("blog")) == FIELDS_AT_MOST
    with pytest.raises(NotFound):
        forms.get_form("author")


def read_request() -> tuple[SubscriptionRequest, Subscription] | None:
    with reading() as session:
        request = session.query(SubscriptionRequest).one_or_none()
        if request is None:
            return None
        return request, session.get_one(Subscription, request.subscription_id)


@pytest.mark.parametrize(
    ("values", "part"),
    [
        ({"name": "x" * 201}, "name"),
        ({"name": 7}, "name"),
        ({"cadence": "hourly"}, "cadence"),
        ({"cadence": 7}, "cadence"),
        ({"cadence": "daily"}, "cadence"),
        ({"email": "noreply@example.com"}, "email"),
        ({"answers": {"size": "XL"}}, "size"),
        ({"topics": ["nothing"]}, "topics"),
    ],
)
def test_a_wrong_field_is_named_and_nothing_is_recorded(
    env: Environment, values: dict[str, object], part: str
) -> None:
    with transaction() as session:
        add_list(session, cadences=["weekly", "monthly"])
    forms.add_field("blog", "size", FieldKind.CHOICE, "Size", ["S", "M"])
    sign_up = replace(Submission("ana@example.com"), **values)  # type: ignore[arg-type]
    with pytest.raises(InvalidInput) as error:
        subscribe(env, "blog", sign_up, FORM)
    assert set(error.value.fields) == {part}
    assert read_request() is None


def test_what_is_filled_in_is_recorded(env: Environment) -> None:
    with transaction() as session:
        add_list(session, "other")
        add_list(session)
    forms.add_field("blog", "news", FieldKind.CONSENT, "Workshops")
    forms.add_field("blog", "terms", FieldKind.CONSENT, "Terms")
    forms.add_field("blog", "tea", FieldKind.CHECKBOX, "Tea")
    answers = {"terms": "on", "tea": "on"}
    sign_up = Submission("Ana@Example.com", "Ana", "monthly", "de", answers=answers)
    subscribe(env, "blog", sign_up, FORM)
    row = read_request()
    assert row is not None
    request, subscription = row
    assert (request.name, request.language, request.cadence) == (sign_up.name, "de", "monthly")
    assert request.answers == {"news": False, "terms": True, "tea": True}
    assert request.agreed == {"terms": "Terms"}
    assert (request.number, subscription.status, subscription.round) == (1, "pending", 1)
    assert (request.network, request.proven) == ("192.0.2.0/24", False)


@pytest.mark.parametrize(
    ("seconds", "is_recorded"), [(1, False), (2, True), (60, True), (60 * 60 * 24 * 30, True)]
)
def test_a_form_is_not_filled_in_within_two_seconds(
    env: Environment, clock: Clock, seconds: int, is_recorded: bool
) -> None:
    from newsletter.link_purposes import LinkPurpose

    with transaction() as session:
        add_list(session)
    stamp = env.tokens.sign(LinkPurpose.FORM, "blog", env.now)
    clock.forward(timedelta(seconds=seconds))
    subscribe(env, "blog", Submission("ana@example.com", stamp=stamp), FORM)
    assert (read_request() is not None) is is_recorded


@pytest.mark.parametrize("values", [{"trap": "x"}, {"stamp": "x"}])
def test_what_a_robot_sends_is_not_recorded(env: Environment, values: dict[str, object]) -> None:
    with transaction() as session:
        add_list(session)
    subscribe(env, "blog", replace(Submission("a@example.com"), **values), FORM)  # type: ignore[arg-type]
    assert read_request() is None


def test_an_author_may_leave_fields_out_and_gives_no_consent(env: Environment) -> None:
    with transaction() as session:
        add_list(session)
    forms.add_field("blog", "terms", FieldKind.CONSENT, "Terms", required=True)
    forms.add_field("blog", "town", FieldKind.TEXT, "Town", required=True)
    forms.add_field("blog", "size", FieldKind.CHOICE, "Size", ["S", "M"])
    for answers in ({"terms": True}, {"nothing": "x"}):
        with pytest.raises(InvalidInput) as error:
            subscribe(env, "blog", Submission("ana@example.com", answers=answers), AUTHOR)
        assert set(error.value.fields) == set(answers)
    with pytest.raises(InvalidInput):
        subscribe(env, "blog", Submission("ana@example.com"), FORM)
    sign_up = Submission("ana@example.com", "https://ana.example", answers={"size": "M"})
    subscribe(env, "blog", sign_up, AUTHOR)
    row = read_request()
    assert row is not None
    assert (row[0].answers, row[0].name) == ({"size": "M"}, "https://ana.example")


def test_an_address_without_a_policy_is_taken(env: Environment) -> None:
    assert find_refusal(env, Address("info@example.com", "info@example.com")) == ""
