"""Isolate unexpected errors, so that one failing task does not stop the others."""

from __future__ import annotations

from collections.abc import Callable

from newsletter.db.session import to_database_error
from newsletter.errors import NewsletterError, locate_error
from newsletter.i18n import Text


def describe_error(error: Exception) -> str:
    """Describe an unexpected error of a task, for the log and the author.

    Raises `DatabaseError` where the database cannot be used: then no other work fares better.
    """
    gone = to_database_error(error)
    if gone is error:
        raise error
    if gone is not None:
        raise gone from error
    if isinstance(error, NewsletterError):
        return str(error)
    return Text("Internal error: %(place)s", place=locate_error(error))


def run_each(*parts: Callable[[], object]) -> None:
    """Run all tasks even if some fail, and raise the first error at the end.

    Raises `DatabaseError` at once.
    """
    errors: list[Exception] = []
    for part in parts:
        try:
            part()
        except Exception as error:
            describe_error(error)
            errors.append(error)
    if errors:
        raise errors[0]
