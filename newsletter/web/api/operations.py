"""Register the operations of the API: scopes, models of bodies, idempotency, limits.

SpecTree reads the declarations, validates requests by them and makes the OpenAPI document. Around
it stand the token, its scope and ceiling, and the answers that an Idempotency-Key repeats.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from functools import partial, wraps
from typing import Any, TypeVar, get_type_hints

from flask import Blueprint, Response, g, request
from pydantic import BaseModel, ValidationError
from spectree import Response as SpecResponse
from spectree import SpecTree
from werkzeug.exceptions import HTTPException

from newsletter.access_vocabulary import TokenScope
from newsletter.errors import InvalidInput, NewsletterError, NotFound
from newsletter.services import api_tokens, idempotency
from newsletter.services.api_tokens import Caller, RequestAllowance
from newsletter.services.runtime import environment
from newsletter.web.api.answers import ROOT, Editable, Problem, RefusedEarly
from newsletter.web.problems import explain_error, make_problem
from newsletter.web.request_body import allow_body
from newsletter.web.uploads import PROGRAM_BODIES

F = TypeVar("F", bound=Callable[..., Any])

JSON_AT_MOST = 512 * 1024
"""The most bytes of a JSON body; letters are the largest."""
KEY_AT_MOST = 255
SYNONYMS = {
    "pause": ("paused_until",),
    "address": ("email",),
    "answer": ("fields",),
    "tag": ("tags", "add_tags"),
    "topic": ("topics",),
}
"""The services' names for fields of bodies, where they differ."""
SCOPES: dict[str, tuple[TokenScope, ...]] = {}
"""The scopes of each operation, any of which is sufficient."""
EDITABLE: set[str] = set()
"""Operations whose response has an ETag."""
RAW_BODIES: dict[str, str] = {}
RAW_ANSWERS: dict[str, str] = {}
"""Media types of bodies and responses other than JSON, by operation."""
REPEATED = ("Content-Type", "ETag", "Location")
"""Headers that are stored with a response for repeated requests."""


def _raise_invalid(req: Any, resp: Any, error: Exception | None, *_: Any) -> None:
    """Raise an error for a request that does not fit its model; called by SpecTree."""
    if not isinstance(error, ValidationError):
        return
    errors = {}
    for part in error.errors(include_url=False, include_input=False, include_context=False):
        errors["#/" + "/".join(str(step) for step in part["loc"])] = str(part["msg"])
    raise RefusedEarly(make_problem(422, "The request does not fit its description.", errors))


spec = SpecTree(
    "flask",
    mode="strict",
    annotations=True,
    before=_raise_invalid,
    validation_error_model=Problem,
    naming_strategy=lambda model: model.__name__.removeprefix("Api"),
    nested_naming_strategy=lambda parent, child: child.removeprefix("Api"),
)


def current_caller() -> Caller:
    """Return the caller of this request."""
    caller: Caller = g.caller
    return caller


def require_list(slug: str) -> str:
    """Return `slug` if the caller's token is for this list.

    Raises `NotFound` otherwise, as for a list that does not exist.
    """
    if not current_caller().sees(slug):
        raise NotFound(f"there is no list {slug}")
    return slug


def require_unlimited() -> None:
    """Refuse tokens that are for some lists only."""
    if current_caller().is_limited:
        raise RefusedEarly(make_problem(403, "A token that is limited to lists may not do this."))


PROBLEMS = {400, 401, 403, 404, 405, 422, 429, 503}
"""Error statuses that every operation may return."""
PROBLEMS_OF = {method: {409, 413, 415} for method in ("POST", "PATCH", "PUT")}
"""Further error statuses of methods with a body."""


def operation(
    blueprint: Blueprint,
    method: str,
    path: str,
    *,
    scope: TokenScope | Sequence[TokenScope],
    answer: type[BaseModel] | None = None,
    status: int = 200,
    body_at_most: int = JSON_AT_MOST,
    takes: str = "",
    gives: str = "",
    refuses: Sequence[int] = (),
    accepts: type[BaseModel] | None = None,
) -> Callable[[F], F]:
    """Register a function as an operation.

    Any of the scopes is enough. `answer` is the model of the body, with `status`; `accepts` that of
    a 202 for tokens that may not know what came of it. `takes` and `gives` are the media types of
    bodies that are no JSON, `refuses` the statuses beside those of every operation.
    """
    scopes = (scope,) if isinstance(scope, TokenScope) else tuple(scope)
    problems = PROBLEMS | PROBLEMS_OF.get(method, set()) | set(refuses)
    answers: dict[str, Any] = {"HTTP_202": accepts} if accepts else {}
    answers[f"HTTP_{status}"] = answer
    answers |= {f"HTTP_{code}": Problem for code in sorted(problems)}

    def register(function: F) -> F:
        endpoint = function.__name__
        model = get_type_hints(function).get("json")
        SCOPES[endpoint] = scopes
        _note_bodies(endpoint, answer, takes, gives)
        if takes:
            PROGRAM_BODIES[ROOT + path] = body_at_most
        described = spec.validate(
            resp=SpecResponse(**answers),
            tags=[blueprint.name.removeprefix("api_")],
            security={"token": []},
            operation_id=endpoint,
        )(function)

        @wraps(described)
        def run(**arguments: Any) -> Response:
            return _answer(described, scopes, arguments, model)

        run.scopes = scopes  # type: ignore[attr-defined]
        allow_body(f"{blueprint.name}.{endpoint}", body_at_most)
        blueprint.add_url_rule(ROOT + path, endpoint, run, methods=[method])
        return function

    return register


def _note_bodies(endpoint: str, answer: type[BaseModel] | None, takes: str, gives: str) -> None:
    """Store the models of an operation's bodies for the OpenAPI document."""
    if answer is not None and issubclass(answer, Editable):
        EDITABLE.add(endpoint)
    if takes:
        RAW_BODIES[endpoint] = takes
    if gives:
        RAW_ANSWERS[endpoint] = gives


def _answer(
    function: Callable[..., Any],
    scopes: Sequence[TokenScope],
    arguments: dict[str, Any],
    model: type[BaseModel] | None,
) -> Response:
    allowance = None
    try:
        allowance = _identify()
        _require_scope(scopes)
        if model is not None:
            _require_json()
        response = _run_once(partial(_run, function, arguments, model))
    except RefusedEarly as answered:
        response = answered.response
    except NewsletterError as error:
        response = explain_error(error)
    response.headers.setdefault("Cache-Control", "no-store")
    if allowance is not None:
        _add_allowance(response, allowance)
    return response


def _require_scope(scopes: Sequence[TokenScope]) -> None:
    if not any(current_caller().scope.covers(scope) for scope in scopes):
        needed = " or ".join(scope.value for scope in scopes)
        raise RefusedEarly(make_problem(403, f"This needs a token with the scope {needed}."))


def _read_token() -> str:
    """Return the bearer token of the request (RFC 6750 section 2.1), or ""."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def _identify() -> RequestAllowance:
    """Authenticate the caller, and count the request."""
    identified = None
    if token := _read_token():
        identified = api_tokens.identify_caller(environment(), token, request.remote_addr or "")
    if identified is None:
        response = make_problem(401, "Send a valid token: Authorization: Bearer nlt_...")
        response.headers["WWW-Authenticate"] = 'Bearer realm="newsletter"'
        raise RefusedEarly(response)
    g.caller, allowance = identified
    if allowance.remaining < 0:
        response = make_problem(429, "This token has asked too much in this minute.")
        response.headers["Retry-After"] = str(allowance.reset)
        _add_allowance(response, allowance)
        raise RefusedEarly(response)
    return allowance


def _add_allowance(response: Response, allowance: RequestAllowance) -> None:
    """Add the rate limit headers (draft-ietf-httpapi-ratelimit-headers-10)."""
    remaining = max(0, allowance.remaining)
    policy = f'"token";q={allowance.limit};w={api_tokens.MINUTE}'
    response.headers["RateLimit-Policy"] = policy
    response.headers["RateLimit"] = f'"token";r={remaining};t={allowance.reset}'


def _run_once(run: Callable[[], Response]) -> Response:
    """Run an operation, or repeat the stored response of its Idempotency-Key."""
    key = request.headers.get("Idempotency-Key", "")
    if request.method != "POST" or not key:
        return run()
    if len(key) > KEY_AT_MOST or not key.isascii() or not key.isprintable():
        raise RefusedEarly(make_problem(400, "The Idempotency-Key is too long, or no plain text."))
    token_id = current_caller().token_id
    path = request.full_path
    request_hash = idempotency.hash_request(_read_token(), "POST", path, request.get_data())
    try:
        claimed = idempotency.begin(environment(), token_id, key, request_hash)
    except idempotency.StillRunning:
        raise _refuse_again(
            409, "The first request with this Idempotency-Key is still running."
        ) from None
    except idempotency.OtherRequest:
        raise _refuse_again(422, "This Idempotency-Key belongs to another request.") from None
    except idempotency.AnswerForgotten:
        raise _refuse_again(
            409,
            "A request with this Idempotency-Key has run, and will not run again. Its answer was "
            "not kept, because somebody was deleted meanwhile.",
        ) from None
    if isinstance(claimed, idempotency.StoredAnswer):
        response = Response(claimed.body, claimed.status, claimed.headers)
        response.headers["Idempotency-Replayed"] = "true"
        return response
    return _run_and_keep(run, claimed)


def _refuse_again(status: int, text: str) -> RefusedEarly:
    return RefusedEarly(make_problem(status, text))


def _run_and_keep(run: Callable[[], Response], claim: idempotency.Claim) -> Response:
    try:
        response = run()
    except BaseException:
        idempotency.abandon(claim)
        raise
    if response.status_code >= 500:
        idempotency.abandon(claim)
        return response
    headers = {name: response.headers[name] for name in REPEATED if name in response.headers}
    answer = idempotency.StoredAnswer(
        response.status_code, headers, response.get_data(as_text=True)
    )
    idempotency.finish(claim, answer)
    return response


def _run(
    function: Callable[..., Any], arguments: dict[str, Any], model: type[BaseModel] | None
) -> Response:
    """Run an operation, and turn its errors into responses."""
    try:
        response = function(**arguments)
    except RefusedEarly as answered:
        return answered.response
    except HTTPException as error:
        return make_problem(error.code or 400)
    except InvalidInput as error:
        fields = {_find_place(name, model): text for name, text in error.fields.items()}
        return explain_error(InvalidInput(fields) if model else error)
    except NewsletterError as error:
        return explain_error(error)
    assert isinstance(response, Response)
    return response


def _find_place(name: str, model: type[BaseModel] | None) -> str:
    """Return the JSON pointer of the body's field that a service calls `name`.

    A name that the body does not know is one of its `fields`, or a line of its `markdown`.
    """
    known = {field.alias or key for key, field in model.model_fields.items()} if model else set()
    for candidate in (name, *SYNONYMS.get(name, ())):
        if candidate in known:
            return candidate
    if "fields" in known:
        return f"fields/{name}"
    return "markdown" if "markdown" in known else name


def _require_json() -> None:
    """Refuse a body that is not a JSON object, which SpecTree would treat as an empty one."""
    if request.mimetype != "application/json":
        raise RefusedEarly(make_problem(415, "Send JSON: Content-Type: application/json."))
    try:
        body = json.loads(request.get_data())
    except (ValueError, RecursionError):
        raise RefusedEarly(make_problem(400, "The body is no JSON.")) from None
    if not isinstance(body, dict):
        raise RefusedEarly(make_problem(400, "The body is no JSON object."))
