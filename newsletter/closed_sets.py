"""Find a member of an enum by its value."""

from __future__ import annotations

from enum import StrEnum
from typing import TypeVar

Member = TypeVar("Member", bound=StrEnum)


def find_member(members: type[Member], text: object) -> Member | None:
    """Return the member whose value is `text`, or None."""
    return next((member for member in members if member.value == text), None)
