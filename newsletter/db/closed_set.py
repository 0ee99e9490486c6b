"""A column whose values are the members of a `StrEnum`, and its CHECK constraint."""

from __future__ import annotations

from enum import StrEnum
from typing import Generic, TypeVar

from sqlalchemy import CheckConstraint, Dialect, String, TypeDecorator

E = TypeVar("E", bound=StrEnum)


class ClosedSet(TypeDecorator[E], Generic[E]):
    """Store a member by its value and read it back as a member.

    Raises `ValueError` for a value outside of the set, when it is written and when it is read.
    """

    impl = String
    cache_ok = True

    def __init__(self, members: type[E], length: int) -> None:
        super().__init__(length)
        self.members = members
        self.length = length

    def process_bind_param(self, value: E | str | None, dialect: Dialect) -> str | None:
        """Return the value to store."""
        return None if value is None else self.members(value).value

    def process_result_value(self, value: str | None, dialect: Dialect) -> E | None:
        """Return the member that was stored."""
        return None if value is None else self.members(value)


def member_check(column: str, members: type[StrEnum], *, name: str = "") -> CheckConstraint:
    """Return the CHECK that keeps `column` to the values of `members`."""
    values = ", ".join(f"'{member.value}'" for member in members)
    return CheckConstraint(f"{column} IN ({values})", name=name or column)
