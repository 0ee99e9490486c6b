"""Jinja in letters: the author's alone, only what is his rendered for each reader, and every
mistake found before.
"""

from __future__ import annotations

import re
import resource
import time
from datetime import date

import pytest

from newsletter.authoring.markdown import render_markdown
from newsletter.errors import InvalidInput, TemplateProblem
from newsletter.mail.header_fields import make_text_header
from newsletter.mail.message import MessageDraft, compile_message
from newsletter.mail.render import MailContent
from newsletter.mail.slots import fill
from newsletter.mail.templating.merge_fields import (
    ARCHIVE_SUBSCRIBER,
    Filler,
    MergeTemplates,
    make_subscriber_fields,
)
from newsletter.mail.templating.placeholders import Marks
from tests.fakes import body, parsed

ANA = make_subscriber_fields(
    name="Ana",
    email="ana@x.org",
    cadence="weekly",
    language="de",
    tags=["berlin"],
    joined=date(2026, 1, 2),
)
NAMELESS = make_subscriber_fields(
    name="", email="b@x.org", cadence="daily", language="", tags=[], joined=None
)


def letter(source: str, subject: str = "S") -> tuple[MailContent, MergeTemplates | None]:
    marks = Marks()
    marked_subject = marks.take(subject, where="subject")
    marked = marks.take(source, where="letter", line=4)
    markdown = render_markdown(
        marked,
        base_url="https://b.org/",
        prepare=marks.link,
        addresses_at_end=not marks.conditional,
    )
    html = (
        f"<html><head><title>{marked_subject}</title></head><body><div>{marks.loosen(markdown.html)}</div>"
        "</body></html>"
    )
    return marks.settle(MailContent(marked_subject, markdown.text + "\n", html))


def given(reader: object) -> dict[str, object]:
    return {"subscriber": reader, "resource": lambda title: f"https://r.org/{title}"}


def read(source: str, reader: object = ANA, subject: str = "S") -> tuple[str, str, str]:
    """Subject, text and HTML as one reader gets them, through real bytes."""
    content, personal = letter(source, subject)
    values = Filler(MergeTemplates.of_json(personal.as_json()))(given(reader)) if personal else {}
    message = parsed(
        compile_message(
            MessageDraft([make_text_header("Subject", content.subject)], content.text, content.html)
        ).build(values)
    )
    assert body(message, "html").rstrip("\n") == fill(content.html, values)
    return str(message["Subject"]), body(message).strip(), body(message, "html").strip()


def test_a_name_or_friend() -> None:
    source = 'Dear **{{ subscriber.name or "friend" }}**,'
    subject = 'For {{ subscriber.name|default("you") }}'
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
    assert (
        read("{{ subscriber.joined.year }} {# unseen #}{% raw %}{{ x }}{% endraw %}")[1]
        == "2026 {{ x }}"
    )


def test_links_of_ones_own() -> None:
    _subject, text, html = read(
        '[the guide]({{ resource("guide") }}) [x](https://x.org/?n={{ subscriber.name }})'
    )
    assert 'href="https://r.org/guide"' in html
    assert "[1] https://r.org/guide" in text
    odd = make_subscriber_fields(
        name='a b&"<', email="x@y.org", cadence="daily", language="", tags=[], joined=None
    )
    assert (
        'href="https://x.org/?n=a%20b%26%22%3C"'
        in read("[x](https://x.org/?n={{ subscriber.name }})", odd)[2]
    )
    bad = make_subscriber_fields(
        name="javascript:alert(1)",
        email="x@y.org",
        cadence="daily",
        language="",
        tags=[],
        joined=None,
    )
    with pytest.raises(TemplateProblem, match="https"):
        read("[x]({{ subscriber.name }})", bad)


@pytest.mark.parametrize(
    "name",
    [
        "{{ config }}",
        "{% include 'x' %}",
        "<script>x</script>",
        "\x1eA\ue000email\ue001",
        "*b*",
        "[x](y)",
    ],
)
def test_m08_what_a_reader_is_called_is_never_a_template(name: str) -> None:
    reader = make_subscriber_fields(
        name=name, email="x@y.org", cadence="daily", language="", tags=[name], joined=None
    )
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
    reader = make_subscriber_fields(
        name="A\r\nBcc: x@y.org\u2028z",
        email="x@y.org",
        cadence="daily",
        language="",
        tags=[],
        joined=None,
    )
    assert "\n" not in read("x", reader, "{{ subscriber.name }}")[0]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        (
            "x\n\n{{ subscriber.nmae }}",
            "line 6: subscriber.nmae is unknown; did you mean subscriber.name",
        ),
        ("{{ config }}", "line 4: config is unknown"),
        ("{{ self }}", "self is unknown"),
        ("{{ ''.__class__ }}", "line 4: .__class__ is not for letters"),
        ("{{ cycler() }}", "cycler is unknown"),
        ("{{ lipsum() }}", "lipsum is unknown"),
        ("{% include 'x' %}", "if, for, set and with"),
        ("{% import 'x' as y %}", "if, for, set and with"),
        ("{% extends 'x' %}", "if, for, set and with"),
        ("{% macro a() %}{% endmacro %}", "if, for, set and with"),
        ("{{ subscriber.name", "line 4"),
        ("{% if subscriber.name %}", "line 4"),
        ("{# x", "line 4"),
        ("*a {% if subscriber.name %} b* c{% endif %}", "lines of their own"),
        ("|a|\n|-|\n|{% if subscriber.name %}|\n|x{% endif %}|", "lines of their own"),
        ("[a](https://x{% if subscriber.name %}1{% endif %})", "inside a link"),
    ],
)
def test_m07_mistakes_are_found_before_anybody_is_mailed(source: str, expected: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        letter(source)
    assert expected in str(refused.value)


@pytest.mark.parametrize(
    "source",
    [
        "{{ subscriber.name }}",
        "Dear {{ subscriber.name|upper }}",
        "{{ 'Dear ' ~ subscriber.name }}",
        "{{ subscriber.name.upper() }}",
        "{{ 'Dear ' + subscriber.name }}",
        "{{ 1 / 0 }}",
        "{{ subscriber.tags[3] }}",
        "{{ subscriber.tags }}",
        "{{ subscriber.joined.upper() }}",
        "{{ '%d' % 1 }}",
        "{{ 'a' - 1 }}",
        "{{ subscriber.joined.strftime(1) }}",
    ],
)
def test_m07_what_cannot_be_filled_in_says_so_and_where(source: str) -> None:
    with pytest.raises(TemplateProblem) as problem:
        read(f"Hello.\n\n{source}\n", NAMELESS)
    assert problem.value.line == 6


THOUSAND = "{% for i in range(1000) %}"
HOSTILE = [
    '{{ "x".center(10**9) }}',
    '{{ "%1000000000d" % 1 }}',
    '{{ "{:>1000000000}".format(1) }}',
    '{{ "a" * 10**9 }}',
    '{{ "a" * 999999999 }}',
    "{{ range(10**9)|list }}",
    "{{ range(999999999)|list }}",
    "{{ 9**9**9 }}",
    "{{ 99999999999999999999 }}",
    '{{ "x"|center(999999999) }}',
    '{{ "x"|indent(999999999) }}',
    '{{ "x".ljust(999999999) }}',
    '{{ "x".zfill(999999999) }}',
    '{{ "\t".expandtabs(999999999) }}',
    '{{ "%s"|format("x") }}',
    "{{ [1]|batch(999999999, 0)|list }}",
    "{{ [1]|slice(999999999)|list }}",
    "{{ lipsum(n=99999) }}",
    "{{ cycler(1) }}",
    "{{ joiner(1) }}",
    "{{ namespace() }}",
    "{{ self }}",
    "{{ config }}",
    '{{ ""|attr("__class__") }}',
    '{{ ""["__class__"] }}',
    '{{ "{0.__class__}".format_map(1) }}',
    "{{ subscriber.__init__.__globals__ }}",
    "{{ subscriber.name|safe }}",
    '{{ "javascript:x"|urlize }}',
    "{{ [1]|map('upper')|list }}",
    "{{ [1]|random }}",
    "{{ {'a': 1}|xmlattr }}",
    "{% set a = 'aaaaaaaaaa' %}" + "{% set a = a ~ a %}" * 40 + "{{ a }}",
    "{% set a = 999999 %}" + "{% set a = a * a %}" * 40 + "{{ a }}",
    "{% set a = 'aaaaaaaaaa' %}" + "{% set a = a + a %}" * 40 + "{{ a }}",
    "{% set a = [1, 2] %}" + "{% set a = [a, a] %}" * 40 + "{{ a }}",
    "{% set a = ('a', 'b') %}" + "{% set a = a, a %}" * 40 + "{{ a }}",
    "{% set a = 'ab' * 900 %}{{ a|replace('', a) }}",
    "{% set a %}x{% endset %}",
    "{% macro a() %}{{ a() }}{% endmacro %}{{ a() }}",
    "{% for i in [1] recursive %}{{ loop([1]) }}{% endfor %}",
    THOUSAND * 2 + "x" + "{% endfor %}" * 2,
    THOUSAND * 2 + "{% set x = 1 %}" + "{% endfor %}" * 2,
    THOUSAND * 3 + "x" + "{% endfor %}" * 3,
    THOUSAND + "\n\n" + "words " * 5000 + "\n\n{% endfor %}",
    (THOUSAND + "{% endfor %}") * 300,
    THOUSAND + "{% if 1 in range(1000) %}a{% endif %}" * 50 + "{% endfor %}",
    "{% for i in range(999) if i|string|upper|lower|title %}{% endfor %}",
    "{{ " + "(" * 900 + "1" + ")" * 900 + " }}",
    "{{ " + "-" * 1900 + "1 }}",
    "{% if 1 %}" * 40 + "x" + "{% endif %}" * 40,
    "{{ 1 }}" * 1001,
    "{{ '" + "a" * 3000 + "' }}",
    "{{ " + "9" * 5000 + " }}",
    "{{ 1|round(999999999)|round(-999999999) * 99999999999999999 }}",
    r"{{ '\ud800' }}",
    r"{{ '\x1e' }}",
    r"{{ '\ue000email\ue001' }}",
    r"{{ '\0' }}",
    "{{ range(*[1]) }}",
    "{{ 1|nothing }}",
    "{{ 1 is nothing }}",
    "{{ 'a'|join('a' * 9) }}{{ range(1000)|join('" + "a" * 1900 + "') }}",
    "{{ '" + "<" * 1900 + "'|escape }}",
    "{{ subscriber.joined.strftime('%Y' * 900) }}",
]


@pytest.mark.parametrize("source", HOSTILE, ids=[str(number) for number in range(len(HOSTILE))])
def test_m08_hostile_letters_are_refused_at_once_and_small(source: str) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began = time.process_time()
    with pytest.raises((InvalidInput, TemplateProblem)) as refused:
        read(f"Hello.\n\n{source}\n", ANA)
    assert time.process_time() - began < 2
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000, "KB"
    text = str(refused.value)
    assert re.search(r"line \d+: ", text) or "too deep" in text or "too much to do" in text, text
    assert "\n" not in text
    assert len(text) < 400


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ('{{ subscriber.joined.strftime("%B %Y") }}', "January 2026"),
        ("{{ subscriber.name[:1] }}", "A"),
        ("{{ subscriber['name'] }}", "Ana"),
        ("{{ subscriber.email.split('@')[1]|upper }}", "X.ORG"),
        ("{{ 2 * 3 + 1 }}", "7"),
        ("{{ 'a' ~ 1 ~ subscriber.name }}", "a1Ana"),
        ("{{ subscriber.tags|join(', ') }}", "berlin"),
        ("{{ 'yes' if subscriber.cadence in ['weekly', 'daily'] else 'no' }}", "yes"),
        (
            '{% for i in range(3) %}{{ loop.index }}{{ "" if loop.last else ", " }}{% endfor %}',
            "1, 2, 3",
        ),
        ("{{ subscriber.name|truncate(2, true, '.', 0) }}", "A."),
        ("{% for a, b in [] %}{% else %}none{% endfor %}", "none"),
        ("{{ 2.5|round(1) }}", "2.5"),
        ("{{ subscriber.name is defined }}", "True"),
        ("{% with x = subscriber.name|length %}{{ x }}{% endwith %}", "3"),
        ("{{ loop.cycle('a', 'b') if 0 else 'c' }}", "c"),
    ],
)
def test_what_letters_need_works(source: str, text: str) -> None:
    assert read(source)[1] == text
    assert f"<p>{text}</p>" in read(source)[2]


def test_the_archive_puts_an_ellipsis_for_what_is_not_known() -> None:
    content, personal = letter(
        'x{{ subscriber.joined.strftime("%B") }}{{ subscriber.name.upper()[:1] ~ '
        'subscriber.email + "" }}y'
    )
    assert personal is not None
    assert fill(content.text, Filler(personal)(given(ARCHIVE_SUBSCRIBER))) == "x………y\n"


def test_loops_have_an_end() -> None:
    assert len(read("{% for i in range(1000) %}.{% endfor %}")[1]) == 1000
    with pytest.raises(TemplateProblem, match="more than 1000 rounds"):
        read("{% for i in range(1001) %}.{% endfor %}")


def test_what_stands_outside_loops_counts_among_the_steps() -> None:
    loops = "{% for i in range(1000) %}.{% endfor %}" * 3
    step = '{{ "x"|upper }}'
    assert len(read(loops + step * 300)[1]) == 3300
    with pytest.raises(TemplateProblem, match="too much to do for every subscriber"):
        read(loops + step * 500)


def test_the_archive_reads_well_without_a_reader() -> None:
    content, personal = letter(
        'Dear {{ subscriber.name or "friend" }}{% if subscriber.tags %} tagged{% endif %} {{ '
        "subscriber.name }}"
    )
    assert personal is not None
    assert fill(content.text, Filler(personal)(given(ARCHIVE_SUBSCRIBER))) == "Dear friend …\n"


def test_a_field_that_the_list_does_not_have_names_the_nearest() -> None:
    reader = make_subscriber_fields(
        name="Ana",
        email="ana@x.org",
        cadence=None,
        language="de",
        tags=[],
        joined=None,
        answers={"town": "Berlin", "shoe": None},
    )
    assert "Berlin" in read("{{ subscriber.fields.town }}", reader)[1]
    with pytest.raises(TemplateProblem, match="the list has no field twon; did you mean town"):
        read("{{ subscriber.fields.twon }}", reader)
