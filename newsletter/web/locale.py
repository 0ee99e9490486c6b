"""In which language a page answers: the reader's, else the form's, else the browser's, else the
list's.

Flask-Babel asks `choose` once a request, at the first text. Its catalogues are those of `i18n.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from babel.support import NullTranslations
from flask import Flask, g, has_request_context, request
from flask_babel import Babel, Domain, get_locale, refresh
from markupsafe import Markup

from newsletter.i18n import LANGUAGES, SOURCE, day, direction, known, say, translations

TAGS_AT_MOST = 20


class _Catalogues(Domain):  # type: ignore[misc] # flask_babel carries no types
    """Our catalogues instead of compiled files."""

    def get_translations(self) -> NullTranslations:
        return translations(current_language())


def install(app: Flask) -> None:
    """Let templates and `gettext` speak."""
    babel = Babel(app, locale_selector=choose_language)
    babel.domain_instance = _Catalogues()
    app.jinja_env.policies["ext.i18n.trimmed"] = True
    app.jinja_env.filters["day"] = lambda moment, style="long": _day(moment, style)
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
    """The language of this answer: one of `LANGUAGES`."""
    return str(get_locale() or SOURCE)


def translate_errors(fields: Mapping[str, str]) -> dict[str, str]:
    """What is wrong with each field, in the language of this answer."""
    return {name: say(text, current_language()) for name, text in fields.items()}


def set_languages(*, reader: str = "", form: object = "", mailing_list: str = "") -> None:
    """Note whom this answer is for: the languages of a reader, a form's field and a list, where
    they are known.
    """
    for name, tag in (("reader", reader), ("form", form), ("list", mailing_list)):
        if found := known(tag):
            setattr(g, f"{name}_language", found)
    refresh()


def find_requested_language() -> str:
    """What the visitor asks for: the form's language, else the browser's first that we speak, or
    "".
    """
    return (
        g.get("form_language", "") or known(request.args.get("language")) or find_browser_language()
    )


def find_browser_language() -> str:
    """The browser's first language that we speak, or ""."""
    tags = [tag for tag, quality in request.accept_languages[:TAGS_AT_MOST] if quality > 0]
    return next((found for tag in tags if (found := known(tag))), "")


def choose_language() -> str:
    """One of `LANGUAGES`.

    Reads no body: an error about the body is told in this language too.
    """
    if not has_request_context():
        return SOURCE
    return (
        g.get("reader_language", "")
        or find_requested_language()
        or g.get("list_language", "")
        or SOURCE
    )
