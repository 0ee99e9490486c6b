"""Read a moment as programs write it.

Pure.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime

_EARLIEST = datetime(1990, 1, 1, tzinfo=UTC)
_ZONE = re.compile(r" ?(UTC|GMT|Z)$| (?=[+-]\d\d:?\d\d$)")
_FORMATS = (
    "%m/%d/%Y",
    "%m/%d/%y",
    "%d/%m/%Y",
    "%d.%m.%Y",
    "%b %d, %Y",
    "%B %d, %Y",
    "%d %b %Y",
    "%d %B %Y",
    "%Y/%m/%d",
)
_TIMES = ("", " %H:%M", " %H:%M:%S", " %I:%M %p", " %I:%M:%S %p", ", %H:%M", ", %I:%M %p")


def parse_moment(
    text: str, *, latest: datetime | None = datetime(2100, 1, 1, tzinfo=UTC)
) -> datetime | None:
    """A moment as programs write it, in UTC where no zone is said; None for what is none.

    Days before months only where the number says so: 4/3/2021 is the third of April.
    """
    said = text.strip().strip("'")
    if len(said) < 6 or not any(letter.isdecimal() for letter in said):
        return None
    found = _iso(said) or _epoch(said) or _written(said)
    if found is None:
        return None
    found = found if found.tzinfo else found.replace(tzinfo=UTC)
    if not found >= _EARLIEST or (latest and found > latest):
        return None
    return found.astimezone(UTC)


def _iso(said: str) -> datetime | None:
    if said.isdecimal():
        return None
    try:
        return datetime.fromisoformat(said)
    except ValueError:
        pass
    try:
        return datetime.fromisoformat(_ZONE.sub("", said))
    except ValueError:
        return None


def _epoch(said: str) -> datetime | None:
    if not said.isdecimal() or len(said) not in (10, 13):
        return None
    return datetime.fromtimestamp(int(said) / (1000 if len(said) == 13 else 1), UTC)


def _written(said: str) -> datetime | None:
    for form in _FORMATS:
        for time in _TIMES:
            try:
                return datetime.strptime(said, form + time)  # noqa: DTZ007 (UTC is said by the caller)
            except ValueError:
                continue
    return None
