"""Protect the author's pages: roles, CSRF checks, headers and the audit log.

`page` is the only way to add a page under /author/ that needs a log-in. It states the role, and
everything else is enforced here, once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any
from urllib.parse import urlsplit

from flask import (
    Blueprint,
    Flask,
    Response,
    current_app,
    g,
    request,
    session,
    url_for,
)
from flask_babel import gettext
from flask_wtf.csrf import CSRFError, CSRFProtect

from newsletter.access_vocabulary import ActOutcome, AuthorRole
from newsletter.errors import (
    DatabaseError,
    InvalidInput,
    NewsletterError,
    NotFound,
    TooMany,
)
from newsletter.services.authors import acts
from newsletter.services.authors.authors import AuthorView
from newsletter.services.authors.scope import Scope, require_possible, require_visible
from newsletter.services.runtime import environment
from newsletter.web import errors
from newsletter.web.author.browser import PREFIX, BrowserSession, may_log_in
from newsletter.web.locale import join_problems
from newsletter.web.request_body import allow_body
from newsletter.web.responses import mark_private, redirect_after_form, render_page
from newsletter.web.uploads import UPLOAD_AT_MOST, make_ticket

blueprint = Blueprint("author_access", __name__)
forms = CSRFProtect()

POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; "
    "img-src 'self' https: http:; frame-src 'self'; form-action 'self'; "
    "frame-ancestors 'none'; base-uri 'none'"
)
View = Callable[..., Any]


@dataclass(frozen=True, slots=True)
class Access:
    """The access rule of a page.

    `everywhere`: only an author of every list. `recent`: the log-in must be younger than an hour.
    `scope`: the kind of thing that the page is about, and the argument that names it. `upload`: the
    form carries a file, which is read only when it is known that its author may send it.
    `repeated`: the act is done again and again, and recorded once.
    """

    role: AuthorRole
    everywhere: bool = False
    recent: bool = False
    scope: Scope | None = None
    upload: bool = False
    repeated: bool = False


def install(app: Flask) -> None:
    """Register CSRF protection for forms under /author/."""
    app.config.update(
        WTF_CSRF_CHECK_DEFAULT=False, WTF_CSRF_TIME_LIMIT=None, WTF_CSRF_SSL_STRICT=False
    )
    forms.init_app(app)


def make_blueprint(name: str, module: str) -> Blueprint:
    """Create the Blueprint of a module of author's pages, with their error pages."""
    blueprint = Blueprint(f"author_{name}", module, url_prefix=PREFIX.rstrip("/"))
    blueprint.register_error_handler(CSRFError, _answer_stale_form)
    blueprint.register_error_handler(NotFound, _answer_not_found)
    blueprint.register_error_handler(InvalidInput, _answer_invalid)
    blueprint.register_error_handler(NewsletterError, _answer_refused)
    blueprint.register_error_handler(TooMany, errors.too_many)
    blueprint.register_error_handler(DatabaseError, errors.unavailable)
    return blueprint


def page(
    blueprint: Blueprint,
    rule: str,
    role: AuthorRole,
    *,
    methods: tuple[str, ...] = ("GET",),
    everywhere: bool = False,
    recent: bool = False,
    scope: Scope | None = None,
    upload: bool = False,
    repeated: bool = False,
) -> Callable[[View], View]:
    """Register a page that requires the role `role`, by the rule of `Access`."""
    access = Access(role, everywhere, recent, scope, upload, repeated)

    def decorate(view: View) -> View:
        if upload:
            allow_body(f"{blueprint.name}.{view.__name__}", UPLOAD_AT_MOST)

        @wraps(view)
        def answer_request(**arguments: Any) -> Any:
            opened = current_browser().opened
            if opened is None or not opened.author.may(access.role, everywhere=access.everywhere):
                return _refuse(access)
            require_possible(arguments.values())
            author = opened.author
            subject = " ".join(
                f"{name.removesuffix('_id')} {value}" for name, value in arguments.items()
            )
            if access.scope is not None:
                require_visible(author, access.scope, arguments[access.scope])
                subject = f"{access.scope.name.lower()} {arguments[access.scope]}"
            if access.recent and not opened.recent:
                return _ask_to_log_in("author_log_in.again_page")
            g.author = author
            if request.method != "POST":
                return view(**arguments)
            return _record(view, arguments, author, subject, repeated=access.repeated)

        answer_request.access = access  # type: ignore[attr-defined] # a test walks every page
        blueprint.add_url_rule(rule, view_func=answer_request, methods=list(methods))
        return answer_request

    return decorate


def current_browser() -> BrowserSession:
    """Return the browser of this request."""
    browser = session._get_current_object()  # type: ignore[attr-defined]
    assert isinstance(browser, BrowserSession)
    return browser


def current_author() -> AuthorView:
    """Return the author who is logged in; inside a protected page only."""
    author: AuthorView = g.author
    return author


def make_upload_ticket() -> str:
    """Create the upload ticket of a form with a file, for this session."""
    opened = current_browser().opened
    assert opened is not None
    return make_ticket(environment(), opened.id)


def choose_path(path: str | None) -> str:
    """Return `path` if it is one of the author's pages, else the path of the first page."""
    text = path or ""
    inside = text.startswith(PREFIX)  # so it names neither a scheme nor a host
    return text if inside and text.isprintable() and "\\" not in text else PREFIX


def _read_referer() -> str:
    """Return the path of the page from which a form was sent, "" if it is unknown."""
    try:
        return urlsplit(request.headers.get("Referer", "")).path
    except ValueError:
        return ""


def report_done(path: str) -> Response:
    """Redirect to a page after an act, with a message that it was done."""
    mark = "&" if "?" in path else "?"
    return redirect_after_form(f"{path}{mark}done=1")


@blueprint.before_app_request
def identify_browser() -> Response | None:
    """Identify the browser's session, and refuse forms from other sites."""
    if not request.path.startswith(PREFIX):
        return None
    env = environment()
    if not may_log_in(env):
        return _render_message(
            403,
            gettext("No log-in over plain http"),
            gettext(
                "Anybody on the way could read along. Set base_url to an address with https, "
                "or open these pages on the machine itself."
            ),
        )
    current_browser().identify(env, is_form=request.method == "POST")
    if request.method == "POST":
        access = getattr(current_app.view_functions.get(request.endpoint or ""), "access", None)
        if access is not None and access.upload and (refusal := _refuse(access)):
            return refusal
        forms.protect()
    return None


@blueprint.after_app_request
def keep_private(response: Response) -> Response:
    """Add headers that keep the author's pages out of caches, frames and search engines."""
    if request.path.startswith(PREFIX):
        mark_private(response)
        response.headers.setdefault("Content-Security-Policy", POLICY)
        response.headers["Cross-Origin-Opener-Policy"] = "same-origin"
        response.headers["Cross-Origin-Resource-Policy"] = "same-origin"
        response.vary.update(("Cookie", "Accept-Language"))
    return response


@blueprint.app_context_processor
def describe_author_to_templates() -> dict[str, object]:
    """Pass the author who is logged in to templates."""
    browser = session._get_current_object() if request else None  # type: ignore[attr-defined]
    opened = browser.opened if isinstance(browser, BrowserSession) else None
    return {"author": opened.author if opened else None, "roles": AuthorRole}


@blueprint.app_errorhandler(CSRFError)
def _answer_stale_form(error: CSRFError) -> Response:
    return _render_message(
        400,
        gettext("This form is too old"),
        gettext("Nothing was changed. Go back, reload the page and try again."),
    )


def _record(
    view: View, arguments: dict[str, Any], author: AuthorView, subject: str, *, repeated: bool
) -> Any:
    """Run an act of an author and record it in the audit log, `repeated` acts only once."""
    name = str(request.endpoint).removeprefix("author_")
    subject = subject[: acts.SUBJECT_AT_MOST]
    if repeated and acts.find_running_act(environment(), author.id, name, subject):
        return view(**arguments)
    act = acts.begin_act(environment(), author.id, name, subject)
    try:
        response = view(**arguments)
    except NewsletterError:
        acts.end_act(act, ActOutcome.REFUSED)
        raise
    refused = isinstance(response, Response) and response.status_code >= 400
    acts.end_act(act, ActOutcome.REFUSED if refused else ActOutcome.DONE)
    return response


def _ask_to_log_in(endpoint: str) -> Response:
    """Redirect to the log-in, and afterwards back to this page or that of the submitted form."""
    path = request.full_path.rstrip("?") if request.method == "GET" else _read_referer()
    return redirect_after_form(url_for(endpoint, next=choose_path(path)))


def _refuse(access: Access) -> Response | None:
    """Return the response for an author without access, None for one with access."""
    opened = current_browser().opened
    if opened is None:
        return _ask_to_log_in("author_log_in.ask_page")
    if not opened.author.may(access.role, everywhere=access.everywhere):
        return _answer_forbidden()
    return None


def _answer_forbidden() -> Response:
    return _render_message(
        403,
        gettext("Not for your role"),
        gettext("Ask an owner of the list to do this, or to change your role."),
    )


def _answer_not_found(error: NotFound) -> Response:
    text = gettext("There is no such page. Perhaps it has moved, or the address is mistyped.")
    return _render_message(404, gettext("Nothing here"), text)


def _answer_invalid(error: InvalidInput) -> Response:
    title = gettext("Please check what you typed")
    return _render_message(422, title, join_problems(error.fields))


def _answer_refused(error: NewsletterError) -> Response:
    """Return an error page with a service's refusal."""
    return _render_message(409, gettext("That did not work"), "", detail=str(error))


def _render_message(status: int, title: str, text: str, *, detail: str = "") -> Response:
    answer = render_page("author/message.html", status, title=title, text=text, detail=detail)
    return mark_private(answer)
