"""What differs from reader to reader inside a letter: what it may know of him, and the template that fills its slots.

A mail is rendered once; what is rendered for each reader is only what is his. It is the author's text alone that is
read as Jinja (mail/marking.py). What a reader is called never is (M08).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from jinja2 import StrictUndefined, TemplateError, Undefined, UndefinedError
from jinja2.sandbox import ImmutableSandboxedEnvironment
from markupsafe import Markup

from newsletter.content import plain
from newsletter.errors import TemplateProblem
from newsletter.mail.message import Html

ROUNDS_AT_MOST = 1000
SEPARATOR = "\x1e"  # stripped from everything that comes from outside (content.py)


class Unset(Undefined):
    """A field that a reader has not filled in: false, and replaced by ``or`` and ``default``; an error where it would
    have to be written."""

    def __str__(self) -> str:
        name = self._undefined_name
        raise UndefinedError(f'{name} is not set; write {{{{ {name} or "friend" }}}} for those who have none')


class _Sandbox(ImmutableSandboxedEnvironment):
    """Jinja without files, and without loops that never end."""

    intercepted_binops = frozenset({"*", "**"})

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        if operator == "**" or not (isinstance(left, int | float) and isinstance(right, int | float)):
            raise TemplateError(f"{operator} is not for letters")
        return left * right


def _jinja(*, html: bool) -> _Sandbox:
    made = _Sandbox(autoescape=html, undefined=StrictUndefined, keep_trailing_newline=True)
    made.filters["field_link"] = _link
    made.globals.clear()
    made.globals["range"] = lambda *bounds: range(*bounds)[:ROUNDS_AT_MOST]
    return made


def _link(value: object) -> str:
    text = str(value)
    if not text.startswith(("https://", "http://", "mailto:")):
        raise TemplateError("a link's address must begin with https://")
    return text


TEXT, HTML = _jinja(html=False), _jinja(html=True)


@dataclass(frozen=True, slots=True)
class About:
    """What a letter may know of its reader. What he has not said is an `Unset`."""

    name: object
    email: object
    cadence: object
    language: object
    tags: tuple[str, ...]
    joined: object


def about(
    *,
    name: str,
    email: str,
    cadence: str,
    language: str,
    tags: Sequence[str],
    joined: date | None,
    public: bool = False,
) -> About:
    """A reader as letters see him; with `public`, what is not known is left out instead of being an error."""
    missing = Undefined if public else Unset

    def known(field_name: str, value: object) -> object:
        return value or missing(name=f"subscriber.{field_name}")

    return About(
        name=known("name", plain(name, limit=200)),
        email=known("email", email),
        cadence=known("cadence", cadence),
        language=known("language", language),
        tags=tuple(plain(tag, limit=60) for tag in tags),
        joined=known("joined", joined),
    )


NOBODY = about(name="", email="", cadence="", language="", tags=(), joined=None, public=True)
"""The reader of the archive."""


FIELDS = tuple(About.__slots__)


@dataclass(frozen=True, slots=True)
class Personal:
    """A letter's own slots: two templates (text, which also makes the subject; HTML) whose outputs, cut at a separator,
    fill the slots in order; and the constant stretches that stand inside conditions."""

    text: str
    html: str
    text_parts: tuple[str, ...]
    html_parts: tuple[str, ...]
    text_slots: tuple[str, ...]
    html_slots: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """As it is kept with an edition."""
        return {name: getattr(self, name) for name in self.__slots__}

    @classmethod
    def of_json(cls, kept: Mapping[str, Any]) -> Personal:
        """As it was kept."""
        lists = [tuple(kept[name]) for name in ("text_parts", "html_parts", "text_slots", "html_slots")]
        return cls(kept["text"], kept["html"], *lists)


class Filler:
    """Makes a reader's values for a letter's own slots."""

    def __init__(self, personal: Personal) -> None:
        self._personal = personal
        self._text, self._html = TEXT.from_string(personal.text), HTML.from_string(personal.html)
        self._html_parts = [Markup(part) for part in personal.html_parts]  # noqa: S704 (made by our own Markdown)

    def __call__(self, known: Mapping[str, object]) -> dict[str, str]:
        """The values for a reader of whom so much is known. Raises `TemplateProblem`."""
        personal = self._personal
        try:
            text = self._text.render(known, part=personal.text_parts).split(SEPARATOR)
            html = self._html.render(known, part=self._html_parts).split(SEPARATOR)
        except (TemplateError, ArithmeticError, TypeError, ValueError, AttributeError, LookupError) as error:
            raise TemplateProblem("the letter", 0, str(error)) from None
        if len(text) != len(personal.text_slots) + 1 or len(html) != len(personal.html_slots) + 1:
            raise TemplateProblem("the letter", 0, "a field holds what cannot be mailed")
        values = dict(zip(personal.text_slots, text, strict=False))
        values.update(zip(personal.html_slots, map(Html, html), strict=False))
        for name in personal.text_slots:
            if name.startswith("subject_"):
                values[name] = plain(values[name], limit=300)
        return values
