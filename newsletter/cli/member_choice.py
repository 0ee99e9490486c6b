"""A click option type whose values are the members of an enum."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, TypeVar

import click

Member = TypeVar("Member", bound=StrEnum)


class MemberChoice(click.Choice[Member]):
    """A choice among the members of an enum, typed and displayed by their values.

    `click.Choice` goes by the names of members instead (`DAILY`, not `daily`).
    """

    def __init__(self, members: type[Member]) -> None:
        super().__init__(members)

    def normalize_choice(self, choice: Any, ctx: click.Context | None) -> str:
        """Return the value of an enum's member; typed text stays as it is."""
        return str(choice)
