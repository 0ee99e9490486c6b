"""Which column of a subscriber file means what, and whose file it is: by the names in its header,
or as told.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

EMAIL = (
    "email",
    "email address",
    "e mail",
    "e mail address",
    "emailaddress",
    "subscriber email",
    "user email address",
    "user email",
    "contact email",
    "primary email",
    "email 1",
    "your email",
    "e mail adresse",
    "email adresse",
    "adresse e mail",
    "adresse email",
    "correo electrónico",
    "correo electronico",
    "correo",
    "indirizzo email",
    "e mailadres",
    "mail",
    "subscriber",
    "address",
)
NAME = (
    "name",
    "full name",
    "fullname",
    "display name",
    "subscriber name",
    "user name",
    "vollständiger name",
)
FIRST = (
    "first name",
    "firstname",
    "first",
    "fname",
    "given name",
    "forename",
    "vorname",
    "prénom",
    "nombre",
)
LAST = (
    "last name",
    "lastname",
    "last",
    "lname",
    "surname",
    "family name",
    "nachname",
    "nom",
    "apellido",
    "apellidos",
)
STATUS = (
    "status",
    "subscription status",
    "subscriber status",
    "global status",
    "list status",
    "member status",
    "email status",
    "email marketing status",
    "marketing status",
    "email subscription status",
    "subscription state",
    "contact status",
    "mc status",
    "subscriber type",
    "globaler status",
    "listenstatus",
    "statut",
    "statut global",
    "statut de la liste",
    "estado global",
    "estado de la lista",
    "estado da lista",
    "stato",
    "stato globale",
    "stato della lista",
    "globale status",
    "lijststatus",
    "status global",
    "status da lista",
)
# May hold a status, or California: only words that are known count.
STATE = ("state", "estado")
# A flag that is true: she may be mailed.
WANTED = (
    "subscribed",
    "subscribed to emails",
    "is subscribed",
    "email enabled",
    "emails enabled",
    "opt in",
    "optin",
    "opted in",
    "email opt in",
    "accepts marketing",
    "accepts email marketing",
)
# A flag that is false: she must not be mailed. True says nothing of consent.
ENABLED = ("enabled", "active", "is active", "mailable", "deliverable")
# A flag that is true: the address answered for itself.
CONFIRMED = (
    "confirmed",
    "is confirmed",
    "verified",
    "email verified",
    "optin confirmed",
    "opt in confirmed",
)
# A flag that is true, or a moment: she must not be mailed. The word says why.
UNWANTED = {
    "no": (
        "email disabled",
        "unsubscribed",
        "is unsubscribed",
        "unsubscribe",
        "do not contact",
        "donotcontact",
        "dnc",
        "dnc email",
        "do not email",
        "opted out",
        "opt out",
        "optout",
        "email opt out",
        "email optout",
        "has opted out",
        "disabled",
        "deleted",
        "archived",
        "cancelled",
        "canceled",
        "global unsubscribe",
        "unsub time",
        "unsubscribed at",
        "unsubscribe date",
        "unsubscribed date",
        "unsubscribed on",
        "unsubscribe time",
        "date unsubscribed",
        "unsubscription date",
        "optout time",
        "optout date",
        "opt out date",
        "opted out at",
        "deleted at",
        "removed at",
        "cancelled at",
        "canceled at",
        "email disabled at",
        "unsubscribed time",
        "unsub reason",
        "unsub reason other",
        "unsub campaign title",
        "unsubscribe reason",
        "unsubscribed reason",
    ),
    "bounced": (
        "bounced",
        "hard bounced",
        "has bounced",
        "hard bounce",
        "cleaned",
        "undeliverable",
        "unreachable",
        "email undeliverable",
        "email bounced",
        "clean time",
        "cleaned at",
        "bounced at",
        "hard bounced at",
        "undeliverable at",
        "undeliverability date",
        "clean campaign title",
        "bounce reason",
    ),
    "complained": (
        "complained",
        "spam complaint",
        "complaint",
        "marked as spam",
        "complained at",
        "spam reported at",
    ),
    "blocked": (
        "suppressed",
        "email suppressed",
        "is suppressed",
        "blocklisted",
        "blacklisted",
        "is blacklisted",
        "blocked",
        "banned",
        "suppressed at",
        "blocked at",
        "blocklisted at",
        "blacklisted at",
        "email suppressed at",
    ),
}
CONFIRMED_AT = (
    "confirm time",
    "confirmed at",
    "confirmation date",
    "confirmed on",
    "date confirmed",
    "confirmation time",
    "confirmed date",
    "double opt in at",
    "verified at",
    "email confirmed at",
    "opt in confirmed at",
)
ASKED_AT = (
    "optin time",
    "opt in time",
    "optin date",
    "opt in date",
    "optin timestamp",
    "opted in at",
    "subscribed at",
    "subscribed on",
    "subscribe date",
    "subscribed date",
    "subscription date",
    "date subscribed",
    "signup date",
    "sign up date",
    "signed up at",
    "signed up on",
    "signed up",
    "consent date",
    "consented at",
    "consent at",
    "consent timestamp",
    "last subscribed at",
    "subscription created at",
)
MADE_AT = (
    "created at",
    "creation date",
    "created",
    "date added",
    "created on",
    "date created",
    "registered",
    "added at",
    "added on",
    "added",
    "create time",
    "joined at",
    "date joined",
    "join date",
    "start date",
    "angelegt am",
)
IP = ("confirm ip", "confirmed ip", "optin ip", "opt in ip", "subscribed ip", "ip address", "ip")
TAGS = ("tags", "labels", "tag", "label")
LANGUAGE = (
    "language",
    "locale",
    "lang",
    "preferred language",
    "sprache",
    "langue",
    "idioma",
    "limba",
    "lingua",
)
CADENCE = ("cadence",)
LIST = ("list",)
OUR_COLUMNS = (
    "email",
    "name",
    "language",
    "list",
    "status",
    "cadence",
    "paused_until",
    "created_at",
    "confirmed_at",
    "unsubscribed_at",
    "suppressed",
    "consent_source",
    "consent_note",
    "consent_ip",
    "tags",
    "topics",
    "answers",
    "subscriber_since",
    "suppressed_at",
    "suppressed_note",
    "suppressed_hash",
    "suppressed_key",
    "consent_events",
)
"""The columns that `subscriber export` writes, in their order."""
OUR_SIGN = frozenset({"email", "list", "status", "cadence"})
"""Columns that give a file of ours away."""

# Mailchimp exports who left, and who bounced, as files of their own: columns that only those have.
UNSUBSCRIBED_THERE = frozenset(
    {"unsub time", "unsub reason", "unsub reason other", "unsub campaign title"}
)
CLEANED_THERE = frozenset({"clean time", "clean campaign title"})

CSV = "csv"
OURS = "newsletter"


@dataclass(frozen=True, slots=True)
class Platform:
    """A program whose exports are known.

    `signs`: sets of columns, any of which gives it away; `words`: what its own words mean where
    that differs from everybody else's; `status`: a column of its own for them; `asked`: one for
    when somebody signed up, which elsewhere means less.
    """

    name: str
    title: str
    signs: tuple[frozenset[str], ...] = ()
    words: dict[str, str] = field(default_factory=dict)
    status: tuple[str, ...] = ()
    asked: tuple[str, ...] = ()


def _signs(*texts: str) -> tuple[frozenset[str], ...]:
    return tuple(frozenset(text.split("; ")) for text in texts)


_BUTTONDOWN = {
    "paused": "yes",
    "past due": "yes",
    "churning": "yes",
    "churned": "yes",
    "trialed": "yes",
    "gifted": "yes",
    "premium": "yes",
    "upcoming": "yes",
    "unpaid": "pending",
    "removed": "no",
}
_KIT = {"inactive": "pending", "cold": "yes", "confirmed": "yes", "cancelled": "no"}
_TINYNEWS = {"1": "yes", "2": "yes", "0": "no", "3": "no", "4": "no"}

PLATFORMS = (
    Platform(OURS, "newsletter", (OUR_SIGN,)),
    Platform(
        "tinynews",
        "Tiny News",
        _signs("channel id; engagement optin", "date added; clicks; opens"),
        _TINYNEWS,
    ),
    Platform(
        "mailchimp",
        "Mailchimp",
        _signs(
            "leid; euid", "optin time", "member rating", *sorted(UNSUBSCRIBED_THERE | CLEANED_THERE)
        ),
    ),
    Platform(
        "substack",
        "Substack",
        _signs(
            "email disabled",
            "active subscription",
            "stripe plan; subscription type",
            "stripe plan; cancel date",
            "subscription type; subscription created at",
        ),
        asked=("start date",),
    ),
    Platform("ghost", "Ghost", _signs("subscribed to emails", "complimentary plan")),
    Platform(
        "listmonk",
        "listmonk",
        _signs("email; name; attributes", "email; name; attribs"),
        {"active": "silent"},
    ),
    Platform(
        "mailpoet",
        "MailPoet",
        _signs(
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
        "beehiiv", "beehiiv", _signs("status; tier", "status; subscription tier", "beehiiv id")
    ),
    Platform(
        "buttondown",
        "Buttondown",
        _signs("subscriber type", "type; creation date", "referrer url; source", "secondary id"),
        _BUTTONDOWN,
        ("type",),
    ),
    Platform(
        "curated", "Curated", _signs("subscribed at; utm source", "subscribed at; utm last path")
    ),
    Platform("keila", "Keila", _signs("email; first name; last name; data", "email; external id")),
    Platform(
        "mautic",
        "Mautic",
        _signs("donotcontact", "dnc", "firstname; lastname; points", "date identified"),
    ),
    Platform(
        "kit",
        "Kit",
        _signs("state; email; created at", "state; email address; created at", "subscriber id"),
        _KIT,
    ),
    Platform("medium", "Medium"),
    Platform(CSV, "the file", words={"active": "silent"}),
)
BY_NAME = {platform.name: platform for platform in PLATFORMS}


def normalize_name(name: str) -> str:
    """A column's name in one spelling: ``OPTIN_TIME``, ``Optin time`` and ``optin-time`` are the
    same.
    """
    return re.sub(r"[\s_\-./:()?]+", " ", name.strip("\0\ufeff \t\"'")).strip().lower()


def find_platform(name: str) -> Platform | None:
    """The platform a person means: ``Tiny News``, ``ConvertKit`` or ``excel`` will do."""
    wanted = re.sub(r"[^a-z]", "", name.lower())
    return BY_NAME.get({"convertkit": "kit", "excel": CSV}.get(wanted, wanted))


def recognize_platform(header: Sequence[str]) -> Platform:
    """Whose file this is, by its columns; a plain CSV file where nothing gives it away."""
    names = {normalize_name(name) for name in header}
    return next(
        (each for each in PLATFORMS if any(sign <= names for sign in each.signs)), BY_NAME[CSV]
    )


def find_positions(header: Sequence[str], wanted: Iterable[str]) -> tuple[int, ...]:
    """Where columns of these names stand, the best name first; a name may stand there twice."""
    names = [normalize_name(name) for name in header]
    return tuple(at for name in wanted for at, found in enumerate(names) if found == name)


def find_email_position(header: Sequence[str], sample: Sequence[Sequence[str]]) -> int | None:
    """The column of addresses: by its name, or else the one that holds them."""
    named = find_positions(header, EMAIL)
    counted = [
        (sum("@" in row[at] for row in sample if at < len(row)), -at)
        for at in (named or range(max((len(row) for row in sample), default=0)))
    ]
    if not counted:
        return named[0] if named else None
    most, at = max(counted)
    if most == 0:
        return named[0] if named else None
    return -at
