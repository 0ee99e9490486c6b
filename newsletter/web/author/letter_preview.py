"""Preview a draft: HTML and text parts, preflight, number of recipients."""

from __future__ import annotations

from flask import Response, request

from newsletter.access_vocabulary import AuthorRole
from newsletter.authoring.letter_fields import place_in_body
from newsletter.mail.render import MailContent
from newsletter.services.authors.scope import Scope
from newsletter.services.letters import manuscripts, preflight, rendering
from newsletter.services.letters.drafts import load_draft
from newsletter.services.runtime import environment
from newsletter.web.author.access import make_blueprint, page
from newsletter.web.author.audience_count import count_recipients
from newsletter.web.author.frames import frame_mail, frame_text, frame_words, show_scheme
from newsletter.web.locale import translate_here
from newsletter.web.responses import render_page

blueprint = make_blueprint("letter_preview", __name__)

LETTER = "/letters/<int:campaign_id>"


@page(blueprint, f"{LETTER}/html", AuthorRole.VIEWER, scope=Scope.CAMPAIGN)
def html(campaign_id: int) -> Response:
    """Serve the HTML of a draft for a frame."""
    manuscript = manuscripts.get_manuscript(campaign_id)
    try:
        content = _render(campaign_id)
    except preflight.UNFINISHED as error:
        return frame_words(translate_here(place_in_body(str(error), manuscript.text)))
    dark = request.args.get("scheme") == "dark"
    return frame_mail(show_scheme(content.html, dark=dark))


@page(blueprint, f"{LETTER}/text", AuthorRole.VIEWER, scope=Scope.CAMPAIGN)
def text(campaign_id: int) -> Response:
    """Serve the text part of a draft for a frame."""
    manuscript = manuscripts.get_manuscript(campaign_id)
    try:
        content = _render(campaign_id)
    except preflight.UNFINISHED as error:
        return frame_text(translate_here(place_in_body(str(error), manuscript.text)))
    return frame_text(f"{content.subject}\n\n{content.text}")


@page(blueprint, f"{LETTER}/checks", AuthorRole.EDITOR, scope=Scope.CAMPAIGN)
def checks(campaign_id: int) -> Response:
    """Return the preflight checks of a draft's text, as a part of its page."""
    manuscript = manuscripts.get_manuscript(campaign_id)
    return render_page(
        "author/checks.html",
        checks=preflight.check_stored(environment(), campaign_id),
        place=lambda text: place_in_body(text, manuscript.text),
    )


@page(blueprint, f"{LETTER}/recipients", AuthorRole.EDITOR, scope=Scope.CAMPAIGN)
def recipients(campaign_id: int) -> Response:
    """Return the number of recipients of a draft, as a part of its page."""
    manuscripts.get_manuscript(campaign_id)
    return render_page("author/recipients.html", count=count_recipients(campaign_id))


def _render(campaign_id: int) -> MailContent:
    """Render a draft with an ellipsis in place of personal data."""
    env = environment()
    draft = load_draft(env, campaign_id, offline=True, counted=False)
    return rendering.show_to_nobody(env, draft.prepared.versions[0])
