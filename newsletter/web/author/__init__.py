"""The author's pages under /author/, the only ones with sessions; one Blueprint a module."""

from __future__ import annotations

from flask import Flask

from newsletter.web.author import (
    access,
    audit,
    campaigns,
    corrections,
    digests,
    feeds,
    files,
    formatting,
    forms,
    health,
    imports,
    letter_pictures,
    letter_preview,
    letter_send,
    letters,
    log_in,
    newcomers,
    passkeys,
    settings,
    sources,
    statistics,
    subscribers,
    today,
)
from newsletter.web.author.browser import AuthorSessions

PAGES = (
    today,
    digests,
    campaigns,
    corrections,
    newcomers,
    letters,
    letter_pictures,
    letter_preview,
    letter_send,
    subscribers,
    imports,
    sources,
    feeds,
    statistics,
    settings,
    forms,
    files,
    health,
    log_in,
    passkeys,
    audit,
)


def install(app: Flask) -> None:
    """Register the author's pages, their sessions and access checks."""
    app.session_interface = AuthorSessions()
    access.install(app)
    formatting.install(app)
    app.register_blueprint(access.blueprint)
    for module in PAGES:
        app.register_blueprint(module.blueprint)
