"""No regular expression in the program takes more than linear time, whatever text it meets.

Every pattern is found in the source, by what it is written as, and fed runs of whatever could make
it try again and again: its own letters, white space, quotes, brackets, digits. Time is the
processor's and compared with itself, so that a busy machine changes nothing.
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
_CALLED = re.compile(rf"\.\s*(?:{'|'.join(sorted(CALLS))})\b")
SHORT = 1_000
LONG = 8_000
"""Characters of the runs: those that cost something at the first length are tried at the second."""
AT_ONCE = 0.001
"""Seconds of processor time for a short run, below which a pattern is linear: a quadratic one takes
twenty times as many steps as this allows.
"""
GROWTH = 16
"""A run eight times as long may take so many times as long; quadratic would be 64 times."""
PATIENCE = 2.0
"""Seconds of processor time after which a single run is ended."""

BOUNDED = {
    "newsletter/services/letters/link_check.py": (
        "reads the author's own letter, of at most 1 MB, in a check that the author starts"
    ),
    "newsletter/services/letters/preflight.py": (
        "reads the author's own letter, in a check that the author starts"
    ),
}
"""Modules whose patterns see nobody's text but the author's."""

MADE = {
    "newsletter/addresses.py:mask_mailboxes": "an escaped address",
    "newsletter/bounces/notice.py:find_reason": "an escaped text",
    "newsletter/html/players.py:_make_player": "its results stand in the module, and are tried",
    "newsletter/mail/smtp/classify.py:_compile": "tests/smtp/test_classify.py tries each",
    "newsletter/mail/templating/placeholders.py:__init__": "a random word and digits",
    "newsletter/mail/templating/placeholders.py:loosen": "the author's own letter",
    "newsletter/mail/templating/placeholders.py:_close_gaps": "the author's own letter",
    "newsletter/services/inbound/own_address.py:is_own_address": "an escaped address",
}
"""Functions that put a pattern together from what only they know, and why it is linear."""
MADE_ELSEWHERE: list[str] = []
"""Others that do."""

UNITS = [
    " ",
    "\n",
    "\t",
    "\r\n",
    "\xa0",
    '"',
    "'",
    "`",
    "<",
    ">",
    "</",
    "/>",
    "&",
    "&#",
    ";",
    ",",
    ".",
    ":",
    "-",
    "_",
    "=",
    "/",
    "\\",
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    "*",
    "#",
    "@",
    "%",
    "+",
    "?",
    "!",
    "|",
    "~",
    "$",
    "0",
    "1",
    "9",
    "a",
    "A",
    "é",
    "\0",
    "\ue000",
    "😀",
    "a ",
    " a",
    "a.",
    "a@",
    "a=",
    "a='",
    'a="',
    "1.",
    "1 ",
    "0.0",
    "<a ",
    "<a>",
    "</a>",
    "<p>",
    "<!--",
    "-->",
    "<![CDATA[",
    "]]>",
    "<b ",
    "a-",
    "=\n",
    " =",
    "\n ",
    "\n\n",
    ";a:",
    "a:0;",
    "https://",
    "a/",
    "&amp;",
]


def literals(pattern: str) -> list[str]:
    """Return the runs of plain text in a pattern: what it starts to match with."""
    bare = re.sub(r"\(\?[a-zA-Z:=!<>P]*|\\[bBAZ]|\[[^\]]*\]|\{\d*,?\d*\}", "\n", pattern)
    bare = re.sub(r"\\([^\w])", r"\1", bare)
    matches = re.findall(r"[^\n\\*+?()|^$]{1,30}", bare)
    return [text for text in dict.fromkeys(matches) if text][:10]


Run = Callable[[int], str]
"""Makes a text of about so many characters."""


def repeat(unit: str, prefix: str) -> Run:
    return lambda length: prefix + (unit * (length // len(unit) + 1))[:length]


def change_over(before: str, after: str) -> Run:
    return lambda length: before * (length // 2) + after * (length // 2)


def runs(pattern: str) -> Iterator[Run]:
    """Texts that a pattern begins to match again and again, and never ends."""
    texts = literals(pattern)
    joined = "".join(texts)
    prefixes = list(dict.fromkeys(["", *texts, *(f"{text} " for text in texts), joined]))
    units = [
        *UNITS,
        *texts,
        *(f"{text} " for text in texts),
        *(f"{text}a" for text in texts),
        joined,
    ]
    for unit in dict.fromkeys(filter(None, units)):
        for prefix in prefixes:
            yield repeat(unit, prefix)
    for before in ("a", "0", " ", "<a ", "="):
        for after in (" ", "a", "0", "\n"):
            yield change_over(before, after)


class TooLong(Exception):
    """A run was ended."""


@contextmanager
def limited(seconds: float) -> Iterator[None]:
    """End what takes more of the processor's time.

    The engine of `re` looks for signals as it goes.
    """

    def end(number: int, frame: FrameType | None) -> None:
        raise TooLong

    before = signal.signal(signal.SIGPROF, end)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def spent(work: Callable[[Any], object], text: Any, *, enough: float) -> float:
    """Return the processor time of `work`: the first of three below `enough`, or the least."""
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
        if least < enough:
            break
    return least


def is_linear(work: Callable[[Any], object], make: Callable[[int], Any]) -> bool:
    """Tell whether a run eight times as long takes about eight times as long."""
    first = spent(work, make(SHORT), enough=AT_ONCE)
    if first < AT_ONCE:
        return True
    most = min(first * GROWTH, PATIENCE)
    return first < PATIENCE and spent(work, make(LONG), enough=most) < most


class Uses(ast.NodeVisitor):
    """The patterns that a module writes down, and how each is used: {(line, pattern or name):
    methods}. What is compiled inside a function is searched for.
    """

    def __init__(self) -> None:
        self.inline: list[tuple[str, str, ast.expr]] = []
        self.methods: dict[str, set[str]] = {}
        self._within: list[str] = []

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        self._within.append(node.name)
        self.generic_visit(node)
        self._within.pop()

    def visit_Call(self, node: ast.Call) -> None:
        called = node.func
        if isinstance(called, ast.Attribute) and called.attr in CALLS:
            owner = called.value
            if isinstance(owner, ast.Name) and owner.id == "re":
                if called.attr != "compile":
                    self.inline.append((".".join(self._within), called.attr, node.args[0]))
                elif self._within:
                    self.inline.append((".".join(self._within), "search", node.args[0]))
            elif isinstance(owner, ast.Name | ast.Attribute):
                name = owner.id if isinstance(owner, ast.Name) else owner.attr
                self.methods.setdefault(name, set()).add(called.attr)
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
    elif isinstance(value, type) and value.__module__.startswith("newsletter."):
        for member in vars(value).values():
            if not isinstance(member, type):
                yield from compiled(member, depth + 1)
    elif depth < 3 and isinstance(value, dict):
        for member in value.values():
            yield from compiled(member, depth + 1)
    elif depth < 3 and isinstance(value, (list, tuple, set, frozenset)):
        for member in value:
            yield from compiled(member, depth + 1)


def patterns() -> Iterator[tuple[str, re.Pattern[Any], frozenset[str]]]:
    """Every pattern of the program with the methods that are called on it; where none is seen,
    all.
    """
    uses = {file: Uses() for file in FILES}
    everywhere: dict[str, set[str]] = {}
    for file, visitor in uses.items():
        text = file.read_text()
        if _CALLED.search(text):  # parsing them all takes seconds
            visitor.visit(ast.parse(text))
        for name, methods in visitor.methods.items():
            everywhere.setdefault(name, set()).update(methods)
    for file in FILES:
        name = str(file.relative_to(PACKAGE.parent))
        if name in BOUNDED or file.name == "__main__.py":
            continue
        module = vars(importlib.import_module(module_of(file)))
        for variable, value in list(module.items()):
            for number, pattern in enumerate(compiled(value)):
                called = uses[file].methods.get(variable) or everywhere.get(variable, ())
                methods = frozenset(called) or frozenset({"search"})
                yield f"{name}:{variable}{number or ''}", pattern, methods
        for number, (function, method, argument) in enumerate(uses[file].inline):
            place = f"{name}:{function}"
            if (pattern := evaluate(argument, module)) is not None:
                yield f"{place}:{number}", re.compile(pattern), frozenset({method})
            elif place not in MADE:
                MADE_ELSEWHERE.append(f"{place}: {ast.unparse(argument)}")


def evaluate(argument: ast.expr, names: dict[str, Any]) -> str | bytes | None:
    """Return a pattern that consists of constants of its module, None for any other."""
    try:
        value = eval(compile(ast.Expression(argument), "pattern", "eval"), dict(names))
    except (NameError, AttributeError):
        return None
    return value.pattern if isinstance(value, re.Pattern) else value


ALL = list(patterns())


def used(pattern: re.Pattern[Any], methods: frozenset[str]) -> Callable[[Any], object]:
    """Return what the program does with a pattern, at its most expensive."""
    if methods <= {"match"}:
        return pattern.match
    if methods <= {"match", "fullmatch"}:
        return pattern.fullmatch
    return lambda text: sum(1 for _ in pattern.finditer(text))


def as_given(pattern: re.Pattern[Any], text: str) -> Any:
    return text.encode("utf-8", "replace") if isinstance(pattern.pattern, bytes) else text


def test_a_pattern_that_is_put_together_says_why_it_is_linear() -> None:
    assert MADE_ELSEWHERE == []


def test_patterns_are_written_as_calls_of_re() -> None:
    """Under another name this guard would not see them."""
    for file in FILES:
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Import):
                named = [alias.asname for alias in node.names if alias.name in ("re", "regex")]
                assert named in ([], [None]), file
                assert not [alias for alias in node.names if alias.name == "regex"], file
            elif isinstance(node, ast.ImportFrom):
                assert node.module not in ("re", "regex"), file


def test_the_patterns_of_the_program_are_collected() -> None:
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
    for run in runs(source):
        linear = is_linear(work, lambda length, run=run: as_given(pattern, run(length)))  # type: ignore[misc]
        assert linear, f"{name} {source!r} over a run of {run(LONG)[:40]!r}"


@pytest.mark.parametrize(
    "planted",
    [
        r"\s+$",
        r"(a+)+b",
        r"<a\b[^<>]*\bx\b[^<>]*>y",
        r"\s*(<p>)?\s*The post",
        r"[^@\s]+@x",
        r"<([a-z]+)([^<>]*)>",
    ],
)
def test_the_guard_sees_a_pattern_that_is_planted(planted: str) -> None:
    pattern = re.compile(planted)
    work = used(pattern, frozenset({"search"}))
    assert not all(is_linear(work, run) for run in runs(planted))
