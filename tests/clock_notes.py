"""Note which tests read the machine's clock, so that only these run again with it moved.

Every run of the suite goes by a clock that `--days-ahead` moves and that notes who reads it. A test
that reads it nowhere, and starts no process, does the same on every day. `--write-clock-notes=FILE`
writes down for each test that has passed who has read the clock in it; with `--by-clock-notes=FILE`
the tests are left out of which that file says that nobody has. A test that the file does not know
runs, and all do if a file of the program or the tests has changed since. A database's own clock
cannot be moved, so no statement may ask for it (tests/test_clock_notes.py).
"""

from __future__ import annotations

import os
import sys
from collections import defaultdict
from collections.abc import Generator, Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
import time_machine

ROOT = Path(__file__).parent.parent
OURS = ("newsletter/", "tests/")
SOURCES = ("newsletter", "templates", "tests", "docs", "pyproject.toml")
"""What tests see of the repository: after a change of it a note says nothing any more."""
DECIDES_NOTHING = (
    "_pytest.timing",  # how long a test takes
    "hypothesis.",  # how long its examples take
    "logging",  # the time of a line in a log
    "sqlalchemy.pool.base",  # the age of a connection, which may be any
)
"""Modules of others that read the clock for themselves."""
STARTS = frozenset({"subprocess.Popen", "os.fork", "os.forkpty", "os.posix_spawn", "os.spawn"})
"""Events of Python's audit that start a process, which may read the clock itself."""
NANOSECONDS_A_DAY = 86_400 * 10**9
NOTED = "reads the clock"
"""The name under which a test's report carries its note to the process that writes the file."""


class Clock(time_machine.Traveller):
    """The machine's clock, some days ahead, which notes who of a repository reads it."""

    def __init__(self, root: Path, days_ahead: int) -> None:
        super().__init__(0, None, tick=True)
        self._root = f"{root}/"
        self._ahead = days_ahead * NANOSECONDS_A_DAY
        self._starts = STARTS  # Python clears a module's names before it ends, and audits on
        self.readers: set[str] = set()

    def time_ns(self) -> int:
        """Return the time. Every function of `time` and `datetime` that tells it asks here."""
        caller = sys._getframe(1)
        if not str(caller.f_globals.get("__name__")).startswith(DECIDES_NOTHING):
            self.readers.add(self._name_reader(caller))
        now: int = time_machine.escape_hatch.time.time_ns()
        return now + self._ahead

    def note_process(self, event: str, _arguments: object) -> None:
        """Note the start of a process, for `sys.addaudithook`."""
        if event in self._starts:
            self.readers.add(f"{self._name_reader(sys._getframe(1))} ({event})")

    def _name_reader(self, frame: FrameType) -> str:
        """Name the nearest function of ours that has read the clock, or the library's module."""
        ours: FrameType | None = frame
        while ours is not None and ours.f_globals.get("__name__") != "importlib._bootstrap":
            file = ours.f_code.co_filename.removeprefix(self._root)
            if file.startswith(OURS):
                return f"{file}:{ours.f_code.co_name}"
            ours = ours.f_back
        return str(frame.f_globals.get("__name__"))


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--days-ahead",
        type=int,
        default=0,
        help="move the clock of this process ahead, and of the Python processes that it starts",
    )
    parser.addoption(
        "--write-clock-notes", type=Path, help="write who reads the clock into this file"
    )
    parser.addoption("--by-clock-notes", type=Path, help="run what this file says reads the clock")


def pytest_configure(config: pytest.Config) -> None:
    days = config.getoption("--days-ahead")
    if days:
        os.environ["DAYS_AHEAD"] = str(days)
    clock = Clock(config.rootpath, days)
    travel = time_machine.travel(datetime.now(UTC))
    travel.start()
    time_machine.traveller_stack[-1] = clock
    config.add_cleanup(travel.stop)
    sys.addaudithook(clock.note_process)
    notes = Notes(config, clock)
    config.pluginmanager.register(notes, "notes of the clock")
    _note_fixtures(config, notes.fixtures)


def _note_fixtures(config: pytest.Config, used: set[str]) -> None:
    """Note each fixture that a test uses, also one that was set up for an earlier test.

    Pytest has a hook for the first use alone; by this method it looks for any, in whatever way it
    was asked for.
    """
    request: Any = pytest.FixtureRequest
    find = request._get_active_fixturedef

    def find_and_note(asking: pytest.FixtureRequest, name: str) -> object:
        used.add(name)
        return find(asking, name)

    request._get_active_fixturedef = find_and_note
    config.add_cleanup(lambda: setattr(request, "_get_active_fixturedef", find))


class Notes:
    """The clocks that each test has read, and the tests chosen by them."""

    def __init__(self, config: pytest.Config, clock: Clock) -> None:
        self.clock = clock
        self.fixtures: set[str] = set()
        self.by_fixture: dict[str, set[str]] = defaultdict(set)
        self.by_module: dict[str, set[str]] = defaultdict(set)
        self.by_test: dict[str, str] = {}
        self.failed: set[str] = set()
        self.file: Path | None = config.getoption("--write-clock-notes")
        notes = read_notes(config.getoption("--by-clock-notes"))
        self.unread = frozenset(name for name, readers in notes.items() if not readers)

    @pytest.hookimpl(wrapper=True)
    def pytest_make_collect_report(self, collector: pytest.Collector) -> Iterator[None]:
        """Keep what a module reads while it is imported, for all its tests."""
        self.clock.readers = set()
        try:
            return (yield)
        finally:
            if isinstance(collector, pytest.Module):
                self.by_module[collector.nodeid] = self.clock.readers

    def pytest_collection_modifyitems(
        self, config: pytest.Config, items: list[pytest.Item]
    ) -> None:
        """Leave out what reads no clock."""
        left_out = [item for item in items if item.nodeid in self.unread]
        if left_out:
            config.hook.pytest_deselected(items=left_out)
            items[:] = [item for item in items if item.nodeid not in self.unread]

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(
        self, fixturedef: pytest.FixtureDef[object], request: pytest.FixtureRequest
    ) -> Iterator[None]:
        """Keep apart what a fixture has read that others use after the first."""
        if fixturedef.scope == "function":
            return (yield)
        before = self.clock.readers
        readers: set[str] = set()
        self.clock.readers = readers
        try:
            return (yield)
        finally:
            self.clock.readers = before | readers
            self.by_fixture[fixturedef.argname] |= readers

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        self.clock.readers = set()
        self.fixtures.clear()
        return (yield)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Give the report of a test's end the note."""
        report = yield
        if report.when == "teardown":
            shared = [self.by_fixture[name] for name in self.fixtures]
            module = self.by_module[item.nodeid.partition("::")[0]]
            readers = self.clock.readers.union(module, *shared)
            report.user_properties.append((NOTED, ", ".join(sorted(readers))))
        return report

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Collect the notes; from its other processes pytest-xdist brings the reports here."""
        if not report.passed:
            self.failed.add(report.nodeid)
        for name, value in report.user_properties:
            if name == NOTED:
                self.by_test[report.nodeid] = str(value)

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if self.file is not None and not hasattr(session.config, "workerinput"):
            notes = read_notes(self.file) | self.by_test
            passed = sorted(notes.keys() - self.failed)
            self.file.write_text("".join(f"{name}\t{notes[name]}\n" for name in passed))


def read_notes(file: Path | None) -> dict[str, str]:
    """Return who reads the clock in each test that a file knows; nothing if it is out of date."""
    if file is None or not file.exists() or file.stat().st_mtime < find_last_change():
        return {}
    notes = (line.partition("\t") for line in file.read_text().splitlines())
    return {name: readers for name, _, readers in notes}


def find_last_change() -> float:
    """Return when a file of the program or its tests was changed last, in seconds since 1970."""
    files = (file for name in SOURCES for file in (ROOT / name, *(ROOT / name).rglob("*")))
    return max(file.stat().st_mtime for file in files if file.is_file() and file.suffix != ".pyc")
