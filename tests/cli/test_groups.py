"""Test what an unknown word of a command line is answered with: never what does harm."""

from __future__ import annotations

import re
from collections.abc import Iterator

import click
import pytest

from newsletter.cli import cli
from newsletter.cli.groups import CommandGroup
from tests.cli.conftest import Run

DESTRUCTIVE = {
    *("cancel", "clear", "copy", "delete", "discard", "erase", "remove", "resend", "restore"),
    *("retry", "revoke", "rotate", "send", "skip"),
}
UNKNOWN = (
    *(
        "pause",
        "resume",
        "release",
        "restore",
        "remov",
        "ereas",
        "erse",
        "cancle",
        "clean",
        "clera",
    ),
    *(
        "delete",
        "drop",
        "revok",
        "revoke",
        "rotat",
        "send",
        "snd",
        "sent",
        "retry",
        "rety",
        "reset",
    ),
    *(
        "resent",
        "skipp",
        "stop",
        "unsubscribe",
        "forget",
        "purge",
        "undo",
        "hold",
        "move",
        "rename",
    ),
    *("import", "export", "list", "new", "create", "preview", "shwo", "lss", "int", "end"),
)


def groups() -> Iterator[tuple[str, click.Group, click.Context]]:
    root = click.Context(cli, info_name="newsletter")
    yield "newsletter", cli, root
    for name in cli.list_commands(root):
        command = cli.get_command(root, name)
        if isinstance(command, click.Group):
            yield f"newsletter {name}", command, click.Context(command, root, info_name=name)


ALL = list(groups())


def suggestions(group: click.Group, context: click.Context, word: str) -> list[str]:
    with pytest.raises(click.UsageError) as refused:
        group.resolve_command(context, [word])
    return re.findall(r"'([^']+)'", refused.value.format_message())[1:]


@pytest.mark.parametrize(("name", "group", "context"), ALL, ids=[name for name, _, _ in ALL])
def test_no_unknown_word_gets_a_destructive_suggestion(
    name: str, group: click.Group, context: click.Context
) -> None:
    assert isinstance(group, CommandGroup)
    words = [word for word in UNKNOWN if group.get_command(context, word) is None]
    assert words
    for word in words:
        for command in suggestions(group, context, word):
            assert command.split()[-1].lstrip("-") not in DESTRUCTIVE, (name, word, command)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("subscriber pause", "Did you mean 'newsletter subscriber edit --pause'? ("),
        ("subscriber release", "No such command 'release'. ("),
        ("subscriber doctor", "Did you mean 'newsletter doctor'? ("),
        (
            "import",
            "Did you mean 'newsletter subscriber import' or 'newsletter suppression import'? (",
        ),
        ("inti", "Did you mean 'init'? ("),
        ("feed pasue", "Did you mean 'pause'? ("),
        ("subscriber resume", "No such command 'resume'. ("),
        ("erase", "No such command 'erase'. ("),
    ],
)
def test_a_suggestion_is_near_or_in_another_group(run: Run, words: str, expected: str) -> None:
    result = run(*words.split())
    assert (result.code, result.out, result.err.count("\n")) == (2, "", 1)
    assert expected in result.err
