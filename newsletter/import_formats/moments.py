"""Parse a date and time in the formats that subscriber programs export.

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
    "%d-%m-%Y",
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
    """Parse a date and time as programs export it; return None for any other text.

    A time without a zone is in UTC. Between slashes, the month comes before the day unless the
    numbers rule that out: 4/3/2021 is the third of April.
    """
    trimmed = text.strip().strip("'")
    if len(trimmed) < 6 or not any(letter.isdecimal() for letter in trimmed):
        return None
    parsed = _parse_iso(trimmed) or _parse_epoch(trimmed) or _parse_written(trimmed)
    if parsed is None:
        return None
    parsed = parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)
    if not parsed >= _EARLIEST or (latest and parsed > latest):
        return None
    return parsed.astimezone(UTC)


def _parse_iso(text: str) -> datetime | None:
    if text.isdecimal():
        return None
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        pass
    try:
        return datetime.fromisoformat(_ZONE.sub("", text))
    except ValueError:
        return None


def _parse_epoch(text: str) -> datetime | None:
    if not text.isdecimal() or len(text) not in (10, 13):
        return None
    return datetime.fromtimestamp(int(text) / (1000 if len(text) == 13 else 1), UTC)


def _parse_written(text: str) -> datetime | None:
    for form in _FORMATS:
        for time in _TIMES:
            try:
                # The caller adds UTC.
                return datetime.strptime(text, form + time)  # noqa: DTZ007
            except ValueError:
                continue
    return None
