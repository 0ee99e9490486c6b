"""Judge changes of the core in forks of one process that has collected all tests.

A plugin of pytest that `tests/mutants.py` starts. A fork puts the changed code into the functions
that are loaded, empties the caches, which keep what the former code returned, and runs the tests
that reach the functions until one fails: what is imported and collected once serves for every
change.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import resource
import signal
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from enum import StrEnum
from functools import _lru_cache_wrapper
from pathlib import Path
from types import CodeType, FunctionType, ModuleType

import pytest

AT_ONCE = 2
Functions = dict[str, list[FunctionType]]
"""The loaded functions of modules, by their file."""
Swap = tuple[FunctionType, CodeType, CodeType]
"""A function, its code, and its changed code."""
FAILED: dict[str, str] = {}
"""The tests of this process that failed, and why."""
CACHES: list[_lru_cache_wrapper[object]] = []
"""The functions of the package that keep what they returned."""
CPU_SECONDS = 120
SECONDS = 600
"""A change that makes one test take longer is noticed."""


class Verdict(StrEnum):
    """The result of the tests of a change."""

    NOTICED = "noticed"
    LIVED = "LIVED"
    ENDLESS = "noticed (took too long)"
    NOT_TRIED = "not tried"


@dataclass(frozen=True)
class Job:
    """A file with its changed content, and the tests that judge it, nearest first."""

    file: str
    changed: str
    tests: list[str]


@dataclass(frozen=True)
class Answer:
    """The verdict on one job, and the test that failed with the last line of its reason."""

    verdict: Verdict
    test: str = ""
    why: str = ""


def write_jobs(jobs: list[Job], folder: Path) -> None:
    """Leave the jobs where the plugin reads them."""
    (folder / "jobs.json").write_text(json.dumps([asdict(job) for job in jobs]))


def read_answer(number: int, folder: Path) -> Answer:
    """Read what the plugin found out about a job."""
    file = folder / f"answer-{number}.json"
    return Answer(**json.loads(file.read_text())) if file.exists() else Answer(Verdict.NOT_TRIED)


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> bool:
    """Judge the jobs in the folder that MUTANTS names, instead of running the tests."""
    folder = Path(os.environ["MUTANTS"])
    jobs = [Job(**job) for job in json.loads((folder / "jobs.json").read_text())]
    items: dict[str, list[pytest.Item]] = {}
    for item in filter(_can_fork, session.items):
        items.setdefault(item.nodeid.partition("[")[0], []).append(item)
    idle = _set_up(session)
    functions = _find_functions(jobs)
    running: dict[int, int] = {}
    for number, job in enumerate(jobs):
        if len(running) >= AT_ONCE:
            _wait(running, folder)
        if not (child := os.fork()):
            chosen = [item for test in job.tests for item in items.get(test, [])]
            _judge(job, chosen, idle, functions, folder / f"answer-{number}.json")
        running[child] = number
    while running:
        _wait(running, folder)
    return True


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Keep why a test failed."""
    if report.failed:
        FAILED[report.nodeid] = report.longreprtext.strip().splitlines()[-1][:200]


def _can_fork(item: pytest.Item) -> bool:
    """Leave out what starts PostgreSQL, whose server forks would share."""
    return "postgresql" not in item.nodeid and "postgresql_url" not in getattr(
        item, "fixturenames", ()
    )


def _set_up(session: pytest.Session) -> pytest.Item:
    """Run one test, so that what a session sets up once is there.

    Return the test that has least in common with it: what they share stays, and all others share.
    """
    with_app = (item for item in session.items if "app" in getattr(item, "fixturenames", ()))
    first = next(with_app, session.items[0])
    chain = set(first.listchain())
    idle = min(session.items, key=lambda item: len(chain.intersection(item.listchain())))
    session.config.hook.pytest_runtest_protocol(item=first, nextitem=idle)
    return idle


def _wait(running: dict[int, int], folder: Path) -> None:
    child, status = os.wait()
    number = running.pop(child)
    file = folder / f"answer-{number}.json"
    if os.WIFSIGNALED(status) and not file.exists():
        _answer(Answer(Verdict.ENDLESS), file)
    answer = read_answer(number, folder)
    print(f"[{number + 1}] {answer.verdict} {answer.test} {answer.why}", flush=True)


def _answer(answer: Answer, file: Path) -> None:
    file.write_text(json.dumps(asdict(answer)))


def _judge(
    job: Job, items: list[pytest.Item], idle: pytest.Item, functions: Functions, file: Path
) -> None:
    """Run the tests with the change, in a fork that ends here."""
    try:
        _be_silent()
        if swaps := find_swaps(job, functions):
            _answer(_run(items, idle, swaps), file)
    finally:
        os._exit(0)


def _be_silent() -> None:
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    os.dup2(null, 2)


def _run(items: list[pytest.Item], idle: pytest.Item, swaps: list[Swap]) -> Answer:
    """Run the tests until one fails with the change and passes without it."""
    _swap(swaps)
    for item, following in zip(items, [*items[1:], idle], strict=False):
        if _fails(item, following):
            why = FAILED.get(item.nodeid, "")
            _swap(swaps, back=True)
            if not _fails(item, following):
                return Answer(Verdict.NOTICED, item.nodeid, why)
            _swap(swaps)
    return Answer(Verdict.LIVED)


def _fails(item: pytest.Item, following: pytest.Item) -> bool:
    before = item.session.testsfailed
    used = int(time.process_time())
    resource.setrlimit(resource.RLIMIT_CPU, (used + CPU_SECONDS, resource.RLIM_INFINITY))
    signal.alarm(SECONDS)
    item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
    return item.session.testsfailed > before


def _swap(swaps: list[Swap], *, back: bool = False) -> None:
    for function, old, new in swaps:
        function.__code__ = old if back else new
    for cache in CACHES:
        cache.cache_clear()


def _find_functions(jobs: list[Job]) -> Functions:
    """Find the functions of the modules that change, and all caches, once for all forks."""
    functions: Functions = {str(_load(job).__file__): [] for job in jobs}
    gc.unfreeze()
    for entry in gc.get_objects():
        if isinstance(entry, FunctionType) and entry.__code__.co_filename in functions:
            functions[entry.__code__.co_filename].append(entry)
        elif isinstance(entry, _lru_cache_wrapper) and entry.__module__.startswith("newsletter."):
            CACHES.append(entry)
    gc.freeze()
    return functions


def _load(job: Job) -> ModuleType:
    path = Path(job.file).with_suffix("")
    return importlib.import_module(".".join(path.parts).removesuffix(".__init__"))


def find_swaps(job: Job, functions: Functions) -> list[Swap]:
    """Return the functions of the module that change; none if they cannot be changed so."""
    name = str(_load(job).__file__)
    before = compile(Path(job.file).read_bytes(), name, "exec", dont_inherit=True)
    after = compile(job.changed, name, "exec", dont_inherit=True)
    changed = {
        (old.co_qualname, old.co_firstlineno): new
        for old, new in zip(_codes(before), _codes(after), strict=True)
        if old != new
    }
    swaps = []
    for function in functions[name]:
        old = function.__code__
        if new := changed.get((old.co_qualname, old.co_firstlineno)):
            swaps.append((function, old, new))
    return swaps if all(old.co_freevars == new.co_freevars for _, old, new in swaps) else []


def _codes(code: CodeType) -> Iterator[CodeType]:
    """Yield the code of functions within this one, in order."""
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield constant
            yield from _codes(constant)
