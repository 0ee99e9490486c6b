"""A moment as an author says it: ``tomorrow 9:00``, ``friday 17:30``, ``2026-12-01 09:00``, ``in 3 hours``. Pure.

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
_IN = re.compile(r"in\s+(\d{1,4})\s*(m|min|minutes?|h|hours?|d|days?|w|weeks?)")
_AFTER = re.compile(r"(\d{1,4})\s*(m|min|minutes?|h|hours?|d|days?|w|weeks?)")
_CLOCK = re.compile(r"(?:at\s+)?(\d{1,2})(?::(\d{2}))?\s*(am|pm)?")


def parse_moment(text: str, *, zone: ZoneInfo, now: datetime, hour: int) -> datetime:
    """The moment `text` names, in UTC; read in `zone`; a day without a time means `hour`.

    Raises `InvalidInput` where it names none, one that is over, or an hour that the clocks leave out.
    """
    said = " ".join(text.strip().lower().split())
    if found := _IN.fullmatch(said):
        return now.astimezone(UTC) + timedelta(seconds=int(found[1]) * _UNITS[found[2][0]])
    local = _exact(text.strip()) or _said(said, now.astimezone(zone), hour)
    if local is None:
        raise InvalidInput({"at": f"{text!r} is no moment; say it {FORMS}"})
    moment = _checked(local if local.tzinfo else local.replace(tzinfo=zone), text)
    if moment <= now:
        raise InvalidInput({"at": f"{local:%Y-%m-%d %H:%M} is over already"})
    return moment


def _exact(text: str) -> datetime | None:
    if re.fullmatch(r"\d{4}-\d{2}-\d{2}", text):
        return None  # a day; its hour is the list's
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None


def _said(text: str, here: datetime, hour: int) -> datetime | None:
    word, _, rest = text.partition(" ")
    clock = _clock(rest) if rest else time(hour)
    if clock is None:
        return None
    if word in ("today", "tomorrow"):
        return datetime.combine(here.date() + timedelta(days=word == "tomorrow"), clock)
    if re.fullmatch(r"\d{4}-\d{2}-\d{2}", word):
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
    hours, minutes = int(found[1]), int(found[2] or 0)
    if found[3]:
        if not 1 <= hours <= 12:
            return None
        hours = hours % 12 + (12 if found[3] == "pm" else 0)
    return time(hours, minutes) if hours < 24 and minutes < 60 else None


def _checked(local: datetime, text: str) -> datetime:
    """`local` in UTC. An hour that comes twice means the first; one that does not come is refused."""
    moment = local.astimezone(UTC)
    if moment.astimezone(local.tzinfo).replace(tzinfo=None) != local.replace(tzinfo=None):
        raise InvalidInput({"at": f"the clocks go forward over {local:%Y-%m-%d %H:%M}: there is no such hour"})
    return moment


def parse_wait(text: str) -> timedelta:
    """How long ``3d``, ``12h``, ``2 weeks``, ``0`` is. Raises `InvalidInput`."""
    said = text.strip().lower()
    if said == "0":
        return timedelta(0)
    found = _AFTER.fullmatch(said)
    if found is None:
        raise InvalidInput({"after": f"{text!r} is no length of time; say it like 3d, 12h or 2w"})
    return timedelta(seconds=int(found[1]) * _UNITS[found[2][0]])
