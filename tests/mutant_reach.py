"""Record which tests reach each line of the core: coverage.py, with one context a test.

It is also the plugin of pytest that names the contexts. A line that fixtures of a test reach is
reached by that test.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from coverage import Coverage, CoverageData

ROOT = Path(__file__).parents[1]
DATA = ROOT / ".venv" / "mutants"
"""The folder of the recording of the tests."""
CORE = (
    "newsletter/outbox",
    "newsletter/mail",
    "newsletter/services/sending",
    "newsletter/services/signup",
    "newsletter/services/digests",
    "newsletter/services/polling",
    "newsletter/services/transfer",
)
PARTS = (
    ("tests/services/digests",),
    ("tests/services/sending", "tests/services/signup"),
    ("tests/services/polling", "tests/services/transfer"),
    ("tests/unit/mail", "tests/smtp"),
    ("tests/services",),
    ("tests/unit",),
    ("tests/web/author",),
    ("tests/web",),
    ("tests/scenarios",),
    ("tests/cli",),
)
"""What one process records at a time; what an earlier part has is left out of a later one."""
SLOW = "not (processes or browser or servers or lives)"
AT_ONCE = 2
"""Processes that record."""
Reach = dict[str, dict[int, set[str]]]
"""The tests that reach a line, by file and line."""


def pytest_runtest_logstart(nodeid: str) -> None:
    """Note whatever runs from now on, fixtures included, under the name of this test."""
    if recording := Coverage.current():
        recording.switch_context(nodeid.partition("[")[0])


def record(*, anew: bool) -> None:
    """Run the tests once, noting which reach each line and which fail without a change.

    Parts that an interrupted recording has finished are kept, unless it is made `anew`.
    """
    if anew:
        shutil.rmtree(DATA, ignore_errors=True)
    DATA.mkdir(parents=True, exist_ok=True)
    missing = [number for number in range(len(PARTS)) if not (DATA / f"done-{number}").exists()]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(_record_part, missing))


def _record_part(number: int) -> None:
    (DATA / f"coverage-{number}").unlink(missing_ok=True)
    settings = DATA / f"coveragerc-{number}"
    included = "".join(f"    {ROOT / folder}/*\n" for folder in CORE)
    data_file = DATA / f"coverage-{number}"
    settings.write_text(
        f"[run]\nrelative_files = True\ndata_file = {data_file}\ninclude =\n{included}"
    )
    command = [sys.executable, "-m", "coverage", "run", f"--rcfile={settings}", "-m", "pytest"]
    options = ["-q", "-p", "tests.mutant_reach", "-p", "no:cacheprovider", "--database", "sqlite"]
    options += ["-m", SLOW, f"--junitxml={DATA / f'report-{number}.xml'}"]
    earlier = [folder for part in PARTS[:number] for folder in part]
    ignored = [f"--ignore={folder}" for folder in earlier]
    subprocess.run([*command, *options, *ignored, *PARTS[number]], cwd=ROOT, check=False)
    (DATA / f"done-{number}").touch()


def read_reach() -> Reach:
    """Return the tests that reach each line of the core, by file and line."""
    failing = _read_failing()
    reach: Reach = {}
    for recorded in sorted(DATA.glob("coverage-*")):
        data = CoverageData(str(recorded))
        data.read()
        for file in sorted(data.measured_files()):
            lines = reach.setdefault(file, {})
            for line, contexts in data.contexts_by_lineno(file).items():
                if tests := {test for test in contexts if test} - failing:
                    lines.setdefault(line, set()).update(tests)
    return dict(sorted(reach.items()))


def read_seconds() -> dict[str, float]:
    """Return how many seconds each test took, with all its parameters."""
    seconds: dict[str, float] = defaultdict(float)
    for case in _read_cases():
        seconds[_read_name(case)] += float(case.get("time", 0))
    return seconds


def _read_failing() -> set[str]:
    return {
        _read_name(case)
        for case in _read_cases()
        if case.find("failure") is not None or case.find("error") is not None
    }


def _read_cases() -> Iterator[ElementTree.Element]:
    for report in DATA.glob("report-*.xml"):
        yield from ElementTree.parse(report).iter("testcase")


def _read_name(case: ElementTree.Element) -> str:
    file = case.get("classname", "").replace(".", "/")
    return f"{file}.py::{case.get('name', '').split('[')[0]}"
