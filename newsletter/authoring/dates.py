"""Parse the moments that authors write: ``tomorrow 9:00``, ``2026-12-01 09:00``, ``in 3 hours``.

Pure. The grammar is small and nothing is guessed, because a mail sent at the wrong hour cannot be
taken back.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from newsletter.errors import InvalidInput
from newsletter.i18n import Text

FORMS = 'like "tomorrow 9:00", "friday 17:30", "2026-12-01 09:00" or "in 3 hours"'
_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_UNITS = {"m": 60, "h": 3600, "d": 86_400, "w": 604_800}
"""Seconds per unit of time, by the unit's first letter."""
_UNIT = r"\s*(m|min|minutes?|h|hours?|d|days?|w|weeks?)"
_IN = re.compile(rf"in\s+(\d{{1,4}}|an?){_UNIT}", re.A)
_AFTER = re.compile(rf"(\d{{1,4}}){_UNIT}", re.A)
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.A)
_EXACT = re.compile(r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(:\d{2})?(Z|[+-]\d{2}:\d{2})?", re.A)
_CLOCK = re.compile(r"(?:at\s+)?(?:(noon)|(\d{1,2})(?:[:.h](\d{2})|h)?\s*(am|pm)?)", re.A)
_ZONE = re.compile(r"(.+)\s(UTC|[A-Z]\w+(?:/[\w+-]+){1,2})", re.A)
_FAR = timedelta(days=100 * 366)
"""The furthest moment ahead that is accepted: one more than a hundred years ahead is a typing
error."""


def parse_moment(text: str, *, zone: ZoneInfo, now: datetime, hour: int) -> datetime:
    """Parse `text` as a moment and return it in UTC.

    The text is read in `zone`, or in the time zone that it names; a day without a time means
    `hour`.

    Raises `InvalidInput` if it is not a moment, is in the past or centuries away, or is an hour
    that the change to summer time leaves out.
    """
    if match := _ZONE.fullmatch(text.strip()):
        text = match[1]
        zone = _get_zone(match[2])
    words = " ".join(text.lower().replace(",", " ").split())
    if match := _IN.fullmatch(words):
        count = int(match[1]) if match[1].isdecimal() else 1
        # Hours that pass, not the clock's.
        moment = now.astimezone(UTC) + timedelta(seconds=count * _UNITS[match[2][0]])
        local: datetime | None = moment.astimezone(zone)
    else:
        local = _parse_exact(text.strip()) or _parse_words(words, now.astimezone(zone), hour)
    if local is None:
        raise InvalidInput(
            {
                "at": Text(
                    "%(text)s is not a date or time; %(suggest)s",
                    text=f"{text[:60]!r}",
                    suggest=_suggest(words),
                )
            }
        )
    return _to_future_utc(local if local.tzinfo else local.replace(tzinfo=zone), now)


def _get_zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise InvalidInput(
            {
                "at": Text(
                    "%(name)s is not a time zone; use a name like Europe/Berlin",
                    name=f"{name[:60]!r}",
                )
            }
        ) from None


def _suggest(words: str) -> str:
    """Return a hint for a text that could not be parsed as a date and time."""
    if _parse_clock(words):
        return f'add the day: "today {words}" or "tomorrow {words}"'
    if re.search(r"\d[./]\d{1,2}[./]\d", words) or re.search(
        r"\b(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)", words
    ):
        return 'write days like "2026-12-01"'
    return f"write it {FORMS}"


def _parse_exact(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text) if _EXACT.fullmatch(text) else None
    except ValueError:
        return None


def _parse_words(text: str, local_now: datetime, hour: int) -> datetime | None:
    word, _, clock_text = text.removeprefix("on ").partition(" ")
    if _parse_clock(text.rpartition(" ")[0]) and not _parse_clock(text):  # "9:00 tomorrow"
        clock_text, _, word = text.rpartition(" ")
    clock = _parse_clock(clock_text) if clock_text else time(hour)
    if clock is None:
        return None
    if word in ("today", "tomorrow"):
        return datetime.combine(local_now.date() + timedelta(days=word == "tomorrow"), clock)
    if _DAY.fullmatch(word):
        try:
            return datetime.combine(date.fromisoformat(word), clock)
        except ValueError:
            return None
    weekdays = [
        number for number, day in enumerate(_DAYS) if len(word) >= 3 and day.startswith(word)
    ]
    if not weekdays:
        return None
    ahead = (weekdays[0] - local_now.weekday()) % 7
    moment = datetime.combine(local_now.date() + timedelta(days=ahead), clock)
    return moment if moment > local_now.replace(tzinfo=None) else moment + timedelta(days=7)


def _parse_clock(text: str) -> time | None:
    match = _CLOCK.fullmatch(text)
    if match is None:
        return None
    if match[1]:
        return time(12)
    hours = int(match[2])
    minutes = int(match[3] or 0)
    if match[4]:
        if not 1 <= hours <= 12:
            return None
        hours = hours % 12 + (12 if match[4] == "pm" else 0)
    return time(hours, minutes) if hours < 24 and minutes < 60 else None


def _to_future_utc(local: datetime, now: datetime) -> datetime:
    """Return the local time `local` in UTC if it lies in the future and exists.

    Of an hour that occurs twice, the first is meant; one that does not occur is refused.
    """
    try:
        moment = local.astimezone(UTC)
        comes = moment.astimezone(local.tzinfo).replace(tzinfo=None) == local.replace(tzinfo=None)
    except OverflowError:
        raise _refuse_far(local) from None
    if moment <= now:
        raise InvalidInput(
            {"at": Text("%(local)s is over already", local=f"{local:%Y-%m-%d %H:%M}")}
        )
    if moment > now + _FAR:
        raise _refuse_far(local)
    if not comes:
        raise InvalidInput(
            {
                "at": Text(
                    "the clocks go forward over %(local)s: there is no such hour",
                    local=f"{local:%Y-%m-%d %H:%M}",
                )
            }
        )
    return moment


def _refuse_far(local: datetime) -> InvalidInput:
    day = f"{local:%Y-%m-%d}"
    return InvalidInput(
        {"at": Text("%(day)s is out of range; give a day within 100 years", day=day)}
    )


def parse_wait(text: str) -> timedelta:
    """Parse a length of time, like ``3d``, ``12h``, ``2 weeks`` or ``0``.

    Raises `InvalidInput`.
    """
    words = text.strip().lower()
    if words == "0":
        return timedelta(0)
    match = _AFTER.fullmatch(words)
    if match is None:
        raise InvalidInput(
            {
                "after": Text(
                    "%(text)s is not a duration; use 3d, 12h or 2w",
                    text=f"{text[:60]!r}",
                )
            }
        )
    return timedelta(seconds=int(match[1]) * _UNITS[match[2][0]])
