"""The choice of tests that run again with a moved clock (tests/clock_notes.py)."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, timedelta
from pathlib import Path

import pytest
import time_machine

ROOT = Path(__file__).parent.parent
SOON = time_machine.escape_hatch.datetime.datetime.now(UTC) + timedelta(days=30)
TESTS = f"""
import datetime, email.utils, subprocess, pytest

@pytest.fixture(scope="module")
def today():
    return datetime.date.today()

def test_no_clock():
    assert datetime.datetime(2026, 1, 1).year == 2026

def test_a_fixed_date_meets_the_clock():
    assert datetime.datetime.now(datetime.UTC) < datetime.datetime.fromisoformat("{SOON}")

def test_a_library_reads_it():
    assert email.utils.formatdate()

def test_a_process_may_read_it():
    subprocess.run(["true"], check=True)

def test_a_shared_fixture_reads_it(today):
    assert today

def test_a_shared_fixture_has_read_it(today):
    assert today
"""


READ_AT_IMPORT = """
import time
NOW = time.time()

def test_an_import_has_read_it():
    assert True
"""


def run_tests(folder: Path, *options: str | Path) -> str:
    """Run the tests of the folder in a process of their own; return what pytest says."""
    environ = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "pytest", "-rA", "-p", "no:cacheprovider"]
    plugin = ["-p", "tests.clock_notes", "-c", os.devnull, "--rootdir", str(folder)]
    process = subprocess.run(
        [*command, *plugin, *map(str, options), str(folder)],
        env=environ,
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    return process.stdout + process.stderr


def list_names(output: str, verdict: str) -> set[str]:
    return set(re.findall(rf"^{verdict} \S+::test_(\w+)", output, re.M))


@pytest.mark.processes
def test_only_what_reads_the_clock_runs_ahead_and_a_fixed_date_fails_there(tmp_path: Path) -> None:
    (tmp_path / "test_days.py").write_text(TESTS)
    (tmp_path / "test_import.py").write_text(READ_AT_IMPORT)
    notes = tmp_path / "notes.tsv"
    everything = list_names(run_tests(tmp_path, "--write-clock-notes", notes), "PASSED")
    assert len(everything) == 7
    ahead = ("--days-ahead", "400", "--by-clock-notes", notes)
    output = run_tests(tmp_path, *ahead)
    assert list_names(output, "FAILED") == {"a_fixed_date_meets_the_clock"}
    passed = everything - {"a_fixed_date_meets_the_clock", "no_clock"}
    assert list_names(output, "PASSED") == passed
    os.utime(notes, (0, 0))
    output = run_tests(tmp_path, *ahead)
    assert list_names(output, "PASSED") == passed | {"no_clock"}, "the notes are out of date"


SHARED = """
import datetime, pytest

@pytest.fixture(scope="session")
def today():
    return datetime.date.today()

@pytest.fixture(scope="session")
def server(today):
    return today

@pytest.fixture
def asked_by_name(request):
    return request.getfixturevalue("server")

def test_the_first_asks_by_name(asked_by_name):
    assert asked_by_name

def test_a_later_one_asks_by_name(asked_by_name):
    assert asked_by_name

def test_another_does_not():
    assert True
"""
NAMES = ("the_first_asks_by_name", "a_later_one_asks_by_name", "another_does_not")


@pytest.mark.processes
def test_a_fixture_counts_for_those_who_use_it_however_they_ask(tmp_path: Path) -> None:
    (tmp_path / "test_shared.py").write_text(SHARED)
    notes = tmp_path / "notes.tsv"
    run_tests(tmp_path, "--write-clock-notes", notes)
    readers = dict(line.split("\t") for line in notes.read_text().splitlines())
    assert [bool(readers[f"test_shared.py::test_{name}"]) for name in NAMES] == [True, True, False]


CLOCKS = ("now", "utcnow", "today", "time", "time_ns", "gmtime", "localtime")


def find_at_import(tree: ast.AST) -> Iterator[int]:
    """Yield the lines that read the clock while a module is imported."""
    for node in ast.iter_child_nodes(tree):
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.Lambda():
                continue
            case ast.Call(
                func=ast.Attribute(value=ast.Name("datetime" | "date" | "time"), attr=name)
            ):
                if name in CLOCKS:
                    yield node.lineno
        yield from find_at_import(node)


def test_no_module_that_others_share_reads_the_clock_while_it_is_imported() -> None:
    assert list(find_at_import(ast.parse("NOW = datetime.now(UTC)"))) == [1]
    files = [*(ROOT / "newsletter").rglob("*.py"), *(ROOT / "tests").rglob("*.py")]
    bad = [
        f"{file.relative_to(ROOT)}:{line}"
        for file in files
        if file != ROOT / "tests" / "children" / "sitecustomize.py"  # which sets the clock
        for line in find_at_import(ast.parse(file.read_text()))
    ]
    assert bad == []


BY_THE_DATABASE = {"newsletter/outbox/lease.py", "newsletter/outbox/recorder.py"}
"""Leases, which workers on several machines compare by one clock; and how far ours is from it."""


def test_no_other_statement_asks_the_databases_clock() -> None:
    clocks = re.compile(
        r"func\.(now|current_|localtime|julianday|unixepoch)|CURRENT_(TIME|DATE)|[^.\w]now\(\)"
        r"|(statement|clock|transaction)_timestamp\(|unixepoch\(\)"
        r"|(date|datetime|time|julianday|unixepoch|strftime)\([^()]*'now'",
        re.I,
    )
    asking = {
        str(file.relative_to(ROOT))
        for file in (ROOT / "newsletter").rglob("*.py")
        if clocks.search(file.read_text())
    }
    assert asking == BY_THE_DATABASE


STARTS_THE_PROGRAM = re.compile(
    r"newsletter\.cli import main|\bstart_program\(|\.with_name\(\"newsletter\"\)"
)
UNMARKED = {
    "tests/cli/test_commands.py": "prints --help, which reads no clock",
    "tests/services/inbound/test_poll.py": "needs Dovecot, which reads the machine's clock",
    "tests/services/operations/test_service_units.py": "names the program in a unit",
    "tests/test_docs.py": "asks a registry, whose certificate ends before the moved clock",
}
"""Files that name or start the program without the mark, and why."""


def test_what_starts_the_program_is_marked() -> None:
    """So that it runs with the clock years ahead, too (`make test-processes-ahead`)."""
    tests = ROOT / "tests"
    files = {str(file.relative_to(ROOT)): file.read_text() for file in tests.rglob("test_*.py")}
    unmarked = {
        name
        for name, text in files.items()
        if not name.startswith("tests/servers/")
        if STARTS_THE_PROGRAM.search(text) and "pytest.mark.processes" not in text
    }
    assert unmarked == set(UNMARKED)
