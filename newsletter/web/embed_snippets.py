"""Render the snippets for blogs: a form, a script, a frame, a link."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path
from typing import assert_never
from urllib.parse import urlencode

from flask import current_app, render_template
from flask_babel import force_locale

from newsletter.errors import NotFound
from newsletter.i18n import SOURCE, find_language
from newsletter.services.consent import hash_wording
from newsletter.services.runtime import Environment
from newsletter.services.signup import forms
from newsletter.services.signup.forms import TRAP, Form
from newsletter.setup_vocabulary import EmbedKind

HEIGHT = 420
"""Height of a frame in pixels, until its page reports the real one by script."""
FIELD_HEIGHT = 90
"""Pixels added to a frame's height for each of the author's own fields."""
TOPIC_HEIGHT = 32
"""Pixels added to a frame's height for each topic."""


def embed_form(
    env: Environment,
    slug: str,
    kind: EmbedKind = EmbedKind.FORM,
    *,
    language: str = "",
    theme: str = "",
) -> str:
    """Return the snippet for a list, in `language` or the list's, and store its wording.

    Needs an application context. Raises `NotFound`.
    """
    form_language = find_language(language or forms.get_form(slug).language) or SOURCE
    form = forms.get_form_to_paste(env, slug, form_language)
    with force_locale(form_language):
        match kind:
            case EmbedKind.LINK:
                page = env.links.mailing_list(form.slug)
                html = render_template("embed_link.html", list=form, action=page)
            case EmbedKind.IFRAME:
                html = _render_frame(
                    env, form, {"language": find_language(language), "theme": theme}
                )
            case EmbedKind.FORM | EmbedKind.SCRIPT:
                script = kind is EmbedKind.SCRIPT
                html = _render_form(env, form, form.wording(form_language), script=script)
            case _:
                assert_never(kind)
    return "\n".join(line for line in html.splitlines() if line.strip()) + "\n"


def _render_form(env: Environment, form: Form, wording: str, *, script: bool) -> str:
    return render_template(
        "embed_form.html",
        list=form,
        wording=wording,
        version=hash_wording(wording),
        action=env.links.to(f"/{form.slug}/subscribe"),
        trap=TRAP,
        script=env.links.to("/embed.js") if script else "",
        integrity=compute_integrity(),
    )


def _render_frame(env: Environment, form: Form, wishes: dict[str, str]) -> str:
    query = urlencode({name: value for name, value in wishes.items() if value})
    return render_template(
        "embed_frame.html",
        list=form,
        action=env.links.to(f"/{form.slug}/embed") + (f"?{query}" if query else ""),
        script=env.links.to("/embed.js"),
        integrity=compute_integrity(),
        height=HEIGHT + FIELD_HEIGHT * len(form.fields) + TOPIC_HEIGHT * len(form.topics),
    )


def compute_integrity() -> str:
    """Return the hash of embed.js for Subresource Integrity."""
    return (
        "sha384-"
        + base64.b64encode(hashlib.sha384(_get_script_file().read_bytes()).digest()).decode()
    )


def _get_script_file() -> Path:
    """Return the file of embed.js. Raises `NotFound` if the installation lacks it."""
    file = Path(str(current_app.static_folder)) / "embed.js"
    if not file.is_file():
        raise NotFound("this installation has no embed.js")
    return file
