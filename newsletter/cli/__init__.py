"""The `newsletter` command: finds the command asked for, and turns errors into one line and an exit
code.
"""

from __future__ import annotations

import difflib
import importlib
import os
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
from newsletter.cli.output import folded
from newsletter.cli.start_up import without_collection
from newsletter.errors import NewsletterError

# Name → module under newsletter/cli and what --help says of it. A command's module is imported when
# it is called, so that `newsletter --help` does not pay for a database or a mail engine.
COMMANDS: dict[str, tuple[str, str]] = {
    "init": ("init", "Set up: settings, database, first list."),
    "demo": ("demo", "The whole life of a newsletter, on sample data."),
    "serve": ("serve", "Pages and worker together."),
    "worker": ("serve", "Poll, compose and send; no pages."),
    "status": ("status", "Everything that matters now, on one screen."),
    "list": ("lists", "Mailing lists and their settings."),
    "feed": ("feeds", "The feeds a list is made from."),
    "entry": ("entries", "What was found in the feeds, and its fate."),
    "topic": ("topics", "Topics of a list, for readers to choose among."),
    "digest": ("digests", "The next digest: see it, send it, ask why not."),
    "campaign": ("campaigns", "Letters and what became of every mailing."),
    "series": ("series", "The welcome letter and those that follow it."),
    "subscriber": ("subscribers", "Who subscribes."),
    "suppression": ("suppressions", "Who is never mailed, and why."),
    "bounce": ("bounces", "Returned mail, and what it means."),
    "resource": ("resources", "Files only confirmed subscribers can fetch."),
    "field": ("fields", "Your own fields in a list's form."),
    "embed": ("embed", "The form to paste into a blog."),
    "explain": ("explain", "Why did she not get it?"),
    "doctor": ("doctor", "Checks the installation and says what to mend."),
    "db": ("database", "Migrations, backups, and what follows a restore."),
    "templates": ("templates", "Mail and page templates of your own."),
    "completion": ("completion", "Complete commands with the Tab key."),
}

SAID_AT_MOST = 1000
LATE = (
    "newsletter.services.",
    "newsletter.mail.",
    "newsletter.settings",
    "newsletter.authoring.letter_file",
    "newsletter.authoring.dates",
)
"""What a command works with, and its help does not need."""


class _Late(MetaPathFinder):
    """Loads those modules when something of them is used, and so never, where only help or a
    completion is wanted: that takes a tenth of a second then and not a whole one. A shell's Tab key
    does not wait.
    """

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """The module's own, with its loader put off."""
        found = PathFinder.find_spec(fullname, path, target) if fullname.startswith(LATE) else None
        if found is not None and found.loader is not None:
            found.loader = LazyLoader(found.loader)
        return found


@contextmanager
def _late(*, wanted: bool) -> Iterator[None]:
    finder = _Late()
    if wanted:
        sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        if wanted:
            sys.meta_path.remove(finder)


def _in_a_hurry(args: list[str]) -> bool:
    return "_NEWSLETTER_COMPLETE" in os.environ or not {"-h", "--help"}.isdisjoint(args)


class Commands(click.Group):
    """A group whose commands live in modules of their own, with did-you-mean for typing mistakes."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """In the order a person meets them."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the module that holds it."""
        if cmd_name not in COMMANDS:
            return None
        with without_collection():
            module = importlib.import_module(f"newsletter.cli.{COMMANDS[cmd_name][0]}")
        command: click.Command = getattr(
            module, f"{cmd_name}_" if cmd_name in ("list", "series") else cmd_name
        )
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Click's own, with the nearest command named where there is none."""
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            near = difflib.get_close_matches(args[0], COMMANDS, n=1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            raise click.UsageError(f"No such command {args[0]!r}.{hint}", ctx)
        return super().resolve_command(ctx, args)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Name of commands, without importing one."""
        if incomplete.startswith("-"):
            return super().shell_complete(ctx, incomplete)
        return [
            CompletionItem(name, help=text)
            for name, (_, text) in COMMANDS.items()
            if name.startswith(incomplete)
        ]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list of commands, without importing one."""
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
@click.option("--traceback", is_flag=True, help="Show where a mistake of ours arose.")
@click.pass_context
def cli(ctx: click.Context, config: Path | None, *, traceback: bool) -> None:
    """A newsletter for a blog: sign-up, digests from its feeds, letters, one-click unsubscribe.

    \b
    Begin with:
      newsletter demo
      newsletter init https://your.blog"""
    ctx.obj = config


def _said(error: click.ClickException) -> str:
    """A mistake in one line, and where help is."""
    text = " ".join(error.format_message().split())
    where = error.ctx.command_path if isinstance(error, click.UsageError) and error.ctx else ""
    return f"{text} (`{where} --help` says more)" if where else text


def _complain(text: str) -> None:
    """Tell of an error on standard error.

    It may quote what others wrote: nothing in it moves the cursor or fills the screen.
    """
    lines = (
        "".join(sign if sign.isprintable() else "\ufffd" for sign in line)
        for line in text.split("\n")
    )
    said = "\n".join(
        line if len(line) <= SAID_AT_MOST else f"{line[:SAID_AT_MOST]}…" for line in lines
    )
    with suppress(OSError, ValueError):  # nobody may be listening any more
        whole = f"newsletter: {said}"
        click.echo(
            "\n".join(map(folded, whole.split("\n"))) if sys.stderr.isatty() else whole, err=True
        )


def _ours(error: Exception) -> tuple[str, int]:
    """What is said of an error that no command foresaw, and the exit code."""
    if isinstance(error, OverflowError):
        return "a number is larger than any here", 2
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename or 'what was said cannot be written'}: {error.strerror}", 1
    return f"a mistake of ours: {type(error).__name__} (--traceback shows where)", 1


def _open_what_is_closed() -> None:
    """A command may be called with nothing to read from or to write to (``>&-``); Python leaves
    None there.
    """
    sys.stdin = sys.stdin or Path(os.devnull).open(encoding="utf-8")  # noqa: SIM115 (for as long as we run)
    sys.stdout = sys.stdout or Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115
    sys.stderr = sys.stderr or Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115


def main(args: list[str] | None = None) -> None:
    """Run a command; a mistake is one line on standard error and exit code 1 (2: usage or
    settings).
    """
    _open_what_is_closed()
    try:
        with _late(wanted=_in_a_hurry(sys.argv[1:] if args is None else args)):
            result: Any = cli.main(args, prog_name="newsletter", standalone_mode=False)
        code = result if isinstance(result, int) else 0
    except NewsletterError as error:
        _complain(str(error))
        code = error.exit_code
    except click.exceptions.Exit as error:
        code = error.exit_code
    except click.Abort:
        click.echo("newsletter: stopped", err=True)
        code = 1
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        code = error.exit_code
    except click.ClickException as error:
        _complain(_said(error))
        code = error.exit_code
    except BrokenPipeError:
        sys.stderr.close()
        code = 1
    except Exception as error:
        if "--traceback" in (args or sys.argv):
            raise
        said, code = _ours(error)
        _complain(said)
    sys.exit(code)
