"""Run a command inside the application: load settings, check the database, push the context."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from newsletter import settings_loader
from newsletter.cli.start_up import freeze_start_up, without_collection
from newsletter.errors import SettingsError
from newsletter.services import runtime

if TYPE_CHECKING:
    from flask import Flask

R = TypeVar("R")


def may_fetch_private(ctx: click.Context) -> bool:
    """Tell whether feeds may be fetched from private addresses.

    For a command that also works without a settings file.
    """
    try:
        return settings_loader.load_settings(
            ctx.find_root().obj, os.environ
        ).feeds.allow_private_addresses
    except SettingsError:
        return os.environ.get("NEWSLETTER_FEEDS__ALLOW_PRIVATE_ADDRESSES", "").lower() in (
            "1",
            "true",
            "yes",
            "on",
        )


def open_application(ctx: click.Context, *, with_pages: bool) -> Flask:
    """Create the application of a long-running process, and warn if mail is held."""
    from newsletter.app import create_app
    from newsletter.cli.output import warn
    from newsletter.services import installation
    from newsletter.services.operations.database import require_current

    config: Path | None = ctx.find_root().obj
    app = create_app(settings_loader.load_settings(config, os.environ), with_pages=with_pages)
    freeze_start_up()
    with app.app_context():
        require_current()
        if installation.record_key(runtime.environment()) is installation.KeyState.FOREIGN:
            warn(f"{installation.FOREIGN_KEY} ({installation.FOREIGN_KEY_HINT})")
        if hold := installation.find_hold():
            warn(f"nothing is mailed: {hold.because}; `{installation.RELEASE}` lets mail leave")
    return app


def with_environment(command: Callable[..., R]) -> Callable[..., R]:
    """Decorate a command to run with the environment, on a database that is up to date.

    Raises `SettingsError`, `DatabaseError`.
    """
    return _with_app(command, with_pages=False)


def with_pages(command: Callable[..., R]) -> Callable[..., R]:
    """Decorate a command like `with_environment`, and load the web pages for rendering.

    Pages take a third of a second more to import.
    """
    return _with_app(command, with_pages=True)


def _with_app(command: Callable[..., R], *, with_pages: bool) -> Callable[..., R]:
    @wraps(command)
    @click.pass_context
    def run(ctx: click.Context, /, *args: Any, **kwargs: Any) -> R:
        with without_collection():
            from newsletter.app import create_app
            from newsletter.db.write_lock import COMMAND_TIMEOUT_MS
            from newsletter.services.operations import database

            config: Path | None = ctx.find_root().obj
            loaded = settings_loader.load_settings(config, os.environ)
            app = create_app(loaded, with_pages=with_pages, busy_timeout_ms=COMMAND_TIMEOUT_MS)
            freeze_start_up()
        with app.app_context():
            try:
                database.require_current()
                env = runtime.environment()
                return command(env, *args, **kwargs)
            finally:
                database.close()

    return run
