"""The form that an author pastes into her blog: plain HTML, no script, nothing fetched from here before it is sent."""

from __future__ import annotations

from flask import render_template

from newsletter.services import lists, subscriptions
from newsletter.services.environment import Environment
from newsletter.web.public import TRAP


def embed_form(env: Environment, slug: str) -> str:
    """The snippet for a list, inside an application context. Raises `NotFound`."""
    html = render_template(
        "embed_form.html",
        list=lists.show(slug),
        wording=subscriptions.wording(slug),
        action=env.links.to(f"/{slug}/subscribe"),
        trap=TRAP,
    )
    return "\n".join(line for line in html.splitlines() if line.strip()) + "\n"
