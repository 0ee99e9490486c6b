"""Change the core in one small place at a time, and print the changes that no test notices.

`make mutants` first records which tests reach each line of the core (`tests/mutant_reach.py`), then
draws a fixed random sample of changes and runs, in a copy of the tree, the tests that reach the
changed line (`tests/mutant_judge.py`). docs/testing.md has the figures.
"""

from __future__ import annotations

import argparse
import ast
import copy
import difflib
import os
import random
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.mutant_judge import Answer, Job, Verdict, read_answer, write_jobs
from tests.mutant_reach import CORE, ROOT, SLOW, Reach, read_reach, read_seconds, record

SWAPPED: dict[type[ast.AST], type[ast.AST]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.And: ast.Or,
    ast.Or: ast.And,
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Add,
}
CONDITIONS = ("where", "and_", "or_", "filter", "filter_by")


@dataclass(frozen=True)
class Mutant:
    """One small change of one file: `text` in the place of the octets from `start` to `end`."""

    file: str
    line: int
    start: int
    end: int
    text: str

    def read_changed(self) -> str:
        """Return the file's content with the change."""
        source = (ROOT / self.file).read_bytes()
        return (source[: self.start] + self.text.encode() + source[self.end :]).decode()


def change(node: ast.AST) -> Iterator[ast.AST]:
    """Yield the changed copies of a syntax node."""
    match node:
        case ast.Compare(ops=[operator]) if type(operator) in SWAPPED:
            yield _copy(node, ops=[SWAPPED[type(operator)]()])
        case ast.BoolOp(op=operator) | ast.BinOp(op=operator) if type(operator) in SWAPPED:
            yield _copy(node, op=SWAPPED[type(operator)]())
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            yield operand
        case ast.Constant(value=bool(value)):
            yield ast.Constant(not value)
        case ast.Constant(value=int(value)):
            yield ast.Constant(value + 1)
        case ast.IfExp() | ast.If() | ast.While() if not _is_typing(node.test):
            yield _Test(node.test)
        case ast.Expr(value=ast.Call() as call) if not ast.unparse(call.func).startswith("log"):
            yield ast.Pass()
        case ast.Call(func=func, args=args) if _name(func) in CONDITIONS and len(args) > 1:
            for number in range(len(args)):
                yield _copy(node, args=[*args[:number], *args[number + 1 :]])


class _Test(ast.AST):
    """The negated test of a statement, which stands in the place of that test only."""

    def __init__(self, test: ast.expr) -> None:
        self.test = test


def _copy(node: ast.AST, **fields: object) -> ast.AST:
    changed = copy.copy(node)
    for name, value in fields.items():
        setattr(changed, name, value)
    return changed


def _name(func: ast.expr) -> str:
    return func.attr if isinstance(func, ast.Attribute) else getattr(func, "id", "")


def _is_typing(test: ast.expr) -> bool:
    return "TYPE_CHECKING" in ast.unparse(test)


def list_mutants(file: str) -> list[Mutant]:
    """List the changes of the functions of a file, in order."""
    source = (ROOT / file).read_bytes()
    starts = [0]
    for row in source.splitlines(keepends=True):
        starts.append(starts[-1] + len(row))
    mutants = []
    for function in ast.walk(ast.parse(source)):
        if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        for statement in function.body:
            for node in ast.walk(statement):
                if not _is_annotation(node, statement):
                    mutants += [_place(file, node, changed, starts) for changed in change(node)]
    return sorted(set(mutants), key=lambda mutant: (mutant.start, mutant.text))


def _is_annotation(node: ast.AST, statement: ast.AST) -> bool:
    return any(
        node in ast.walk(inner.annotation)
        for inner in ast.walk(statement)
        if isinstance(inner, ast.AnnAssign)
    )


def _place(file: str, node: ast.AST, changed: ast.AST, starts: list[int]) -> Mutant:
    target = node
    text = ""
    if isinstance(changed, _Test):
        target = changed.test
        text = f"(not ({ast.unparse(changed.test)}))"
    elif isinstance(changed, ast.expr):
        text = f"({ast.unparse(ast.fix_missing_locations(changed))})"
    else:
        text = ast.unparse(changed)
    start = starts[target.lineno - 1] + target.col_offset  # type: ignore[attr-defined]
    end = starts[target.end_lineno - 1] + target.end_col_offset  # type: ignore[attr-defined]
    return Mutant(file, target.lineno, start, end, text)  # type: ignore[attr-defined]


def choose_tests(
    mutant: Mutant,
    reach: Reach,
    breadth: Counter[str],
    seconds: Mapping[str, float],
    seconds_at_most: float,
) -> list[str]:
    """Return the tests that judge a change: its module's and neighbourhood's, narrow ones first.

    They took `seconds_at_most` together when they were recorded.
    """
    module = Path(mutant.file)

    def distance(test: str) -> tuple[bool, bool, int, str]:
        folder = module.parent.name
        return (f"test_{module.stem}." not in test, folder not in test, breadth[test], test)

    chosen: list[str] = []
    left = seconds_at_most
    for test in sorted(reach[mutant.file][mutant.line], key=distance):
        if not chosen or seconds.get(test, 0.0) < left:
            chosen.append(test)
            left -= seconds.get(test, 0.0)
    return chosen


def judge(sample: list[Mutant], reach: Reach, seconds_at_most: float) -> list[Answer]:
    """Return what the tests say about each change, in a copy of the tree."""
    breadth = Counter(
        test for lines in reach.values() for tests in lines.values() for test in tests
    )
    seconds = read_seconds()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        tree = Path(name) / "tree"
        ignored = shutil.ignore_patterns(".git", ".venv", "__pycache__", "*.egg-info")
        shutil.copytree(ROOT, tree, ignore=ignored)
        jobs = [
            Job(
                mutant.file,
                mutant.read_changed(),
                choose_tests(mutant, reach, breadth, seconds, seconds_at_most),
            )
            for mutant in sample
        ]
        write_jobs(jobs, folder)
        files = sorted({test.partition("::")[0] for job in jobs for test in job.tests})
        _run_tests(files, ["-s", "-p", "tests.mutant_judge"], cwd=tree, MUTANTS=name)
        answers = [read_answer(number, folder) for number in range(len(jobs))]
        for number, job in enumerate(jobs):
            if answers[number].verdict == Verdict.NOT_TRIED:
                answers[number] = _judge_alone(job, tree)
        return answers


def _run_tests(
    tests: list[str], options: list[str], cwd: Path, **variables: str
) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-m", SLOW]
    command += ["--database", "sqlite", "-o", "tmp_path_retention_policy=failed", *options, *tests]
    return subprocess.run(
        command,
        cwd=cwd,
        env=os.environ | variables,
        stdout=None if variables else subprocess.PIPE,
        check=False,
    )


def _judge_alone(job: Job, tree: Path) -> Answer:
    """Judge a change that counts when its module is loaded, in a process of its own."""
    file = tree / job.file
    source = file.read_bytes()
    file.write_text(job.changed)
    ended = _run_tests(job.tests, ["-x"], cwd=tree)
    file.write_bytes(source)
    return Answer(Verdict.NOTICED if ended.returncode else Verdict.LIVED)


def list_reached(files: list[str], lines: list[int], reach: Reach) -> list[Mutant]:
    """List the changes of files that a test reaches, and print those that none does.

    Without `lines` these are changes of all lines.
    """
    listed = [mutant for file in files for mutant in list_mutants(file)]
    listed = [mutant for mutant in listed if not lines or mutant.line in lines]
    reached = [mutant for mutant in listed if reach.get(mutant.file, {}).get(mutant.line)]
    for file, line in sorted(
        {(mutant.file, mutant.line) for mutant in listed if mutant not in reached}
    ):
        print(f"no test reaches {file}:{line}")
    return reached


def reach_by(paths: list[str], files: list[str]) -> Reach:
    """Return a recording in which the tests of `paths` reach every line of `files`."""
    listed = _run_tests(paths, ["--collect-only"], cwd=ROOT).stdout.decode()
    tests = {row.partition("[")[0] for row in listed.splitlines() if "::" in row}
    return {file: {mutant.line: tests for mutant in list_mutants(file)} for file in files}


def draw(seed: str, size: int, reach: Reach) -> list[Mutant]:
    """Draw changes from the whole core, and return the first ones that a test reaches."""
    files = sorted(
        path.relative_to(ROOT).as_posix()
        for folder in CORE
        for path in (ROOT / folder).rglob("*.py")
    )
    mutants = [mutant for file in files for mutant in list_mutants(file)]
    drawn = random.Random(seed).sample(mutants, len(mutants))
    reached = [mutant for mutant in drawn if reach.get(mutant.file, {}).get(mutant.line)]
    sample = reached[:size]
    passed = drawn.index(sample[-1]) + 1
    print(
        f"{seed}: {len(mutants):,} changes; no test reaches {passed - size} of the {passed} drawn"
    )
    return sample


def show(mutant: Mutant) -> str:
    """Return the change as a short diff."""
    before = (ROOT / mutant.file).read_text()
    after = mutant.read_changed()
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), lineterm="", n=1)
    return "\n".join(list(lines)[3:])


def main() -> None:
    """Draw samples, judge each change, and print what lived."""
    parser = argparse.ArgumentParser(prog="make mutants", description=__doc__)
    parser.add_argument("--sample", type=int, default=60, help="how many changes (default: 60)")
    parser.add_argument("--seed", nargs="+", default=["core"], help="each draws another sample")
    parser.add_argument("--file", nargs="+", help="all changes of these files, instead of a sample")
    parser.add_argument("--line", nargs="+", type=int, help="of these lines only")
    parser.add_argument("--test", nargs="+", help="judged by these tests, without a recording")
    parser.add_argument(
        "--seconds",
        type=float,
        default=120.0,
        help="how long the tests that judge one change took when recorded (default: 120)",
    )
    parser.add_argument("--record", action="store_true", help="record the tests anew")
    chosen = parser.parse_args()
    if chosen.test:
        reach = reach_by(chosen.test, chosen.file)
    else:
        record(anew=chosen.record)
        reach = read_reach()
    sample = (
        list_reached(chosen.file, chosen.line or [], reach)
        if chosen.file
        else [mutant for seed in chosen.seed for mutant in draw(seed, chosen.sample, reach)]
    )
    answers = judge(sample, reach, chosen.seconds)
    for number, (mutant, answer) in enumerate(zip(sample, answers, strict=True), 1):
        print(f"[{number}] {answer.verdict} {mutant.file}:{mutant.line} {answer.test}")
        if answer.verdict == Verdict.LIVED:
            print(show(mutant))
    for verdict, count in Counter(answer.verdict for answer in answers).items():
        print(f"{count} of {len(sample)} {verdict}")


if __name__ == "__main__":
    main()
