"""Jinja in letters: the author's alone, only what is his rendered for each reader, and every mistake found before."""

from __future__ import annotations

from datetime import date

import pytest

from newsletter.errors import InvalidInput, TemplateProblem
from newsletter.mail.marking import Marks
from newsletter.mail.message import Draft, compile_message, fill, unstructured
from newsletter.mail.personal import NOBODY, Filler, Personal, about
from newsletter.mail.render import MailContent
from newsletter.markdown import render
from tests.fakes import body, parsed

ANA = about(name="Ana", email="ana@x.org", cadence="weekly", language="de", tags=["berlin"], joined=date(2026, 1, 2))
NAMELESS = about(name="", email="b@x.org", cadence="daily", language="", tags=[], joined=None)


def letter(source: str, subject: str = "S") -> tuple[MailContent, Personal | None]:
    marks = Marks()
    said, marked = marks.take(subject, where="subject"), marks.take(source, where="letter", line=4)
    found = render(marked, base_url="https://b.org/", prepare=marks.link, addresses_at_end=not marks.conditional)
    html = f"<html><head><title>{said}</title></head><body><div>{marks.loosen(found.html)}</div></body></html>"
    return marks.settle(MailContent(said, found.text + "\n", html))


def given(reader: object) -> dict[str, object]:
    return {"subscriber": reader, "resource": lambda title: f"https://r.org/{title}"}


def read(source: str, reader: object = ANA, subject: str = "S") -> tuple[str, str, str]:
    """Subject, text and HTML as one reader gets them, through real bytes."""
    content, personal = letter(source, subject)
    values = Filler(Personal.of_json(personal.as_json()))(given(reader)) if personal else {}
    message = parsed(
        compile_message(Draft([unstructured("Subject", content.subject)], content.text, content.html)).build(values)
    )
    assert body(message, "html").rstrip("\n") == fill(content.html, values)
    return str(message["Subject"]), body(message).strip(), body(message, "html").strip()


def test_a_name_or_friend() -> None:
    source, subject = 'Dear **{{ subscriber.name or "friend" }}**,', 'For {{ subscriber.name|default("you") }}'
    assert read(source, ANA, subject)[:2] == ("For Ana", "Dear Ana,")
    assert read(source, NAMELESS, subject)[:2] == ("For you", "Dear friend,")
    assert "<strong>friend</strong>" in read(source, NAMELESS)[2]


def test_a_letter_without_fields_has_nothing_to_fill() -> None:
    assert letter("Hello {there}, 100 % {.button}")[1] is None


def test_conditions_leave_out_whole_paragraphs_and_no_gap() -> None:
    source = """Before.

{% if "berlin" in subscriber.tags %}
We meet in *Berlin*.

- here
{% elif subscriber.cadence == "daily" %}
Every day.
{% else %}
Elsewhere.
{% endif %}

After."""
    assert read(source)[1] == "Before.\n\nWe meet in Berlin.\n\n- here\n\nAfter."
    assert read(source, NAMELESS)[1] == "Before.\n\nEvery day.\n\nAfter."
    assert "<p>Before.</p>\n<p>Every day.</p>\n<p>After.</p>" in read(source, NAMELESS)[2]
    assert "<em>Berlin</em>" in read(source)[2]


def test_loops_filters_and_variables() -> None:
    assert read("{% for tag in subscriber.tags %}#{{ tag|upper }} {% endfor %}!")[1] == "#BERLIN !"
    assert (
        read("{% set who = subscriber.name or 'you' %}{{ who }}, since {{ subscriber.joined }}")[1]
        == "Ana, since 2026-01-02"
    )
    assert read("{{ subscriber.joined.year }} {# unseen #}{% raw %}{{ x }}{% endraw %}")[1] == "2026 {{ x }}"


def test_links_of_ones_own() -> None:
    _subject, text, html = read('[the guide]({{ resource("guide") }}) [x](https://x.org/?n={{ subscriber.name }})')
    assert 'href="https://r.org/guide"' in html
    assert "[1] https://r.org/guide" in text
    odd = about(name='a b&"<', email="x@y.org", cadence="daily", language="", tags=[], joined=None)
    assert 'href="https://x.org/?n=a%20b%26%22%3C"' in read("[x](https://x.org/?n={{ subscriber.name }})", odd)[2]
    bad = about(name="javascript:alert(1)", email="x@y.org", cadence="daily", language="", tags=[], joined=None)
    with pytest.raises(TemplateProblem, match="https"):
        read("[x]({{ subscriber.name }})", bad)


@pytest.mark.parametrize(
    "name", ["{{ config }}", "{% include 'x' %}", "<script>x</script>", "\x1eA\ue000email\ue001", "*b*", "[x](y)"]
)
def test_m08_what_a_reader_is_called_is_never_a_template(name: str) -> None:
    reader = about(name=name, email="x@y.org", cadence="daily", language="", tags=[name], joined=None)
    subject, text, html = read(
        "{{ subscriber.name }} {% if subscriber.tags %}{{ subscriber.tags[0] }}{% endif %}",
        reader,
        "{{ subscriber.name }}",
    )
    clean = name.replace("\x1e", "").replace("\ue000", "").replace("\ue001", "")
    assert subject == clean
    assert text.startswith(clean)
    assert "<script" not in html
    assert "<em>" not in html
    assert "href" not in html


def test_m01_a_name_ends_no_header() -> None:
    reader = about(name="A\r\nBcc: x@y.org\u2028z", email="x@y.org", cadence="daily", language="", tags=[], joined=None)
    assert "\n" not in read("x", reader, "{{ subscriber.name }}")[0]


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("x\n\n{{ subscriber.nmae }}", "line 6: subscriber.nmae is unknown; did you mean subscriber.name"),
        ("{{ config }}", "line 4: config is unknown"), ("{{ self }}", "self is unknown"), ("{{ ''.__class__ }}", None),
        ("{{ cycler() }}", "cycler is unknown"), ("{{ lipsum() }}", "lipsum is unknown"),
        ("{% include 'x' %}", "if, for, set and with"), ("{% import 'x' as y %}", "if, for, set and with"),
        ("{% extends 'x' %}", "if, for, set and with"), ("{% macro a() %}{% endmacro %}", "if, for, set and with"),
        ("{{ subscriber.name", "line 4"), ("{% if subscriber.name %}", "line 4"), ("{# x", "line 4"),
        ("*a {% if subscriber.name %} b* c{% endif %}", "lines of their own"),
        ("|a|\n|-|\n|{% if subscriber.name %}|\n|x{% endif %}|", "lines of their own"),
        ("[a](https://x{% if subscriber.name %}1{% endif %})", "inside a link"),
    ],
)  # fmt: skip
def test_m07_mistakes_are_found_before_anybody_is_mailed(source: str, said: str | None) -> None:
    if said is None:
        with pytest.raises(TemplateProblem):
            read(source)
        return
    with pytest.raises(InvalidInput) as refused:
        letter(source)
    assert said in str(refused.value)


@pytest.mark.parametrize(
    "source",
    ["{{ subscriber.name }}", "Dear {{ subscriber.name|upper }}", "{{ 'Dear ' ~ subscriber.name }}",
     "{{ 9 ** 9 ** 9 }}", "{{ 'x' * 1000000000 }}", "{{ 1 / 0 }}", "{{ subscriber.tags[3] }}", "{{ subscriber.email.__class__ }}"],
)  # fmt: skip
def test_m07_what_cannot_be_filled_in_says_so(source: str) -> None:
    with pytest.raises(TemplateProblem):
        read(source, NAMELESS)


def test_loops_end() -> None:
    assert len(read("{% for i in range(100000000) %}.{% endfor %}")[1]) == 1000


def test_the_archive_reads_well_without_a_reader() -> None:
    content, personal = letter(
        'Dear {{ subscriber.name or "friend" }}{% if subscriber.tags %} tagged{% endif %} {{ subscriber.name }}'
    )
    assert personal is not None
    assert fill(content.text, Filler(personal)(given(NOBODY))) == "Dear friend \n"
