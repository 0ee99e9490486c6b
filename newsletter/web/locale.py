"""Choose the language of a page, and translate and format texts in it.

Flask-Babel asks `choose_language` once a request, at the first text. Its catalogues are those of
`i18n.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from typing import TypeVar

from babel.numbers import format_decimal
from babel.support import NullTranslations
from flask import Flask, g, has_request_context, request
from flask_babel import Babel, Domain, get_locale, refresh
from markupsafe import Markup
from werkzeug.datastructures import LanguageAccept
from werkzeug.http import parse_accept_header

from newsletter.i18n import (
    LANGUAGES,
    SOURCE,
    Text,
    find_language,
    format_day,
    format_day_and_time,
    format_month,
    get_babel_locale,
    get_direction,
    translations,
)
from newsletter.stored_texts import say_stored

TAGS_AT_MOST = 20
HEADER_AT_MOST = 1000
"""The most characters of an `Accept-Language` header; browsers send fewer than a hundred."""
Name = TypeVar("Name", bound=str)


class _Catalogues(Domain):  # type: ignore[misc] # flask_babel carries no types
    """Gives Flask-Babel the catalogues of newsletter/i18n.py instead of compiled files."""

    def get_translations(self) -> NullTranslations:
        return translations(current_language())


def install(app: Flask) -> None:
    """Register languages, catalogues and filters with an application."""
    babel = Babel(app, locale_selector=lambda: get_babel_locale(choose_language()))
    babel.domain_instance = _Catalogues()
    app.jinja_env.policies["ext.i18n.trimmed"] = True
    app.jinja_env.filters["day"] = lambda moment, style="long": _format_day(moment, style)
    app.jinja_env.filters["month"] = lambda moment: format_month(moment, current_language())
    app.jinja_env.filters["day_and_time"] = lambda moment: format_day_and_time(
        moment, current_language()
    )
    app.jinja_env.filters["ltr"] = lambda text: Markup('<bdi dir="ltr">{}</bdi>').format(text)
    app.context_processor(_list_words)


def _format_day(moment: datetime, style: str) -> str:
    return format_day(moment, current_language(), style=style)


def _list_words() -> dict[str, object]:
    return {
        "language": current_language(),
        "direction": get_direction(current_language()),
        "languages": LANGUAGES,
    }


def current_language() -> str:
    """Return the language of this response, one of `LANGUAGES`."""
    locale = get_locale()
    return str(locale.language) if locale else SOURCE


def translate_texts(texts: Mapping[Name, str]) -> dict[Name, str]:
    """Return `texts`, such as the problem of each field, for this response."""
    return {
        name: translate_here(text) if isinstance(text, Text) else text
        for name, text in texts.items()
    }


def join_problems(fields: Mapping[str, str]) -> str:
    """Join the problems of fields into one translated paragraph.

    A whole sentence stands by itself; a predicate, such as "is too long", needs its field.
    """
    sentences = translate_texts(fields)
    return " ".join(
        sentences[name] if text[:1].isupper() else f"{name}: {sentences[name].rstrip('.')}."
        for name, text in fields.items()
    )


def translate_here(text: str) -> str:
    """Translate a text, or an English sentence made from one, for this response."""
    return say_stored(text, current_language())


def format_size(size: int) -> str:
    """Format a number of bytes in KB or MB, in the language of this response."""
    locale = get_babel_locale(current_language())
    if size >= 1_000_000:
        return f"{format_decimal(round(size / 1_000_000, 1), locale=locale)} MB"
    return f"{format_decimal(max(1, round(size / 1000)), locale=locale)} KB"


def set_languages(*, subscriber: str = "", form: object = "", mailing_list: str = "") -> None:
    """Set the languages of subscriber, form and list for this response."""
    for name, tag in (("subscriber", subscriber), ("form", form), ("list", mailing_list)):
        if language := find_language(tag):
            setattr(g, f"{name}_language", language)
    refresh()


def find_requested_language() -> str:
    """Return the form's language, else the browser's, "" if neither is supported."""
    return (
        g.get("form_language", "")
        or find_language(request.args.get("language"))
        or find_browser_language()
    )


def find_browser_language() -> str:
    """Return the first supported language of the browser, or ""."""
    return _find_accepted(request.headers.get("Accept-Language", "")[:HEADER_AT_MOST])


@lru_cache(maxsize=500)
def _find_accepted(header: str) -> str:
    """Return the first supported language in an `Accept-Language` header, or ""."""
    accepted = parse_accept_header(header, LanguageAccept)
    tags = [tag for tag, quality in accepted[:TAGS_AT_MOST] if quality > 0]
    return next((language for tag in tags if (language := find_language(tag))), "")


def choose_language() -> str:
    """Return the language of a page: the subscriber's, the form's, the browser's or the list's.

    Reads no body: an error about the body is answered in this language too.
    """
    if not has_request_context():
        return SOURCE
    return (
        g.get("subscriber_language", "")
        or find_requested_language()
        or g.get("list_language", "")
        or SOURCE
    )
