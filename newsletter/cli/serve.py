"""`newsletter serve` and `newsletter worker`: run the processes that keep running."""

from __future__ import annotations

import logging
import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import click

from newsletter import logs, settings, supervisor
from newsletter.cli.context import open_application
from newsletter.cli.start_up import share_heaps
from newsletter.cli.stop_signals import make_stop_event, wait_for_stop
from newsletter.cli.worker_lock import hold_lock
from newsletter.errors import NewsletterError
from newsletter.setup_vocabulary import LogFormat

if TYPE_CHECKING:
    from flask import Flask

PORT = click.IntRange(0, 65535)
"""Ports that can be listened on; larger numbers would silently wrap around."""


def _log(app: Flask, *, least: int = logging.DEBUG) -> None:
    """Set up logging by the settings, at level `least` or above."""
    log = app.extensions["newsletter"].settings.log
    level = max(logging.getLevelNamesMapping()[log.level.upper()], least)
    logs.log_to_stderr(level=level, as_json=log.format is LogFormat.JSON)


def _close_database(app: Flask) -> None:
    """Close every connection to the database; the last one empties SQLite's write-ahead log."""
    from newsletter.services.operations import database

    with app.app_context():
        database.close()


@click.command(epilog="Example: newsletter serve --port 8025")
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option("--port", type=PORT, default=8025, show_default=True, help="The port to listen on.")
@click.pass_context
def serve(ctx: click.Context, host: str, port: int) -> None:
    """Run pages and worker together: all that a small installation needs.

    Ends on SIGTERM or Ctrl-C, after the messages in flight have their outcome.
    """
    from newsletter.web.http_server import create_server
    from newsletter.worker import WorkerProcess

    share_heaps()
    app = open_application(ctx, with_pages=True)
    _log(app)
    stop = make_stop_event()
    try:
        server = create_server(app, host=host, port=port)
    except OSError as error:
        raise NewsletterError(
            f"cannot listen on {host}:{port}: {error.strerror}", hint="choose another with --port"
        ) from None
    process = WorkerProcess(app)
    threading.Thread(target=server.run, daemon=True).start()
    process.start()
    click.echo(
        f"Serving http://{host}:{server.effective_port}/ and sending. Ctrl-C ends.", err=True
    )
    supervisor.tell(supervisor.READY)
    wait_for_stop(stop)
    supervisor.tell(supervisor.ENDING)
    server.close()
    process.stop()
    _close_database(app)


@click.command(epilog="Example (cron): */5 * * * *  newsletter worker --once")
@click.option("--once", is_flag=True, help="Do all that is due, and end.")
@click.pass_context
def worker(ctx: click.Context, *, once: bool) -> None:
    """Poll feeds, compose digests and send mail; no pages.

    Any number of workers may run on one database. With --once, one runs at a time on a machine: a
    second one ends at once. It prints a line only if something was sent or failed.
    """
    from newsletter.worker import WorkerProcess

    app = open_application(ctx, with_pages=False)
    stop = make_stop_event()
    if once:
        file = ctx.find_root().obj or os.environ.get("NEWSLETTER_CONFIG") or settings.DEFAULT_FILE
        _work_once(app, stop, Path(file))
        return
    _log(app)
    process = WorkerProcess(app)
    process.start()
    click.echo("Working. Ctrl-C ends.", err=True)
    supervisor.tell(supervisor.READY)
    wait_for_stop(stop)
    supervisor.tell(supervisor.ENDING)
    process.stop()
    _close_database(app)


def _work_once(app: Flask, stop: threading.Event, settings_file: Path) -> None:
    from newsletter.worker import WorkerProcess

    _log(app, least=logging.WARNING)
    with hold_lock(settings_file.parent, f"{settings_file.name}.worker") as is_free:
        if not is_free:
            return
        process = WorkerProcess(app)
        process.stopping = stop
        sent = process.once()
        _close_database(app)
    if sent.sent or sent.failed or sent.deferred:
        click.echo(
            f"sent {sent.sent:,}, failed {sent.failed:,}, to be tried again {sent.deferred:,}"
        )
    if sent.problem:
        raise NewsletterError(sent.problem)
