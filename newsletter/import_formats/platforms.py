"""Recognise the program that exported a subscriber file, and find its columns by meaning."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from newsletter.import_formats.column_names import (
    CLEANED_THERE,
    EMAIL,
    UNSUBSCRIBED_THERE,
    normalize_name,
)
from newsletter.import_formats.own_columns import OUR_SIGN
from newsletter.import_formats.vocabulary import StatusWord

CSV = "csv"
OURS = "newsletter"


@dataclass(frozen=True, slots=True)
class Platform:
    """A program whose exported files can be read.

    `signs` are sets of columns, any of which identifies the program. `words` are its status words
    with a meaning of their own. `status` and `signed_up` are names of columns that hold the status
    and the time of sign-up only in its files.
    """

    name: str
    title: str
    signs: tuple[frozenset[str], ...] = ()
    words: Mapping[str, StatusWord] = field(default_factory=dict)
    status: tuple[str, ...] = ()
    signed_up: tuple[str, ...] = ()


def _split_signs(*texts: str) -> tuple[frozenset[str], ...]:
    return tuple(frozenset(text.split("; ")) for text in texts)


_BUTTONDOWN = {
    "paused": StatusWord.YES,
    "past due": StatusWord.YES,
    "churning": StatusWord.YES,
    "churned": StatusWord.YES,
    "trialed": StatusWord.YES,
    "gifted": StatusWord.YES,
    "premium": StatusWord.YES,
    "upcoming": StatusWord.YES,
    "unpaid": StatusWord.PENDING,
    "removed": StatusWord.NO,
}
_KIT = {
    "inactive": StatusWord.PENDING,
    "cold": StatusWord.YES,
    "confirmed": StatusWord.YES,
    "cancelled": StatusWord.NO,
}
_TINYNEWS = {
    "1": StatusWord.YES,
    "2": StatusWord.YES,
    "0": StatusWord.NO,
    "3": StatusWord.NO,
    "4": StatusWord.NO,
}

PLATFORMS = (
    Platform(OURS, "newsletter", (OUR_SIGN,)),
    Platform(
        "tinynews",
        "Tiny News",
        _split_signs("channel id; engagement optin", "date added; clicks; opens"),
        _TINYNEWS,
    ),
    Platform(
        "mailchimp",
        "Mailchimp",
        _split_signs(
            "leid; euid", "optin time", "member rating", *sorted(UNSUBSCRIBED_THERE | CLEANED_THERE)
        ),
    ),
    Platform(
        "substack",
        "Substack",
        _split_signs(
            "email disabled",
            "active subscription",
            "stripe plan; subscription type",
            "stripe plan; cancel date",
            "subscription type; subscription created at",
        ),
        signed_up=("start date",),
    ),
    Platform("ghost", "Ghost", _split_signs("subscribed to emails", "complimentary plan")),
    Platform(
        "listmonk",
        "listmonk",
        _split_signs("email; name; attributes", "email; name; attribs"),
        {"active": StatusWord.SILENT},
    ),
    Platform(
        "mailpoet",
        "MailPoet",
        _split_signs(
            "global status",
            "list status",
            "globaler status",
            "statut global",
            "estado global",
            "stato globale",
            "globale status",
            "wp user id",
        ),
    ),
    Platform(
        "beehiiv",
        "beehiiv",
        _split_signs("status; tier", "status; subscription tier", "beehiiv id"),
    ),
    Platform(
        "buttondown",
        "Buttondown",
        _split_signs(
            "subscriber type", "type; creation date", "referrer url; source", "secondary id"
        ),
        _BUTTONDOWN,
        ("type",),
    ),
    Platform(
        "curated",
        "Curated",
        _split_signs("subscribed at; utm source", "subscribed at; utm last path"),
    ),
    Platform(
        "keila", "Keila", _split_signs("email; first name; last name; data", "email; external id")
    ),
    Platform(
        "mautic",
        "Mautic",
        _split_signs("donotcontact", "dnc", "firstname; lastname; points", "date identified"),
    ),
    Platform(
        "kit",
        "Kit",
        _split_signs(
            "state; email; created at", "state; email address; created at", "subscriber id"
        ),
        _KIT,
    ),
    Platform("medium", "Medium"),
    Platform(CSV, "the file", words={"active": StatusWord.SILENT}),
)
BY_NAME = {platform.name: platform for platform in PLATFORMS}


def find_platform(name: str) -> Platform | None:
    """Return the platform with a name that an author typed, such as ``Tiny News`` or ``excel``."""
    letters = re.sub(r"[^a-z]", "", name.lower())
    return BY_NAME.get({"convertkit": "kit", "excel": CSV}.get(letters, letters))


def recognize_platform(header: Sequence[str]) -> Platform:
    """Recognise the platform of a file by its columns; plain CSV if none fits."""
    names = {normalize_name(name) for name in header}
    return next(
        (platform for platform in PLATFORMS if any(sign <= names for sign in platform.signs)),
        BY_NAME[CSV],
    )


def find_positions(header: Sequence[str], titles: Iterable[str]) -> tuple[int, ...]:
    """Return the positions of columns with these names, in the order of the names."""
    present = [normalize_name(name) for name in header]
    return tuple(
        position for name in titles for position, title in enumerate(present) if title == name
    )


def find_email_position(header: Sequence[str], sample: Sequence[Sequence[str]]) -> int | None:
    """Return the position of the address column, by its name or by its content."""
    named = find_positions(header, EMAIL)
    counted = [
        (sum("@" in row[position] for row in sample if position < len(row)), -position)
        for position in (named or range(max((len(row) for row in sample), default=0)))
    ]
    if not counted:
        return named[0] if named else None
    most, position = max(counted)
    if most == 0:
        return named[0] if named else None
    return -position
