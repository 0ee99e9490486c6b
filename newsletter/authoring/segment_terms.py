"""The tree of a segment: terms that a subscription meets or does not. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class Comparison:
    """A field, how it is compared, and with what."""

    field: str
    operator: str
    value: str | date


@dataclass(frozen=True, slots=True)
class OneOf:
    """A field that is one of several values."""

    field: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Tagged:
    """The condition that a subscriber carries a tag."""

    tag: str


@dataclass(frozen=True, slots=True)
class Untagged:
    """A subscriber carries no tag at all."""


@dataclass(frozen=True, slots=True)
class OfTopic:
    """The condition that a subscriber gets a topic: they chose it, or chose none."""

    topic: str


@dataclass(frozen=True, slots=True)
class Answer:
    """The condition that a subscriber's answer in one of the author's fields is in `values`."""

    field: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Answered:
    """A field of the author's is ticked or filled in; with `consent`, it is a consent."""

    field: str
    consent: bool = False


@dataclass(frozen=True, slots=True)
class Had:
    """A subscriber was sent one of these campaigns, or may still be."""

    campaign_ids: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """The opposite of a term."""

    term: Term


class Connective(StrEnum):
    """A word that joins several terms."""

    AND = "and"
    OR = "or"


@dataclass(frozen=True, slots=True)
class Joined:
    """Several terms of which all, or one at least, must hold."""

    word: Connective
    terms: tuple[Term, ...]


Term = Comparison | OneOf | Tagged | Untagged | OfTopic | Answer | Answered | Had | Not | Joined
