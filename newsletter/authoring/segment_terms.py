"""The syntax tree of a segment: terms that a subscription meets or not. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class Comparison:
    """The comparison of a field with a value."""

    field: str
    operator: str
    value: str | date


@dataclass(frozen=True, slots=True)
class OneOf:
    """The condition that a field has one of several values."""

    field: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Tagged:
    """The condition that a subscriber has a tag."""

    tag: str


@dataclass(frozen=True, slots=True)
class Untagged:
    """The condition that a subscriber has no tag at all."""


@dataclass(frozen=True, slots=True)
class OfTopic:
    """The condition that a subscriber gets a topic: they chose it, or chose no topic."""

    topic: str


@dataclass(frozen=True, slots=True)
class Answer:
    """The condition that a subscriber's answer in one of the author's own fields is in `values`."""

    field: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Answered:
    """The condition that an author's field is ticked or filled in; `consent`: it is a consent."""

    field: str
    consent: bool = False


@dataclass(frozen=True, slots=True)
class Had:
    """The condition that a subscriber was sent one of some campaigns, or may still be."""

    campaign_ids: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """The negation of a term."""

    term: Term


class Connective(StrEnum):
    """A word that joins several terms, "and" or "or"."""

    AND = "and"
    OR = "or"


@dataclass(frozen=True, slots=True)
class Joined:
    """Several terms of which all, or at least one, must hold."""

    word: Connective
    terms: tuple[Term, ...]


Term = Comparison | OneOf | Tagged | Untagged | OfTopic | Answer | Answered | Had | Not | Joined
