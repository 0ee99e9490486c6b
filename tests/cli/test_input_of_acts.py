"""A wrong input of a command changes nothing; a restore needs nothing but its file."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import click
import pytest

from tests.cli.conftest import Run
from tests.test_kinds import commands

ANY_FILE = {"resource add"}
"""Commands that take whatever a file holds."""
STARTS_A_FILE = {"campaign new"}
"""Commands that begin a file where there is none."""
WORDS: dict[str, list[str]] = {
    "subscriber import": ["--because", "x", "--confirmed"],
    "restore": ["--yes"],
    "db restore": ["--yes"],
}


def reading() -> list[str]:
    """Every command that is given a file to read."""
    return sorted(
        name
        for name, command in commands().items()
        for param in command.params
        if isinstance(param, click.Argument) and isinstance(param.type, click.Path | click.File)
        if not name.endswith("export")
    )


def bookmarks(file: Path) -> None:
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("CREATE TABLE moz_bookmarks (id INTEGER)")


INPUTS: dict[str, Callable[[Path], object]] = {
    "missing": lambda file: None,
    "folder": lambda file: file.mkdir(),
    "empty": lambda file: file.write_bytes(b""),
    "noise": lambda file: file.write_bytes(bytes(range(256)) * 40),
    "bookmarks": bookmarks,
    "half a database": lambda file: file.write_bytes(b"SQLite format 3\0" + b"\1" * 5000),
    "half an archive": lambda file: file.write_bytes(b"PK\3\4" + b"\0" * 500),
}


def dump(file: Path) -> list[str]:
    """Return the rows of a database, but for what commands count and note of themselves."""
    skipped = ('"counters"', '"installation"', '"figure_notes"', '"workers"', '"bounce_receivers"')
    with closing(sqlite3.connect(file)) as connection:
        return [line for line in connection.iterdump() if not any(name in line for name in skipped)]


@pytest.mark.parametrize("kind", INPUTS)
def test_u3_what_is_no_input_is_refused_and_changes_nothing(
    newsletter: Run, tmp_path: Path, kind: str
) -> None:
    assert (
        newsletter("subscriber", "add", "ana@example.com", "--confirmed", "--because", "x").code
        == 0
    )
    file = tmp_path / "input"
    INPUTS[kind](file)
    before = dump(tmp_path / "newsletter.db")
    names = {part.name for part in tmp_path.iterdir()}
    read = reading()
    assert {"restore", "db restore", "backup check", "subscriber import"} <= set(read)
    for name in read:
        if name in STARTS_A_FILE and kind == "missing":
            continue
        if name in ANY_FILE and kind not in ("missing", "folder"):
            continue
        ended = newsletter(*name.split(), str(file), *WORDS.get(name, []))
        assert ended.code in (1, 2) or name == "bounce read", (name, ended.out)
        assert "Internal error" not in ended.err, (name, ended.err)
        assert dump(tmp_path / "newsletter.db") == before, name
        left = {part.name for part in tmp_path.iterdir()} - names
        assert {part for part in left if not part.endswith(("-wal", "-shm"))} == set(), name


STATES: dict[str, Callable[[Path], object]] = {
    "whole": lambda file: None,
    "missing": lambda file: file.unlink(),
    "empty": lambda file: file.write_bytes(b""),
    "corrupt": lambda file: file.write_bytes(b"no database at all" * 900),
    "another's": lambda file: (file.unlink(), bookmarks(file)),
}


@pytest.mark.parametrize("kind", STATES)
def test_u2_repair_needs_nothing_but_the_file(newsletter: Run, tmp_path: Path, kind: str) -> None:
    """Through the commands: a door may need a database that its service does not."""
    assert (
        newsletter("subscriber", "add", "ana@example.com", "--confirmed", "--because", "x").code
        == 0
    )
    assert newsletter("db", "backup", "copy.db").code == 0
    assert newsletter("backup", "create", "all.backup").code == 0
    database = tmp_path / "newsletter.db"
    for command in (["db", "restore", "copy.db"], ["restore", "all.backup"]):
        for side in tmp_path.glob("newsletter.db-*"):
            side.unlink()
        STATES[kind](database)
        for look in (["backup", "check", "all.backup"], ["doctor"], ["status"]):
            ended = newsletter(*look)
            assert "Internal error" not in ended.err, (look, ended.err)
        assert newsletter("backup", "check", "all.backup").code == 0
        ended = newsletter(*command, "--yes")
        assert ended.code == 0, ended.err
        assert "ana@example.com" in newsletter("subscriber", "ls").out
