"""Places of the tags of a letter: their elements, their lines, and how they are written."""

from __future__ import annotations

import pytest

from newsletter.errors import InvalidInput, TemplateProblem
from newsletter.mail.render import MailContent
from newsletter.mail.templating.placeholders import Marks
from tests.unit.mail.test_merge_fields import ANA, letter, read


@pytest.mark.parametrize(
    "source",
    [
        "{% if 1 %}a *b{% endif %}* c",
        "*a {% if 1 %}b* c{% endif %}",
        "a\n\n- b {% if 1 %}c\n- d{% endif %}",
        "*a {% for i in [1] %}b* c{% endfor %}",
        "{% if 1 %}*a {% else %} b*{% endif %}",
        "*a {% with x = 1 %}b* c{% endwith %}",
        '[a](https://x.example "{% if 1 %}b") [c](https://x.example "d{% endif %}")',
    ],
)
def test_a_condition_ends_in_the_element_where_it_begins(source: str) -> None:
    with pytest.raises(InvalidInput, match=r"line \d+: give {% if %}"):
        letter(source)


def test_conditions_stand_in_one_another_and_beside() -> None:
    source = (
        "x *a {% if 1 %}b{% else %}c{% endif %} d* **{% set y = 1 %}** {{ y }} "
        "{% if 1 %}e *{% if 0 %}f{% endif %}g* {% for i in [1, 2] %}h{% endfor %} i{% endif %} j"
    )
    assert read(source)[1] == "x a b d  1 e g hh i j"


def settle(page: str) -> None:
    """Bring the Jinja of a whole page through."""
    marks = Marks()
    marks.settle(MailContent("S", "", marks.take(page, where="letter")))


@pytest.mark.parametrize(
    "page",
    [
        "<p>{% if 1 %}<span/><br/><br>a{% endif %}</p>",
        "<p>{% if 1 %}a</b>b{% endif %}</p>",
        "<div><p>{% if 1 %}<i>a</i>{% endif %}</div>",
        '<img alt="{% if 1 %}a{% endif %}"/>',
        "<p>{% if 1 %}<i>a<b>c</i>{% endif %}</p>",
        "{% if 1 %}a{% endif %}",
        "<p>{% if 1 %}<i>{% if 1 %}a{% endif %}</i>{% endif %}</p>",
    ],
)
def test_a_condition_may_hold_whole_elements(page: str) -> None:
    settle(page)


@pytest.mark.parametrize(
    "page",
    [
        '<img alt="{% if 1 %}a"/><img alt="b{% endif %}"/>',
        '<img alt="{% if 1 %}a" title="b{% endif %}">',
        "<p>{% if 1 %}a</p>b&{% endif %}",
        "<p>{% if 1 %}a</p><p>b{% endif %}</p>",
        "<p><br>{% if 1 %}a</p>b{% endif %}",
    ],
)
def test_a_condition_holds_no_part_of_an_element(page: str) -> None:
    with pytest.raises(InvalidInput, match=r"line 1: give {% if %}"):
        settle(page)


def test_tags_need_no_space_inside() -> None:
    source = "{{subscriber.name}} {%if 1%}x{%endif%} [a](https://x.example/?n={{subscriber.name}})"
    _subject, text, html = read(source)
    assert text.startswith("Ana x a")
    assert 'href="https://x.example/?n=Ana"' in html
    assert 'href="https://r.org/guide"' in read('[b]({{resource("guide")}})')[2]


@pytest.mark.parametrize("before", ["", "{{ 1 }}\n", "{{ 1 +\n 2 }}\n{% if 1 %}x{% endif %}\n"])
def test_what_cannot_be_filled_in_has_its_line_behind_other_tags(before: str) -> None:
    with pytest.raises(TemplateProblem) as problem:
        read(f"{before}a {{{{ 1 / 0 }}}}\n\n{{{{ 2 }}}}", ANA)
    assert problem.value.line == 4 + before.count("\n")


def test_a_tag_inside_a_link_is_refused_by_its_line() -> None:
    with pytest.raises(InvalidInput, match="line 6: inside a link's address"):
        letter("x\n\n[a](https://x.example/{% if subscriber.name %}1{% endif %})")
