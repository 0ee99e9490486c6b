"""The languages that pages and mails speak: which one, which way it is written, its catalogue, its
dates.

The texts in code and templates are English; `newsletter/translations` has a catalogue for each
other language. The catalogues are read as they are, when a language is first spoken: there is
nothing to compile, and nothing to forget.
"""

from __future__ import annotations

from datetime import datetime
from functools import cache
from io import BytesIO
from pathlib import Path
from zoneinfo import ZoneInfo

from babel import Locale, UnknownLocaleError
from babel.dates import format_date
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.support import NullTranslations, Translations

LANGUAGES = {
    "en": "English",
    "de": "Deutsch",
    "fr": "Français",
    "es": "Español",
    "ro": "Română",
    "ar": "العربية",
}
"""What a language calls itself."""
SOURCE = "en"
FOLDER = Path(__file__).parent / "translations"


class Text(str):
    """Words for people that a door says in their language.

    As a string it is the English; `detail` (from a library, say) has no translation and is left out
    elsewhere.
    """

    msgid: str
    values: dict[str, object]

    def __new__(cls, msgid: str, *, detail: str = "", **values: object) -> Text:
        english = msgid % values if values else msgid
        found = super().__new__(cls, f"{english} {detail}".rstrip())
        found.msgid, found.values = msgid, values
        return found


def say(text: str, language: str) -> str:
    """`text` in `language`, where it is a `Text`; else as it is."""
    spoken = known(language)
    if not isinstance(text, Text) or spoken in ("", SOURCE):
        return str(text)
    found = translations(spoken).gettext(text.msgid)
    return found % text.values if text.values else found


def known(tag: object) -> str:
    """The one of `LANGUAGES` that a tag like ``de-AT`` asks for, or ""."""
    first = str(tag or "").replace("_", "-").partition("-")[0].strip().lower()
    return first if first in LANGUAGES else ""


def spoken(wanted: object, usual: str) -> str:
    """In which other of `LANGUAGES` somebody is written to who wants `wanted`, where the `usual`
    would do for most; "" where it does for her too.
    """
    found = known(wanted)
    return "" if found == known(usual) else found


def direction(tag: str) -> str:
    """Which way a language is written: ``ltr`` or ``rtl``."""
    return "rtl" if _locale(tag).character_order == "right-to-left" else "ltr"


def day(moment: datetime, tag: str, zone: ZoneInfo | None = None, style: str = "long") -> str:
    """A date as `tag`'s readers write it: ``24 November 2026``, or shorter with `style` ``medium``."""
    local = moment.astimezone(zone) if zone else moment
    return format_date(local, style, locale=_locale(tag))


@cache
def _locale(tag: str) -> Locale:
    """The locale of a tag, or of its language; English of no particular country where there is
    neither.
    """
    tag = "en_001" if tag == SOURCE else tag.replace("-", "_")
    for candidate in (tag, tag.partition("_")[0], "en_001"):
        try:
            return Locale.parse(candidate)
        except (ValueError, TypeError, UnknownLocaleError):
            continue
    raise AssertionError("English is no locale")


@cache
def translations(language: str) -> NullTranslations:
    """The catalogue of one of `LANGUAGES`; English, and any other, says what stands in code and
    templates.
    """
    file = FOLDER / language / "LC_MESSAGES" / "messages.po"
    if language == SOURCE or language not in LANGUAGES:
        return NullTranslations()
    compiled = BytesIO()
    with file.open("rb") as source:
        write_mo(compiled, read_po(source, locale=language))
    compiled.seek(0)
    return Translations(fp=compiled)
