"""The pages of a review's links: hold a digest, or leave an entry out.

They need no log-in, and can only make less go out. Looking changes nothing.
"""

from __future__ import annotations

from flask import Blueprint, Response
from flask_babel import gettext

from newsletter.errors import LinkError, NotFound, Refused
from newsletter.services.digests import review_acts
from newsletter.services.digests.review_acts import ReviewPage
from newsletter.services.runtime import environment
from newsletter.web.locale import set_languages
from newsletter.web.responses import mark_private, render_message, render_page

blueprint = Blueprint("reviews", __name__, url_prefix="/review")


@blueprint.get("/<token>/hold")
def hold_page(token: str) -> Response:
    """Show a button to hold the digest."""
    return _render("hold", review_acts.open_page(environment(), token))


@blueprint.post("/<token>/hold")
def hold(token: str) -> Response:
    """Hold the digest; idempotent."""
    review_acts.hold_by_link(environment(), token)
    return _render("hold", review_acts.open_page(environment(), token), done=True)


@blueprint.get("/<token>/leave-out/<int:entry_id>")
def leave_out_page(token: str, entry_id: int) -> Response:
    """Show a button to leave an entry out of the digest."""
    return _render("leave-out", review_acts.open_page(environment(), token), entry_id)


@blueprint.post("/<token>/leave-out/<int:entry_id>")
def leave_out(token: str, entry_id: int) -> Response:
    """Leave an entry out of the digest; idempotent."""
    review_acts.leave_out_by_link(environment(), token, entry_id)
    return _render("leave-out", review_acts.open_page(environment(), token), entry_id, done=True)


def _render(act: str, page: ReviewPage, entry_id: int = 0, *, done: bool = False) -> Response:
    set_languages(mailing_list=page.language)
    if page.review.settled:
        return _answer_over(Refused("it is over"))
    entry = next((entry for entry in page.entries if entry.id == entry_id), None)
    if act == "leave-out" and entry is None:
        raise NotFound("this digest carries no such entry")
    author_url = environment().links.author(
        f"digests/{page.slug}/{page.review.cadence}?review={page.review.id}"
    )
    return mark_private(
        render_page(
            "review.html", act=act, page=page, entry=entry, done=done, author_url=author_url
        )
    )


@blueprint.errorhandler(LinkError)
@blueprint.errorhandler(NotFound)
def _answer_unknown(error: LinkError | NotFound) -> Response:
    text = gettext("Perhaps it was cut in two by a line break. Try to copy all of it.")
    return render_message(404, gettext("This link does not work"), text)


@blueprint.errorhandler(Refused)
def _answer_over(error: Refused) -> Response:
    text = gettext("It has gone out, or was skipped. This link changes nothing any more.")
    return render_message(410, gettext("This digest is over"), text)
