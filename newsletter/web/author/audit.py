"""The audit log of authors' acts, for owners of all lists."""

from __future__ import annotations

from flask import Response, request

from newsletter.access_vocabulary import AuthorRole
from newsletter.services.authors import acts
from newsletter.web.author.access import make_blueprint, page
from newsletter.web.author.paging import read_key
from newsletter.web.responses import render_page

blueprint = make_blueprint("audit", __name__)


@page(blueprint, "/audit", AuthorRole.OWNER, everywhere=True)
def index() -> Response:
    """List the acts of authors, newest first."""
    record = acts.list_acts(before=read_key(request.args.get("before")))
    return render_page("author/audit.html", record=record)
