"""`newsletter bounce read`: what a file means, for people and for programs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tests.unit.bounces.build import DEAD, group, plain, report

pytestmark = pytest.mark.any_database


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Return a report about two recipients."""
    path = tmp_path / "returned.eml"
    groups = (
        group(DEAD, "5.1.1", "550 5.1.1 User unknown"),
        group("bob@example.org", "4.2.2", "452 4.2.2 Mailbox full"),
    )
    path.write_bytes(report(*groups))
    return path


def test_a_program_reads_json_without_a_configuration(run: Run, file: Path) -> None:
    result = run("bounce", "read", str(file), "--json")
    assert result.code == 0
    assert json.loads(result.out) == {
        "results": [
            {
                "recipient": DEAD,
                "class": "hard",
                "suppress": True,
                "status": "5.1.1",
                "reason": "550 5.1.1 User unknown",
            },
            {
                "recipient": "bob@example.org",
                "class": "soft",
                "suppress": False,
                "status": "4.2.2",
                "reason": "452 4.2.2 Mailbox full",
            },
        ]
    }


def test_a_person_reads_lines(run: Run, file: Path) -> None:
    result = run("bounce", "read", str(file))
    assert result.out.splitlines()[0].split("\t") == [
        DEAD,
        "hard",
        "yes",
        "5.1.1",
        "550 5.1.1 User unknown",
    ]


def test_what_is_not_understood_is_said(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "odd.eml"
    path.write_bytes(plain("It could not be delivered.\n"))
    assert json.loads(run("bounce", "read", str(path), "--json").out) == {"results": []}
    assert run("bounce", "read", str(path)).code == 0


def test_a_missing_file_is_wrong_usage(run: Run, tmp_path: Path) -> None:
    assert run("bounce", "read", str(tmp_path / "nothing.eml")).code == 2


# --- bounce process: what a mail system pipes in ---


def test_a_pipe_is_told_nothing_but_done_or_later(newsletter: Run, tmp_path: Path) -> None:
    path = tmp_path / "mail.eml"
    for data in (
        report(group(DEAD, "5.1.1", "550 User unknown")),
        plain("odd\n"),
        b"",
        b"\xff\0" * 9000,
    ):
        path.write_bytes(data)
        result = newsletter("bounce", "process", str(path))
        assert (result.code, result.out) == (0, ""), result.err
    rows = json.loads(newsletter("bounce", "ls", "--unknown", "--json").out)
    assert ("hard", "none", "advisory") in {
        (row["class"], row["proof"], row["effect"]) for row in rows
    }
    assert {row["email"] + row["recipient"] for row in rows} == {""}
    listing = newsletter("bounce", "ls")
    assert (listing.code, DEAD in listing.out, "(no subscriber)" in listing.out) == (0, False, True)


@pytest.mark.parametrize("words", [["nothing.eml"], ["--no-such-option"], ["a", "b", "c"]])
def test_wrong_usage_of_a_pipe_keeps_the_message(newsletter: Run, words: list[str]) -> None:
    assert newsletter("bounce", "process", *words).code == 75


def test_settings_or_a_database_that_fail_keep_the_message(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "mail.eml"
    path.write_bytes(report(group(DEAD, "5.1.1", "550 User unknown")))
    assert run("bounce", "process", str(path)).code == 75  # no settings at all
    monkeypatch.setenv("NEWSLETTER_SECRET_KEY", "0123456789abcdef0123456789")
    assert run("bounce", "process", str(path)).code == 75  # no database
    monkeypatch.setenv("NEWSLETTER_DATABASE_URL", "postgresql://nobody@127.0.0.1:1/none")
    result = run("bounce", "process", str(path))
    assert result.code == 75
    assert DEAD not in result.err


def test_suppressions_go_out_and_come_back(newsletter: Run, tmp_path: Path) -> None:
    for address in ("=cmd@example.org", "bad@example.com"):
        newsletter("suppression", "add", address, "--note", "=1+1")
    file = tmp_path / "list.csv"
    assert newsletter("suppression", "export", str(file)).code == 0
    assert file.stat().st_mode & 0o077 == 0
    assert "\n=" not in file.read_text()
    for address in ("=cmd@example.org", "bad@example.com"):
        assert (
            newsletter("suppression", "remove", address, "--yes", "--because", "a test").code == 0
        )
    assert json.loads(newsletter("suppression", "ls", "--json").out) == []
    result = newsletter("suppression", "import", str(file))
    assert result.out.startswith("2 added, 0 known already, 0 are no addresses")
    rows = json.loads(newsletter("suppression", "ls", "--json").out)
    assert {(row["email"], row["note"]) for row in rows} == {
        ("=cmd@example.org", "=1+1"),
        ("bad@example.com", "=1+1"),
    }
    plain_list = tmp_path / "plain.csv"
    plain_list.write_text("a@example.org\nnot an address\nbad@example.com\n")
    assert (
        "1 added, 1 known already, 1 are no addresses"
        in newsletter("suppression", "import", str(plain_list)).out
    )
    plain_list.write_text("colour\nred\n")
    refused = newsletter("suppression", "import", str(plain_list))
    assert (refused.code, "its columns are: " in refused.err) == (1, True)
