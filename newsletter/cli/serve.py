"""`serve` and `worker`: the processes that stay."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import click

from newsletter import logs, settings
from newsletter.errors import NewsletterError

if TYPE_CHECKING:
    from flask import Flask


def _application(ctx: click.Context, *, with_pages: bool) -> Flask:
    from newsletter.app import create_app
    from newsletter.cli.output import warn
    from newsletter.services import installation
    from newsletter.services.operations.database import require_current
    from newsletter.services.runtime import environment

    config: Path | None = ctx.find_root().obj
    loaded = settings.load_settings(config, os.environ)
    app = create_app(loaded, with_pages=with_pages)
    with app.app_context():
        require_current()
        if installation.record_key(environment()) == "foreign":
            warn(f"{installation.FOREIGN_KEY} ({installation.FOREIGN_KEY_HINT})")
        if hold := installation.find_hold():
            warn(f"nothing is mailed: {hold.because}; `{installation.RELEASE}` lets mail leave")
    return app


def _close_database(app: Flask) -> None:
    """Close every connection: the last one empties the write-ahead log of SQLite."""
    from newsletter.services.operations import database

    with app.app_context():
        database.close()


def _until_told() -> threading.Event:
    """An event that SIGTERM and SIGINT set."""
    told = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: told.set())
    return told


@click.command(epilog="Example: newsletter serve --port 8025")
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option("--port", default=8025, show_default=True, help="The port to listen on.")
@click.pass_context
def serve(ctx: click.Context, host: str, port: int) -> None:
    """Pages and worker together: all that a small author runs.

    Ends on SIGTERM or Ctrl-C, once the message in flight has its outcome.
    """
    from newsletter.web.http_server import create_server
    from newsletter.worker import WorkerProcess

    app = _application(ctx, with_pages=True)
    logs.to_stderr()
    told = _until_told()
    try:
        server = create_server(app, host=host, port=port)
    except OSError as error:
        raise NewsletterError(
            f"cannot listen on {host}:{port}: {error.strerror}", hint="choose another with --port"
        ) from None
    worker = WorkerProcess(app)
    threading.Thread(target=server.run, daemon=True).start()
    worker.start()
    click.echo(
        f"Serving http://{host}:{server.effective_port}/ and sending. Ctrl-C ends.", err=True
    )
    told.wait()
    server.close()
    worker.stop()
    _close_database(app)


@click.command(epilog="Example (cron): */5 * * * *  newsletter worker --once")
@click.option("--once", is_flag=True, help="Do all that is due, and end.")
@click.pass_context
def worker(ctx: click.Context, once: bool) -> int:  # noqa: FBT001 (click's own way)
    """Poll feeds, compose digests, send mail; no pages.

    Any number of workers may run on one database.
    """
    from newsletter.worker import WorkerProcess

    app = _application(ctx, with_pages=False)
    logs.to_stderr()
    told = _until_told()
    hand = WorkerProcess(app)
    if once:
        hand.stopping = told
        sent = hand.once()
        _close_database(app)
        click.echo(f"sent {sent.sent}, failed {sent.failed}, to be tried again {sent.deferred}")
        if sent.problem:
            raise NewsletterError(sent.problem)
        return 0
    hand.start()
    click.echo("Working. Ctrl-C ends.", err=True)
    told.wait()
    hand.stop()
    _close_database(app)
    return 0
