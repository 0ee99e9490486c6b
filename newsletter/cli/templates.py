"""`newsletter templates`: list and copy the templates of mails and pages."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import click

from newsletter.cli.context import with_environment
from newsletter.cli.groups import CommandGroup
from newsletter.cli.output import json_option, print_json, say
from newsletter.errors import NotFound, Refused

if TYPE_CHECKING:
    from newsletter.services.runtime import Environment


@click.group(cls=CommandGroup)
def templates() -> None:
    """List the templates of mails and pages, and copy them to change them."""


def _find_folder() -> Path:
    from newsletter.app import find_template_folder

    return find_template_folder()


@templates.command(epilog="Example: newsletter templates ls")
@json_option
@with_environment
def ls(env: Environment, *, json_: bool) -> None:
    """List templates; your own are marked."""
    names = sorted(
        str(path.relative_to(_find_folder()))
        for path in _find_folder().rglob("*")
        if path.is_file()
    )
    marked = [(name, (env.settings.folder / "templates" / name).exists()) for name in names]
    if json_:
        print_json([{"name": name, "yours": yours} for name, yours in marked])
        return
    for name, yours in marked:
        say(f"{name}{'  (yours)' if yours else ''}")


@templates.command(epilog="Example: newsletter templates eject emails/digest/html.html")
@click.argument("name")
@with_environment
def eject(env: Environment, name: str) -> None:
    """Copy a template beside the settings, where your copy wins."""
    root = _find_folder().resolve()
    source = (root / name).resolve()
    if not source.is_relative_to(root) or not source.is_file():
        raise NotFound(f"there is no template {name}", hint="see `newsletter templates ls`")
    target = env.settings.folder / "templates" / source.relative_to(root)
    if target.exists():
        raise Refused(f"{target} exists already", hint="edit it, or delete it first")
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)
    say(f"{target} is created; edit it, and it is used instead of the built-in one.")
