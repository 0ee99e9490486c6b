"""Limits of a letter's Jinja, at its bounds; anything else is refused by its line."""

from __future__ import annotations

import pytest

from newsletter.errors import InvalidInput
from newsletter.mail.templating.merge_fields import FIELDS, TEXT
from newsletter.mail.templating.placeholders import Marks, is_field
from newsletter.mail.templating.policy import (
    DEPTH_AT_MOST,
    TAGS_AT_MOST,
    find_attributes,
    list_resources,
)
from newsletter.mail.templating.sandbox import NUMBER_AT_MOST, TEXT_AT_MOST


def why(source: str) -> str:
    """Return why Jinja is refused that begins on line 7, "" where it is not."""
    try:
        Marks().take(source, where="letter", line=7)
    except InvalidInput as error:
        return str(error)
    return ""


def nest(opening: str, closing: str, depth: int) -> str:
    return opening * depth + "x" + closing * depth


CONDITION = ("{% if 1 %}", "{% endif %}")
LOOP = ("{% for i in [1] %}", "{% endfor %}")
WITH = ("{% with a = 1 %}", "{% endwith %}")


@pytest.mark.parametrize(("opening", "closing"), [CONDITION, WITH])
def test_conditions_have_a_depth(opening: str, closing: str) -> None:
    assert DEPTH_AT_MOST == 10
    assert why(nest(opening, closing, 10)) == ""
    assert "line 7: conditions and loops stand at most 10 deep" in why(nest(opening, closing, 11))


def test_loops_stand_in_a_loop_and_no_deeper() -> None:
    assert why(nest(*LOOP, 2)) == ""
    assert why(nest(*LOOP, 1) * 4) == ""
    assert "line 7: loops stand in a loop, and no deeper" in why(nest(*LOOP, 3))
    assert why(LOOP[0] + CONDITION[0] + LOOP[0] + "x" + LOOP[1] + CONDITION[1] + LOOP[1]) == ""


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("\n{% for i in [1] recursive %}{% endfor %}", "line 8: a loop that calls itself"),
        ("\n\n{{ 1|uper }}", "line 9: the filter uper is not for letters; did you mean upper?"),
        ("{{ 1|zzzzz }}", "line 7: the filter zzzzz is not for letters; there are abs, cap"),
        ("{{ 1 is evn }}", "line 7: the test evn is not for letters; did you mean even?"),
        ("{{ 1 is zzzzz }}", "line 7: the test zzzzz is not for letters; there are !=, <"),
        ("{% set a = 1 %}{{ [a] }}", "line 7: a list holds texts, numbers and subscriber"),
        ("{{ [[1]] }}", "line 7: a list holds"),
        ("{{ (1, (2, 3)) }}", "line 7: a list holds"),
        ("{{ ['a' ~ 'b'] }}", "line 7: a list holds"),
        ("{{ range(*[1]) }}", "line 7: * and ** before arguments"),
        ("{{ range(**[1]) }}", "line 7: * and ** before arguments"),
        ("{{ 2 ** 3 }}", "line 7: ** is not for letters"),
        ("{{ {'a': 1} }}", "line 7: {…: …} is not for letters"),
        ("{{ subscriber.nmae }}", "line 7: subscriber.nmae is unknown; did you mean subscriber.n"),
        ("{{ zzzzzzzzzz }}", "line 7: zzzzzzzzzz is unknown; letters know subscriber.name, sub"),
        ("{{ subscriber['nmae'] }}", "line 7: subscriber.nmae is unknown"),
        ("{{ subscriber.upper }}", "line 7: subscriber.upper is unknown"),
        ("{{ subscriber.name.uper() }}", "line 7: .uper is not for letters; did you mean .upper?"),
        ("{{ 'a'.zzzzz }}", "line 7: .zzzzz is not for letters; there are .capitalize, .case"),
        ("{{ subscribr }}", "line 7: subscribr is unknown; did you mean subscriber?"),
        ("{% block a %}{% endblock %}", "line 7: letters know if, for, set and with"),
        (f"{{{{ {NUMBER_AT_MOST + 1} }}}}", "line 7: a number is too large"),
        (r"{{ 'a\x1eb' }}", "line 7: a text holds a character that no mail can carry"),
        ("\n\n{{ 1 + }}", "line 9: "),
    ],
)
def test_what_no_letter_may_hold_is_refused_by_its_line(source: str, words: str) -> None:
    assert words in why(source)


@pytest.mark.parametrize(
    "source",
    [
        f"{{{{ {NUMBER_AT_MOST} }}}}",
        "{{ [1, 'a', subscriber.name] }}",
        "{{ ('a', 2) }}",
        "{% for a, b in [] %}{{ a }}{{ b }}{{ loop.index }}{% endfor %}",
        "{{ range(3) }}{{ resource('guide') }}",
        "{% set name = subscriber.name %}{{ name|upper }}{{ name is defined }}",
        "{{ subscriber.fields.anything }}",
        "{{ subscriber.joined.year }}{{ subscriber.name.upper() }}",
        r"{{ 'a\tb' }}",
    ],
)
def test_what_letters_may_hold_is_taken(source: str) -> None:
    assert why(source) == ""


def test_a_name_that_one_tag_sets_is_known_to_the_others() -> None:
    assert why("{{ who }}") != ""
    assert why("{% set who = 1 %}{{ who }}") == ""


def test_a_tag_has_a_length_and_a_letter_a_number_of_tags() -> None:
    room = TEXT_AT_MOST - len("{{ '' }}")
    assert why("\n{{ '" + "a" * room + "' }}") == ""
    assert "line 8: there is too much between {{ and }}" in why("\n{{ '" + "a" * room + "a' }}")
    assert why("{{ 1 }}" * TAGS_AT_MOST) == ""
    assert "line 8: there is too much" in why("{{ 1 }}" * TAGS_AT_MOST + "\n{{ 1 }}")


def test_only_files_that_are_named_outright_are_listed() -> None:
    source = (
        '{{ resource("guide") }}{{ resource("map", 1) }}{{ resource(subscriber.name) }}'
        '{{ resource(3) }}{{ resource() }}{{ range("odd") }}{{ "a".replace("b", "c") }}'
    )
    assert list_resources(TEXT.parse(source)) == {"guide", "map"}
    marks = Marks()
    marks.take('{{ resource("guide") }}', where="letter")
    marks.take('{{ resource("map") }}', where="subject")
    assert marks.resources == {"guide", "map"}


def test_attributes_and_items_that_are_named_outright_are_listed() -> None:
    source = "{{ subscriber.name }}{{ subscriber['tags'][0] }}{{ subscriber[who] }}"
    assert find_attributes(TEXT.parse(source)) == {"name", "tags", 0}
    assert {"name", "tags"} < set(FIELDS)


def test_a_link_is_a_field_wholly_or_in_part() -> None:
    marks = Marks()
    whole = marks.link(marks.take("{{ resource('guide') }}", where="letter"))
    part = marks.link(marks.take("https://x.example/?n={{ subscriber.name }}", where="letter"))
    assert whole.startswith("https://field.invalid/")
    assert part.startswith("https://x.example/?n=")
    assert is_field(whole)
    assert is_field("https://field.invalid/")
    assert is_field(part)
    assert is_field(marks.answer(0, 1))
    assert not is_field("https://x.example/?n=zebra")


def test_a_letter_is_conditional_by_its_statements_alone() -> None:
    marks = Marks()
    marks.take("{{ subscriber.name }}", where="subject")
    assert not marks.conditional
    marks.take("{% if subscriber.name %}x{% endif %}", where="letter")
    assert marks.conditional
