"""Sign-up: forms and JSON, the form in a frame, and the files for scripts.

Other sites may post here and read the answer (CORS): there is no cookie and no session that could
be borrowed.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Any
from urllib.parse import urlencode

from flask import Blueprint, Response, current_app, jsonify, request
from markupsafe import Markup
from werkzeug.exceptions import UnsupportedMediaType

from newsletter.errors import InvalidInput
from newsletter.html.text import to_plain_line
from newsletter.i18n import Text, find_language
from newsletter.link_purposes import LinkPurpose
from newsletter.logs import name_event
from newsletter.services.consent import Evidence, hash_wording
from newsletter.services.runtime import environment
from newsletter.services.signup import forms
from newsletter.services.signup import subscribe as signup
from newsletter.services.signup.domain_slips import WELL_KNOWN, find_intended_domain
from newsletter.services.signup.forms import TRAP, Form
from newsletter.services.signup.subscribe import Submission
from newsletter.vocabulary import EvidenceSource, SubscriptionStatus
from newsletter.web.locale import (
    current_language,
    find_browser_language,
    find_requested_language,
    set_languages,
    translate_texts,
)
from newsletter.web.page_cache import render_public_page
from newsletter.web.request_body import read_json_object
from newsletter.web.responses import (
    make_evidence,
    mark_private,
    redirect_after_form,
    render_page,
    wants_json,
)

blueprint = Blueprint("signup", __name__)
log = logging.getLogger("newsletter.web")

FORM_POLICY = (
    "default-src 'none'; script-src 'self'; worker-src 'self'; connect-src 'self'; "
    "style-src 'self'; img-src 'self' https: http:; form-action 'self'; base-uri 'none'; "
    "frame-ancestors {ancestors}"
)
SHARED = frozenset(
    {"signup.subscribe", "signup.challenge", "signup.embed_script", "signup.openapi"}
)
"""Endpoints that scripts of other sites may fetch (CORS)."""
FORMS = ("page", "form", "script", "iframe")
THEMES = ("light", "dark")
TEXTS = ("name", "cadence", "language", "altcha", "form", "page", "stamp", "wording", TRAP)
"""Text fields of the sign-up form, apart from the author's own."""
PREFLIGHT_FOR = 86_400


def render_form(template: str, list_form: Form, *, status: int = 200, **context: Any) -> Response:
    """Render a page with a list's form, whose policy allows the program's own scripts.

    An empty form is the same for everybody but for its stamp, its page, and large `slots`.
    """
    env = environment()
    set_languages(mailing_list=list_form.language)
    wording, named = _get_consent(list_form, current_language())
    typed = context.pop("values", {})
    errors = translate_texts(context.pop("errors", {}))
    stamp = typed.get("stamp") or env.tokens.sign(LinkPurpose.FORM, list_form.slug, env.now)
    context.update(list=list_form, wording=wording, version=named, trap=TRAP)
    slots = context.pop("slots", {})
    for_visitor = {"stamp": stamp, "page": context.pop("page", ""), **slots}
    if typed or errors:
        first = "" if context.get("framed") else next(iter(errors), "")
        wrong = {name: _mark_wrong(name, first=name == first) for name in errors}
        answer = render_page(
            template, status, values=typed, errors=errors, wrong=wrong, **context, **for_visitor
        )
    else:
        answer = render_public_page(
            template, slots={name: value for name, value in for_visitor.items() if value}, **context
        )
    ancestors = "*" if context.get("framed") else "'none'"
    answer.headers["Content-Security-Policy"] = FORM_POLICY.format(ancestors=ancestors)
    answer.headers["Cache-Control"] = "private, no-cache"
    return answer


@lru_cache(maxsize=500)
def _get_consent(form: Form, language: str) -> tuple[str, str]:
    """Return the consent text of a form, and its version."""
    wording = form.wording(language)
    return wording, hash_wording(wording)


def _mark_wrong(name: str, *, first: bool) -> Markup:
    """Return the HTML attributes that link a field to its error; the first is focused.

    In a frame, frame.js gives it the focus.
    """
    attributes = Markup(' aria-invalid="true" aria-describedby="{}-error"').format(name)
    return attributes + Markup(" autofocus") if first else attributes


def list_page(slug: str, *, status: int = 200, **context: Any) -> Response:
    """Render a list's page.

    Raises `NotFound`.
    """
    list_form, campaigns = forms.get_list_page(slug)
    return render_form(
        "list.html",
        list_form,
        status=status,
        campaigns=campaigns,
        url=environment().links.mailing_list(slug),
        action=f"/{slug}/subscribe",
        form="page",
        **context,
    )


@blueprint.post("/<slug>/subscribe")
def subscribe(slug: str) -> Response:
    """Process a sign-up; the response is the same for every address (S03)."""
    values = _read_values()
    as_json = wants_json()
    set_languages(form=values.get("language"))
    try:
        form = _subscribe(slug, values)
    except InvalidInput as error:
        environment().tally.count("signups", "invalid")
        if as_json:
            return _answer_json({"errors": translate_texts(error.fields)}, 422)
        return list_page(slug, status=422, values=_pick_typed_values(values), errors=error.fields)
    if as_json:
        return _answer_json({"status": SubscriptionStatus.PENDING}, 202)
    target = f"/{slug}/check-your-inbox" + _make_language_query(form)
    return redirect_after_form(
        target + _make_meant_parameter(str(values.get("email") or ""), target)
    )


def _make_meant_parameter(typed: str, target: str) -> str:
    """Return the query parameter with the correction of a misspelt domain, or ""."""
    domain = find_intended_domain(typed.strip().lower().rpartition("@")[2])
    return f"{'&' if '?' in target else '?'}meant={domain}" if domain else ""


def _make_language_query(form: Form) -> str:
    """Return the query that keeps a form's language on the following page.

    It is empty where the browser's language is the same.
    """
    language = find_requested_language()
    otherwise = find_browser_language() or form.language
    return "" if language in ("", otherwise) else "?" + urlencode({"language": language})


def _subscribe(slug: str, values: Mapping[str, Any]) -> Form:
    odd = {name for name in TEXTS if not isinstance(values.get(name), str | None)}
    if odd:  # only JSON can say such a thing
        raise InvalidInput({name: Text("Please write text here.") for name in sorted(odd)})
    sign_up = Submission(
        email=values.get("email"),
        name=values.get("name"),
        cadence=values.get("cadence"),
        language=find_requested_language(),
        trap=values.get(TRAP),
        stamp=values.get("stamp"),
        altcha=values.get("altcha"),
        wording=values.get("wording"),
        topics=values.get("topics"),
        answers=values,
    )
    form = signup.subscribe(environment(), slug, sign_up, _make_evidence(values))
    log.info("list %s: a sign-up was received", slug, extra=name_event("sign-up"))
    environment().tally.count("signups", "received")
    return form


def _make_evidence(values: Mapping[str, Any]) -> Evidence:
    """Return the origin of the request as evidence.

    A form may name its own page, because a browser tells other sites its host only.
    """
    origin = make_evidence(EvidenceSource.JSON if request.is_json else EvidenceSource.FORM)
    form = values.get("form")
    named = values.get("page")
    if isinstance(named, str) and named.startswith(("https://", "http://")):
        origin = replace(origin, page=named)
    return replace(origin, form=form if form in FORMS else "")


def _read_values() -> Mapping[str, Any]:
    """Return the fields of a form or JSON object; of other bodies none."""
    if request.is_json:
        return read_json_object()
    if request.mimetype not in ("application/x-www-form-urlencoded", "multipart/form-data"):
        raise UnsupportedMediaType
    return {**request.form.to_dict(), "topics": request.form.getlist("topics")}


def _pick_typed_values(values: Mapping[str, Any]) -> dict[str, Any]:
    typed = {name: value for name, value in values.items() if isinstance(value, str)}
    chosen = values.get("topics")
    return {**typed, "topics": chosen if isinstance(chosen, list) else ()}


def _answer_json(body: object, status: int) -> Response:
    answer = jsonify(body)
    answer.status_code = status
    answer.headers["Cache-Control"] = "no-store"
    return answer


@blueprint.get("/<slug>/check-your-inbox")
def check_your_inbox(slug: str) -> Response:
    """Show that a confirmation mail is on its way."""
    form = forms.get_form(slug)
    set_languages(mailing_list=form.language)
    meant = request.args.get("meant", "")
    known = meant if meant in WELL_KNOWN else ""  # nothing else that a link says is shown
    return mark_private(render_page("check_your_inbox.html", list=form, meant=known))


@blueprint.get("/<slug>/embed")
def embed(slug: str) -> Response:
    """Show the form in a frame of another site, or its result (`sent`)."""
    if "sent" in request.args:
        return mark_private(_render_frame(slug, sent=True))
    return _render_frame(slug)


@blueprint.post("/<slug>/embed")
def subscribe_in_frame(slug: str) -> Response:
    """Process a sign-up in a frame."""
    values = _read_values()
    set_languages(form=values.get("language"))
    try:
        _subscribe(slug, {**values, "form": "iframe"})
    except InvalidInput as error:
        return _render_frame(
            slug, status=422, values=_pick_typed_values(values), errors=error.fields
        )
    return redirect_after_form(_make_frame_url(slug, sent="1"))


def _make_frame_url(slug: str, **more: str) -> str:
    """Return the frame's URL with the options of the embedding page."""
    options = {
        "language": find_language(request.args.get("language")),
        "theme": _read_theme(),
        **more,
    }
    query = urlencode({name: value for name, value in options.items() if value})
    return f"/{slug}/embed" + (f"?{query}" if query else "")


def _render_frame(slug: str, **context: Any) -> Response:
    embedder = to_plain_line(
        context.get("values", {}).get("page") or request.headers.get("Referer"), limit=500
    )
    context.update(
        action=_make_frame_url(slug), form="iframe", framed=True, theme=_read_theme(), page=embedder
    )
    return render_form("embed.html", forms.get_form(slug), **context)


def _read_theme() -> str:
    """Return the colour scheme requested by the embedding page, or ""."""
    theme = request.args.get("theme", "")
    return theme if theme in THEMES else ""


@blueprint.get("/<slug>/challenge")
def challenge(slug: str) -> Response:
    """Return a proof-of-work challenge (ALTCHA, protocol 2).

    The same for every list; a wrong name is still a 404.
    """
    forms.get_form(slug)
    env = environment()
    return _answer_json(env.puzzles.make(env.now), 200)


@blueprint.get("/embed.js")
def embed_script() -> Response:
    """Serve embed.js, which upgrades a pasted form."""
    return current_app.send_static_file("embed.js")


@blueprint.get("/openapi.json")
def openapi() -> Response:
    """Serve the OpenAPI document of the sign-up interface."""
    return current_app.send_static_file("openapi.json")


@blueprint.after_app_request
def share(response: Response) -> Response:
    """Add CORS headers for scripts of other sites."""
    if request.endpoint in SHARED:
        response.headers["Access-Control-Allow-Origin"] = "*"
        if request.method == "OPTIONS":
            response.headers["Access-Control-Allow-Headers"] = "Content-Type"
            response.headers["Access-Control-Allow-Methods"] = response.headers.get("Allow", "")
            response.headers["Access-Control-Max-Age"] = str(PREFLIGHT_FOR)
    return response
