"""What every answer has in common: headers that keep it private and inert, and errors told in words."""

from __future__ import annotations

import logging

from flask import Response, jsonify, render_template, request
from flask_babel import gettext
from werkzeug.exceptions import BadHost, HTTPException

from newsletter.errors import DatabaseError, InvalidInput, LinkError, LinkExpired, LinkSpent, NotFound, TooMany
from newsletter.languages import Text, say
from newsletter.services import fresh
from newsletter.services.consent import Evidence
from newsletter.services.messages import CADENCE_TEXT
from newsletter.web import pages
from newsletter.web.language import current, told

log = logging.getLogger("newsletter.web")

POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self' https: http:; form-action 'self'; "
    "frame-ancestors 'none'; base-uri 'none'"
)
RETRY_SECONDS = 30


CADENCE_WORDS = {
    "instant": Text("With every new post"),
    "daily": Text("Once a day"),
    "weekly": Text("Once a week"),
    "monthly": Text("Once a month"),
}


@pages.app_context_processor
def words() -> dict[str, object]:
    """What templates call things."""
    return {"cadence_words": told(CADENCE_WORDS), "cadence_text": told(CADENCE_TEXT)}


@pages.after_app_request
def harden(response: Response) -> Response:
    """No scripts, no frames, no guessing of types, no address in a Referer elsewhere (S12, T15)."""
    headers = response.headers
    headers.setdefault("Content-Security-Policy", POLICY)
    headers.setdefault("X-Content-Type-Options", "nosniff")
    if "frame-ancestors *" not in headers["Content-Security-Policy"]:
        headers.setdefault("X-Frame-Options", "DENY")
    headers.setdefault("Referrer-Policy", "same-origin")
    headers.setdefault("Permissions-Policy", "camera=(), geolocation=(), microphone=()")
    return response


def private(response: Response) -> Response:
    """A page that is one person's: kept by no cache, found by no search engine."""
    response.headers["Cache-Control"] = "no-store"
    response.headers["X-Robots-Tag"] = "noindex, nofollow"
    return response


def page(template: str, status: int = 200, **context: object) -> Response:
    """A rendered page."""
    return spoken(Response(render_template(template, **context), status, mimetype="text/html"))


def spoken(answer: Response) -> Response:
    """An answer that depends on the visitor's language, and says so."""
    answer.headers["Content-Language"] = current()
    answer.headers["Vary"] = "Accept-Language"
    return answer


def evidence(source: str) -> Evidence:
    """Where this request came from, for the consent record."""
    return Evidence(
        source=source,
        page=request.headers.get("Referer") or request.headers.get("Origin") or "",
        ip=request.remote_addr or "",
        user_agent=request.headers.get("User-Agent", ""),
    )


def wants_json() -> bool:
    """Whether the visitor is a program that speaks JSON."""
    return request.is_json or request.accept_mimetypes.best == "application/json"


def message(status: int, title: str, text: str, **context: object) -> Response:
    """A page of a few words, or the same as JSON."""
    if wants_json():
        answer = jsonify(error=text)
        answer.status_code = status
        return answer
    return private(page("message.html", status, title=title, text=text, **context))


@pages.app_errorhandler(LinkError)
def link_error(error: LinkError) -> Response:
    """Says what is the matter with a link, and nothing of whose it is."""
    if isinstance(error, LinkSpent):
        text = gettext(
            "It belongs to an earlier request. If you would like to subscribe, ask once more; it takes a minute."
        )
        return message(410, gettext("This link is from an earlier request"), text, again=f"/{error.slug}/")
    if isinstance(error, LinkExpired):
        text = gettext(
            "Links in our mails work for a while only, so that an old mail opens nothing. We gladly send a new one."
        )
        token = (request.view_args or {}).get("token", "")
        purpose = request.path.split("/")[1]
        anew = {"token": token, "purpose": purpose} if purpose in fresh.REPLACED else {}
        return message(410, gettext("This link has expired"), text, ask_link=True, **anew)
    text = gettext("Perhaps it was cut in two by a line break. Try to copy all of it, or have a new one sent.")
    return message(404, gettext("This link does not work"), text, ask_link=True)


@pages.app_errorhandler(NotFound)
def not_found(error: NotFound) -> Response:
    """There is no such page."""
    text = gettext("There is no such page. Perhaps it has moved, or the address is mistyped.")
    return message(404, gettext("Nothing here"), text)


@pages.app_errorhandler(TooMany)
def too_many(error: TooMany) -> Response:
    """A ceiling was reached."""
    text = gettext("There were too many requests from here. Please try again in a while.")
    answer = message(429, gettext("One moment, please"), text)
    answer.headers["Retry-After"] = str(error.retry_after)
    return answer


@pages.app_errorhandler(InvalidInput)
def invalid(error: InvalidInput) -> Response:
    """What was typed cannot be used, on a page that has no better place to say so."""
    return message(422, gettext("Please check what you typed"), " ".join(told(error.fields).values()))


@pages.app_errorhandler(DatabaseError)
def unavailable(error: DatabaseError) -> Response:
    """The database does not answer: nothing was stored, so the visitor is asked to come back."""
    log.error("%s", error)
    text = gettext("Something is busy on our side and nothing was saved. Please try again.")
    answer = message(503, gettext("Back in a moment"), text)
    answer.headers["Retry-After"] = str(RETRY_SECONDS)
    return answer


REFUSALS = {
    404: Text("There is no such page. Perhaps it has moved, or the address is mistyped."),
    405: Text("This page is asked for in another way."),
    413: Text("That is too much."),
}


@pages.app_errorhandler(HTTPException)
def http_error(error: HTTPException) -> Response:
    """Flask's own refusals, in our words."""
    code = error.code or 500
    title = gettext("Nothing here") if code == 404 else gettext("That did not work")
    answer = message(code, title, say(REFUSALS.get(code, Text("The request cannot be understood.")), current()))
    for name, value in error.get_headers():
        if name in ("Allow", "Content-Range"):
            answer.headers[name] = value
    return answer


@pages.app_errorhandler(BadHost)
def bad_host(error: BadHost) -> Response:
    """A host name that nobody has: without one, no page of ours can be put together."""
    return private(Response("The request cannot be understood.\n", 400, mimetype="text/plain"))


@pages.app_errorhandler(Exception)
def unexpected(error: Exception) -> Response:
    """A mistake of ours: in the log whole, on the page in one sentence."""
    log.exception("%s %s failed", request.method, request.url_rule or "an unknown page")
    text = gettext("That was our mistake, not yours. Please try again later.")
    return message(500, gettext("Something went wrong"), text)
