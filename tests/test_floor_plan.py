"""The house stands: every import points downwards, and each room keeps to what it may touch (docs/design.md)."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "newsletter"

FLOORS = [
    {"errors", "i18n", "link_purposes", "setting_types", "vocabulary"},
    {"files", "settings", "schedule", "addresses", "names", "tokens", "captcha"},
    {"html"},
    {"authoring"},
    {"urls", "logs"},
    {"dns", "feeds", "import_formats", "mail"},
    {"bounces"},
    {"db"},
    {"models"},
    {"migrations", "outbox"},
    {"services"},
    {"web", "worker"},
    {"app"},
    {"demo"},
    {"cli"},
]
FLOOR = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}


FILES = sorted(file for file in PACKAGE.rglob("*.py") if "versions" not in file.parts)


def room(file: Path) -> str:
    """The top-level module or package a file belongs to."""
    first = file.relative_to(PACKAGE).parts[0]
    return first.removesuffix(".py")


def imports(file: Path) -> list[str]:
    """Every module named in an import statement, wherever it stands."""
    found = []
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: relative import"
            found += [f"{node.module}.{alias.name}" for alias in node.names] + [str(node.module)]
    return found


def rooms_used(file: Path) -> set[str]:
    return {name.split(".")[1] for name in imports(file) if name.startswith("newsletter.")}


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(PACKAGE)))
def test_imports_point_downwards(file: Path) -> None:
    here = room(file)
    if here == "__init__":
        return
    for used in rooms_used(file) - {here, "__version__"}:
        assert used in FLOOR, f"{used} is on no floor"
        assert FLOOR[used] < FLOOR[here], f"{file.name} ({here}) reaches up or sideways to {used}"


def test_every_room_is_on_a_floor() -> None:
    rooms = {room(file) for file in FILES} - {"__init__"}
    assert rooms - set(FLOOR) == set()


def test_doors_hold_no_query() -> None:
    for file in FILES:
        if room(file) in ("web", "cli"):
            bad = [
                name
                for name in imports(file)
                if name.split(".")[0] == "sqlalchemy" or name == "newsletter.db.session.db"
            ]
            assert not bad, f"{file}: {bad}"


def test_sockets_stay_at_the_edges() -> None:
    for file in FILES:
        if room(file) not in ("mail", "feeds", "demo"):
            bad = {name.split(".")[0] for name in imports(file)} & {
                "smtplib",
                "socket",
                "ssl",
                "urllib3",
            }
            assert not bad or (file.name == "workers.py" and bad == {"socket"}), f"{file}: {bad}"


def test_only_services_commit() -> None:
    for file in FILES:
        if room(file) not in ("services", "db", "migrations"):
            assert not re.search(r"\.commit\(\)", file.read_text()), file


def test_ground_and_outside_world_know_no_framework() -> None:
    for file in FILES:
        if FLOOR.get(room(file), 99) <= FLOOR["feeds"]:
            bad = {name.split(".")[0] for name in imports(file)} & {
                "flask",
                "sqlalchemy",
                "flask_sqlalchemy",
            }
            assert not bad, f"{file}: {bad}"


def test_nothing_asks_whether_it_is_under_test() -> None:
    for file in FILES:
        text = file.read_text()
        assert "PYTEST" not in text, file
        assert "unittest" not in text, file


def test_every_module_says_what_it_is() -> None:
    for file in FILES:
        if file.read_text().strip():
            assert ast.get_docstring(ast.parse(file.read_text())), f"{file} has no docstring"


def test_functions_fit_in_one_look() -> None:
    sizes = []
    for file in FILES:
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.FunctionDef):
                size = (node.end_lineno or node.lineno) - node.lineno + 1
                sizes.append(size)
                assert size <= 50, f"{file}:{node.lineno} {node.name} has {size} lines"
    sizes.sort()
    assert sizes[len(sizes) // 2] < 12
