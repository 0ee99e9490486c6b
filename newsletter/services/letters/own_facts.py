"""Refuse letters of list-limited authors and tokens that use data shared by all lists.

A count of recipients, or a letter that fails for some of them, would tell what the pages hide.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import assert_never

from jinja2 import TemplateSyntaxError

from newsletter.authoring.segment import parse_segment
from newsletter.authoring.segment_terms import (
    Answer,
    Answered,
    Comparison,
    Had,
    Joined,
    Not,
    OfTopic,
    OneOf,
    Tagged,
    Term,
    Untagged,
)
from newsletter.errors import InvalidInput
from newsletter.i18n import Text
from newsletter.mail.templating.merge_fields import TEXT
from newsletter.mail.templating.policy import find_attributes

HIDDEN_FROM_AUTHORS = frozenset({"tags"})
HIDDEN_FROM_TOKENS = frozenset({"tags", "name", "language"})


def require_own_facts(segment: str, texts: Collection[str], hidden: Collection[str]) -> None:
    """Refuse a letter whose segment uses `hidden` attributes, or whose texts use tags.

    Raises `InvalidInput`. What cannot be read yet is no letter that could be counted or sent.
    """
    if facts := _read_asked(segment) & set(hidden):
        problem = Text(
            "asks for %(what)s, which belongs to all lists; you are limited to some",
            what=", ".join(sorted(facts)),
        )
        raise InvalidInput({"segment": problem})
    if any("tags" in _read_attributes(text) for text in texts):
        problem = Text("holds tags, which belong to all lists; you are limited to some")
        raise InvalidInput({"letter": problem})


def _read_asked(segment: str) -> set[str]:
    try:
        term = parse_segment(segment)
    except InvalidInput:
        return set()
    return _list_asked(term) if term else set()


def _list_asked(term: Term) -> set[str]:
    """List the attributes of a text that belong to no single list."""
    match term:
        case Joined(terms=terms):
            return set().union(*(_list_asked(part) for part in terms))
        case Not(term=inner):
            return _list_asked(inner)
        case Tagged() | Untagged():
            return {"tags"}
        case Comparison(field=name) | OneOf(field=name):
            return {name}
        case Answer() | Answered() | OfTopic() | Had():
            return set()
        case _:
            assert_never(term)


def _read_attributes(text: str) -> set[str]:
    if "{" not in text:
        return set()
    try:
        return find_attributes(TEXT.parse(text))
    except (TemplateSyntaxError, RecursionError):
        return set()
