"""Column types: moments in UTC, and members of a `StrEnum`, one with a CHECK or a list."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from typing import Generic, TypeVar

from sqlalchemy import JSON, CheckConstraint, DateTime, Dialect, String, TypeDecorator

E = TypeVar("E", bound=StrEnum)


class UTCDateTime(TypeDecorator[datetime]):
    """A moment in UTC. Naive datetimes are refused with `ValueError`."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a datetime without a zone cannot be stored")
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


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


class ClosedSets(TypeDecorator[list[E]], Generic[E]):
    """Store a list of members as JSON and read it back as members.

    Raises `ValueError` for a value outside of the set, when it is written and when it is read.
    """

    impl = JSON
    cache_ok = True

    def __init__(self, members: type[E]) -> None:
        super().__init__()
        self.members = members

    def process_bind_param(self, value: list[E] | None, dialect: Dialect) -> list[str] | None:
        """Return the values to store."""
        return None if value is None else [self.members(member).value for member in value]

    def process_result_value(self, value: list[str] | None, dialect: Dialect) -> list[E] | None:
        """Return the members that were stored."""
        return None if value is None else [self.members(member) for member in value]


def make_member_check(column: str, members: type[StrEnum], *, name: str = "") -> CheckConstraint:
    """Return the CHECK that keeps `column` to the values of `members`."""
    values = ", ".join(f"'{member.value}'" for member in members)
    return CheckConstraint(f"{column} IN ({values})", name=name or column)
