"""The language of the code (docs/design.md, "Language"): names, docstrings, lines, one word per thing.

Ruff checks the mood and shape of docstrings and the length of lines; what it has no rule for is
checked here.
"""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "newsletter"
FILES = sorted(file for file in PACKAGE.rglob("*.py") if "versions" not in file.parts)
DOCS = sorted([ROOT / "README.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").glob("*.md")])
TEMPLATES = sorted(file for file in (ROOT / "templates").rglob("*") if file.is_file())

VAGUE = frozenset(
    [
        "found",
        "said",
        "shown",
        "told",
        "each",
        "own",
        "there",
        "here",
        "made",
        "given",
        "wanted",
        "those",
        "got",
        "seen",
        "asked",
        "kept",
        "taken",
        "thing",
        "stuff",
    ]
)
"""Names that say how a value came, not what it is."""

QUESTIONS = ("What ", "Whether ", "Which ", "How ", "Who ", "Where ", "When ", "Why ", "Whose ")

OTHER_WORDS = {
    r"\b(?<!screen )(?<!feed )(?<!mail )readers?\b": "subscriber",
    r"\b(?:she|herself|hers)\b": "they",
    r"\brhythms?\b": "cadence",
    r"\bbarred\b": "suppressed",
    r"\b(?<!mass )mailings?\b(?! lists?\b)": "campaign",
}
"""Words that the code does not use, and the one it uses instead (docs/design.md)."""

FOREIGN = {"opt_out_words.py", "other_mail.py"}
"""Modules that hold words of other people's mails and files."""

LINE = 100
"""Characters in a line of code or prose, so that two files fit side by side."""

LEFT = {
    "vague names": 2,
    "questions": 0,
    "parallel assignments": 1,
    "class names": 0,
    "long lines of docs": 0,
    "other words": 0,
}
"""How many places still break a rule. These numbers only go down."""


def trees() -> Iterator[tuple[Path, ast.Module]]:
    for file in FILES:
        yield file, ast.parse(file.read_text())


def place(file: Path, node: ast.AST) -> str:
    return f"{file.relative_to(ROOT)}:{getattr(node, 'lineno', 0)}"


def test_a_local_is_named_for_what_it_is() -> None:
    bad = [
        f"{place(file, node)} {name}"
        for file, tree in trees()
        for node in ast.walk(tree)
        for name in bound_names(node)
        if name in VAGUE
    ]
    assert len(bad) <= LEFT["vague names"], "\n".join(bad)


def bound_names(node: ast.AST) -> list[str]:
    """Return the names that a node binds: assignments, loops and arguments."""
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
        return [node.id]
    return [node.arg] if isinstance(node, ast.arg) else []


def test_a_docstring_does_not_open_with_a_question() -> None:
    bad = [
        f"{place(file, node)} {text[:40]}"
        for file, tree in trees()
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
        and (text := ast.get_docstring(node) or "").startswith(QUESTIONS)
    ]
    assert len(bad) <= LEFT["questions"], "\n".join(bad)


def test_unlike_things_are_not_assigned_in_one_statement() -> None:
    parallel = [
        place(file, node)
        for file, tree in trees()
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign)
        and isinstance(node.targets[0], ast.Tuple)
        and isinstance(node.value, ast.Tuple)
    ]
    assert len(parallel) <= LEFT["parallel assignments"], "\n".join(parallel)


def test_a_public_class_has_a_name_of_its_own() -> None:
    names = Counter(
        node.name
        for _, tree in trees()
        for node in tree.body
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_")
    )
    twice = [name for name, count in names.items() if count > 1]
    assert len(twice) <= LEFT["class names"], twice


def test_the_formatter_is_not_switched_off() -> None:
    marks = sum(len(re.findall(r"# fmt: (?:skip|off)", file.read_text())) for file in FILES)
    assert marks < 5


def test_lines_of_the_docs_are_short() -> None:
    long = [
        f"{file.name}:{number}"
        for file in DOCS
        for number, line in enumerate(file.read_text().splitlines(), 1)
        if len(line) > LINE and not re.search(r"https?://\S{60,}", line)
    ]
    assert len(long) <= LEFT["long lines of docs"], "\n".join(long)


def texts(file: Path) -> Iterator[tuple[int, str]]:
    """Yield the comments and strings of a module with their line numbers."""
    for token in tokenize.generate_tokens(io.StringIO(file.read_text()).readline):
        if token.type in (tokenize.COMMENT, tokenize.STRING):
            yield token.start[0], token.string


def test_one_word_for_one_thing() -> None:
    words = re.compile("|".join(OTHER_WORDS), re.I)
    bad = [
        f"{file.relative_to(ROOT)}:{line} {match[0]}"
        for file in FILES
        if file.name not in FOREIGN
        for line, text in texts(file)
        if (match := words.search(text))
    ]
    prose = [file for file in (*DOCS, *TEMPLATES) if file.name != "CHANGELOG.md"]
    bad += [
        f"{file.relative_to(ROOT)}:{number} {match[0]}"
        for file in prose
        for number, line in enumerate(file.read_text().splitlines(), 1)
        if (match := words.search(line)) and "one word" not in line
    ]
    assert len(bad) <= LEFT["other words"], "\n".join(bad)


def test_paths_named_in_docstrings_exist() -> None:
    bad = []
    for file, tree in trees():
        for node in ast.walk(tree):
            if not isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
                continue
            for path in re.findall(r"(?<![\w/.])([\w/]+\.py)\b", ast.get_docstring(node) or ""):
                homes = (PACKAGE, ROOT, PACKAGE / "services", file.parent)
                if not any((home / path).exists() for home in homes):
                    bad.append(f"{place(file, node)} {path}")
    assert bad == []
