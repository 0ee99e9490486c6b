"""The bounds of an author's Jinja where it runs: what is listed, how large, and how many steps."""

from __future__ import annotations

from datetime import date
from itertools import count

import pytest
from jinja2 import TemplateError
from jinja2.exceptions import UndefinedError

from newsletter.mail.templating import sandbox
from newsletter.mail.templating.merge_fields import ARCHIVE_SUBSCRIBER, HTML, TEXT
from newsletter.mail.templating.sandbox import (
    NUMBER_AT_MOST,
    ROUNDS_AT_MOST,
    STEPS_AT_MOST,
    TEXT_AT_MOST,
    Sandbox,
    check_size,
    count_steps,
)
from tests.unit.mail.test_merge_fields import ANA, NAMELESS


def render(source: str, *, html: bool = False, subscriber: object = ANA) -> str:
    return (HTML if html else TEXT).compile_counted(source).render({"subscriber": subscriber})


def why(source: str, subscriber: object = ANA) -> str:
    with pytest.raises((TemplateError, TypeError)) as error:
        render(source, subscriber=subscriber)
    assert isinstance(error.value, TemplateError), error.value
    return str(error.value)


@pytest.mark.parametrize(
    ("value", "attribute", "allowed"),
    [
        ("a", "upper", True),
        ("a", "__class__", False),
        ("a", "format", False),
        ("a", "year", False),
        (date(2026, 1, 2), "year", True),
        (date(2026, 1, 2), "upper", False),
        (date(2026, 1, 2), "replace", False),
        (ANA, "name", True),
        (ANA, "__slots__", False),
        (ANA, "upper", False),
        (7, "real", False),
        (["a"], "append", False),
        (None, "upper", False),
    ],
)
def test_only_attributes_of_ones_own_kind_are_given(
    value: object, attribute: str, allowed: bool
) -> None:
    for environment in (TEXT, HTML):
        if allowed:
            assert environment.getattr(value, attribute) == getattr(value, attribute)
            assert environment.getitem(value, attribute) == getattr(value, attribute)
        else:
            with pytest.raises(TemplateError, match=f"^.{attribute} is not for letters$"):
                environment.getattr(value, attribute)
            with pytest.raises(TemplateError, match="is not for letters"):
                environment.getitem(value, attribute)


def test_an_attribute_of_nothing_says_what_is_not_set() -> None:
    assert "subscriber.name is not set" in why("{{ subscriber.name.upper() }}", NAMELESS)
    assert render("{{ subscriber.name.upper() }}", subscriber=ARCHIVE_SUBSCRIBER) == "…"
    with pytest.raises(UndefinedError):
        render("{{ subscriber.name }}", subscriber=NAMELESS)


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("{{ 1 + 'a' }}", "+ is for numbers only"),
        ("{{ 'a' + 1 }}", "+ is for numbers only"),
        ("{{ 'b' - 'a' }}", "- is for numbers only"),
        ("{{ 'b' * 2 }}", "* is for numbers only"),
        ("{{ 2 ** 2 }}", "** is not for letters"),
        ("{{ 'a' ** 2 }}", "** is not for letters"),
        ("{{ [1] }}", "a list cannot be written"),
        ("{{ subscriber.tags ~ 'a' }}", "a list cannot be written"),
    ],
)
def test_a_calculation_that_is_none_says_why(source: str, words: str) -> None:
    assert words in why(source)
    assert render("{{ 7 - 2 * 3 }}{{ 'a' + 'b' }}") == "1ab"


def test_joined_texts_are_escaped_once() -> None:
    source = '{{ (("<"|e) ~ ">") }}'
    assert render(source, html=True) == "&lt;&gt;"
    assert render(source) == "&lt;>"


def test_the_last_line_of_a_template_is_kept() -> None:
    for environment in (TEXT, HTML, Sandbox(html=False, fields={}, lookup={})):
        assert environment.compile_counted("a\n").render({}) == "a\n"


def test_values_have_a_size() -> None:
    assert len(check_size("a" * TEXT_AT_MOST)) == TEXT_AT_MOST
    with pytest.raises(TemplateError, match="longer than 2000 characters"):
        check_size("a" * (TEXT_AT_MOST + 1))
    for sign in (1, -1):
        assert check_size(sign * NUMBER_AT_MOST) == sign * NUMBER_AT_MOST
        with pytest.raises(TemplateError, match="a number is too large"):
            check_size(sign * (NUMBER_AT_MOST + 1))
    assert check_size(range(ROUNDS_AT_MOST)) == list(range(ROUNDS_AT_MOST))
    for many in (range(ROUNDS_AT_MOST + 1), [0] * (ROUNDS_AT_MOST + 1), count()):
        with pytest.raises(TemplateError, match="more than 1000 rounds"):
            check_size(many)
    assert check_size(2.5) == 2.5


def test_the_output_has_a_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sandbox, "OUTPUT_AT_MOST", 10)
    assert render("{% for i in range(10) %}a{% endfor %}") == "a" * 10
    assert "the letter grows too long" in why("{% for i in range(11) %}a{% endfor %}")


@pytest.mark.parametrize(
    ("source", "steps"),
    [("a", 3), ("{{ 1 }}", 3), ("{{ 1|upper }}", 13), ("{{ 'a' ~ 'b' }}", 14)],
)
def test_a_filter_counts_ten_steps_and_anything_else_one(source: str, steps: int) -> None:
    assert count_steps(TEXT.parse(source)) == steps


def test_a_letter_may_take_every_step_it_has(monkeypatch: pytest.MonkeyPatch) -> None:
    assert STEPS_AT_MOST == 20_000
    monkeypatch.setattr(sandbox, "STEPS_AT_MOST", 13)
    assert render("{{ 'a'|upper }}") == "A"
    monkeypatch.setattr(sandbox, "STEPS_AT_MOST", 12)
    assert "too much to do for every subscriber" in why("{{ 'a'|upper }}")


def test_a_number_is_rounded_within_reason() -> None:
    assert render("{{ 2.567|round(1) }} {{ 2.567|round }} {{ 2.567|round(-3) }}") == "2.6 3.0 3.0"
    assert render("{{ 0.12345678912345|round(12) }}") == "0.1234567891"


@pytest.mark.parametrize(
    ("address", "fine"), [("http://x", True), ("mailto:x", True), ("x", False)]
)
def test_a_link_begins_like_one(address: str, fine: bool) -> None:
    source = f"{{{{ '{address}'|field_link }}}}"
    if fine:
        assert render(source) == address
    else:
        assert "must begin with https://" in why(source)
