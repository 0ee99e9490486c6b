"""Render a letter's merge fields for each subscriber.

A mail is rendered once, and only its slots are rendered for each subscriber. Only the author's text
is parsed as Jinja (placeholders.py), never data such as a subscriber's name (M08).
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from types import MappingProxyType
from typing import Any

from jinja2 import TemplateError
from markupsafe import Markup

from newsletter.errors import TemplateProblem
from newsletter.html.text import to_plain_line
from newsletter.i18n import Text
from newsletter.mail.message import Html
from newsletter.mail.render import RENDERING_ERRORS
from newsletter.mail.templating.sandbox import LeftOut, Sandbox, Template, Unset
from newsletter.vocabulary import Cadence

SEPARATOR = "\x1e"  # stripped from everything that comes from outside (html/text.py)


class Answers:
    """The answers of a subscriber to the author's own fields of their list.

    A field that is not filled in is an `Unset`; one that the list does not have is an error.
    Nothing is known about a visitor of the archive, so any field is a `LeftOut`.
    """

    __slots__ = ("_values",)

    def __init__(self, values: Mapping[str, object] | None) -> None:
        self._values = values

    def get_answer(self, name: str) -> object:
        """Return a subscriber's answer in the author's own field `name`.

        Raises `TemplateError` if the list has no such field.
        """
        full_name = f"subscriber.fields.{name}"
        if self._values is None:
            return LeftOut(name=full_name)
        if name not in self._values:
            near = difflib.get_close_matches(name, self._values, n=1)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise TemplateError(f"the list has no field {name}{hint}")
        value = self._values[name]
        return Unset(name=full_name) if value is None else value


@dataclass(frozen=True, slots=True)
class SubscriberFields:
    """The fields of a subscriber that a letter may use; one that is not filled in is an `Unset`."""

    name: object
    email: object
    cadence: object
    language: object
    tags: tuple[str, ...]
    joined: object
    topics: tuple[str, ...]
    fields: Answers


def make_subscriber_fields(
    *,
    name: str,
    email: str,
    cadence: Cadence | None,
    language: str,
    tags: Sequence[str],
    joined: date | None,
    topics: Sequence[str] = (),
    answers: Mapping[str, object] = MappingProxyType({}),
    public: bool = False,
) -> SubscriberFields:
    """Make the fields of a subscriber that a letter may use.

    `answers` has a value, or None, for each of the author's fields of the list. With `public`,
    writing a field that is not filled in gives an ellipsis instead of an error.
    """
    missing = LeftOut if public else Unset

    def or_missing(field_name: str, value: object) -> object:
        return value or missing(name=f"subscriber.{field_name}")

    return SubscriberFields(
        name=or_missing("name", to_plain_line(name, limit=200)),
        email=or_missing("email", email),
        cadence=or_missing("cadence", cadence),
        language=or_missing("language", language),
        tags=tuple(to_plain_line(tag, limit=60) for tag in tags),
        joined=or_missing("joined", joined),
        topics=tuple(to_plain_line(topic, limit=80) for topic in topics),
        fields=Answers(None if public else answers),
    )


ARCHIVE_SUBSCRIBER = make_subscriber_fields(
    name="", email="…", cadence=None, language="", tags=(), joined=None, public=True
)
"""The fields of the anonymous visitor of the public archive.

An address is never missing, so that no letter says what stands in its place.
"""


FIELDS = tuple(SubscriberFields.__slots__)
TEXT, HTML = (
    Sandbox(html=html, fields={SubscriberFields: FIELDS}, lookup={Answers: Answers.get_answer})
    for html in (False, True)
)


@dataclass(frozen=True, slots=True)
class MergeTemplates:
    """The templates for a letter's slots: one for the subject and the text, one for the HTML.

    The output of each, split at `SEPARATOR`, fills the slots in order. `..._parts` are the constant
    texts inside conditions. `..._lines` map each line of a template to the line of the letter that
    it comes from.
    """

    text: str
    html: str
    text_parts: tuple[str, ...]
    html_parts: tuple[str, ...]
    text_slots: tuple[str, ...]
    html_slots: tuple[str, ...]
    text_lines: tuple[int, ...] = ()
    html_lines: tuple[int, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """Return the templates as they are stored with an edition."""
        return {name: getattr(self, name) for name in self.__slots__}

    @classmethod
    def of_json(cls, stored: Mapping[str, Any]) -> MergeTemplates:
        """Return the templates from their stored form."""
        lists = [tuple(stored.get(name, ())) for name in cls.__slots__[2:]]
        return cls(stored["text"], stored["html"], *lists)


class Filler:
    """A function that computes the values of a letter's slots for a subscriber.

    Raises `TemplateProblem` if a template cannot be compiled.
    """

    def __init__(self, personal: MergeTemplates) -> None:
        self._personal = personal
        # Our own Markdown made these parts.
        self._html_parts = [Markup(part) for part in personal.html_parts]  # noqa: S704
        self._text = _Part(TEXT, personal.text, personal.text_lines, len(personal.text_slots))
        self._html = _Part(HTML, personal.html, personal.html_lines, len(personal.html_slots))

    def __call__(self, known: Mapping[str, object]) -> dict[str, str]:
        """Compute the values of a letter's slots for a subscriber with these fields.

        Raises `TemplateProblem`.
        """
        personal = self._personal
        text = self._text.cut({**known, "part": personal.text_parts})
        html = self._html.cut({**known, "part": self._html_parts})
        values = dict(zip(personal.text_slots, text, strict=True))
        values.update(zip(personal.html_slots, map(Html, html), strict=True))
        for name in personal.text_slots:
            if name.startswith("subject_"):
                values[name] = to_plain_line(values[name], limit=300)
        return values


class _Part:
    """One of the two templates of a letter (text and HTML)."""

    def __init__(self, sandbox: Sandbox, source: str, lines: Sequence[int], slots: int) -> None:
        self._lines = lines
        self._slots = slots
        try:
            self._template: Template = sandbox.compile_counted(source)
        except TemplateError as error:
            raise self._problem(error) from None

    def cut(self, known: Mapping[str, object]) -> list[str]:
        """Render the template, and split the output into one piece for each slot.

        Raises `TemplateProblem`.
        """
        try:
            pieces = self._template.render(known).split(SEPARATOR)
        except RENDERING_ERRORS as error:
            raise self._problem(error) from None
        if len(pieces) != self._slots + 1:
            raise TemplateProblem(
                Text("the letter"), 0, Text("a field holds what cannot be mailed")
            )
        return pieces[:-1]

    def _problem(self, error: Exception) -> TemplateProblem:
        number = getattr(error, "lineno", 0) or _find_line(error)
        line = self._lines[number - 1] if 0 < number <= len(self._lines) else 0
        return TemplateProblem(Text("the letter"), line, str(error))


def _find_line(error: Exception) -> int:
    """Return the line of a template that an error passed through, from Jinja's traceback."""
    line = 0
    frame = error.__traceback__
    while frame is not None:
        if frame.tb_frame.f_code.co_filename == "<template>":
            line = frame.tb_lineno
        frame = frame.tb_next
    return line
