"""`newsletter bounce`: read returned mail, and list and apply its results."""

from __future__ import annotations

import os
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import click

from newsletter.bounces import BounceResult, read_bounce
from newsletter.bounces.mime import BYTES_AT_MOST
from newsletter.cli.context import open_application, with_environment
from newsletter.cli.groups import CommandGroup
from newsletter.cli.output import (
    choose_limit,
    choose_zone,
    format_moment,
    json_option,
    limit_option,
    note_limit,
    print_json,
    print_table,
    say,
)
from newsletter.cli.stop_signals import make_stop_event
from newsletter.errors import NewsletterError

if TYPE_CHECKING:
    from newsletter.services.runtime import Environment

TEMPORARY_FAILURE = 75
"""Exit code EX_TEMPFAIL (sysexits.h): a mail system keeps the message and tries again later."""

CHUNK = 64 * 1024
"""Bytes that are read from a pipe at a time."""


@click.group(cls=CommandGroup)
def bounce() -> None:
    """Read returned mail."""


@bounce.command(epilog="Example: newsletter bounce read returned.eml --json")
@click.argument("file", type=click.File("rb"))
@json_option
def read(file: BinaryIO, *, json_: bool) -> None:
    """Show what a returned message says of whom.

    Nothing is changed.

    FILE is a message as it was received, `-` for standard input. The meaning is judged as if the
    report were proved to be about a message of yours. No result: a report that is not understood.
    """
    results = read_bounce(file.read(BYTES_AT_MOST))
    if json_:
        return print_json({"results": [result.as_json() for result in results]})
    return print_table(
        ("recipient", "class", "suppress", "status", "reason"),
        [_make_row(result) for result in results],
        empty="Not understood: this reports no failure that could be read.",
    )


def _make_row(result: BounceResult) -> tuple[str, str, str, str, str]:
    suppress = "yes" if result.suppress else "no"
    return result.recipient, result.bounce_class.value, suppress, result.status, result.reason


class _PipeCommand(click.Command):
    """A command that reports wrong usage as a temporary failure.

    With exit code 2 a mail system would return the message.
    """

    def make_context(
        self,
        info_name: str | None,
        args: list[str],
        parent: click.Context | None = None,
        **extra: object,
    ) -> click.Context:
        """Parse the arguments; on wrong usage, exit with `TEMPORARY_FAILURE`."""
        try:
            return super().make_context(info_name, args, parent, **extra)
        except click.UsageError as error:
            click.echo(f"newsletter: {error.format_message()}", err=True)
            raise click.exceptions.Exit(TEMPORARY_FAILURE) from None


@bounce.command(
    cls=_PipeCommand, epilog="Example (in /etc/aliases): bounces: |newsletter bounce process"
)
@click.argument("file", default="-")
@click.option(
    "--to",
    "envelope_to",
    multiple=True,
    metavar="ADDRESS",
    help="The envelope's recipient, if known.",
)
@click.pass_context
def process(ctx: click.Context, file: str, envelope_to: tuple[str, ...]) -> int:
    """Apply one returned message, from FILE or (`-`) a pipe.

    Exit code 0: the message was applied, ignored, or kept for you (`bounce ls --unknown`).
    Exit code 75: the settings, the database or this program failed; the mail system tries again.
    """
    try:
        data = _read_whole(file)
        with_environment(_apply)(data=data, envelope_to=envelope_to)
    except click.exceptions.Exit as error:
        return TEMPORARY_FAILURE if error.exit_code else 0
    except Exception as error:  # whatever it is, the message must not be lost
        if "--traceback" in sys.argv:
            raise
        click.echo(f"newsletter: the message was not processed: {_say(error)}", err=True)
        return TEMPORARY_FAILURE
    return 0


def _say(error: Exception) -> str:
    return (
        " ".join(str(error).split())
        if isinstance(error, NewsletterError | OSError)
        else type(error).__name__
    )


def _read_whole(file: str) -> bytes:
    """Read the beginning of a message and discard the rest.

    A mail system must not be cut off while it writes.
    """
    piped = file == "-"
    stream = sys.stdin.buffer if piped else Path(file).open("rb")  # noqa: SIM115 (closed below)
    try:
        data = stream.read(BYTES_AT_MOST)
        while stream.read(CHUNK):
            pass
        return data
    finally:
        if file != "-":
            stream.close()


def _apply(env: Environment, data: bytes, envelope_to: tuple[str, ...]) -> None:
    from newsletter.bounce_vocabulary import BounceSource
    from newsletter.services.inbound import messages, receivers

    if not envelope_to:  # Postfix and Exim name the recipient in the environment of a pipe
        envelope_to = tuple(
            filter(None, (os.environ.get("ORIGINAL_RECIPIENT"), os.environ.get("RECIPIENT")))
        )
    messages.apply_message(env, data, BounceSource.PIPE, envelope_to=envelope_to)
    receivers.note_run(env, receivers.PIPE)


@bounce.command(epilog="Example: newsletter bounce poll")
@json_option
@with_environment
def poll(env: Environment, *, json_: bool) -> None:
    """Read the mailbox of returned mail now.

    Mails that are proved to be about your messages are deleted once they are applied; all others
    stay as they are, unread.
    """
    from newsletter.services.inbound.poll import poll_mailbox

    result = poll_mailbox(env)
    if json_:
        return print_json(asdict(result))
    if result.busy:
        return say("Another worker reads the mailbox now.")
    say(
        f"{result.read} new mails: {result.ours} about your messages, {result.replies} replies; "
        f"{result.deleted} deleted."
    )
    if result.problem:
        raise NewsletterError(result.problem)
    return None


@bounce.command(epilog="Example: newsletter bounce listen")
@click.option("--host", help="The address to listen on, instead of the one in bounces.listen.")
@click.option("--port", type=click.IntRange(0, 65_535), help="The port, instead of that one.")
@click.pass_context
def listen(ctx: click.Context, host: str | None, port: int | None) -> None:
    """Receive returned mail over LMTP or SMTP, until SIGTERM or Ctrl-C.

    Listens on bounces.listen (127.0.0.1:8024), for a mail system on this machine. Takes mail for
    bounces.address and its extensions only.
    """
    from newsletter import logs
    from newsletter.services.inbound.listener import BounceListener, read_listen_address

    app = open_application(ctx, with_pages=False)
    logs.log_to_stderr()
    bounces = app.extensions["newsletter"].settings.bounces
    if not bounces.address:
        raise NewsletterError(
            "bounces.address is not set",
            hint="set it in newsletter.toml: `bounce listen` receives the mail for it",
        )
    set_host, set_port = read_listen_address(bounces.listen or "127.0.0.1:8024")
    listener = BounceListener(app, host or set_host, port or set_port)
    stopped = make_stop_event()
    try:
        listener.start()
    except OSError as error:
        raise NewsletterError(
            f"cannot listen on {host or set_host}:{port or set_port}: {error}"
        ) from None
    click.echo(
        f"Receiving returned mail on {listener.hostname}:{listener.port}. Ctrl-C ends.", err=True
    )
    stopped.wait()
    listener.stop()


@bounce.command(epilog="Example: newsletter bounce ls --unknown")
@click.option("--unknown", is_flag=True, help="Only what was not understood or not proved.")
@click.option("--proposals", is_flag=True, help="Only replies that ask to be unsubscribed.")
@limit_option
@json_option
@with_environment
def ls(env: Environment, limit: int | None, *, unknown: bool, proposals: bool, json_: bool) -> None:
    """List what came back, newest first."""
    from newsletter.bounce_vocabulary import BounceEffect
    from newsletter.services import bounce_events
    from newsletter.services.lists import lists

    effects = (
        *(bounce_events.UNKNOWN if unknown else ()),
        *((BounceEffect.PROPOSED,) if proposals else ()),
    )
    rows = bounce_events.list_bounces(effects=effects, limit=choose_limit(limit, json_=json_))
    total = bounce_events.count_events(effects=effects)
    if json_:
        print_json([row.as_json() for row in rows])
        return note_limit(len(rows), total)
    zone = choose_zone(lists.list_time_zones().values())
    cells = [
        (
            row.id,
            format_moment(row.at, zone),
            row.recipient or row.email or "(no subscriber)",
            row.bounce_class,
            row.effect,
            row.proof,
            f"{row.status} {row.reason}".strip(),
        )
        for row in rows
    ]
    heads = ("id", "when", "address", "class", "effect", "proof", "server's answer")
    print_table(heads, cells, empty="Nothing came back.")
    return note_limit(len(rows), total)


@bounce.command(epilog="Example: newsletter bounce accept 17")
@click.argument("event_id", type=int, metavar="ID")
@with_environment
def accept(env: Environment, event_id: int) -> None:
    """Unsubscribe whoever asks for it in a reply (`bounce ls --proposals`)."""
    from newsletter.services.inbound.proposals import accept_proposal

    say(f"Unsubscribed {accept_proposal(env, event_id)}.")


@bounce.command(epilog="Example: newsletter bounce show 17 > report.txt")
@click.argument("event_id", type=int, metavar="ID")
@with_environment
def show(env: Environment, event_id: int) -> None:
    """Write what is kept of a report that was not understood, or of a reply.

    Addresses in a report are masked; a subscriber's reply is as it was received.
    """
    from newsletter.services import bounce_events

    sys.stdout.buffer.write(bounce_events.read_content(event_id))
