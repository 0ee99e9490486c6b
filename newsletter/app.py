"""`create_app`: the one place where settings, database, edges and pages are wired together."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

from flask import Flask, Request, Response
from flask.sessions import SessionInterface, SessionMixin
from jinja2 import FileSystemLoader
from werkzeug.middleware.proxy_fix import ProxyFix

from newsletter import __version__
from newsletter.captcha import Puzzles
from newsletter.db.session import db, engine_options
from newsletter.dns.mx import DomainChecker, JudgeDomains, accept_all
from newsletter.dns.resolver import DnsResolver, Resolver
from newsletter.feeds.fetch import Fetch, Fetcher
from newsletter.mail.render import Renderer
from newsletter.mail.smtp.transport import SmtpTransport, parse_server
from newsletter.mail.smtp.types import Transport
from newsletter.services.runtime import EXTENSION, Clock, Environment, utcnow
from newsletter.settings import Settings, load_settings
from newsletter.tokens import Tokens
from newsletter.urls import Links

PACKAGE = Path(__file__).parent


def find_template_folder() -> Path:
    """`templates/`: inside the package when installed from a wheel, beside it in a checkout."""
    inside = PACKAGE / "templates"
    return inside if inside.is_dir() else PACKAGE.parent / "templates"


def create_app(
    settings: Settings | None = None,
    *,
    transport: Callable[[], Transport] | None = None,
    fetch: Fetch | None = None,
    clock: Clock = utcnow,
    resolver: Resolver | None = None,
) -> Flask:
    """The Flask application.

    Touches neither the database nor the network.

    Raises `SettingsError`.
    """
    settings = settings or load_settings(environ=os.environ)
    templates = find_template_folder()
    app = Flask("newsletter", static_folder=str(PACKAGE / "web" / "static"))
    app.session_interface = NoSessions()
    app.jinja_loader = FileSystemLoader(
        [settings.folder / "templates" / "pages", templates / "pages"]
    )
    app.config.update(
        SECRET_KEY=settings.signing_keys[0],
        SECRET_KEY_FALLBACKS=list(reversed(settings.signing_keys[1:])),
        SQLALCHEMY_DATABASE_URI=settings.database_url,
        SQLALCHEMY_ENGINE_OPTIONS=engine_options(settings.database_url),
        MAX_CONTENT_LENGTH=64 * 1024,
        MAX_FORM_MEMORY_SIZE=64 * 1024,
        MAX_FORM_PARTS=100,
    )
    tokens = Tokens(settings.signing_keys)
    app.extensions[EXTENSION] = Environment(
        settings=settings,
        tokens=tokens,
        puzzles=Puzzles(settings.signing_keys),
        links=Links(settings.base_url, tokens),
        renderer=Renderer([settings.folder / "templates" / "emails", templates / "emails"]),
        fetch=fetch or _fetcher(settings),
        transport=transport or (lambda: _smtp(settings)),
        domains=_receiving(settings, resolver),
        clock=clock,
        resolver=resolver or DnsResolver(),
    )
    _wire(app, settings)
    return app


class NoSessions(SessionInterface):
    """No page keeps a session, so none sets a cookie, not even by mistake; and none is looked for."""

    def open_session(self, app: Flask, request: Request) -> None:
        """There is none."""

    def save_session(self, app: Flask, session: SessionMixin, response: Response) -> None:
        """There was none."""


def _wire(app: Flask, settings: Settings) -> None:
    from flask_migrate import Migrate  # Alembic costs start-up time that a page does not need

    from newsletter.web import (
        archive,
        errors,
        health,
        home,
        locale,
        page_cache,
        rate_limits,
        request_body,
        resources,
        responses,
        signup,
        stay,
        subscriber_links,
    )

    db.init_app(app)
    Migrate(app, db, directory=str(PACKAGE / "migrations"), render_as_batch=True)
    locale.install(app)
    page_cache.install(app)
    rate_limits.install(app, settings)
    app.request_class = request_body.FormRequest
    for module in (
        request_body,
        responses,
        errors,
        home,
        health,
        signup,
        subscriber_links,
        stay,
        archive,
        resources,
    ):
        app.register_blueprint(module.blueprint)
    if settings.web.trusted_proxies:
        hops = settings.web.trusted_proxies
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=hops, x_proto=hops, x_host=0)  # type: ignore[method-assign]


def _receiving(settings: Settings, resolver: Resolver | None) -> JudgeDomains:
    if not settings.signup.check_domains:
        return accept_all
    return DomainChecker((lambda: resolver) if resolver else DnsResolver)


def _fetcher(settings: Settings) -> Fetcher:
    return Fetcher(
        user_agent=f"newsletter/{__version__} (+{settings.base_url})",
        allow_private=settings.feeds.allow_private_addresses,
    )


def _smtp(settings: Settings) -> SmtpTransport:
    return SmtpTransport(
        [parse_server(url.get_secret_value()) for url in settings.smtp.url],
        connections=settings.smtp.connections,
        timeout=settings.smtp.timeout.total_seconds(),
        hello=urlsplit(settings.base_url).hostname or "localhost",
        ca_file=str(settings.smtp.ca_file) if settings.smtp.ca_file else None,
    )
