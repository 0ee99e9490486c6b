"""A moment as an author says it: ``tomorrow 9:00``, ``friday 17:30``, ``2026-12-01 09:00``, ``in 3
hours``. Pure.

A small grammar and no guesses: what is mailed at the wrong hour cannot be taken back.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from newsletter.errors import InvalidInput

FORMS = 'like "tomorrow 9:00", "friday 17:30", "2026-12-01 09:00" or "in 3 hours"'
_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_UNITS = {"m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_UNIT = r"\s*(m|min|minutes?|h|hours?|d|days?|w|weeks?)"
_IN = re.compile(rf"in\s+(\d{{1,4}}|an?){_UNIT}", re.A)
_AFTER = re.compile(rf"(\d{{1,4}}){_UNIT}", re.A)
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.A)
_EXACT = re.compile(r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(:\d{2})?(Z|[+-]\d{2}:\d{2})?", re.A)
_CLOCK = re.compile(r"(?:at\s+)?(?:(noon)|(\d{1,2})(?:[:.h](\d{2})|h)?\s*(am|pm)?)", re.A)
_ZONE = re.compile(r"(.+)\s(UTC|[A-Z]\w+(?:/[\w+-]+){1,2})", re.A)
_OTHER_DAY = re.compile(r"\d[./]\d{1,2}[./]\d|\b(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)")
_FAR = timedelta(days=100 * 366)
"""Whoever names a moment later than this has mistyped it."""


def parse_moment(text: str, *, zone: ZoneInfo, now: datetime, hour: int) -> datetime:
    """The moment `text` names, in UTC; read in `zone`, or in the one it names; a day without a time
    means `hour`.

    Raises `InvalidInput` where it names none, one that is over or centuries away, or an hour that
    the clocks leave out.
    """
    if found := _ZONE.fullmatch(text.strip()):
        text, zone = found[1], _zone(found[2])
    said = " ".join(text.lower().replace(",", " ").split())
    if found := _IN.fullmatch(said):
        many = int(found[1]) if found[1].isdecimal() else 1
        then = now.astimezone(UTC) + timedelta(
            seconds=many * _UNITS[found[2][0]]
        )  # hours that pass, not the clock's
        local: datetime | None = then.astimezone(zone)
    else:
        local = _exact(text.strip()) or _said(said, now.astimezone(zone), hour)
    if local is None:
        raise InvalidInput({"at": f"{text[:60]!r} is no moment; {_hint(said)}"})
    return _checked(local if local.tzinfo else local.replace(tzinfo=zone), now)


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise InvalidInput(
            {"at": f"{name[:60]} is no time zone; say it like Europe/Berlin"}
        ) from None


def _hint(said: str) -> str:
    """What is likely to help with what is no moment."""
    if _clock(said):
        return f'say the day, too: "today {said}" or "tomorrow {said}"'
    if re.search(r"\d[./]\d{1,2}[./]\d", said) or re.search(
        r"\b(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)", said
    ):
        return 'write days like "2026-12-01"'
    return f"say it {FORMS}"


def _exact(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text) if _EXACT.fullmatch(text) else None
    except ValueError:
        return None


def _said(text: str, here: datetime, hour: int) -> datetime | None:
    word, _, rest = text.removeprefix("on ").partition(" ")
    if _clock(text.rpartition(" ")[0]) and not _clock(text):  # "9:00 tomorrow"
        rest, _, word = text.rpartition(" ")
    clock = _clock(rest) if rest else time(hour)
    if clock is None:
        return None
    if word in ("today", "tomorrow"):
        return datetime.combine(here.date() + timedelta(days=word == "tomorrow"), clock)
    if _DAY.fullmatch(word):
        try:
            return datetime.combine(date.fromisoformat(word), clock)
        except ValueError:
            return None
    named = [number for number, day in enumerate(_DAYS) if len(word) >= 3 and day.startswith(word)]
    if not named:
        return None
    ahead = (named[0] - here.weekday()) % 7
    found = datetime.combine(here.date() + timedelta(days=ahead), clock)
    return found if found > here.replace(tzinfo=None) else found + timedelta(days=7)


def _clock(text: str) -> time | None:
    found = _CLOCK.fullmatch(text)
    if found is None:
        return None
    if found[1]:
        return time(12)
    hours, minutes = int(found[2]), int(found[3] or 0)
    if found[4]:
        if not 1 <= hours <= 12:
            return None
        hours = hours % 12 + (12 if found[4] == "pm" else 0)
    return time(hours, minutes) if hours < 24 and minutes < 60 else None


def _checked(local: datetime, now: datetime) -> datetime:
    """`local` in UTC.

    An hour that comes twice means the first; one that does not come is refused.
    """
    try:
        moment = local.astimezone(UTC)
        comes = moment.astimezone(local.tzinfo).replace(tzinfo=None) == local.replace(tzinfo=None)
    except OverflowError:
        raise InvalidInput({"at": f"{local:%Y-%m-%d} is no day anybody can mean"}) from None
    if moment <= now:
        raise InvalidInput({"at": f"{local:%Y-%m-%d %H:%M} is over already"})
    if moment > now + _FAR:
        raise InvalidInput({"at": f"{local:%Y-%m-%d} is more than a hundred years away"})
    if not comes:
        raise InvalidInput(
            {"at": f"the clocks go forward over {local:%Y-%m-%d %H:%M}: there is no such hour"}
        )
    return moment


def parse_wait(text: str) -> timedelta:
    """How long ``3d``, ``12h``, ``2 weeks``, ``0`` is.

    Raises `InvalidInput`.
    """
    said = text.strip().lower()
    if said == "0":
        return timedelta(0)
    found = _AFTER.fullmatch(said)
    if found is None:
        raise InvalidInput(
            {"after": f"{text[:60]!r} is no length of time; say it like 3d, 12h or 2w"}
        )
    return timedelta(seconds=int(found[1]) * _UNITS[found[2][0]])
