"""The first page: what goes out next, what waits for the author, what is being sent."""

from __future__ import annotations

from flask import Response

from newsletter.access_vocabulary import AuthorRole
from newsletter.services.authors import today
from newsletter.services.runtime import environment
from newsletter.web.author.access import current_author, make_blueprint, page
from newsletter.web.responses import render_page

blueprint = make_blueprint("today", __name__)


@page(blueprint, "/", AuthorRole.VIEWER)
def index() -> Response:
    """Show the author's lists at one look."""
    return render_page("author/today.html", today=today.read_today(environment(), current_author()))


@page(blueprint, "/sending", AuthorRole.VIEWER)
def sending() -> Response:
    """Show what is being sent; the script of the first page fetches this again and again."""
    return render_page("author/sending.html", under_way=today.read_under_way(current_author()))
