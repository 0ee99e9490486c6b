"""Command groups that suggest a similar command for an unknown word.

People type what is suggested, so it is never a command that destroys something, nor one that asks
first because it mails people or cannot be undone.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator

import click

DESTRUCTIVE = frozenset({"cancel", "clear", "delete", "discard", "erase", "remove", "revoke"})
"""Names of commands that are never suggested, even if they do not ask for confirmation."""
ELSEWHERE_AT_MOST = 2
"""Suggestions from other groups at most; if more have a command of that name, none is made."""


class YesOption(click.Option):
    """The `--yes` of a command that asks first, because it mails people or cannot be undone."""


class CommandGroup(click.Group):
    """A group of commands that suggests the most similar harmless one for an unknown word."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Resolve a command's name; for an unknown one, raise an error with suggestions."""
        name = args[0]
        known = name.startswith("-") or self.get_command(ctx, name) is not None
        if known or ctx.resilient_parsing:
            return super().resolve_command(ctx, args)
        commands = suggest_commands(self, ctx, name)
        hint = f" Did you mean {' or '.join(map(repr, commands))}?" if commands else ""
        raise click.UsageError(f"No such command {name!r}.{hint}", ctx)


def suggest_commands(group: click.Group, ctx: click.Context, name: str) -> list[str]:
    """Return commands or options similar to an unknown `name`, the best first.

    The nearest command of the group, else an option of its `edit`, else the same command of
    another group.
    """
    near = difflib.get_close_matches(name, _list_harmless(group, ctx), n=1)
    if near:
        return near
    edit = group.get_command(ctx, "edit")
    if (
        edit
        and name not in DESTRUCTIVE
        and any(f"--{name}" in parameter.opts for parameter in edit.params)
    ):
        return [f"{ctx.command_path} edit --{name}"]
    elsewhere = list(_find_elsewhere(ctx.find_root(), name))
    return elsewhere if len(elsewhere) <= ELSEWHERE_AT_MOST else []


def _list_harmless(group: click.Group, ctx: click.Context) -> list[str]:
    """List the commands of a group that neither destroy anything nor ask for confirmation."""
    names = [name for name in group.list_commands(ctx) if name not in DESTRUCTIVE]
    return [name for name in names if not _asks_first(group.get_command(ctx, name))]


def _asks_first(command: click.Command | None) -> bool:
    return command is not None and any(isinstance(one, YesOption) for one in command.params)


def _find_elsewhere(root: click.Context, name: str) -> Iterator[str]:
    """Yield the harmless commands called `name` at the top level and in every group."""
    top = root.command
    assert isinstance(top, click.Group)
    if name in _list_harmless(top, root):
        yield f"{root.command_path} {name}"
    for called in top.list_commands(root):
        group = top.get_command(root, called)
        if isinstance(group, click.Group) and name in _list_harmless(group, root):
            yield f"{root.command_path} {called} {name}"
