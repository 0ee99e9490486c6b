"""Choose the language of a page: the subscriber's, else the form's, the browser's, the list's.

Flask-Babel asks `choose_language` once a request, at the first text. Its catalogues are those of
`i18n.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from babel.support import NullTranslations
from flask import Flask, g, has_request_context, request
from flask_babel import Babel, Domain, get_locale, refresh
from markupsafe import Markup

from newsletter.i18n import (
    LANGUAGES,
    SOURCE,
    day,
    day_and_time,
    direction,
    find_language,
    month,
    say,
    translations,
)

TAGS_AT_MOST = 20


class _Catalogues(Domain):  # type: ignore[misc] # flask_babel carries no types
    """Our catalogues instead of compiled files."""

    def get_translations(self) -> NullTranslations:
        return translations(current_language())


def install(app: Flask) -> None:
    """Register languages, catalogues and filters with an application."""
    babel = Babel(app, locale_selector=choose_language)
    babel.domain_instance = _Catalogues()
    app.jinja_env.policies["ext.i18n.trimmed"] = True
    app.jinja_env.filters["day"] = lambda moment, style="long": _day(moment, style)
    app.jinja_env.filters["month"] = lambda moment: month(moment, current_language())
    app.jinja_env.filters["day_and_time"] = lambda moment: day_and_time(moment, current_language())
    app.jinja_env.filters["ltr"] = lambda text: Markup('<bdi dir="ltr">{}</bdi>').format(text)
    app.context_processor(_words)


def _day(moment: datetime, style: str) -> str:
    return day(moment, current_language(), style=style)


def _words() -> dict[str, object]:
    return {
        "language": current_language(),
        "direction": direction(current_language()),
        "languages": LANGUAGES,
    }


def current_language() -> str:
    """Return the language of this answer: one of `LANGUAGES`."""
    return str(get_locale() or SOURCE)


def translate_errors(fields: Mapping[str, str]) -> dict[str, str]:
    """Return the problem of each field in the language of this answer."""
    return {name: say(text, current_language()) for name, text in fields.items()}


def set_languages(*, subscriber: str = "", form: object = "", mailing_list: str = "") -> None:
    """Record for whom this answer is: the languages of a subscriber, a form and a list."""
    for name, tag in (("subscriber", subscriber), ("form", form), ("list", mailing_list)):
        if language := find_language(tag):
            setattr(g, f"{name}_language", language)
    refresh()


def find_requested_language() -> str:
    """Return the form's language, else the browser's, empty if neither is one of ours."""
    return (
        g.get("form_language", "")
        or find_language(request.args.get("language"))
        or find_browser_language()
    )


def find_browser_language() -> str:
    """Return the first language of the browser that is one of ours, else an empty text."""
    tags = [tag for tag, quality in request.accept_languages[:TAGS_AT_MOST] if quality > 0]
    return next((language for tag in tags if (language := find_language(tag))), "")


def choose_language() -> str:
    """Choose one of `LANGUAGES`.

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
