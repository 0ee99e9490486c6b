"""Correct an entry's title and excerpt before it is mailed."""

from __future__ import annotations

from flask import Response, request

from newsletter.access_vocabulary import AuthorRole
from newsletter.services.authors.scope import Scope
from newsletter.services.polling import correct_entry
from newsletter.web.author.access import choose_path, make_blueprint, page, report_done
from newsletter.web.responses import render_page

blueprint = make_blueprint("corrections", __name__)

RULE = "/entries/<int:entry_id>/correct"


@page(blueprint, RULE, AuthorRole.EDITOR, scope=Scope.ENTRY)
def show(entry_id: int) -> Response:
    """Show the title and excerpt of an entry in a form."""
    return render_page(
        "author/correction.html",
        entry=correct_entry.read_correction(entry_id),
        next=choose_path(request.args.get("next")),
    )


@page(blueprint, RULE, AuthorRole.EDITOR, methods=("POST",), scope=Scope.ENTRY)
def save(entry_id: int) -> Response:
    """Save a corrected title and excerpt."""
    clear = bool(request.form.get("clear"))
    correct_entry.correct_entry(
        entry_id,
        title="" if clear else request.form.get("title", ""),
        excerpt="" if clear else request.form.get("excerpt", ""),
    )
    return report_done(choose_path(request.form.get("next")))
