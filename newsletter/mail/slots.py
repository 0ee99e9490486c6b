"""Slots: the places in a compiled mail that are filled in for each subscriber."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import NamedTuple

SLOT_PATTERN = re.compile("\ue000([a-z0-9_:-]+)\ue001")

Values = Mapping[str, str]
Fill = Callable[[Values], bytes]


class Slot(NamedTuple):
    """A slot in the body of a mail; in HTML its value is `escaped`."""

    name: str
    escaped: bool


def make_slot(name: str) -> str:
    """Return the placeholder of the slot `name` in a text."""
    return f"\ue000{name}\ue001"


def find_slots(*texts: str) -> frozenset[str]:
    """Return the names of the slots in these texts."""
    return frozenset(name for text in texts for name in SLOT_PATTERN.findall(text))


def fill(text: str, values: Values) -> str:
    """Fill in the slots of a text without any encoding, for web pages and tests."""
    return SLOT_PATTERN.sub(lambda match: values[match[1]], text)
