"""Parse the dates of feeds, in standard and other formats. Pure.

Blogs write Unix time, names of months in other languages, and numbers in their local order. A date
that could mean two different days is not accepted.
"""

from __future__ import annotations

import re
import unicodedata
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo

YEARS = range(1971, 9001)
"""Years of plausible dates; earlier ones are what programs write for an unknown date."""

# A line a month, in English, German, Dutch, the languages of Scandinavia, Italy, France, Spain,
# Portugal, Romania, Poland, Czechia, Russia, Ukraine, Greece, Turkey, Finland and Hungary, and in
# Arabic as in Egypt and in the Maghreb; without accents.
_NAMES = (
    "jan january januar janner januari gennaio janvier enero janeiro ianuarie stycznia "
    "ledna января січня ιανουαριου ocak tammikuuta "
    "يناير جانفي\n"
    "feb february februar februari febbraio fevrier febrero fevereiro februarie lutego unora "
    "февраля лютого φεβρουαριου subat helmikuuta "
    "فبراير فيفري\n"
    "mar march marz maart mars marts marzo marco martie marca brezna марта березня "
    "μαρτιου mart maaliskuuta marcius mrt mrz "
    "مارس\n"
    "apr april aprile avril abril aprilie kwietnia dubna апреля квітня απριλιου nisan "
    "huhtikuuta aprilis "
    "أبريل أفريل إبريل\n"
    "may mai mei maj maggio mayo maio maja kvetna мая травня μαιου mayis toukokuuta majus "
    "مايو ماي\n"
    "jun june juni giugno juin junio junho iunie czerwca cervna июня червня ιουνιου "
    "haziran kesakuuta junius "
    "يونيو يونيه جوان\n"
    "jul july juli luglio juillet julio julho iulie lipca cervence июля липня ιουλιου "
    "temmuz heinakuuta julius "
    "يوليو يوليه يوليوز جويلية\n"
    "aug august augustus agosto aout augusti sierpnia srpna августа серпня αυγουστου "
    "agustos elokuuta augusztus "
    "أغسطس غشت أوت\n"
    "sep september settembre septembre septiembre setiembre setembro septembrie wrzesnia "
    "zari сентября вересня σεπτεμβριου eylul syyskuuta szeptember "
    "سبتمبر شتنبر\n"
    "oct october oktober ottobre octobre octubre outubro octombrie pazdziernika rijna "
    "октября жовтня οκτωβριου ekim lokakuuta "
    "أكتوبر\n"
    "nov november novembre noviembre novembro noiembrie listopada listopadu ноября "
    "листопада νοεμβριου kasim marraskuuta "
    "نوفمبر نونبر\n"
    "dec december dezember desember dicembre decembre diciembre dezembro decembrie "
    "grudnia prosince декабря грудня δεκεμβριου aralik joulukuuta "
    "ديسمبر دجنبر\n"
)
# Hours from Greenwich. Abbreviations that several countries use are the one of RFC 822, or the one
# of most feeds.
_ZONES = {
    "est": -5,
    "edt": -4,
    "cst": -6,
    "cdt": -5,
    "mst": -7,
    "mdt": -6,
    "pst": -8,
    "pdt": -7,
    "akst": -9,
    "akdt": -8,
    "hst": -10,
    "ast": -4,
    "adt": -3,
    "nst": -3.5,
    "ndt": -2.5,
    "brt": -3,
    "art": -3,
    "wet": 0,
    "west": 1,
    "bst": 1,
    "cet": 1,
    "cest": 2,
    "mez": 1,
    "mesz": 2,
    "met": 1,
    "mest": 2,
    "eet": 2,
    "eest": 3,
    "msk": 3,
    "sast": 2,
    "ist": 5.5,
    "pkt": 5,
    "sgt": 8,
    "hkt": 8,
    "awst": 8,
    "jst": 9,
    "kst": 9,
    "acst": 9.5,
    "acdt": 10.5,
    "aest": 10,
    "aedt": 11,
    "nzst": 12,
    "nzdt": 13,
}

_TIME = re.compile(
    r"(?:(?<=\d)t\s*|\b)(\d{1,2})[:.](\d\d)(?:[:.](\d\d)(?:[.,]\d{1,9})?)?(?!\.*+\d)"
    r"\s*([ap])?(?(4)\.?m\.?)"
)
_OFFSET = re.compile(r"\s*+(?:(?:gmt|utc?|z)\s*+)?([+-])(\d{1,2}):?(\d\d)?\b")
_PLACE = re.compile(r"\b([a-z]+(?:/[a-z_]+){1,2})\b")
_YEAR_FIRST = re.compile(r"(?<![\d-])(\d{4})\s?[-/.年년]\s?(\d{1,2})\s?[-/.月월]\s?(\d{1,2})(?!\d)")
_YEAR_LAST = re.compile(r"(?<!\d)(\d{1,2})\s?([./-])\s?(\d{1,2})\s?\2\s?(\d{4})(?!\d)")
_DAY_MONTH = re.compile(
    r"(?<!\d)(\d{1,2})(?:st|nd|rd|th|er|ο|º)?[.\s-]*(?:(?:de|del|di|of)\s+)?"
    r"([^\W\d_]{3,20})[.,\s-]*(?:(?:de|del)\s+)?(\d{4}|\d{2})(?!\d)"
)
_MONTH_DAY = re.compile(
    r"([^\W\d_]{3,20})[.\s]*(\d{1,2})(?:st|nd|rd|th)?[,.\s]+(?:[a-z]{1,5}\s+)?(\d{4})(?!\d)"
)
_SHORT = re.compile(r"(\d{4})(?:-(\d\d))?")


def read_date(value: object) -> datetime | None:
    """Parse a date and return it in UTC, or None if it is invalid or ambiguous.

    A date without a time means the start of the day; a time without a zone, or with an unknown one,
    is in UTC.
    """
    if not isinstance(value, str) or not (text := _fold(value[:100])):
        return None
    try:
        moment = (
            _read_number(text)
            if text.lstrip("@").replace(".", "", 1).isdecimal()
            else _read_text(text)
        )
        return (
            moment.astimezone(UTC)
            if moment is not None and moment.astimezone(UTC).year in YEARS
            else None
        )
    except (ValueError, OverflowError, OSError):
        return None


def _fold(text: str) -> str:
    """Return `text` in lower case, without accents, with single spaces between words."""
    bare = unicodedata.normalize("NFKD", text.casefold())
    # Composed again, for what Korean is made of; Turkish has an i without a dot.
    letters = "".join(letter for letter in bare if not unicodedata.combining(letter))
    return " ".join(unicodedata.normalize("NFC", letters.replace("ı", "i")).split())


def _read_number(text: str) -> datetime | None:
    """Parse Unix time (in seconds, milliseconds or microseconds), or a date of digits only."""
    digits = text.lstrip("@").partition(".")[0]
    if len(digits) in (10, 13, 16):
        return datetime.fromtimestamp(int(digits[:10]), UTC)
    if len(digits) in (8, 14):
        return datetime.strptime(digits.ljust(14, "0"), "%Y%m%d%H%M%S").replace(tzinfo=UTC)
    return datetime(int(digits), 1, 1, tzinfo=UTC) if len(digits) == 4 else None


def _read_text(text: str) -> datetime | None:
    if re.fullmatch(r"\d{4}-?w\d\d(-?\d)?.*|\d{8}t\d{4,6}(z|[+-]\d\d:?\d\d)?", text):
        moment = datetime.fromisoformat(text.upper())
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    if re.fullmatch(r"\d{4}-\d{3}", text):
        return datetime.strptime(text, "%Y-%j").replace(tzinfo=UTC)
    time = _TIME.search(text)
    without_time = f"{text[: time.start()]} {text[time.end() :]}" if time else text
    day = _read_day(without_time, text)
    if day is None:
        return None
    hours, zone = (_read_time(time), _read_zone(text[time.end() :])) if time else (timedelta(), UTC)
    return datetime(day.year, day.month, day.day, tzinfo=UTC).replace(tzinfo=zone) + hours


def _read_time(time: re.Match[str]) -> timedelta:
    """Return the time of day as a duration since midnight.

    "24:00:00" and a leap second count as the start of what follows.
    """
    hour = int(time[1])
    minute = int(time[2])
    second = int(time[3] or 0)
    if time[4] and hour <= 12:
        hour = hour % 12 + (12 if time[4] == "p" else 0)
    if minute > 59 or second > 60 or hour > 24 or (hour == 24 and (minute or second)):
        raise ValueError
    return timedelta(hours=hour, minutes=minute, seconds=second)


def _read_zone(text: str) -> tzinfo:
    """Return the time zone that is written after a time.

    A name in brackets only explains an offset.
    """
    if offset := _OFFSET.match(text):
        sign = -1 if offset[1] == "-" else 1
        minutes = int(offset[2]) * 60 + int(offset[3] or 0)
        return timezone(timedelta(minutes=sign * minutes)) if minutes <= 14 * 60 else UTC
    if place := _PLACE.search(text):
        return _find_zone(place[1])
    word = re.match(r"\s*([a-z]{1,5})\b", text)
    return timezone(timedelta(hours=_ZONES.get(word[1], 0))) if word else UTC


@lru_cache(maxsize=100)
def _find_zone(name: str) -> tzinfo:
    try:
        return ZoneInfo(
            "/".join("_".join(part.title() for part in word.split("_")) for word in name.split("/"))
        )
    except (ValueError, OSError, LookupError):
        return UTC


def _read_day(text: str, full_text: str) -> date | None:
    if match := _YEAR_FIRST.search(text):
        return date(*map(int, match.groups()))
    if match := _YEAR_LAST.search(text):
        return _order_day_and_month(
            int(match[1]), int(match[3]), int(match[4]), certain=match[2] == "."
        )
    for match in _DAY_MONTH.finditer(text):
        if month := _list_months().get(match[2]):
            return date(_complete_year(match[3]), month, int(match[1]))
    for match in _MONTH_DAY.finditer(text):
        if month := _list_months().get(match[1]):
            return date(int(match[3]), month, int(match[2]))
    if short := _SHORT.fullmatch(full_text):
        return date(int(short[1]), int(short[2] or 1), 1)
    return None


def _order_day_and_month(first: int, second: int, year: int, *, certain: bool) -> date | None:
    """Return the date of two numbers that are day and month, or None if their order is ambiguous.

    The day comes first if the separators are points (`certain`).
    """
    if certain or first > 12 or first == second:
        return date(year, second, first)
    return date(year, first, second) if second > 12 else None


def _complete_year(year: str) -> int:
    return int(year) if len(year) == 4 else int(year) + (1900 if int(year) >= 70 else 2000)


@lru_cache(maxsize=1)
def _list_months() -> dict[str, int]:
    """Return the months by name, and by unambiguous abbreviations of at least three letters."""
    beginnings: dict[str, set[int]] = {}
    full_names: dict[str, int] = {}
    for month, names in enumerate(_NAMES.strip().splitlines(), start=1):
        for name in names.split():
            folded = _fold(name)
            full_names[folded] = month
            for end in range(3, len(folded)):
                beginnings.setdefault(folded[:end], set()).add(month)
    return {
        name: months.pop() for name, months in beginnings.items() if len(months) == 1
    } | full_names
