"""Writes docs/commands.md out of the commands themselves: ``python -m newsletter.cli.reference >
docs/commands.md``.
"""

from __future__ import annotations

from collections.abc import Iterator

import click

from newsletter.cli import COMMANDS, cli

HEAD = """# Commands

Made from the commands themselves by `python -m newsletter.cli.reference`; a test fails when they differ.

Exit code 0: done. 1: refused or failed, with one line on standard error. 2: wrong usage or settings. What mails people
or cannot be undone asks first, unless `--yes`; without a terminal it wants `--yes`. Lists take `--json`.
"""


def reference() -> str:
    """The whole page."""
    context = click.Context(cli, info_name="newsletter")
    parts = [HEAD]
    for name in COMMANDS:
        command = cli.get_command(context, name)
        assert command is not None
        parts += list(_section(command, f"newsletter {name}", 2))
    return "\n".join(parts)


def _section(command: click.Command, path: str, level: int) -> Iterator[str]:
    yield f"{'#' * level} `{path}`\n"
    yield f"{(command.help or '').strip()}\n"
    if isinstance(command, click.Group):
        for name, child in sorted(command.commands.items()):
            yield from _section(child, f"{path} {name}", level + 1)
        return
    arguments = [parameter for parameter in command.params if isinstance(parameter, click.Argument)]
    usage = " ".join(
        [path, *(argument.make_metavar(click.Context(command)) for argument in arguments)]
    )
    yield f"    {usage}\n"
    rows = [_row(option) for option in command.params if isinstance(option, click.Option)]
    if rows:
        yield "\n".join(rows) + "\n"
    if command.epilog:
        yield f"{command.epilog.replace('Example: ', 'Example: `', 1)}`\n"


def _row(option: click.Option) -> str:
    value = "" if option.is_flag else f" {option.make_metavar(click.Context(click.Command('x')))}"
    default = (
        f" (default {option.default})"
        if option.show_default and option.default not in (None, "")
        else ""
    )
    return f"- `{', '.join(option.opts)}{value}`: {option.help or ''}{default}".rstrip(": ")


if __name__ == "__main__":
    click.echo(reference(), nl=False)
