"""Whatever an author's Jinja asks for ends in a text or in a `TemplateProblem` with its line."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from pathlib import Path

import pytest

from newsletter.errors import TemplateProblem
from newsletter.mail.render import Renderer
from newsletter.mail.templating.allowed_names import DATE_ATTRIBUTES, FILTERS, TEXT_METHODS
from newsletter.mail.templating.merge_fields import (
    ARCHIVE_SUBSCRIBER,
    SEPARATOR,
    Filler,
    MergeTemplates,
)
from newsletter.mail.templating.sandbox import TEXT_AT_MOST
from tests.unit.mail.test_merge_fields import ANA, NAMELESS, read

VALUES = (
    "subscriber.name",
    "subscriber.joined",
    "subscriber.tags",
    "3",
    '"abc def"',
    '[1, "a"]',
    "none",
    "1e300",
)
ARGUMENTS = (
    "",
    "0",
    '"a"',
    "none",
    '5, true, "..."',
    '5, true, "...", -1',
    'attribute="__class__"',
    "subscriber.name",
    "base=99",
    '"\\u0000"',
)


def check(source: str) -> None:
    """Render an expression in a letter's text and HTML, for three subscribers."""
    expression = "{{ " + source + " }}"
    templates = MergeTemplates(
        expression + SEPARATOR, expression + SEPARATOR, (), (), ("a",), ("b",), (4,), (4,)
    )
    try:
        filler = Filler(templates)
    except TemplateProblem as problem:
        assert problem.line in (0, 4), source
        return
    for subscriber in (ANA, NAMELESS, ARCHIVE_SUBSCRIBER):
        try:
            filler({"subscriber": subscriber})
        except TemplateProblem as problem:
            assert problem.line in (0, 4), source


@pytest.mark.parametrize("name", FILTERS)
def test_p2_no_filter_ends_in_an_internal_error(name: str) -> None:
    for value, arguments in product(VALUES, ARGUMENTS):
        check(f"{value}|{name}{f'({arguments})' if arguments else ''}")


@pytest.mark.parametrize("name", [*TEXT_METHODS, *DATE_ATTRIBUTES])
def test_p2_no_method_ends_in_an_internal_error(name: str) -> None:
    for value, arguments in product(VALUES, ARGUMENTS):
        check(f"{value}.{name}({arguments})")


@pytest.mark.parametrize(
    "name", ["_undefined_name", "_undefined_hint", "_fail_with_undefined_error", "__class__"]
)
@pytest.mark.parametrize("value", ["subscriber.name", "subscriber.language", "loop", "subscriber"])
def test_p2_a_computed_name_gives_no_attribute(value: str, name: str) -> None:
    source = f'{{{{ {value}["{name[:3]}" ~ "{name[3:]}"] }}}}'
    for subscriber in (ANA, NAMELESS):
        with pytest.raises(TemplateProblem):
            read(source, subscriber)
    if value.startswith("subscriber."):
        assert read(source, ARCHIVE_SUBSCRIBER)[1] == "…"


@pytest.mark.parametrize(
    "expression",
    [
        '"abc"|truncate(1)',
        '"abc"|wordwrap(0)',
        "[1]|slice(0)|list",
        "[1]|tojson(indent=none)|xmlattr",
        '"a" * 10**19',
        "list.title|groupby",
        "missing.attribute",
        "list.slug.x",
        "1 // 0",
    ],
)
def test_a_mistake_in_a_template_of_a_mail_has_its_name_and_line(
    tmp_path: Path, expression: str
) -> None:
    folder = tmp_path / "welcome"
    folder.mkdir()
    (folder / "subject.txt").write_text("Hello")
    (folder / "html.html").write_text("<p>Hello</p>")
    (folder / "text.txt").write_text("Hello\n{{ " + expression + " }}\n")
    with pytest.raises(TemplateProblem) as problem:
        Renderer([tmp_path]).render("welcome", {"list": {"title": "T"}})
    assert (problem.value.template, problem.value.line) == ("welcome/text.txt", 2)


def test_a_template_that_includes_itself_has_its_name(tmp_path: Path) -> None:
    folder = tmp_path / "welcome"
    folder.mkdir()
    for name in ("subject.txt", "html.html", "text.txt"):
        (folder / name).write_text("Hello")
    (folder / "text.txt").write_text('Hello\n{% include "welcome/text.txt" %}\n')
    with pytest.raises(TemplateProblem) as problem:
        Renderer([tmp_path]).render("welcome", {})
    assert problem.value.template == "welcome/text.txt"


@pytest.mark.parametrize(
    ("expression", "is_taken"),
    [
        ('(subscriber.name ~ "b")|length ~ "c"', True),
        ('(subscriber.name ~ subscriber.name)|length ~ "c"', False),
        ('"c" ~ (subscriber.name ~ subscriber.name)|upper|length', False),
    ],
)
def test_texts_that_are_joined_inside_others_are_measured(
    expression: str, *, is_taken: bool
) -> None:
    part = "{{ " + expression + " }}" + SEPARATOR
    filler = Filler(MergeTemplates(part, part, (), (), ("a",), ("b",), (4,), (4,)))
    subscriber = replace(ANA, name="x" * (TEXT_AT_MOST - 100))
    if is_taken:
        filler({"subscriber": subscriber})
        return
    with pytest.raises(TemplateProblem, match="grows longer"):
        filler({"subscriber": subscriber})
