"""Closed sets are enums, and their members are never written as bare text (docs/design.md)."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from jinja2 import Environment, nodes

from newsletter.web.template_sets import SETS as EXPOSED

ROOT = Path(__file__).parent.parent
TREES = {
    file: ast.parse(file.read_text())
    for file in sorted((ROOT / "newsletter").rglob("*.py"))
    if "versions" not in file.parts
}
TEMPLATES = sorted(file for file in (ROOT / "templates").rglob("*") if file.is_file())


def place(file: Path, node: ast.AST) -> str:
    return f"{file.relative_to(ROOT)}:{getattr(node, 'lineno', 0)}"


def read_sets() -> dict[str, set[str]]:
    """Return the values of each `StrEnum` of the program, by its name."""
    return {
        node.name: {
            part.value.value
            for part in node.body
            if isinstance(part, ast.Assign) and isinstance(part.value, ast.Constant)
        }
        for tree in TREES.values()
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef) and "StrEnum" in map(ast.unparse, node.bases)
    }


def read_fields(sets: dict[str, set[str]]) -> dict[str, set[str]]:
    """Return the fields and columns that hold a member of a set, with all values they may have."""
    values: dict[str, set[str]] = defaultdict(set)
    for tree in TREES.values():
        for owner in ast.walk(tree):
            for node in owner.body if isinstance(owner, ast.ClassDef) else []:
                if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
                    for part in ast.walk(node.annotation):
                        if isinstance(part, ast.Name) and part.id in sets:
                            values[node.target.id] |= sets[part.id]
    return values


FIELDS = read_fields(read_sets())


def test_the_fields_of_closed_sets_are_known() -> None:
    assert {"status", "kind", "cadence", "fate", "reason", "state"} <= set(FIELDS)


def test_a_closed_set_is_an_enum() -> None:
    bad = [
        place(file, node)
        for file, tree in TREES.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Subscript)
        and isinstance(node.value, ast.Name)
        and node.value.id == "Literal"
        and any(
            isinstance(part, ast.Constant) and isinstance(part.value, str)
            for part in ast.walk(node.slice)
        )
    ]
    assert bad == [], "a StrEnum of a vocabulary module takes its place"


CLOSED = {"cadence", "cadences", "fate"}
"""Names of parameters and fields that hold members of an enum."""

TYPED = {"newsletter/import_formats/types.py", "newsletter/web/author/digests.py"}
"""Modules where such a name is a word of a file or an address, not looked up yet."""


def test_members_of_closed_sets_are_not_annotated_as_text() -> None:
    bad = [
        place(file, node)
        for file, tree in TREES.items()
        if str(file.relative_to(ROOT)) not in TYPED
        for node in ast.walk(tree)
        for name, annotation in annotations(node)
        if name in CLOSED and re.search(r"\bstr\b", ast.unparse(annotation))
    ]
    assert bad == []


def annotations(node: ast.AST) -> list[tuple[str, ast.expr]]:
    """Return the names that a node annotates, with their annotations."""
    if isinstance(node, ast.arg) and node.annotation:
        return [(node.arg, node.annotation)]
    if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
        return [(node.target.id, node.annotation)]
    return []


def test_a_member_is_not_written_as_bare_text() -> None:
    bad = [
        f"{place(file, node)} {field} {text!r}"
        for file, tree in TREES.items()
        for node in ast.walk(tree)
        for field, value in uses_of_fields(node)
        for text in texts_in(value)
        if text and text in FIELDS.get(field, ())
    ]
    assert bad == [], "write the member of the enum"


def uses_of_fields(node: ast.AST) -> Iterator[tuple[str, ast.AST]]:
    """Yield each attribute with what it is compared with, and each keyword with what it is given.

    Names of locals are left out: a word of a file or a protocol may be called `kind`, too.
    """
    match node:
        case ast.Compare(left=left, comparators=comparators):
            sides = [left, *comparators]
            for side in sides:
                if isinstance(side, ast.Attribute):
                    yield from ((side.attr, other) for other in sides if other is not side)
        case ast.Match(subject=ast.Attribute(attr=field), cases=cases):
            yield from ((field, case.pattern) for case in cases)
        case ast.keyword(arg=str(field), value=value):
            yield field, value
        case ast.Call(
            func=ast.Attribute(value=ast.Attribute(attr=field), attr="in_" | "not_in"), args=args
        ):
            yield from ((field, arg) for arg in args)
        case ast.Assign(targets=[ast.Attribute(attr=field)], value=value):
            yield field, value


def texts_in(node: ast.AST) -> list[str]:
    """Return the strings of a literal, of a display of literals, and of a pattern."""
    match node:
        case ast.Constant(value=str(text)):
            return [text]
        case ast.Tuple(elts=parts) | ast.List(elts=parts) | ast.Set(elts=parts):
            return [text for part in parts for text in texts_in(part)]
        case ast.MatchValue(value=value):
            return texts_in(value)
        case ast.MatchOr(patterns=patterns):
            return [text for pattern in patterns for text in texts_in(pattern)]
        case ast.IfExp(body=body, orelse=orelse):
            return texts_in(body) + texts_in(orelse)
    return []


ENVIRONMENT = Environment(extensions=["jinja2.ext.i18n"])


def test_templates_compare_with_members_not_with_text() -> None:
    bad = [
        f"{file.relative_to(ROOT)}:{node.lineno} {field} {text!r}"
        for file in TEMPLATES
        for node in ENVIRONMENT.parse(file.read_text()).find_all(nodes.Compare)
        for field in fields_of(node)
        for constant in node.find_all(nodes.Const)
        if isinstance(text := constant.value, str) and text and text in FIELDS.get(field, ())
    ]
    assert bad == [], "compare with a set of newsletter/web/template_sets.py, like FeedStatus.GONE"


def fields_of(node: nodes.Compare) -> set[str]:
    """Return the names and attributes that a comparison is about, on its own level."""
    sides = [node.expr, *(operand.expr for operand in node.ops)]
    return {
        side.attr if isinstance(side, nodes.Getattr) else side.name
        for side in sides
        if isinstance(side, nodes.Getattr | nodes.Name)
    }


def test_templates_name_members_that_exist() -> None:
    sets = {members.__name__: members for members in EXPOSED}
    bad = [
        f"{file.relative_to(ROOT)}:{node.lineno} {node.node.name}.{node.attr}"
        for file in TEMPLATES
        for node in ENVIRONMENT.parse(file.read_text()).find_all(nodes.Getattr)
        if isinstance(node.node, nodes.Name)
        and node.node.name[0].isupper()
        and node.attr not in getattr(sets.get(node.node.name), "__members__", ())
    ]
    assert bad == []
