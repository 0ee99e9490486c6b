"""The `newsletter` command: run the subcommand that was typed, and report errors.

An error is one line on standard error. Exit codes: 0 done, 1 refused or failed, 2 wrong usage,
values or settings, 130 stopped by Ctrl-C.
"""

from __future__ import annotations

import importlib
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from importlib.util import LazyLoader
from pathlib import Path
from types import ModuleType
from typing import Any

import click
from click.shell_completion import CompletionItem

from newsletter import __version__
from newsletter.cli.groups import CommandGroup
from newsletter.cli.output import wrap_line
from newsletter.cli.start_up import without_collection
from newsletter.cli.stop_signals import INTERRUPTED
from newsletter.errors import NewsletterError, locate_error

COMMANDS: dict[str, tuple[str, str]] = {
    "init": ("init", "Set up: settings, database, first list."),
    "demo": ("demo", "Try everything on sample data."),
    "serve": ("serve", "Run pages and worker together."),
    "worker": ("serve", "Poll, compose and send; no pages."),
    "status": ("status", "Show the state of everything on one screen."),
    "stats": ("stats", "What is true without watching anybody."),
    "list": ("lists", "Mailing lists and their settings."),
    "feed": ("feeds", "Feeds and channels that fill a list."),
    "entry": ("entries", "Posts and videos found in the feeds."),
    "topic": ("topics", "Topics that subscribers choose among."),
    "digest": ("digests", "Preview, send and explain the next digest."),
    "campaign": ("campaigns", "Letters and reports on every campaign."),
    "series": ("series", "Welcome letters, sent one after another."),
    "subscriber": ("subscribers", "Subscribers: look up, add, import, export."),
    "suppression": ("suppressions", "Addresses that are never mailed."),
    "bounce": ("bounces", "Read returned mail."),
    "dkim": ("dkim", "Keys that sign your mail."),
    "resource": ("resources", "Files for confirmed subscribers only."),
    "field": ("fields", "Additional fields of a sign-up form."),
    "author": ("authors", "Who may open the author's pages in a browser."),
    "token": ("tokens", "Tokens of programs that use the API."),
    "webhook": ("webhooks", "Programs that are told of events."),
    "embed": ("embed", "Print the sign-up form for your blog."),
    "explain": ("explain", "Explain why a subscriber got a campaign or not."),
    "doctor": ("doctor", "Check the installation and its DNS."),
    "service": ("service", "Run it as a service of systemd."),
    "proxy": ("proxy", "Print the site for nginx or Caddy."),
    "backup": ("backup", "Everything into one file; check such a file."),
    "restore": ("backup", "Put a backup in the place of what is here."),
    "database": ("database", "Move between SQLite and PostgreSQL."),
    "key": ("key", "Replace the key that signs links."),
    "db": ("database", "Migrations, and holding all mail."),
    "templates": ("templates", "Your own mail and page templates."),
    "completion": ("completion", "Complete commands with the Tab key."),
}
"""The module under newsletter/cli and the help line of each command.

A command's module is imported when the command is called, so that `newsletter --help` loads neither
a database nor a mail engine.
"""

MAX_ERROR_LINE = 1000
"""Characters of a line of an error message; longer text quoted from outside would fill the
screen."""
LATE = (
    "newsletter.services.",
    "newsletter.mail.",
    "newsletter.settings",
    "newsletter.authoring.letter_file",
    "newsletter.authoring.dates",
)
"""Prefixes of modules that a command needs to run, but not for its help."""


class _LateFinder(MetaPathFinder):
    """A finder that imports the modules of `LATE` when an attribute of them is first used.

    Help and completion never use them and start in a tenth of a second instead of one second.
    """

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return the usual spec of a module, with a lazy loader."""
        spec = PathFinder.find_spec(fullname, path, target) if fullname.startswith(LATE) else None
        if spec is not None and spec.loader is not None:
            spec.loader = LazyLoader(spec.loader)
        return spec


@contextmanager
def _import_late(*, active: bool) -> Iterator[None]:
    finder = _LateFinder()
    if active:
        sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        if active:
            sys.meta_path.remove(finder)


def _only_helps(args: list[str]) -> bool:
    return "_NEWSLETTER_COMPLETE" in os.environ or not {"-h", "--help"}.isdisjoint(args)


class Commands(CommandGroup):
    """A click group whose commands are imported when called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """List the commands in the order of their declaration."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the module of a command and return the command."""
        if cmd_name not in COMMANDS:
            return None
        with without_collection():
            module = importlib.import_module(f"newsletter.cli.{COMMANDS[cmd_name][0]}")
        command: click.Command = getattr(
            module, f"{cmd_name}_" if cmd_name in ("list", "series") else cmd_name
        )
        return command

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Complete command names without importing any command."""
        if incomplete.startswith("-"):
            return super().shell_complete(ctx, incomplete)
        return [
            CompletionItem(name, help=text)
            for name, (_, text) in COMMANDS.items()
            if name.startswith(incomplete)
        ]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands without importing any of them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


@click.command(
    cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.version_option(__version__, prog_name="newsletter")
@click.option(
    "--config",
    type=click.Path(path_type=Path),
    help="The settings file (default ./newsletter.toml).",
)
@click.option("--traceback", is_flag=True, help="Show the traceback of an internal error.")
@click.pass_context
def cli(ctx: click.Context, config: Path | None, *, traceback: bool) -> None:
    """Run a newsletter for a blog: sign-up, digests of its feeds, letters, unsubscribe.

    \b
    Begin with:
      newsletter demo
      newsletter init https://your.blog"""
    ctx.obj = config


def _write_usage_line(error: click.ClickException) -> str:
    """Return an error of click in one line, and name the command whose help explains it."""
    text = " ".join(error.format_message().split())
    where = error.ctx.command_path if isinstance(error, click.UsageError) and error.ctx else ""
    return f"{text} (see `{where} --help`)" if where else text


def _complain(text: str) -> None:
    """Write an error to standard error.

    The text may quote strangers: control characters are replaced, and long lines are cut.
    """
    lines = (
        "".join(sign if sign.isprintable() else "\ufffd" for sign in line)
        for line in text.split("\n")
    )
    message = "newsletter: " + "\n".join(
        line if len(line) <= MAX_ERROR_LINE else f"{line[:MAX_ERROR_LINE]}…" for line in lines
    )
    with suppress(OSError, ValueError):  # standard error may be closed
        if sys.stderr.isatty():
            message = "\n".join(map(wrap_line, message.split("\n")))
        click.echo(message, err=True)


def _describe(error: Exception) -> tuple[str, int]:
    """Return the message and the exit code for an error that no command handles."""
    if isinstance(error, OverflowError):
        return "a number is too large", 2
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename or 'the output cannot be written'}: {error.strerror}", 1
    return f"Internal error: {locate_error(error)}. Run with --traceback and report it.", 1


def _end_interrupted(*, at_a_question: bool) -> int:
    """Report Ctrl-C and return its exit code; ignore a second Ctrl-C meanwhile."""
    with suppress(ValueError):  # only the main thread sets handlers
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    _complain(
        "stopped; nothing was done"
        if at_a_question
        else "stopped by Ctrl-C: what was saved before stays, the rest was not done"
    )
    return INTERRUPTED


def _open_closed_streams() -> None:
    """Replace standard streams that the caller closed (``>&-``), for which Python has None.

    They stay open to the end.
    """
    sys.stdin = sys.stdin or Path(os.devnull).open(encoding="utf-8")  # noqa: SIM115
    sys.stdout = sys.stdout or Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115
    sys.stderr = sys.stderr or Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115


def main(args: list[str] | None = None) -> None:
    """Run a command and exit with its code.

    An error is one line on standard error, see the head of this module.
    """
    _open_closed_streams()
    try:
        code = _run(args)
    except NewsletterError as error:
        _complain(str(error))
        code = error.exit_code
    except click.exceptions.Exit as error:
        code = error.exit_code
    except click.Abort as error:  # raised from KeyboardInterrupt unless a question was open
        code = _end_interrupted(at_a_question=not isinstance(error.__cause__, KeyboardInterrupt))
    except KeyboardInterrupt:
        code = _end_interrupted(at_a_question=False)
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        code = error.exit_code
    except click.ClickException as error:
        _complain(_write_usage_line(error))
        code = error.exit_code
    except BrokenPipeError:
        sys.stderr.close()
        code = 1
    except Exception as error:
        if "--traceback" in (args or sys.argv):
            raise
        text, code = _describe(error)
        _complain(text)
    sys.exit(code)


def _run(args: list[str] | None) -> int:
    with _import_late(active=_only_helps(sys.argv[1:] if args is None else args)):
        result: Any = cli.main(args, prog_name="newsletter", standalone_mode=False)
    return result if isinstance(result, int) else 0
