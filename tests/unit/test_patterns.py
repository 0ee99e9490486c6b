"""No regular expression in the program takes more than linear time, whatever text it meets.

Every pattern is found in the source, by what it is written as, and fed runs of whatever could make it try again and
again: its own letters, white space, quotes, brackets, digits. Time is the processor's and compared with itself, so that
a busy machine changes nothing.
"""

from __future__ import annotations

import ast
import importlib
import re
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

PACKAGE = Path(__file__).parents[2] / "newsletter"
CALLS = {"compile", "match", "fullmatch", "search", "sub", "subn", "split", "findall", "finditer"}
SHORT, LONG = 3_000, 24_000
"""Characters of the runs: those that cost something at the first length are tried at the second."""
AT_ONCE = 0.004
"""Seconds of processor time for a short run, below which a pattern is linear: a quadratic one takes twenty times as
many steps as this allows."""
GROWTH = 16
"""A run eight times as long may take so many times as long; quadratic would be 64 times."""
PATIENCE = 2.0
"""Seconds of processor time after which a single run is ended."""

BOUNDED = {
    "newsletter/services/letters/link_check.py": "reads the author's own letter, of at most 1 MB, in a check that the author starts",
    "newsletter/services/letters/preflight.py": "reads the author's own letter, in a check that the author starts",
}
"""Modules whose patterns see nobody's text but the author's."""

UNITS = [
    " ", "\n", "\t", "\r\n", "\xa0", '"', "'", "`", "<", ">", "</", "/>", "&", "&#", ";", ",", ".", ":", "-", "_", "=", "/", "\\", "(",
    ")", "[", "]", "{", "}", "*", "#", "@", "%", "+", "?", "!", "|", "~", "$", "0", "1", "9", "a", "A", "é", "\0", "\ue000", "😀", "a ",
    " a", "a.", "a@", "a=", "a='", 'a="', "1.", "1 ", "0.0", "<a ", "<a>", "</a>", "<p>", "<!--", "-->", "<![CDATA[", "]]>", "<b ", "a-",
    "=\n", " =", "\n ", "\n\n", ";a:", "a:0;", "https://", "a/", "&amp;",
]  # fmt: skip


def literals(pattern: str) -> list[str]:
    """The runs of plain text in a pattern: what it starts to match with."""
    bare = re.sub(r"\(\?[a-zA-Z:=!<>P]*|\\[bBAZ]|\[[^\]]*\]|\{\d*,?\d*\}", "\n", pattern)
    bare = re.sub(r"\\([^\w])", r"\1", bare)
    found = re.findall(r"[^\n\\*+?()|^$]{1,30}", bare)
    return [text for text in dict.fromkeys(found) if text][:10]


def runs(pattern: str, length: int) -> Iterator[str]:
    """Texts that a pattern begins to match again and again, and never ends."""
    own = literals(pattern)
    joined = "".join(own)
    prefixes = list(dict.fromkeys(["", *own, *(f"{text} " for text in own), joined]))
    for unit in [
        *UNITS,
        *own,
        *(f"{text} " for text in own),
        *(f"{text}a" for text in own),
        joined,
    ]:
        run = (unit * (length // max(1, len(unit)) + 1))[:length] if unit else ""
        for prefix in prefixes:
            yield prefix + run
    for before in ("a", "0", " ", "<a ", "="):
        for after in (" ", "a", "0", "\n"):
            yield before * (length // 2) + after * (length // 2)


class TooLong(Exception):
    """A run was ended."""


@contextmanager
def limited(seconds: float) -> Iterator[None]:
    """End what takes more of the processor's time. The engine of `re` looks for signals as it goes."""

    def end(number: int, frame: FrameType | None) -> None:
        raise TooLong

    before = signal.signal(signal.SIGPROF, end)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def spent(work: Callable[[Any], object], text: Any) -> float:
    """The processor time of `work`, the least of up to three tries."""
    least = PATIENCE
    for _ in range(3):
        begun = time.thread_time()
        try:
            with limited(PATIENCE):
                work(text)
        except TooLong:
            return PATIENCE
        except (ValueError, TypeError, RecursionError):
            return 0.0
        least = min(least, time.thread_time() - begun)
        if least < AT_ONCE:
            break
    return least


def is_linear(work: Callable[[Any], object], short: Any, long: Any) -> bool:
    """Whether a run eight times as long takes about eight times as long."""
    first = spent(work, short)
    if first < AT_ONCE:
        return True
    return first < PATIENCE and spent(work, long) < first * GROWTH


class Uses(ast.NodeVisitor):
    """The patterns that a module writes down, and how each is used: {(line, pattern or name): methods}."""

    def __init__(self) -> None:
        self.inline: list[tuple[int, str, ast.expr]] = []
        self.methods: dict[str, set[str]] = {}

    def visit_Call(self, node: ast.Call) -> None:
        called = node.func
        if isinstance(called, ast.Attribute) and called.attr in CALLS:
            owner = called.value
            if isinstance(owner, ast.Name) and owner.id == "re" and called.attr != "compile":
                self.inline.append((node.lineno, called.attr, node.args[0]))
            elif isinstance(owner, ast.Name):
                self.methods.setdefault(owner.id, set()).add(called.attr)
        self.generic_visit(node)


FILES = sorted(
    file
    for file in PACKAGE.rglob("*.py")
    if "migrations" not in file.parts and "demo" not in file.parts
)


def module_of(file: Path) -> str:
    return ".".join(file.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(
        ".__init__"
    )


def compiled(value: object, depth: int = 0) -> Iterator[re.Pattern[Any]]:
    if isinstance(value, re.Pattern):
        yield value
    elif depth < 3 and isinstance(value, dict):
        for member in value.values():
            yield from compiled(member, depth + 1)
    elif depth < 3 and isinstance(value, (list, tuple, set, frozenset)):
        for member in value:
            yield from compiled(member, depth + 1)


def patterns() -> Iterator[tuple[str, re.Pattern[Any], frozenset[str]]]:
    """Every pattern of the program with the methods that are called on it; where none is seen, all."""
    uses = {file: Uses() for file in FILES}
    everywhere: dict[str, set[str]] = {}
    for file, found in uses.items():
        found.visit(ast.parse(file.read_text()))
        for name, methods in found.methods.items():
            everywhere.setdefault(name, set()).update(methods)
    for file in FILES:
        name = str(file.relative_to(PACKAGE.parent))
        if name in BOUNDED or file.name == "__main__.py":
            continue
        for variable, value in vars(importlib.import_module(module_of(file))).items():
            for number, pattern in enumerate(compiled(value)):
                called = uses[file].methods.get(variable) or everywhere.get(variable, ())
                methods = frozenset(called) or frozenset({"search"})
                yield f"{name}:{variable}{number or ''}", pattern, methods
        for line, method, argument in uses[file].inline:
            pieces = list(ast.walk(argument))
            dynamic = [
                piece for piece in pieces if not isinstance(piece, (ast.Constant, ast.JoinedStr))
            ]
            text = "".join(
                str(piece.value)
                for piece in pieces
                if isinstance(piece, ast.Constant) and piece.value
            )
            if isinstance(argument, ast.Constant):
                yield f"{name}:{line}", re.compile(argument.value), frozenset({method})
            else:
                assert dynamic, f"{name}:{line}: {text}"


ALL = list(patterns())


def used(pattern: re.Pattern[Any], methods: frozenset[str]) -> Callable[[Any], object]:
    """What the program does with a pattern, at its most expensive."""
    if methods <= {"match"}:
        return pattern.match
    if methods <= {"match", "fullmatch"}:
        return pattern.fullmatch
    return lambda text: sum(1 for _ in pattern.finditer(text))


def as_given(pattern: re.Pattern[Any], text: str) -> Any:
    return text.encode("utf-8", "replace") if isinstance(pattern.pattern, bytes) else text


def test_patterns_are_found() -> None:
    names = [name for name, *_ in ALL]
    assert len(ALL) > 90
    assert any(name.startswith("newsletter/html/sanitize.py:_TAG") for name in names)
    assert any("feeds/youtube" in name or "_IN_PAGE" in name for name in names)


@pytest.mark.parametrize(("name", "pattern", "methods"), ALL, ids=[name for name, *_ in ALL])
def test_no_pattern_takes_more_than_linear_time(
    name: str, pattern: re.Pattern[Any], methods: frozenset[str]
) -> None:
    source = (
        pattern.pattern if isinstance(pattern.pattern, str) else pattern.pattern.decode("latin-1")
    )
    work = used(pattern, methods)
    for short, long in zip(runs(source, SHORT), runs(source, LONG), strict=True):
        linear = is_linear(work, as_given(pattern, short), as_given(pattern, long))
        assert linear, f"{name} {source!r} over a run of {long[:40]!r}"


@pytest.mark.parametrize(
    "planted",
    [r"\s+$", r"(a+)+b", r"<a\b[^<>]*\bx\b[^<>]*>y", r"\s*(<p>)?\s*The post", r"[^@\s]+@x", r"<([a-z]+)([^<>]*)>"],
)  # fmt: skip
def test_the_guard_sees_a_pattern_that_is_planted(planted: str) -> None:
    pattern = re.compile(planted)
    work = used(pattern, frozenset({"search"}))
    assert not all(
        is_linear(work, short, long)
        for short, long in zip(runs(planted, SHORT), runs(planted, LONG), strict=True)
    )
