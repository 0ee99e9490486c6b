"""Filter the entries of a feed by its author's rules. Pure.

Patterns run in RE2, whose time is linear in the title, whatever the pattern.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from newsletter.errors import InvalidInput
from newsletter.html.text import to_plain_line
from newsletter.i18n import Text

MARKER = "no-newsletter"
"""The category or tag of entries that are never mailed, in any feed."""
PATTERN_AT_MOST = 200
"""Characters of a pattern, as many as its column holds."""
CATEGORIES_AT_MOST = 50
"""Categories that a filter may name, as many as an entry may have."""
PATTERN_MEMORY = 1 << 20
"""Bytes that a compiled pattern may take; `(x{1000}){1000}` is refused by that."""


@dataclass(frozen=True, slots=True)
class Filters:
    """A feed's filters: categories and titles of the entries to mail.

    Those in one of `only` (empty: any), in none of `never`, and whose title `not_title` does not
    match. Categories are compared without case.
    """

    only: Sequence[str] = field(default=())
    never: Sequence[str] = field(default=())
    not_title: str = ""

    def describe(self) -> str:
        """Describe the entries that pass; "" if all do."""
        parts = [Text("only %(names)s", names=_list_names(self.only))] if self.only else []
        parts += [Text("not %(names)s", names=_list_names(self.never))] if self.never else []
        parts += (
            [Text("no title that matches %(not_title)s", not_title=self.not_title)]
            if self.not_title
            else []
        )
        return "; ".join(parts)


def find_reason(filters: Filters, title: str, categories: Collection[str]) -> str:
    """Return the reason why an entry is left out, or "" if it passes."""
    names = {_fold(name): name for name in categories}
    if any(name.replace(" ", "-") == MARKER for name in names):
        return Text("its blog marks it as %(marker)s", marker=MARKER)
    for name in filters.never:
        if _fold(name) in names:
            return Text("this feed leaves out the category %(name)s", name=name)
    if filters.only and not any(_fold(name) in names for name in filters.only):
        return Text("this feed takes only %(names)s", names=_list_names(filters.only))
    if filters.not_title and _compile(filters.not_title).search(title):
        return Text(
            "this feed leaves out titles that match %(not_title)s", not_title=filters.not_title
        )
    return ""


def clean_filters(filters: Filters) -> Filters:
    """Return filters in the form that is stored.

    Raises `InvalidInput`.
    """
    return Filters(
        clean_categories(filters.only),
        clean_categories(filters.never),
        check_pattern(filters.not_title),
    )


def clean_categories(names: Collection[str]) -> list[str]:
    """Return names of categories in the form that is stored, without empty and repeated ones.

    Raises `InvalidInput`.
    """
    clean = {_fold(name): to_plain_line(name, limit=100) for name in names if name.strip()}
    if len(clean) > CATEGORIES_AT_MOST:
        raise InvalidInput(
            {
                "category": Text(
                    "a filter has at most %(most)s categories",
                    most=CATEGORIES_AT_MOST,
                )
            }
        )
    return list(clean.values())


def check_pattern(pattern: str) -> str:
    """Return a valid pattern for titles, or raise `InvalidInput`.

    Raises `InvalidInput`.
    """
    if len(pattern) > PATTERN_AT_MOST:
        raise InvalidInput(
            {
                "not_title": Text(
                    "a pattern has at most %(most)s characters",
                    most=PATTERN_AT_MOST,
                )
            }
        )
    import re2

    try:
        _compile(pattern)
    except re2.error as error:
        reason = error.args[0] if error.args else "unknown"
        reason = reason.decode("utf-8", "replace") if isinstance(reason, bytes) else reason
        text = Text(
            "%(pattern)s cannot be used as a pattern (%(reason)s); see RE2's syntax, which has "
            "no look-around and no back-references",
            pattern=pattern,
            reason=reason,
        )
        raise InvalidInput({"not_title": text}) from None
    return pattern


@lru_cache(maxsize=100)
def _compile(pattern: str) -> Any:
    import re2  # 5 MB of memory, where a feed has a pattern

    options = re2.Options()
    options.max_mem = PATTERN_MEMORY
    options.log_errors = False
    options.case_sensitive = False
    return re2.compile(pattern, options)


def _fold(name: str) -> str:
    return " ".join(name.split()).casefold()


def _list_names(names: Sequence[str]) -> str:
    return " or ".join(names)
