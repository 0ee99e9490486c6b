"""No listing ends in silence: it prints everything, or takes `--limit` and says that it cut.

The commands and the services are read as they are written, so that a new listing is seen here.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from newsletter.cli import cli

PACKAGE = Path(__file__).parents[2] / "newsletter"
PRINTS_ALL = {
    "list ls",
    "feed ls",
    "topic ls",
    "series ls",
    "dkim ls",
    "resource ls",
    "field ls",
    "author ls",
    "templates ls",
    "token ls",
    "webhook ls",
}
"""Listings of what an author makes by hand; the services behind them know no limit."""
FOR_PAGES = {
    "services/lists/archived_campaigns.py list_archived",
    "services/campaigns/archive.py list_newest",
    "services/transfer/import_files.py list_newest",
}
"""Listings of pages, which show the newest."""


def commands(command: click.Command, *path: str) -> Iterator[tuple[str, click.Command]]:
    context = click.Context(command)
    if not isinstance(command, click.Group):
        yield " ".join(path), command
        return
    for name in command.list_commands(context):
        inner = command.get_command(context, name)
        assert inner is not None
        yield from commands(inner, *path, name)


LISTINGS = [(name, command) for name, command in commands(cli) if name.endswith(" ls")]


@pytest.mark.parametrize(("name", "command"), LISTINGS, ids=[name for name, _ in LISTINGS])
def test_a_listing_prints_everything_or_takes_a_limit(name: str, command: click.Command) -> None:
    has_limit = any("--limit" in option.opts for option in command.params)
    assert has_limit is (name not in PRINTS_ALL)
    assert command.callback is not None
    source = inspect.getsource(inspect.unwrap(command.callback))
    assert ("note_limit(" in source) is has_limit, "a listing that cuts says so"


def silent_limits(source: str) -> Iterator[str]:
    """Yield the functions of a module that list rows and cut them without being asked to."""
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.FunctionDef) or not node.name.startswith(("ls", "list_")):
            continue
        names = [argument.arg for argument in node.args.kwonlyargs]
        answer = dict(zip(names, node.args.kw_defaults, strict=True)).get("limit")
        cuts = isinstance(answer, ast.Constant) and answer.value is not None
        constant = any(
            isinstance(call, ast.Call)
            and isinstance(call.func, ast.Attribute)
            and call.func.attr == "limit"
            and isinstance(call.args[0], ast.Constant)
            and call.args[0].value != 1
            for call in ast.walk(node)
        )
        if cuts or constant:
            yield node.name


def test_no_service_cuts_a_listing_on_its_own() -> None:
    limited = {
        f"{file.relative_to(PACKAGE)} {name}"
        for file in (PACKAGE / "services").rglob("*.py")
        for name in silent_limits(file.read_text())
    }
    assert limited == FOR_PAGES


@pytest.mark.parametrize(
    "planted",
    [
        "def list_things(*, limit: int = 50): ...",
        "def ls(session):\n    return session.scalars(query.limit(50))",
    ],
)
def test_the_guard_sees_a_listing_that_is_planted(planted: str) -> None:
    assert list(silent_limits(planted))
