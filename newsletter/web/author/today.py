"""The author's first page: next digests, open decisions, campaigns being sent."""

from __future__ import annotations

from flask import Response

from newsletter.access_vocabulary import AuthorRole
from newsletter.services.authors import passkeys, today
from newsletter.services.authors.passkey_check import find_relying_party
from newsletter.services.runtime import environment
from newsletter.web.author.access import current_author, current_browser, make_blueprint, page
from newsletter.web.responses import render_page

blueprint = make_blueprint("today", __name__)


@page(blueprint, "/", AuthorRole.VIEWER)
def index() -> Response:
    """Show a summary of the author's lists."""
    env = environment()
    author = current_author()
    opened = current_browser().opened
    return render_page(
        "author/today.html",
        today=today.read_today(env, author),
        offer_passkey=opened is not None
        and opened.recent
        and find_relying_party(env.settings.base_url) is not None
        and not passkeys.has_passkeys(author.id),
    )


@page(blueprint, "/sending", AuthorRole.VIEWER)
def sending() -> Response:
    """Return the campaigns being sent, as a part of the first page that its script polls."""
    return render_page("author/sending.html", under_way=today.read_under_way(current_author()))
