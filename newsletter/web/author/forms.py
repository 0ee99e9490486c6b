"""The sign-up forms of the author's lists: snippets with previews, fields, topics."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlencode

from flask import Response, render_template, request, url_for

from newsletter.access_vocabulary import AuthorRole
from newsletter.closed_sets import find_member
from newsletter.errors import InvalidInput
from newsletter.i18n import LANGUAGES, Text, find_language
from newsletter.services.authors.scope import Scope
from newsletter.services.lists import topics
from newsletter.services.runtime import environment
from newsletter.services.signup import forms
from newsletter.setup_vocabulary import EmbedKind
from newsletter.vocabulary import FieldKind
from newsletter.web.author.access import make_blueprint, page, report_done
from newsletter.web.author.frames import frame_mail
from newsletter.web.embed_snippets import embed_form
from newsletter.web.locale import translate_texts
from newsletter.web.responses import render_page

blueprint = make_blueprint("forms", __name__)

LIST = "/lists/<slug>"
KIND_WORDS: dict[EmbedKind, str] = {
    EmbedKind.FORM: Text("plain HTML"),
    EmbedKind.SCRIPT: Text("HTML with a script that answers in place"),
    EmbedKind.IFRAME: Text("a frame that looks like our page"),
    EmbedKind.LINK: Text("only a link"),
}
FIELD_WORDS: dict[FieldKind, str] = {
    FieldKind.TEXT: Text("text"),
    FieldKind.CHOICE: Text("one of several"),
    FieldKind.CHECKBOX: Text("a box to tick"),
    FieldKind.CONSENT: Text("a consent of its own"),
}
CHOICES_AT_MOST = 50


@page(blueprint, f"{LIST}/forms", AuthorRole.EDITOR, scope=Scope.LIST)
def show(slug: str) -> Response:
    """Show the snippet for a blog with a preview, and the form's fields and topics."""
    return _render(slug, {}, {})


@page(blueprint, f"{LIST}/forms/html", AuthorRole.EDITOR, scope=Scope.LIST)
def html(slug: str) -> Response:
    """Serve a snippet's preview for a sandboxed frame."""
    kind, language, _ = _read_wishes()
    snippet = embed_form(environment(), slug, kind, language=language)
    return frame_mail(render_template("author/form_preview.html", snippet=snippet))


@page(blueprint, f"{LIST}/fields", AuthorRole.OWNER, methods=("POST",), scope=Scope.LIST)
def add_field(slug: str) -> Response:
    """Add a field to the form of a list."""
    form = request.form
    lines = form.get("choices", "").splitlines()[:CHOICES_AT_MOST]
    kind = find_member(FieldKind, form.get("kind")) or FieldKind.TEXT
    try:
        forms.add_field(
            slug,
            form.get("name", "").strip(),
            kind,
            form.get("label", ""),
            [line for line in lines if line.strip()],
            required=bool(form.get("required")),
        )
    except InvalidInput as error:
        return _render(slug, form, translate_texts(error.fields))
    return _redirect_back(slug)


@page(
    blueprint,
    f"{LIST}/fields/<name>/remove",
    AuthorRole.OWNER,
    methods=("POST",),
    scope=Scope.LIST,
)
def remove_field(slug: str, name: str) -> Response:
    """Remove a field from the form, keeping subscribers' answers."""
    forms.remove_field(slug, name)
    return _redirect_back(slug)


@page(blueprint, f"{LIST}/topics", AuthorRole.OWNER, methods=("POST",), scope=Scope.LIST)
def add_topic(slug: str) -> Response:
    """Make a topic, or add categories to one."""
    form = request.form
    categories = form.get("categories", "").splitlines()[:CHOICES_AT_MOST]
    try:
        topics.add(slug, form.get("topic", ""), categories=categories)
    except InvalidInput as error:
        errors = translate_texts(error.fields)
        return _render(slug, form, {"topic": errors.get("name", ""), **errors} | {"name": ""})
    return _redirect_back(slug)


def _read_wishes() -> tuple[EmbedKind, str, str]:
    """Read the options of the snippet: kind, language and, for a frame, colours."""
    wishes = request.args
    theme = wishes.get("theme", "")
    return (
        find_member(EmbedKind, wishes.get("snippet")) or EmbedKind.FORM,
        find_language(wishes.get("words")),
        theme if theme in ("light", "dark") else "",
    )


def _redirect_back(slug: str) -> Response:
    return report_done(url_for("author_forms.show", slug=slug))


def _render(slug: str, typed: Mapping[str, str], errors: Mapping[str, str]) -> Response:
    kind, language, theme = _read_wishes()
    form = forms.get_form(slug)
    words = translate_texts(KIND_WORDS)
    field_words = translate_texts(FIELD_WORDS)
    wishes = urlencode({"snippet": kind, "words": language, "theme": theme})
    if kind is EmbedKind.IFRAME:
        preview = f"/{slug}/embed?" + urlencode({"language": language, "theme": theme})
    else:
        preview = f"{url_for('author_forms.html', slug=slug)}?{wishes}"
    frame_theme = theme if kind is EmbedKind.IFRAME else ""
    return render_page(
        "author/forms.html",
        422 if errors else 200,
        slug=slug,
        form=form,
        typed=typed,
        errors=errors,
        kind=kind,
        words=language,
        theme=theme,
        kinds=[(one.value, words[one]) for one in EmbedKind],
        field_kinds=[(one.value, field_words[one]) for one in FieldKind],
        field_words=field_words,
        all_languages=list(LANGUAGES.items()),
        snippet=embed_form(environment(), slug, kind, language=language, theme=frame_theme),
        preview=preview,
    )
