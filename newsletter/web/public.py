"""Lists, their forms, and signing up."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Response, jsonify, redirect, request
from werkzeug.exceptions import BadRequest, UnsupportedMediaType
from werkzeug.wrappers import Response as AnyResponse

from newsletter.errors import InvalidInput, NotFound
from newsletter.links import RESERVED_SLUGS, SIGNED
from newsletter.services import limits, lists, subscriptions, workers
from newsletter.services.environment import environment
from newsletter.services.subscriptions import SignUp
from newsletter.web import pages
from newsletter.web.answers import evidence, page, private
from newsletter.web.language import asked, current, speak, told

TRAP = "website"
WORKER_SILENT_AFTER = 300


@pages.get("/")
def home() -> Response:
    """The lists of this sender."""
    return page("home.html", lists=lists.ls())


@pages.get("/<slug>/")
def mailing_list(slug: str) -> Response:
    """One list with its form and its latest mailings."""
    return _list_page(slug, {}, {}, 200)


def _list_page(slug: str, values: Mapping[str, str], errors: Mapping[str, str], status: int) -> Response:
    if slug in RESERVED_SLUGS:
        raise NotFound("no list has this name")
    env, shown = environment(), lists.show(slug)
    speak(mailing_list=shown.language)
    return page(
        "list.html",
        status,
        list=shown,
        wording=subscriptions.wording(slug, current()),
        mailings=lists.mailings(slug, limit=5),
        stamp=env.tokens.sign("form", slug, env.now),
        values=values,
        errors=told(errors),
        trap=TRAP,
    )


@pages.post("/<slug>/subscribe")
def subscribe(slug: str) -> AnyResponse:
    """Asks for a subscription: the same answer whoever the address belongs to (S03)."""
    values = _values()
    as_json = request.is_json
    speak(form=values.get("language"))
    sign_up = SignUp(
        email=values.get("email"),
        name=values.get("name") or "",
        cadence=values.get("cadence") or "",
        language=asked(),
        trap=values.get(TRAP) or "",
        stamp=str(values.get("stamp") or ""),
    )
    try:
        subscriptions.subscribe(environment(), slug, sign_up, evidence("json" if as_json else "form"))
    except InvalidInput as error:
        if as_json:
            return _json({"errors": told(error.fields)}, 422)
        typed = {name: value for name, value in values.items() if isinstance(value, str)}
        return _list_page(slug, typed, error.fields, 422)
    if as_json:
        return _json({"status": "pending"}, 202)
    return redirect(f"/{slug}/check-your-inbox", 303)


def _values() -> Mapping[str, Any]:
    """The fields of a form or of a JSON object, whatever else the body may be."""
    if request.is_json:
        try:
            found = request.get_json()
        except RecursionError:
            raise BadRequest from None
        if not isinstance(found, dict):
            raise BadRequest
        return found
    if request.mimetype not in ("application/x-www-form-urlencoded", "multipart/form-data"):
        raise UnsupportedMediaType
    return request.form.to_dict()


def _json(body: object, status: int) -> Response:
    answer = jsonify(body)
    answer.status_code = status
    return answer


@pages.get("/<slug>/check-your-inbox")
def check_your_inbox(slug: str) -> Response:
    """What comes next."""
    shown = lists.show(slug)
    speak(mailing_list=shown.language)
    return private(page("check_your_inbox.html", list=shown))


@pages.get("/healthz")
def healthz() -> Response:
    """200 only if the database answers and a worker ticked lately: for monitoring."""
    env = environment()
    ticked = workers.last_tick()
    silent = ticked is None or (env.now - ticked).total_seconds() > WORKER_SILENT_AFTER
    state = {"database": "ok", "worker": "silent" if silent else "ok"}
    answer = _json(state, 503 if silent else 200)
    answer.headers["Cache-Control"] = "no-store"
    return answer


@pages.get("/robots.txt")
def robots() -> Response:
    """Personal pages are no business of search engines."""
    closed = "".join(f"Disallow: /{name}/\n" for name in SIGNED)
    return Response(f"User-agent: *\n{closed}", mimetype="text/plain")


@pages.before_app_request
def few_fields() -> None:
    """Refuses what no form of ours sends before it is read."""
    if len(request.query_string) > limits.QUERY_AT_MOST or "\0" in request.path:
        raise BadRequest
