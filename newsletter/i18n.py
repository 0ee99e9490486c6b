"""Languages of pages and mails: choose one, translate texts, format dates and numbers.

Texts in code and templates are English; `newsletter/translations` has a catalogue for each other
language, read when the language is first used, without a compile step.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

if TYPE_CHECKING:  # Babel costs start-up time that few commands need
    from babel import Locale
    from babel.support import NullTranslations

LANGUAGES = {
    "en": "English",
    "de": "Deutsch",
    "fr": "Français",
    "es": "Español",
    "ro": "Română",
    "ar": "العربية",
}
"""The supported languages: tag and native name."""
SOURCE = "en"
FOLDER = Path(__file__).parent / "translations"


class Text(str):
    """A translatable text with named values, translated where it is shown.

    As a string it is the English. A value may be a `Text` itself. `detail`, such as a library's
    message, has no translation and is left out of other languages.
    """

    msgid: str
    values: dict[str, object]

    def __new__(cls, msgid: str, *, detail: str = "", **values: object) -> Text:
        english = msgid % values if values else msgid
        text = super().__new__(cls, f"{english} {detail}".rstrip())
        text.msgid = msgid
        text.values = values
        return text

    def refill(self, values: Mapping[str, Any]) -> Text:
        """Return a copy of the text with other values."""
        return Text(self.msgid, **values)

    def find_form(self, tag: str) -> str:
        """Return the text's translation, before values are filled in."""
        return translations(tag).gettext(self.msgid)


class PluralText(Text):
    """A translatable text with plural forms, chosen by the value `count`.

    As a sentence that was stored it cannot be traced back (`stored_texts`): store none.
    """

    plural: str

    def __new__(cls, msgid: str, plural: str, **values: object) -> PluralText:
        english = msgid if values.get("count") == 1 else plural
        text = str.__new__(cls, english % values if values else english)
        text.msgid = msgid
        text.plural = plural
        text.values = values
        return text

    def refill(self, values: Mapping[str, object]) -> PluralText:
        """Return a copy of the text with other values."""
        return PluralText(self.msgid, self.plural, **values)

    def find_form(self, tag: str) -> str:
        """Return the translated plural form, before values are filled in."""
        count = self.values.get("count")
        form = count if isinstance(count, int) else 0
        return translations(tag).ngettext(self.msgid, self.plural, form)


def say(text: str, language: str) -> str:
    """Translate `text` into `language` if it is a `Text`; return anything else unchanged."""
    tag = find_language(language)
    if not isinstance(text, Text) or tag in ("", SOURCE):
        return str(text)
    translated = text.find_form(tag)
    if not text.values:
        return translated
    spoken = {
        name: say(value, tag) if isinstance(value, Text) else value
        for name, value in text.values.items()
    }
    return translated % spoken


def find_language(tag: object) -> str:
    """Return the supported language of a tag like ``de-AT``, or ""."""
    first = str(tag or "").replace("_", "-").partition("-")[0].strip().lower()
    return first if first in LANGUAGES else ""


def find_other_language(preferred: object, usual: str) -> str:
    """Return the supported language of `preferred`, or "" if that is `usual`."""
    language = find_language(preferred)
    return "" if language == find_language(usual) else language


def get_direction(tag: str) -> str:
    """Return the writing direction of a language: ``ltr`` or ``rtl``."""
    return "rtl" if get_babel_locale(tag).character_order == "right-to-left" else "ltr"


def format_day(
    moment: datetime, tag: str, zone: ZoneInfo | None = None, style: str = "long"
) -> str:
    """Format a date in the language `tag`: ``24 November 2026``, or as another `style`."""
    from babel.dates import format_date

    local = moment.astimezone(zone) if zone else moment
    return format_date(local, style, locale=get_babel_locale(tag))


def format_month(moment: datetime, tag: str) -> str:
    """Format a month in the language `tag`: ``November 2026``."""
    from babel.dates import format_skeleton

    return format_skeleton("yMMMM", moment, locale=get_babel_locale(tag))


def format_day_and_time(
    moment: datetime, tag: str, zone: ZoneInfo | None = None, style: str = "long"
) -> str:
    """Format a date and time in the language `tag`: ``24 November 2026, 08:00``.

    With `style` ``full`` the day of the week stands before it.
    """
    from babel.dates import format_date, get_datetime_format

    locale = get_babel_locale(tag)
    local = moment.astimezone(zone) if zone else moment
    pattern = str(get_datetime_format("medium", locale))
    return pattern.format(f"{local:%H:%M}", format_date(local, style, locale=locale))


def format_decimal(number: float, tag: str) -> str:
    """Format a number in the language `tag`, with one decimal."""
    from babel.numbers import format_decimal

    return format_decimal(number, "#,##0.0", locale=get_babel_locale(tag))


@cache
def get_babel_locale(tag: str) -> Locale:
    """Return Babel's locale of a tag, or of its language, or else English."""
    from babel import Locale, UnknownLocaleError

    tag = "en_001" if tag == SOURCE else tag.replace("-", "_")
    for candidate in (tag, tag.partition("_")[0], "en_001"):
        try:
            return Locale.parse(candidate)
        except (ValueError, TypeError, UnknownLocaleError):
            continue
    raise AssertionError("English is no locale")


@cache
def translations(language: str) -> NullTranslations:
    """Return the catalogue of a language, an empty one for English and unknown languages."""
    from babel.messages.mofile import write_mo
    from babel.messages.pofile import read_po
    from babel.support import NullTranslations, Translations

    file = FOLDER / language / "LC_MESSAGES" / "messages.po"
    if language == SOURCE or language not in LANGUAGES:
        return NullTranslations()
    compiled = BytesIO()
    with file.open("rb") as source:
        write_mo(compiled, read_po(source, locale=language))
    compiled.seek(0)
    return Translations(fp=compiled)


def list_texts(language: str) -> list[str]:
    """List the English originals of all texts in a language's catalogue, without plurals."""
    entries = vars(translations(language)).get("_catalog", {})
    return [msgid for msgid in entries if isinstance(msgid, str) and msgid]
