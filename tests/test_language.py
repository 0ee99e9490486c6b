"""The language of the code (docs/design.md, "Language"): names, docstrings, lines, one word per
thing.

Ruff checks the mood and shape of docstrings and the length of lines; what it has no rule for is
checked here.
"""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "newsletter"
FILES = sorted(file for file in PACKAGE.rglob("*.py") if "versions" not in file.parts)
TESTS = sorted((ROOT / "tests").rglob("*.py"))
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

QUESTIONS = (
    "What ",
    "Whether ",
    "Which ",
    "How ",
    "Who ",
    "Where ",
    "When ",
    "Why ",
    "Whose ",
    "Whom ",
)

OTHER_WORDS = {
    r"\b(?<!screen )(?<!feed )(?<!mail )readers?\b": "subscriber",
    r"\b(?:she|herself|hers)\b": "they",
    r"\brhythms?\b": "cadence",
    r"\bbarred\b": "suppressed",
    r"\b(?<!mass )mailings?\b(?! lists?\b)": "campaign",
}
"""Words that the code does not use, and the one it uses instead (docs/design.md)."""

FOREIGN = {"opt_in_words.py", "opt_out_words.py", "other_mail.py", "yes_no.py"}
"""Modules that hold words of other people's mails and files."""

LINE = 100
"""Characters in a line of code or prose, so that two files fit side by side."""

TEMPLATE_LINE = 160
"""Characters in a line of a template; `{%-` and `{{-` let a line go on below without a blank."""

NOT_BROKEN_YET = {
    "templates/pages/author/campaign.html",
    "templates/pages/author/letter.html",
    "templates/pages/author/letter_form.html",
    "templates/pages/author/plot.html",
    "templates/pages/author/proof.html",
    "templates/pages/author/subscriber.html",
}

LEFT = {
    "vague names": 0,
    "questions": 0,
    "parallel assignments": 1,  # an exchange of two values
    "in tests, of each": 10,
    "class names": 0,
    "long lines of docs": 0,
    "long lines of templates": 62,
    "other words": 0,
}
"""How many places still break a rule. These numbers only go down."""


def trees(files: Sequence[Path] = FILES) -> Iterator[tuple[Path, ast.Module]]:
    for file in files:
        yield file, ast.parse(file.read_text())


def place(file: Path, node: ast.AST) -> str:
    return f"{file.relative_to(ROOT)}:{getattr(node, 'lineno', 0)}"


def test_a_local_is_named_for_what_it_is() -> None:
    bad = [
        f"{place(file, node)} {name}"
        for file, tree in trees([*FILES, *TESTS])
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
        for file, tree in trees([*FILES, *TESTS])
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
        and (text := ast.get_docstring(node) or "").startswith(QUESTIONS)
    ]
    assert len(bad) <= LEFT["questions"] + LEFT["in tests, of each"], "\n".join(bad)
    assert len([line for line in bad if line.startswith("newsletter/")]) <= LEFT["questions"]


RAISES_TOO = {"find_preset", "find_file_draft", "find_retired", "find_revision"}
"""Functions that return None for nothing, and raise for something else that is wrong."""

OTHERS_NAMES = {"get_command"}
"""Methods that a library calls by these names."""


def functions() -> Iterator[tuple[Path, ast.FunctionDef]]:
    for file, tree in trees():
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef):
                yield file, node


def returns_none(node: ast.FunctionDef) -> bool:
    return node.returns is not None and "None" in ast.unparse(node.returns)


def test_what_is_found_may_be_none_and_is_not_raised() -> None:
    bad = [
        f"{place(file, node)} {node.name}"
        for file, node in functions()
        if node.name.lstrip("_").startswith("find_")
        and not (returns_none(node) and node.name in RAISES_TOO)
        and any(isinstance(part, ast.Raise) for part in ast.walk(node))
    ]
    assert bad == [], "a function that raises is named get_"


def test_what_is_got_is_never_none() -> None:
    bad = [
        f"{place(file, node)} {node.name}"
        for file, node in functions()
        if node.name.lstrip("_").startswith("get_")
        and node.name not in OTHERS_NAMES
        and returns_none(node)
    ]
    assert bad == [], "a function that may return None is named find_"


PARTICIPLE = re.compile(
    r"\w+ed|begun|bound|broken|brought|built|caught|chosen|done|drawn|forgotten|found|given|gone|had"
    r"|held|hidden|kept|known|laid|left|lost|made|meant|met|paid|said|seen|sent|shown|spent|stolen"
    r"|taken|thought|told|undone|unsent|written"
)
"""Regular participles, and those irregular ones that are not also verbs, like `read` or `set`."""

VERBS_IN_ED = {"embed", "feed", "need", "proceed", "seed", "shed", "shred"}
"""Verbs that end like a participle."""

SQL = ("_query", "_clause")
"""Ends of the names of functions that only build SQL."""


def is_participle(name: str) -> bool:
    word = name.strip("_").split("_")[0]
    return bool(PARTICIPLE.fullmatch(word)) and word not in VERBS_IN_ED


def is_property(node: ast.FunctionDef) -> bool:
    return any("property" in ast.unparse(decorator) for decorator in node.decorator_list)


def test_a_function_is_named_with_a_verb() -> None:
    bad = [
        f"{place(file, node)} {node.name}"
        for file, node in functions()
        if is_participle(node.name) and not node.name.endswith(SQL) and not is_property(node)
    ]
    assert bad == [], "a function is a verb, or a predicate like is_..."


def test_unlike_things_are_not_assigned_in_one_statement() -> None:
    parallel = [
        place(file, node)
        for file, tree in trees([*FILES, *TESTS])
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign)
        and isinstance(node.targets[0], ast.Tuple)
        and isinstance(node.value, ast.Tuple)
    ]
    of_the_program = [line for line in parallel if line.startswith("newsletter/")]
    assert len(of_the_program) <= LEFT["parallel assignments"]
    assert len(parallel) <= len(of_the_program) + LEFT["in tests, of each"], "\n".join(parallel)


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
    """In whole tables of other people's words alone (pyproject.toml)."""
    mark = re.compile(r"# fmt: (?:skip|off)$", re.M)
    assert sum(len(mark.findall(file.read_text())) for file in FILES) < 5
    marks = sum(len(mark.findall(file.read_text())) for file in TESTS)
    assert marks <= LEFT["in tests, of each"]


def test_lines_of_the_docs_are_short() -> None:
    long = [
        f"{file.name}:{number}"
        for file in DOCS
        for number, line in enumerate(file.read_text().splitlines(), 1)
        if len(line) > LINE and not re.search(r"https?://\S{60,}", line)
    ]
    assert len(long) <= LEFT["long lines of docs"], "\n".join(long)


def test_lines_of_the_program_are_short() -> None:
    """Ruff lets a line of more than 100 characters pass if it has no space, as patterns do."""
    long = [
        f"{file.relative_to(ROOT)}:{number}"
        for file in FILES
        for number, line in enumerate(file.read_text().splitlines(), 1)
        if len(line) > 100
    ]
    assert not long


def test_lines_of_templates_are_short() -> None:
    """Those left hold one long text to translate, which is one line in the catalogues."""
    long = [
        f"{file.relative_to(ROOT)}:{number}"
        for file in TEMPLATES
        if str(file.relative_to(ROOT)) not in NOT_BROKEN_YET
        for number, line in enumerate(file.read_text().splitlines(), 1)
        if len(line) > TEMPLATE_LINE
    ]
    assert len(long) <= LEFT["long lines of templates"], "\n".join(long)


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
