"""The settings of the author's lists, validated like those of `newsletter list edit`."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlencode

from babel.dates import get_day_names
from flask import Response, request, url_for

from newsletter.access_vocabulary import AuthorRole
from newsletter.digest_vocabulary import DigestOrder, DigestSections, DigestShow
from newsletter.errors import InvalidInput
from newsletter.i18n import LANGUAGES, Text
from newsletter.mail.theme import FONTS
from newsletter.schedule import WEEKDAYS
from newsletter.services.authors.scope import Scope
from newsletter.services.digests.look_preview import preview_look
from newsletter.services.lists import lists
from newsletter.services.runtime import environment
from newsletter.vocabulary import Cadence
from newsletter.web.author.access import current_author, make_blueprint, page, report_done
from newsletter.web.author.frames import frame_mail, show_scheme
from newsletter.web.locale import current_language, translate_texts
from newsletter.web.responses import render_page

blueprint = make_blueprint("settings", __name__)

LIST = "/lists/<slug>"
SETTINGS = (
    "title",
    "description",
    "site_url",
    "from",
    "reply_to",
    "address",
    "language",
    "timezone",
    "cadences",
    "cadence",
    "hour",
    "day",
    "monthday",
    "min_entries",
    "max_wait",
    "grace",
    "review",
    "review_instant",
    "on_silence",
    "weekly_note",
    "indexed",
    "consent",
)
"""The settings on the first page in order, named as by `list edit`."""
LOOK = ("color", "font", "radius", "logo", "show", "order", "sections")
"""The settings on the page of the look."""
TYPED_AT_MOST = 2000
FONT_WORDS: dict[str, str] = {
    "system": Text("as the device writes"),
    "serif": Text("with serifs"),
    "humanist": Text("like handwriting, without serifs"),
    "book": Text("as in a book"),
    "mono": Text("all letters of one width"),
}
LOOK_WORDS: dict[str, str] = {
    "auto": Text("one post whole, several as excerpts"),
    "excerpt": Text("excerpts"),
    "full": Text("whole posts"),
    "newest": Text("newest first"),
    "oldest": Text("oldest first"),
    "none": Text("without headings"),
    "feed": Text("by feed"),
    "topic": Text("by topic"),
}


@page(blueprint, "/settings", AuthorRole.EDITOR)
def index() -> Response:
    """List the author's lists with their pages of settings."""
    return render_page("author/settings.html", lists=list(current_author().lists.values()))


@page(blueprint, f"{LIST}/settings", AuthorRole.OWNER, scope=Scope.LIST)
def show(slug: str) -> Response:
    """Show the settings of a list."""
    return _render_settings(slug, {}, {})


@page(blueprint, f"{LIST}/settings", AuthorRole.OWNER, methods=("POST",), scope=Scope.LIST)
def edit(slug: str) -> Response:
    """Save the settings that were changed in the form, and no others."""
    try:
        _save(slug, _read_typed(SETTINGS))
    except InvalidInput as error:
        return _render_settings(slug, _read_typed(SETTINGS), translate_texts(error.fields))
    return report_done(url_for("author_settings.show", slug=slug))


@page(blueprint, f"{LIST}/look", AuthorRole.OWNER, scope=Scope.LIST)
def look(slug: str) -> Response:
    """Show the look settings of a list, with a preview of a digest."""
    return _render_look(slug, {}, {})


@page(blueprint, f"{LIST}/look", AuthorRole.OWNER, methods=("POST",), scope=Scope.LIST)
def edit_look(slug: str) -> Response:
    """Save the look settings of a list."""
    try:
        _save(slug, _read_typed(LOOK))
    except InvalidInput as error:
        return _render_look(slug, _read_typed(LOOK), translate_texts(error.fields))
    return report_done(url_for("author_settings.look", slug=slug))


@page(blueprint, f"{LIST}/look/try", AuthorRole.OWNER, methods=("POST",), scope=Scope.LIST)
def try_look(slug: str) -> Response:
    """Show the preview of a digest with the typed settings, without saving them."""
    return _render_look(slug, _read_typed(LOOK), {})


@page(blueprint, f"{LIST}/look/html", AuthorRole.OWNER, scope=Scope.LIST)
def look_html(slug: str) -> Response:
    """Serve the preview of a digest for a frame."""
    values = {name: request.args[name][:TYPED_AT_MOST] for name in LOOK if name in request.args}
    content = preview_look(environment(), slug, values)
    dark = request.args.get("scheme") == "dark"
    return frame_mail(show_scheme(content.html, dark=dark))


def _read_typed(names: tuple[str, ...]) -> dict[str, str]:
    """Read the fields of a form; checkboxes of one field become a list of words."""
    form = request.form
    return {
        name: " ".join(form.getlist(name))[:TYPED_AT_MOST].strip()
        for name in names
        if name in form or f"was_{name}" in form
    }


def _save(slug: str, typed: Mapping[str, str]) -> None:
    """Save the settings that differ from those the page showed, to keep concurrent changes."""
    changed = {
        name: value for name, value in typed.items() if value != request.form.get(f"was_{name}")
    }
    if changed:
        lists.edit(environment(), slug, changed, keep_domain=current_author().limited)


def _read_values(slug: str) -> dict[str, str]:
    """Return the settings of a list as values of the form."""
    row = lists.show(slug, count=False)
    sender = f"{row.from_name} <{row.from_email}>" if row.from_name else row.from_email
    return {
        "title": row.title,
        "description": row.description,
        "site_url": row.site_url,
        "from": sender,
        "reply_to": row.reply_to,
        "address": row.postal_address,
        "language": row.language,
        "timezone": row.timezone,
        "cadences": " ".join(row.cadences),
        "cadence": row.cadence,
        "hour": str(row.hour),
        "day": row.day,
        "monthday": str(row.monthday),
        "min_entries": str(row.min_entries),
        "max_wait": str(row.max_wait),
        "grace": str(row.grace),
        "review": row.review,
        "review_instant": row.review_instant,
        "on_silence": row.on_silence,
        "weekly_note": row.weekly_note,
        "indexed": row.indexed,
        "consent": row.consent_text,
        "color": row.color,
        "font": row.font,
        "radius": str(row.radius),
        "logo": row.logo_url,
        "show": row.show,
        "order": row.order,
        "sections": row.sections,
    }


def _render_settings(slug: str, typed: Mapping[str, str], errors: Mapping[str, str]) -> Response:
    was = _read_values(slug)
    days = get_day_names("wide", locale=current_language())
    return render_page(
        "author/list_settings.html",
        422 if errors else 200,
        slug=slug,
        was={name: was[name] for name in SETTINGS},
        values={**was, **typed},
        errors=errors,
        cadences=list(Cadence),
        days=[(word, days[number]) for number, word in enumerate(WEEKDAYS)],
        all_languages=list(LANGUAGES.items()),
    )


def _render_look(slug: str, typed: Mapping[str, str], errors: Mapping[str, str]) -> Response:
    was = _read_values(slug)
    values = {**was, **typed}
    words = translate_texts(LOOK_WORDS)
    fonts = translate_texts(FONT_WORDS)
    dark = request.form.get("scheme", "")
    fields = {} if errors else {name: values[name] for name in LOOK} | {"scheme": dark}
    return render_page(
        "author/look.html",
        422 if errors else 200,
        slug=slug,
        was={name: was[name] for name in LOOK},
        values=values,
        errors=errors,
        dark=dark,
        fonts=[(font, fonts[font]) for font in FONTS],
        shows=[(word.value, words[word]) for word in DigestShow],
        orders=[(word.value, words[word]) for word in DigestOrder],
        sections=[(word.value, words[word]) for word in DigestSections],
        preview=f"{url_for('author_settings.look_html', slug=slug)}?{urlencode(fields)}",
    )
