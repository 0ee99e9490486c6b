"""Create the application: wire settings, database, clients and pages together.

What only some commands need (pages, mail templates, SMTP, HTTP) is imported when it is first used:
a command that only reads the database starts without it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from flask import Flask
from jinja2 import FileSystemLoader

from newsletter import __version__
from newsletter.captcha import Puzzles
from newsletter.db.session import db, make_engine_options
from newsletter.db.write_lock import BUSY_TIMEOUT_MS
from newsletter.dns.mx import DomainChecker, JudgeDomains, accept_all
from newsletter.dns.resolver import DnsResolver, Resolver
from newsletter.services.runtime import EXTENSION, Clock, Environment, utcnow
from newsletter.settings import Settings
from newsletter.settings_loader import KeyReader, load_settings
from newsletter.tokens import Tokens
from newsletter.urls import Links

if TYPE_CHECKING:
    from newsletter.feeds.fetch import Fetch, Fetched, Fetcher
    from newsletter.feeds.post import Posted, Poster, PostMessage
    from newsletter.mail.render import Renderer
    from newsletter.mail.smtp.transport import SmtpTransport
    from newsletter.mail.smtp.types import Transport

PACKAGE = Path(__file__).parent


class _Application(Flask):
    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """Return a function unchanged, since no view is asynchronous."""
        return func


def find_template_folder() -> Path:
    """Find `templates/`: in the package if installed from a wheel, else beside it."""
    inside = PACKAGE / "templates"
    return inside if inside.is_dir() else PACKAGE.parent / "templates"


def create_app(
    settings: Settings | None = None,
    *,
    transport: Callable[[], Transport] | None = None,
    fetch: Fetch | None = None,
    post: PostMessage | None = None,
    clock: Clock = utcnow,
    resolver: Resolver | None = None,
    with_pages: bool = True,
    busy_timeout_ms: int = BUSY_TIMEOUT_MS,
) -> Flask:
    """Create the Flask application, without touching the database or the network.

    `busy_timeout_ms` is how long it waits for a locked SQLite. `with_pages=False` leaves out
    everything that answers HTTP requests, for commands and workers.
    Raises `SettingsError`.
    """
    settings = settings or load_settings(environ=os.environ)
    app = _Application("newsletter", static_folder=str(PACKAGE / "web" / "static"))
    app.config.update(
        SECRET_KEY=settings.signing_keys[0],
        SECRET_KEY_FALLBACKS=list(reversed(settings.signing_keys[1:])),
        SQLALCHEMY_DATABASE_URI=settings.database_url,
        SQLALCHEMY_ENGINE_OPTIONS=make_engine_options(settings.database_url, busy_timeout_ms),
        MAX_CONTENT_LENGTH=64 * 1024,
        MAX_FORM_MEMORY_SIZE=64 * 1024,
        MAX_FORM_PARTS=100,
    )
    tokens = Tokens(settings.signing_keys, KeyReader(settings, os.environ))
    app.extensions[EXTENSION] = Environment(
        settings=settings,
        tokens=tokens,
        puzzles=Puzzles(tokens.read_keys),
        links=Links(settings.base_url, tokens),
        make_renderer=cache(lambda: _make_renderer(settings)),
        fetch=fetch or _make_fetch(settings),
        post=post or _make_post(settings, for_strangers=False),
        ask_hub=post or _make_post(settings, for_strangers=True),
        transport=transport or (lambda: _make_transport(settings)),
        domains=_make_domain_checker(settings, resolver),
        clock=clock,
        resolver=resolver or DnsResolver(),
        read_certificate=_read_certificate if fetch is None else (lambda url: None),
    )
    db.init_app(app)
    if with_pages:
        _add_pages(app, settings)
        _add_interface(app)
    return app


def _add_pages(app: Flask, settings: Settings) -> None:
    from newsletter.web import author, locale, page_cache, redis_limits, request_body

    _add_templates(app, settings)
    locale.install(app)
    page_cache.install(app)
    redis_limits.install(app, settings)
    app.request_class = request_body.FormRequest
    for module in _import_page_modules():
        app.register_blueprint(module.blueprint)
    author.install(app)
    if settings.web.trusted_proxies:
        _trust_proxies(app, settings.web.trusted_proxies)


def _add_templates(app: Flask, settings: Settings) -> None:
    """Register template folders, the author's own before the program's."""
    from newsletter.web import template_sets

    folders = [settings.folder / "templates", find_template_folder()]
    app.jinja_loader = FileSystemLoader([folder / "pages" for folder in folders])
    template_sets.install(app)


def _import_page_modules() -> tuple[ModuleType, ...]:
    """Import the modules of pages, each with its `blueprint`, in the order of their hooks.

    What runs after a request runs in reverse order, so that the first one here comes last.
    """
    from newsletter.web import (
        archive,
        errors,
        health,
        home,
        hooks,
        metrics,
        ping,
        proxies,
        request_body,
        request_ids,
        resources,
        responses,
        reviews,
        shared_cache,
        signup,
        theme,
        websub,
    )

    return (
        shared_cache,
        request_ids,
        request_body,
        proxies,
        responses,
        errors,
        home,
        health,
        metrics,
        signup,
        *_import_linked_pages(),
        theme,
        archive,
        resources,
        reviews,
        hooks,
        ping,
        websub,
    )


def _import_linked_pages() -> tuple[ModuleType, ...]:
    """Import the modules of pages that a subscriber's links open."""
    from newsletter.web import answers, stay, subscriber_links, why

    return (subscriber_links, stay, answers, why)


def _add_interface(app: Flask) -> None:
    """Register the REST API."""
    from newsletter.web.api.blueprints import BLUEPRINTS

    for blueprint in BLUEPRINTS:
        app.register_blueprint(blueprint)


def _trust_proxies(app: Flask, hops: int) -> None:
    """Read the visitor's address and the scheme from the headers of `hops` proxies."""
    from werkzeug.middleware.proxy_fix import ProxyFix

    proxied = ProxyFix(app.wsgi_app, x_for=hops, x_proto=hops, x_host=0)
    app.wsgi_app = proxied  # type: ignore[method-assign]


def _make_renderer(settings: Settings) -> Renderer:
    from newsletter.mail.render import Renderer

    folders = (settings.folder / "templates", find_template_folder())
    return Renderer([folder / "emails" for folder in folders])


def _make_domain_checker(settings: Settings, resolver: Resolver | None) -> JudgeDomains:
    if not settings.signup.check_domains:
        return accept_all
    return DomainChecker((lambda: resolver) if resolver else DnsResolver)


def _make_fetch(settings: Settings) -> Fetch:
    """Return a fetch function that creates its client at first use."""

    @cache
    def make_fetcher() -> Fetcher:
        from newsletter.feeds.fetch import Fetcher

        return Fetcher(
            user_agent=f"newsletter/{__version__} (+{settings.base_url})",
            allow_private=settings.feeds.allow_private_addresses,
        )

    def fetch(url: str, *, etag: str | None = None, last_modified: str | None = None) -> Fetched:
        return make_fetcher()(url, etag=etag, last_modified=last_modified)

    return fetch


def _read_certificate(url: str) -> datetime | None:
    from newsletter.feeds.certificate import read_certificate_end

    return read_certificate_end(url)


def _make_post(settings: Settings, *, for_strangers: bool) -> PostMessage:
    """Return a post function that creates its client at first use.

    Webhooks are the author's, hubs are named by strangers' feeds: each has the private networks of
    its own setting.
    """
    chosen_by = settings.feeds if for_strangers else settings.webhooks

    @cache
    def make_poster() -> Poster:
        from newsletter.feeds.post import Poster

        return Poster(
            user_agent=f"newsletter/{__version__} (+{settings.base_url})",
            allow_private=chosen_by.allow_private_addresses,
            for_strangers=for_strangers,
        )

    def post(url: str, body: bytes, headers: Mapping[str, str]) -> Posted:
        return make_poster()(url, body, headers)

    return post


def _make_transport(settings: Settings) -> SmtpTransport:
    from newsletter.mail.smtp.transport import SmtpTransport, parse_server

    password = settings.smtp.password.get_secret_value() if settings.smtp.password else ""
    return SmtpTransport(
        [
            parse_server(url.get_secret_value(), user=settings.smtp.user, password=password)
            for url in settings.smtp.url
        ],
        connections=settings.smtp.connections,
        timeout=settings.smtp.timeout.total_seconds(),
        hello=urlsplit(settings.base_url).hostname or "localhost",
        ca_file=str(settings.smtp.ca_file) if settings.smtp.ca_file else None,
    )
