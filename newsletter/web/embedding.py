"""The form that an author pastes into her blog: plain HTML, no script, nothing fetched from here before it is sent."""

from __future__ import annotations

from flask import render_template
from flask_babel import force_locale

from newsletter.languages import SOURCE, known
from newsletter.services import lists, subscriptions
from newsletter.services.environment import Environment
from newsletter.web.public import TRAP


def embed_form(env: Environment, slug: str) -> str:
    """The snippet for a list, in the list's language, inside an application context. Raises `NotFound`."""
    shown = lists.show(slug)
    with force_locale(known(shown.language) or SOURCE):
        html = render_template(
            "embed_form.html",
            list=shown,
            wording=subscriptions.wording(slug),
            action=env.links.to(f"/{slug}/subscribe"),
            trap=TRAP,
        )
    return "\n".join(line for line in html.splitlines() if line.strip()) + "\n"
