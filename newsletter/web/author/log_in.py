"""Log authors in by a mailed link, its code or a passkey; log out."""

from __future__ import annotations

import logging

from flask import Response, jsonify, request, url_for
from flask_babel import gettext

from newsletter.access_vocabulary import AuthorRole
from newsletter.errors import InvalidInput, LinkError, TooMany
from newsletter.logs import name_event
from newsletter.services.authors import log_in, passkeys, sessions
from newsletter.services.authors.passkey_check import PasskeyRefused, find_relying_party
from newsletter.services.authors.sessions import NewSession
from newsletter.services.runtime import environment
from newsletter.services.tally import Throttled
from newsletter.web.author.access import (
    choose_path,
    current_author,
    current_browser,
    make_blueprint,
    page,
)
from newsletter.web.author.browser import BrowserSession
from newsletter.web.locale import current_language, translate_texts
from newsletter.web.responses import redirect_after_form, render_page

log = logging.getLogger("newsletter.web")
blueprint = make_blueprint("log_in", __name__)
_lines = Throttled(1.0)


@blueprint.get("/log-in")
def ask_page() -> Response:
    """Show the form that requests a log-in link."""
    return _render_ask()


@blueprint.post("/log-in")
def ask() -> Response:
    """Mail an author a log-in link; the response is the same for every address."""
    typed = request.form.get("email", "")
    try:
        _request_link(typed)
    except InvalidInput as error:
        return _render_ask(422, typed, translate_texts(error.fields).get("email", ""))
    return _go("author_log_in.code_page")


@blueprint.get("/code")
def code_page() -> Response:
    """Show that a mail is on its way, with a form for its code."""
    return render_page("author/code.html", error="", next=choose_path(request.args.get("next")))


@blueprint.post("/code")
def code() -> Response:
    """Log an author in with a code, in the browser that requested it."""
    browser = current_browser()
    entered = log_in.use_code(
        environment(),
        request.form.get("code", ""),
        browser=browser.name,
        session_id=_find_session(browser),
        language=current_language(),
    )
    if entered is None:
        _note("refused", "the code is not valid")
        error = gettext("This code is not right, or not valid any more. Ask for a new one.")
        next_path = choose_path(request.form.get("next"))
        return render_page("author/code.html", 422, error=error, next=next_path)
    return _enter(entered, choose_path(request.form.get("next")))


@blueprint.get("/enter/<path:token>")
def enter_page(token: str) -> Response:
    """Show a button to log in, so that a scanner that opens the link changes nothing."""
    try:
        login = log_in.inspect_link(environment(), token, browser=current_browser().name)
    except LinkError:
        return _render_dead_link()
    return _hide_referrer(render_page("author/enter.html", same_browser=login.same_browser))


@blueprint.post("/enter/<path:token>")
def enter(token: str) -> Response:
    """Log an author in with a link, in the browser that requested it."""
    browser = current_browser()
    try:
        entered = log_in.use_link(
            environment(),
            token,
            browser=browser.name,
            session_id=_find_session(browser),
            language=current_language(),
        )
    except LinkError as error:
        _note("refused", f"the link is not valid ({type(error).__name__})")
        return _render_dead_link()
    return _enter(entered, choose_path(entered.path))


@blueprint.get("/log-in/challenge")
def challenge() -> Response:
    """Return a passkey challenge, the same for every visitor."""
    return jsonify(passkeys.make_log_in_options(environment(), browser=current_browser().name))


@blueprint.post("/log-in/passkey")
def passkey() -> Response:
    """Log an author in with a passkey, in the browser that requested its challenge."""
    browser = current_browser()
    answer = request.form.get("answer", "")
    try:
        entered = passkeys.log_in(
            environment(),
            answer,
            browser=browser.name,
            session_id=_find_session(browser),
            language=current_language(),
        )
    except PasskeyRefused as error:
        _note("refused", f"a passkey does not count: {error.why}")
        return _render_ask(422, passkey_error=translate_texts({"": error.text})[""])
    return _enter(entered, choose_path(request.form.get("next")))


@page(blueprint, "/again", AuthorRole.VIEWER)
def again_page() -> Response:
    """Show that an act needs a fresh log-in."""
    return render_page(
        "author/again.html",
        next=choose_path(request.args.get("next")),
        passkeys=passkeys.has_passkeys(current_author().id),
    )


@page(blueprint, "/again", AuthorRole.VIEWER, methods=("POST",))
def again() -> Response:
    """Mail a log-in link to the author who is logged in."""
    _request_link(current_author().email)
    return _go("author_log_in.code_page")


@page(blueprint, "/account", AuthorRole.VIEWER)
def account() -> Response:
    """Show the author's account with the browsers in which they are logged in."""
    opened = current_browser().opened
    return render_page(
        "author/account.html",
        sessions=sessions.list_sessions(environment(), current_author().id),
        current=opened.id if opened else 0,
        passkeys=_can_use_passkeys(),
    )


@page(blueprint, "/log-out", AuthorRole.VIEWER, methods=("POST",))
def log_out() -> Response:
    """End this session, or all of the author's."""
    browser = current_browser()
    if request.form.get("everywhere") or browser.opened is None:
        sessions.end_sessions(current_author().id)
        browser.replace(sessions.make_cookie(), lasting=False)
    else:
        cookie = sessions.close_session(environment(), browser.opened.id)
        browser.replace(cookie, lasting=True)
    response = _go("author_log_in.ask_page")
    response.headers["Clear-Site-Data"] = '"cache"'
    return response


def _find_session(browser: BrowserSession) -> int | None:
    """Return the session that a log-in replaces: this browser's current or last one."""
    return browser.opened.id if browser.opened else sessions.find_ended_session(browser.cookie)


def _request_link(address: str) -> None:
    browser = current_browser()
    try:
        log_in.request_link(
            environment(),
            address,
            browser=browser.name,
            ip=request.remote_addr or "",
            language=current_language(),
            path=choose_path(request.form.get("next")),
            session_id=_find_session(browser),
        )
    except TooMany:
        _note("limited", "a ceiling is reached")
        raise


def _note(outcome: str, why: str) -> None:
    """Count a refused log-in, and log it at most once a second."""
    environment().tally.count("logins", outcome)
    if _lines.is_due():
        log.warning("a log-in was %s: %s", outcome, why, extra=name_event("log-in"))


def _enter(entered: NewSession, path: str) -> Response:
    environment().tally.count("logins", "accepted")
    log.info("author %s logged in", entered.author.id, extra=name_event("log-in"))
    current_browser().replace(entered.token, lasting=True)
    return redirect_after_form(path)


def _go(endpoint: str) -> Response:
    target = url_for(endpoint, next=choose_path(request.form.get("next")))
    return redirect_after_form(target)


def _can_use_passkeys() -> bool:
    return find_relying_party(environment().settings.base_url) is not None


def _render_ask(
    status: int = 200, typed: str = "", error: str = "", *, passkey_error: str = ""
) -> Response:
    return render_page(
        "author/log_in.html",
        status,
        typed=typed,
        error=error,
        passkey_error=passkey_error,
        passkeys=_can_use_passkeys(),
        next=choose_path(request.values.get("next")),
    )


def _render_dead_link() -> Response:
    return _hide_referrer(render_page("author/dead_link.html", 410))


def _hide_referrer(response: Response) -> Response:
    response.headers["Referrer-Policy"] = "no-referrer"
    return response
