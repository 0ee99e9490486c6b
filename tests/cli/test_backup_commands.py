"""`backup`, `backup check`, `restore`, `database copy` and `key rotate` as they are typed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Run

pytestmark = pytest.mark.any_database


def test_a_backup_moves_to_a_bare_machine_in_one_command(
    newsletter: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    newsletter("subscriber", "add", "ana@example.com", "--confirmed", "--because", "asked me")
    newsletter("subscriber", "add", "bob@example.com")
    secret = tmp_path / "passphrase"
    secret.write_text("four words are long enough\n")
    assert newsletter("backup", "all.backup").code == 0
    assert newsletter("backup", "all.backup").code == 1
    assert newsletter("backup", "sealed.backup", "--passphrase-file", str(secret)).code == 0
    assert newsletter("backup", "backups/", "--keep", "2").code == 0
    assert len(list((tmp_path / "backups").iterdir())) == 1
    checked = json.loads(newsletter("backup", "check", "all.backup", "--json").out)
    assert (checked["rows"]["subscribers"], checked["encrypted"]) == (2, False)
    assert newsletter("backup", "check", "sealed.backup").code == 2
    assert (
        "encrypted"
        in newsletter("backup", "check", "sealed.backup", "--passphrase-file", str(secret)).out
    )
    bare = tmp_path / "bare"
    bare.mkdir()
    monkeypatch.chdir(bare)
    refused = newsletter("restore", "../passphrase", "--yes")
    assert (refused.code, "is not a backup" in refused.err) == (1, True)
    assert list(bare.iterdir()) == []
    result = newsletter("restore", "../sealed.backup", "--passphrase-file", str(secret), "--yes")
    assert result.code == 0, result.err
    assert "Nothing is mailed until" in result.out
    assert "ana@example.com" in newsletter("subscriber", "ls").out
    assert newsletter("db", "release", "--yes").code == 0


def test_a_copy_counts_every_table(newsletter: Run, tmp_path: Path) -> None:
    newsletter("subscriber", "add", "ana@example.com")
    result = newsletter("database", "copy", f"sqlite:///{tmp_path}/other.db", "--yes")
    assert (result.code, "subscribers\t1" in result.out) == (0, True), result.err
    assert newsletter("database", "copy", f"sqlite:///{tmp_path}/other.db", "--yes").code == 1
    assert newsletter("database", "copy", "mysql://x", "--yes").code == 2


def test_a_key_is_rotated(newsletter: Run, tmp_path: Path) -> None:
    before = (tmp_path / "newsletter.toml").read_text()
    result = newsletter("key", "rotate", "--yes")
    assert (result.code, "1 older key" in result.out) == (0, True), result.err
    assert (tmp_path / "newsletter.toml").read_text() != before
    assert newsletter("list", "ls").code == 0
