"""The author's passkeys: create one on this device, rename and remove them."""

from __future__ import annotations

import logging

from flask import Response, jsonify, request, url_for

from newsletter.access_vocabulary import AuthorRole
from newsletter.errors import InvalidInput
from newsletter.logs import name_event
from newsletter.services.authors import passkeys
from newsletter.services.authors.passkey_check import PasskeyRefused, find_relying_party
from newsletter.services.runtime import environment
from newsletter.web.author.access import (
    current_author,
    current_browser,
    make_blueprint,
    page,
    report_done,
)
from newsletter.web.locale import current_language, translate_texts
from newsletter.web.responses import render_page

log = logging.getLogger("newsletter.web")
blueprint = make_blueprint("passkeys", __name__)


@page(blueprint, "/passkeys", AuthorRole.VIEWER)
def index() -> Response:
    """Show the passkeys of the author who is logged in."""
    return _render()


@page(blueprint, "/passkeys/challenge", AuthorRole.VIEWER, recent=True)
def challenge() -> Response:
    """Return the WebAuthn options to create a passkey on this device."""
    author = current_author()
    browser = current_browser().name
    return jsonify(passkeys.make_new_options(environment(), author.id, browser=browser))


@page(blueprint, "/passkeys", AuthorRole.VIEWER, methods=("POST",), recent=True)
def add() -> Response:
    """Store a passkey that this device has created."""
    name = request.form.get("name", "")
    answer = request.form.get("answer", "")
    browser = current_browser().name
    try:
        passkeys.add_passkey(
            environment(),
            current_author().id,
            answer,
            name,
            browser=browser,
            language=current_language(),
        )
    except PasskeyRefused as error:
        log.warning("a passkey was not added: %s", error.why, extra=name_event("log-in"))
        return _render(422, typed=name, error=translate_texts({"": error.text})[""])
    except InvalidInput as error:
        return _render(422, typed=name, error=translate_texts(error.fields)["name"])
    return _show_done()


@page(blueprint, "/passkeys/<int:passkey_id>/name", AuthorRole.VIEWER, methods=("POST",))
def rename(passkey_id: int) -> Response:
    """Rename a passkey."""
    try:
        passkeys.rename_passkey(current_author().id, passkey_id, request.form.get("name", ""))
    except InvalidInput as error:
        return _render(422, error=translate_texts(error.fields)["name"])
    return _show_done()


@page(
    blueprint,
    "/passkeys/<int:passkey_id>/remove",
    AuthorRole.VIEWER,
    methods=("POST",),
    recent=True,
)
def remove(passkey_id: int) -> Response:
    """Remove a passkey."""
    passkeys.remove_passkey(
        environment(), current_author().id, passkey_id, language=current_language()
    )
    return _show_done()


def _show_done() -> Response:
    return report_done(url_for("author_passkeys.index"))


def _render(status: int = 200, *, typed: str = "", error: str = "") -> Response:
    opened = current_browser().opened
    return render_page(
        "author/passkeys.html",
        status,
        passkeys=passkeys.list_passkeys(current_author().id),
        possible=find_relying_party(environment().settings.base_url) is not None,
        recent=opened is not None and opened.recent,
        typed=typed,
        error=error,
    )
