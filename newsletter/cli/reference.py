"""Write docs/commands.md from the help of the commands.

Run ``python -m newsletter.cli.reference > docs/commands.md``; tests/test_docs.py compares the two.
"""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Iterator

import click

from newsletter.cli import COMMANDS, cli

WIDTH = 100
"""Characters of a line, as everywhere in the project; code and examples are not wrapped."""
HEAD = """# Commands

Made from the commands themselves by `python -m newsletter.cli.reference`; a test fails when they
differ.

Exit code 0: done. 1: refused or failed. 2: wrong usage, values or settings. 130: stopped by Ctrl-C.
An error is one line on standard error: what is wrong and what to do. Commands that mail people or
cannot be undone ask first; `--yes` skips the question and is required without a terminal. Listings
take `--json`. Where `--limit` cuts a listing, it says so, like `50 of 149`.
"""


def render_reference() -> str:
    """Return the text of docs/commands.md."""
    context = click.Context(cli, info_name="newsletter")
    parts = [HEAD]
    for name in COMMANDS:
        command = cli.get_command(context, name)
        assert command is not None
        parts += list(_render_section(command, f"newsletter {name}", 2))
    return "\n".join(parts)


def _render_section(command: click.Command, path: str, level: int) -> Iterator[str]:
    yield f"{'#' * level} `{path}`\n"
    yield f"{inspect.cleandoc(command.help or '')}\n"
    if isinstance(command, click.Group):
        for name, child in sorted(command.commands.items()):
            yield from _render_section(child, f"{path} {name}", level + 1)
        return
    arguments = [parameter for parameter in command.params if isinstance(parameter, click.Argument)]
    usage = " ".join(
        [path, *(argument.make_metavar(click.Context(command)) for argument in arguments)]
    )
    yield f"    {usage}\n"
    rows = [_render_row(option) for option in command.params if isinstance(option, click.Option)]
    if rows:
        yield "\n".join(rows) + "\n"
    if command.epilog:
        label, _, example = command.epilog.partition(": ")
        yield f"{label}:\n\n    {example}\n"


def _render_row(option: click.Option) -> str:
    value = "" if option.is_flag else f" {option.make_metavar(click.Context(click.Command('x')))}"
    default = (
        f" (default {option.default})"
        if option.show_default and option.default not in (None, "")
        else ""
    )
    text = f"- `{', '.join(option.opts)}{value}`: {option.help or ''}{default}".rstrip(": ")
    return "\n".join(
        textwrap.wrap(
            text, WIDTH, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False
        )
    )


if __name__ == "__main__":
    click.echo(render_reference(), nl=False)
