"""Error handlers, with the same message in HTML and JSON."""

from __future__ import annotations

import logging

from flask import Blueprint, Response, request
from flask_babel import gettext
from werkzeug.exceptions import BadHost, HTTPException

from newsletter.db.session import to_database_error
from newsletter.errors import (
    DatabaseError,
    InvalidInput,
    LinkError,
    LinkExpired,
    LinkSpent,
    NotFound,
    TooMany,
)
from newsletter.i18n import Text, say
from newsletter.link_purposes import LinkPurpose
from newsletter.services.limit_log import note_limit
from newsletter.services.runtime import environment
from newsletter.web.locale import current_language, format_size, join_problems
from newsletter.web.problems import explain_error, is_for_programs, make_problem
from newsletter.web.responses import mark_private, render_message

blueprint = Blueprint("errors", __name__)

log = logging.getLogger("newsletter.web")

RETRY_SECONDS = 30


@blueprint.app_errorhandler(LinkError)
def link_error(error: LinkError) -> Response:
    """Answer an invalid or expired link, without naming its subscriber."""
    if isinstance(error, LinkSpent):
        text = gettext(
            "It belongs to an earlier request. If you would like to subscribe, ask once more; "
            "it takes a minute."
        )
        return render_message(
            410, gettext("This link is from an earlier request"), text, again=f"/{error.slug}/"
        )
    if isinstance(error, LinkExpired):
        return _answer_expired_link(error)
    text = gettext(
        "Perhaps it was cut in two by a line break. Try to copy all of it, or have a new one sent."
    )
    return render_message(404, gettext("This link does not work"), text, ask_link=True)


def _answer_expired_link(error: LinkExpired) -> Response:
    text = gettext(
        "Links in our mails work for a while only, so that an old mail opens nothing. "
        "We gladly send a new one."
    )
    token = (request.view_args or {}).get("token", "")
    renewable = error.purpose in {purpose for purpose in LinkPurpose if purpose.renewable}
    anew = {"link_token": token, "purpose": error.purpose} if renewable else {}
    return render_message(410, gettext("This link has expired"), text, ask_link=True, **anew)


@blueprint.app_errorhandler(NotFound)
def not_found(error: NotFound) -> Response:
    """Answer 404: there is no such page."""
    text = gettext("There is no such page. Perhaps it has moved, or the address is mistyped.")
    return render_message(404, gettext("Nothing here"), text)


@blueprint.app_errorhandler(TooMany)
def too_many(error: TooMany) -> Response:
    """Answer 429: a limit is reached, with the time to retry after."""
    text = gettext("There were too many requests from here. Please try again in a while.")
    answer = render_message(429, gettext("One moment, please"), text)
    answer.headers["Retry-After"] = str(error.retry_after)
    note_limit(environment(), str(request.endpoint or ""))
    return answer


@blueprint.app_errorhandler(InvalidInput)
def invalid(error: InvalidInput) -> Response:
    """Answer 422 with the problem of each field, for pages without a form of their own."""
    title = gettext("Please check what you typed")
    return render_message(422, title, join_problems(error.fields))


@blueprint.app_errorhandler(DatabaseError)
def unavailable(error: DatabaseError) -> Response:
    """Answer 503: the database is unavailable, and nothing was stored."""
    log.error("%s", error)
    if is_for_programs():
        return explain_error(error)
    text = gettext("Something is busy on our side and nothing was saved. Please try again.")
    answer = render_message(503, gettext("Back in a moment"), text)
    answer.headers["Retry-After"] = str(RETRY_SECONDS)
    return answer


REFUSALS = {
    404: Text("There is no such page. Perhaps it has moved, or the address is mistyped."),
    405: Text("This address cannot be opened like this. Go back and use the button."),
    413: Text("This is too large."),
}
NOT_UNDERSTOOD = Text("The request cannot be understood. Go back, reload the page, and try again.")


@blueprint.app_errorhandler(HTTPException)
def http_error(error: HTTPException) -> Response:
    """Answer Flask's HTTP errors with our own pages."""
    code = error.code or 500
    if is_for_programs():
        return _keep_headers(make_problem(code), error)
    title = gettext("Nothing here") if code == 404 else gettext("That did not work")
    answer = render_message(code, title, say(_explain_refusal(code), current_language()))
    return _keep_headers(answer, error)


def _explain_refusal(code: int) -> Text:
    """Return the message for an HTTP error; that of a large body includes the limit."""
    most = request.max_content_length or 0
    if code == 413 and (request.content_length or 0) > most:
        return Text(
            "This is too large: send at most %(most)s.", most=format_size(most // 1000 * 1000)
        )
    return REFUSALS.get(code, NOT_UNDERSTOOD)


def _keep_headers(answer: Response, error: HTTPException) -> Response:
    for name, value in error.get_headers():
        if name in ("Allow", "Content-Range"):
            answer.headers[name] = value
    return answer


@blueprint.app_errorhandler(BadHost)
def bad_host(error: BadHost) -> Response:
    """Answer 400 to an invalid host name."""
    return mark_private(Response("The request cannot be understood.\n", 400, mimetype="text/plain"))


@blueprint.app_errorhandler(Exception)
def internal_error(error: Exception) -> Response:
    """Log an internal error with its traceback, and answer 500.

    A look that fails because the database does not answer is none.
    """
    if gone := to_database_error(error):
        return unavailable(gone)
    log.exception("%s %s failed", request.method, request.url_rule or "an unknown page")
    if is_for_programs():
        return make_problem(500, "Internal error; it is in the log.")
    text = gettext("That was our mistake, not yours. Please try again later.")
    return render_message(500, gettext("Something went wrong"), text)
