"""Parse the settings of a list, as an author writes them, into columns of the list."""

from __future__ import annotations

import re
from collections.abc import Mapping
from email.utils import getaddresses
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from newsletter.addresses import parse_address
from newsletter.errors import InvalidInput
from newsletter.html.text import to_plain_line
from newsletter.i18n import LANGUAGES, find_language
from newsletter.schedule import CADENCES, WEEKDAYS
from newsletter.services.lists import digest_options
from newsletter.vocabulary import Cadence


def parse_settings(values: Mapping[str, object]) -> dict[str, Any]:
    """Return the columns for settings, without those whose value is None.

    Raises `InvalidInput` with every problem, by the name of its setting.
    """
    columns: dict[str, Any] = {}
    problems: dict[str, str] = {}
    for name, value in values.items():
        if value is None:
            continue
        try:
            columns.update(_parse_setting(name, to_plain_line(value, limit=2000)))
        except InvalidInput as error:
            problems[name] = next(iter(error.fields.values()))
        except ValueError as error:
            problems[name] = str(error)
    if problems:
        raise InvalidInput(problems)
    return columns


def _parse_setting(name: str, text: str) -> dict[str, object]:
    match name:
        case "from":
            return _parse_sender(text)
        case "reply_to":
            return {"reply_to": parse_address(text, field=name).email if text else ""}
        case "address":
            return {"postal_address": text[:500]}
        case "title":
            return {"title": _require_text(text[:200])}
        case "description":
            return {name: text}
        case "site_url":
            return {name: _parse_url(text)}
        case "language":
            return {"language": _parse_language(text)}
        case "logo":
            return {"logo_url": _parse_url(text)}
        case "consent":
            return {"consent_text": text}
        case "color":
            return {"theme_color": _parse_color(text)}
        case "timezone":
            return {"timezone": _parse_zone(text)}
        case "cadence":
            return {"default_cadence": _parse_cadence(text)}
        case "cadences":
            words = text.replace(",", " ").split()
            return {"cadences": [_parse_cadence(word) for word in words] or list(CADENCES)}
        case "hour":
            return {"send_hour": _parse_number(text, 0, 23)}
        case "day":
            return {"send_weekday": _parse_weekday(text)}
        case "monthday":
            return {"send_monthday": _parse_number(text, 1, 31)}
        case "grace":
            return {"grace_minutes": _parse_number(text, 0, 1440)}
    return digest_options.parse_option(name, text)


def _parse_sender(text: str) -> dict[str, object]:
    senders = [pair for pair in getaddresses([text]) if "@" in pair[1]]
    if len(senders) > 1:
        raise ValueError('name one sender only, like "Ana <ana@example.org>"')
    display, email = senders[0] if senders else ("", text)
    return {
        "from_name": to_plain_line(display, limit=200),
        "from_email": parse_address(email, field="from").email,
    }


def _parse_language(text: str) -> str:
    language = find_language(text)
    if not language:
        raise ValueError(f"there is no language {text}; use one of {', '.join(LANGUAGES)}")
    return language


def _require_text(text: str) -> str:
    if not text:
        raise ValueError("must not be empty")
    return text


def _parse_url(text: str) -> str:
    if text and not text.startswith(("https://", "http://")):
        raise ValueError("must be a full web address, like https://example.org/")
    return text


def _parse_color(text: str) -> str:
    if text and not re.fullmatch(r"#[0-9a-fA-F]{6}", text):
        raise ValueError("must look like #2f6f62")
    return text


def _parse_zone(text: str) -> str:
    try:
        ZoneInfo(text)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"{text!r} is not a time zone; use a name like Europe/Berlin") from None
    return text


def _parse_cadence(word: str) -> Cadence:
    try:
        return Cadence(word)
    except ValueError:
        raise ValueError(f"{word!r} is not a cadence; use one of {', '.join(CADENCES)}") from None


def _parse_weekday(text: str) -> int:
    if text.lower()[:3] not in WEEKDAYS:
        raise ValueError(f"must be one of {', '.join(WEEKDAYS)}")
    return WEEKDAYS.index(text.lower()[:3])


def _parse_number(text: str, low: int, high: int) -> int:
    if not text.isdecimal() or not low <= int(text) <= high:
        raise ValueError(f"must be a number from {low} to {high}")
    return int(text)
