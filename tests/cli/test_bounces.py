"""`newsletter bounce read`: what a file means, for people and for programs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.bounces.build import DEAD, group, plain, report
from tests.cli.conftest import Run

pytestmark = pytest.mark.any_database


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A report about two recipients."""
    path = tmp_path / "returned.eml"
    groups = (
        group(DEAD, "5.1.1", "550 5.1.1 User unknown"),
        group("bob@example.org", "4.2.2", "452 4.2.2 Mailbox full"),
    )
    path.write_bytes(report(*groups))
    return path


def test_a_program_reads_json_without_a_configuration(run: Run, file: Path) -> None:
    said = run("bounce", "read", str(file), "--json")
    assert said.code == 0
    assert json.loads(said.out) == {
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
    said = run("bounce", "read", str(file))
    assert said.out.splitlines()[0].split("\t") == [
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
