"""Test how commands end: exit codes, Ctrl-C, one `worker --once` at a time."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from newsletter import cli as door
from newsletter.cli.worker_lock import hold_lock
from tests.cli.conftest import Run
from tests.feeds_server import FeedsServer
from tests.smtp.fault_server import FaultServer

MAIN = "from newsletter.cli import main; main()"
DEFAULT_SIGNALS = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "


def start(folder: Path, words: Sequence[str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", DEFAULT_SIGNALS + MAIN, *words],
        cwd=folder,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=dict(os.environ),
    )


@pytest.mark.parametrize(
    "words",
    [
        ("subscriber", "add", "nonsense"),
        ("list", "add", "second", "--from", "Ana <ana@example.com>", "--hour", "99"),
        ("list", "edit", "slow-letters", "--color", "green-ish"),
        ("suppression", "add", "nonsense"),
        ("series", "add", "letter.md", "--after", "soon"),
        ("serve", "--port", "80000"),
        ("demo", "--port", "80000"),
        ("entry", "ls", "--fate", "lost"),
    ],
)
def test_a_wrong_value_exits_with_2_and_one_line(
    newsletter: Run, tmp_path: Path, words: tuple[str, ...]
) -> None:
    (tmp_path / "letter.md").write_text("---\nsubject: Going slowly\n---\n\nA letter.\n")
    result = newsletter(*words)
    assert (result.code, result.err.count("\n")) == (2, 1), result


@pytest.mark.parametrize(
    "words",
    [
        ("list", "show", "nope"),
        ("subscriber", "show", "ana@example.com"),
        ("campaign", "show", "9"),
        ("entry", "skip", "999"),
        ("suppression", "remove", "ana@example.com", "--yes"),
        ("suppression", "ls", "ana@example.com"),
    ],
)
def test_what_does_not_exist_exits_with_1(newsletter: Run, words: tuple[str, ...]) -> None:
    result = newsletter(*words)
    assert (result.code, result.err.count("\n")) == (1, 1), result


def test_an_unforeseen_error_names_its_place_and_asks_to_be_reported(
    newsletter: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("ana@example.com")

    monkeypatch.setattr("newsletter.services.operations.status.read_status", fail)
    result = newsletter("status")
    assert result.code == 1
    assert result.err.startswith("newsletter: Internal error: RuntimeError in test_endings.py:")
    assert result.err.endswith(". Run with --traceback and report it.\n")
    assert "ana@example.com" not in result.err


@pytest.mark.processes
def test_ctrl_c_in_an_import_ends_after_a_batch_and_says_what_is_done(
    newsletter: Run, tmp_path: Path
) -> None:
    """The pipe holds less than the file: once most of it is written, the import has begun."""
    rows = 5_000
    people = "email,name\n" + "".join(f"r{n}@example.com,{'R' * 20} {n}\n" for n in range(rows))
    words = ("subscriber", "import", "-", "--confirmed", "--because", "x")
    process = start(tmp_path, words)
    assert process.stdin
    process.stdin.write(people[:-1000])
    process.stdin.flush()
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(people[-1000:], timeout=120)
    assert (process.returncode, out, err.count("\n")) == (130, "", 1), err
    count = int(newsletter("subscriber", "ls", "--count").out.replace(",", ""))
    assert 0 < count < rows
    assert f"{count:,} rows are imported" in err
    (tmp_path / "people.csv").write_text(people)
    assert newsletter("subscriber", "import", "people.csv", *words[3:]).code == 0
    assert newsletter("subscriber", "ls", "--count").out == f"{rows}\n"


def test_ctrl_c_at_a_question_does_nothing(
    newsletter: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def press(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("click.termui.visible_prompt_func", press)
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr(door.signal, "signal", lambda *_: None)
    newsletter("suppression", "add", "ana@example.com")
    result = newsletter("suppression", "remove", "ana@example.com")
    assert result.code == 130
    assert "nothing was done" in result.err
    assert newsletter("suppression", "ls", "ana@example.com").code == 0


def test_one_worker_once_runs_at_a_time_and_an_idle_one_prints_nothing(
    newsletter: Run, mail: FaultServer, blog: FeedsServer, tmp_path: Path
) -> None:
    newsletter("subscriber", "add", "ana@example.com")
    with hold_lock(tmp_path, "newsletter.toml.worker") as is_free:
        assert is_free
        second = newsletter("worker", "--once")
        assert (second.code, second.out, second.err, mail.accepted) == (0, "", "", [])
        with hold_lock(tmp_path, "other.toml.worker") as other_is_free:
            assert other_is_free, "another configuration has a lock of its own"
    assert newsletter("worker", "--once").out == "sent 1, failed 0, to be tried again 0\n"
    idle = newsletter("worker", "--once")
    assert (idle.code, idle.out, idle.err) == (0, "", "")
