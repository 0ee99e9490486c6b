"""Change the core in one small place at a time, and print the changes that no test notices.

`make mutants` first records which tests reach each line (coverage.py, one context a test), then
draws a fixed random sample of changes and runs, in a copy of the tree, the tests that reach the
changed line. docs/testing.md has the figures.
"""

from __future__ import annotations

import argparse
import ast
import copy
import difflib
import random
import shutil
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ElementTree
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from coverage import CoverageData

ROOT = Path(__file__).parents[1]
DATA = ROOT / ".venv" / "mutants"
"""Where the recording of the tests is kept."""
CORE = (
    "newsletter/outbox", "newsletter/mail", "newsletter/services/sending",
    "newsletter/services/signup", "newsletter/services/digests", "newsletter/services/polling",
    "newsletter/services/transfer",
)  # fmt: skip
SUITE = ("tests/services", "tests/unit", "tests/smtp/test_classify.py", "tests/web")
SLOW = "not (processes or browser or postfix or wordpress or redis or dovecot)"
TESTS_AT_MOST = 120
"""Tests that judge one change; those nearest to it by name come first."""
SECONDS_AT_MOST = 240
"""A change that makes its tests take longer is noticed."""
SWAPPED: dict[type[ast.AST], type[ast.AST]] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq, ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In,
    ast.And: ast.Or, ast.Or: ast.And, ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Add,
}  # fmt: skip
CONDITIONS = ("where", "and_", "or_", "filter", "filter_by")


@dataclass(frozen=True)
class Mutant:
    """One small change of one file: `text` in the place of the octets from `start` to `end`."""

    file: str
    line: int
    start: int
    end: int
    text: str

    def apply(self, source: bytes) -> bytes:
        """Return the file's content with the change."""
        return source[: self.start] + self.text.encode() + source[self.end :]


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


def list_mutants(file: str, lines: set[int]) -> list[Mutant]:
    """List the changes of a file in lines that tests reach, in order."""
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
                if getattr(node, "lineno", 0) not in lines or _is_annotation(node, statement):
                    continue
                for changed in change(node):
                    mutants.append(_place(file, node, changed, starts))
    return sorted(set(mutants), key=lambda mutant: (mutant.start, mutant.text))


def _is_annotation(node: ast.AST, statement: ast.AST) -> bool:
    return any(
        node in ast.walk(inner.annotation)
        for inner in ast.walk(statement)
        if isinstance(inner, ast.AnnAssign)
    )


def _place(file: str, node: ast.AST, changed: ast.AST, starts: list[int]) -> Mutant:
    target, text = node, ""
    if isinstance(changed, _Test):
        target, text = changed.test, f"(not ({ast.unparse(changed.test)}))"
    elif isinstance(changed, ast.expr):
        text = f"({ast.unparse(ast.fix_missing_locations(changed))})"
    else:
        text = ast.unparse(changed)
    start = starts[target.lineno - 1] + target.col_offset  # type: ignore[attr-defined]
    end = starts[target.end_lineno - 1] + target.end_col_offset  # type: ignore[attr-defined]
    return Mutant(file, target.lineno, start, end, text)  # type: ignore[attr-defined]


def record() -> None:
    """Run the suite once, noting which tests reach each line and which fail without a change."""
    DATA.mkdir(parents=True, exist_ok=True)
    settings = DATA / "coveragerc"
    settings.write_text(
        f"[run]\ndata_file = {DATA / 'coverage'}\ndynamic_context = test_function\n"
        f"source = newsletter\n"
    )
    command = [sys.executable, "-m", "coverage", "run", f"--rcfile={settings}", "-m", "pytest"]
    options = ["-q", "--database", "sqlite", "-m", SLOW, f"--junitxml={DATA / 'report.xml'}"]
    subprocess.run([*command, *options, *SUITE], cwd=ROOT, check=False)


def read_reach() -> dict[str, dict[int, set[str]]]:
    """Return the tests that reach each line of the core, by file and line."""
    data = CoverageData(str(DATA / "coverage"))
    data.read()
    failing = _read_failing()
    reach: dict[str, dict[int, set[str]]] = {}
    for measured in sorted(data.measured_files()):
        file = Path(measured).relative_to(ROOT).as_posix()
        if file.startswith(CORE):
            by_line = data.contexts_by_lineno(measured)
            reach[file] = {
                line: tests
                for line, contexts in by_line.items()
                if (tests := {_node_id(context) for context in contexts if ".test_" in context})
            }
    return {
        file: {line: tests - failing for line, tests in lines.items() if tests - failing}
        for file, lines in reach.items()
    }


def _read_failing() -> set[str]:
    return {
        _node_id(f"{case.get('classname')}.{case.get('name', '').partition('[')[0]}")
        for report in DATA.glob("*.xml")
        for case in ElementTree.parse(report).iter("testcase")
        if case.find("failure") is not None or case.find("error") is not None
    }


def _node_id(context: str) -> str:
    module, _, function = context.rpartition(".")
    return f"{module.replace('.', '/')}.py::{function}"


def choose_tests(mutant: Mutant, tests: set[str]) -> list[str]:
    """Return the tests that judge a change, those of its module and neighbourhood first."""
    module = Path(mutant.file)

    def distance(test: str) -> tuple[bool, bool, str]:
        return (f"test_{module.stem}" not in test, module.parent.name not in test, test)

    return sorted(tests, key=distance)[:TESTS_AT_MOST]


def is_noticed(mutant: Mutant, tests: list[str], tree: Path) -> bool:
    """Tell whether a test fails in a tree with the change; the tree is as before then."""
    file = tree / mutant.file
    source = file.read_bytes()
    file.write_bytes(mutant.apply(source))
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider"]
    try:
        ended = subprocess.run(
            [*command, "--database", "sqlite", *tests],
            cwd=tree,
            capture_output=True,
            timeout=SECONDS_AT_MOST,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return True
    finally:
        file.write_bytes(source)
    return ended.returncode != 0


def show(mutant: Mutant) -> str:
    """Return the change as a short diff."""
    source = (ROOT / mutant.file).read_bytes()
    before, after = source.decode(), mutant.apply(source).decode()
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), lineterm="", n=1)
    return "\n".join([f"{mutant.file}:{mutant.line}", *list(lines)[3:]])


def main() -> None:
    """Draw a sample, judge each change, and print what lived."""
    parser = argparse.ArgumentParser(prog="make mutants", description=__doc__)
    parser.add_argument("--sample", type=int, default=60, help="how many changes (default: 60)")
    parser.add_argument("--seed", default="core", help="draws another sample")
    parser.add_argument("--record", action="store_true", help="record the tests anew")
    chosen = parser.parse_args()
    if chosen.record or not (DATA / "report.xml").exists():
        record()
    reach = read_reach()
    mutants = [mutant for file in reach for mutant in list_mutants(file, set(reach[file]))]
    sample = random.Random(chosen.seed).sample(mutants, min(chosen.sample, len(mutants)))
    result: Counter[bool] = Counter()
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder) / "tree"
        ignored = shutil.ignore_patterns(".git", ".venv", "__pycache__", "*.egg-info")
        shutil.copytree(ROOT, tree, ignore=ignored)
        for number, mutant in enumerate(sample, 1):
            noticed = is_noticed(
                mutant, choose_tests(mutant, reach[mutant.file][mutant.line]), tree
            )
            result[noticed] += 1
            print(f"[{number}] {'noticed' if noticed else 'LIVED'} {mutant.file}:{mutant.line}")
            if not noticed:
                print(show(mutant), flush=True)
    print(f"{result[True]} of {len(sample)} noticed; drawn of {len(mutants):,} changes")


if __name__ == "__main__":
    main()
