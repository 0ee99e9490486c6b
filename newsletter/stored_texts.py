"""Translate English sentences that were stored or raised, by matching them to texts.

Reasons are stored in English: why an entry is held, why a feed fails, why a campaign is paused.
Each was made from a `Text`, so its pattern stands in the catalogues. Here a sentence is traced back
to its pattern, and said in the language of a page. Parts that nobody wrote for translation, such
as the reply of a mail server, stay as they are.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import Any

from newsletter.i18n import SOURCE, Text, find_language, list_texts, say

LENGTH_AT_MOST = 2_000
"""The most characters of a sentence that can be translated."""
NESTED_AT_MOST = 4
"""The deepest nesting of texts."""
_PLACE = re.compile(r"%\((\w+)\)([sd])")
_JOINTS = ((" (", ")"), ("; ", ""), (": ", ""))
"""The separators between two texts, as `NewsletterError` adds a hint."""


@dataclass(frozen=True, slots=True)
class _Pattern:
    """A text with placeholders: `literals` around `places` (name, kind)."""

    msgid: str
    literals: tuple[str, ...]
    places: tuple[tuple[str, str], ...]

    def match(self, sentence: str) -> dict[str, Any] | None:
        """Return the values of the placeholders, None if the sentence does not match."""
        first, *middle, last = self.literals
        if not sentence.startswith(first) or not sentence.endswith(last):
            return None
        at = len(first)
        end = len(sentence) - len(last)
        parts = []
        for literal in middle:
            place = sentence.find(literal, at, end)
            if place < 0:
                return None
            parts.append(sentence[at:place])
            at = place + len(literal)
        if at > end:
            return None
        parts.append(sentence[at:end])
        values: dict[str, Any] = {}
        for (name, kind), part in zip(self.places, parts, strict=True):
            if kind == "d" and not (part.isascii() and part.isdecimal()):
                return None
            value = int(part[:18]) if kind == "d" else part
            if values.setdefault(name, value) != value:
                return None
        return values


class Stored(str):
    """A stored sentence as the value of a `Text`, which is translated, unlike a name."""


def say_stored(text: str, language: str) -> str:
    """Translate a `Text`, or an English sentence made from one.

    What cannot be traced back is returned as it is.
    """
    tag = find_language(language)
    if tag in ("", SOURCE):
        return str(text)
    return _say(text, tag, NESTED_AT_MOST)


def _say(text: str, tag: str, depth: int) -> str:
    """Translate a text and those nested in it, at most `depth` levels."""
    if isinstance(text, Text):
        return _fill(
            text, {name: _say_value(value, tag, depth) for name, value in text.values.items()}, tag
        )
    if depth == 0 or len(text) > LENGTH_AT_MOST or not text.strip():
        return str(text)
    origin = _find_pattern(text, tag)
    if origin is None:
        return _say_parts(text, tag, depth)
    sentences = {
        name: _say(value, tag, depth - 1) if isinstance(value, str) and " " in value else value
        for name, value in origin.values.items()
    }
    return _fill(origin, sentences, tag)


def _fill(text: Text, values: dict[str, Any], tag: str) -> str:
    return say(text.refill(values), tag)


def _say_value(value: object, tag: str, depth: int) -> object:
    """Translate the value of a placeholder: a status or sentence; keep names and numbers."""
    if isinstance(value, StrEnum):
        return say(Text(value.value), tag)
    return _say(value, tag, depth - 1) if isinstance(value, Text | Stored) else value


def _find_pattern(sentence: str, tag: str) -> Text | None:
    """Return the text from which a sentence was made, the most specific that matches."""
    exact, patterns = _read_catalogue(tag)
    if sentence in exact:
        return Text(sentence)
    reason, _, hint = sentence.partition(" (")
    if hint.endswith(")") and reason in exact and hint[:-1] in exact:
        return None  # two texts, which `_say_parts` takes apart
    for pattern in patterns:
        values = pattern.match(sentence)
        if values is not None:
            return Text(pattern.msgid, **values)
    return None


def _say_parts(sentence: str, tag: str, depth: int) -> str:
    """Translate a sentence made of several texts, such as a reason and its hint."""
    place, colon, rest = sentence.partition(": ")
    if colon and " " not in place:  # an address, or the name of a field
        return f"{place}: {_say(rest, tag, depth - 1)}"
    for joint, end in _JOINTS:
        first, between, second = sentence.partition(joint)
        if not between or not sentence.endswith(end):
            continue
        second = second.removesuffix(end)
        translated = (_say(first, tag, depth - 1), _say(second, tag, depth - 1))
        if translated != (first, second):
            return f"{translated[0]}{joint}{translated[1]}{end}"
    return sentence


@cache
def _read_catalogue(tag: str) -> tuple[frozenset[str], tuple[_Pattern, ...]]:
    """Return the texts without placeholders, and those with, the most specific first."""
    exact: set[str] = set()
    patterns: list[_Pattern] = []
    for msgid in list_texts(tag):
        places = tuple((match[1], match[2]) for match in _PLACE.finditer(msgid))
        if not places:
            exact.add(msgid)
            continue
        literals = tuple(part.replace("%%", "%") for part in _PLACE.split(msgid)[::3])
        if max(len(literal.strip()) for literal in literals) >= 4:
            patterns.append(_Pattern(msgid, literals, places))
    patterns.sort(key=lambda pattern: (-sum(map(len, pattern.literals)), pattern.msgid))
    return frozenset(exact), tuple(patterns)
