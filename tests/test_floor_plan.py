"""The house stands: every import points downwards, and each room keeps to what it may touch (docs/design.md)."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "newsletter"

FLOORS = [
    {
        "access_vocabulary",
        "bounce_vocabulary",
        "errors",
        "i18n",
        "link_purposes",
        "setting_types",
        "statistics_vocabulary",
        "vocabulary",
    },
    {
        "clock_jumps",
        "supervisor",
        "files",
        "settings",
        "schedule",
        "addresses",
        "names",
        "tokens",
        "captcha",
    },
    {"html", "settings_loader"},
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


NEIGHBOURHOODS = [
    {"polling"},
    {"audience"},
    {"lists"},
    {"signup", "campaigns"},
    {"digests", "letters", "transfer"},
    {"subscribers"},
    {"inbound"},
    {"sending"},
    {"statistics"},
    {"authors"},
    {"operations"},
]
"""Packages in services/, bottom to top. Modules beside them are shared: they import none of these."""
LEVEL = {name: number for number, names in enumerate(NEIGHBOURHOODS, 1) for name in names}

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


MIGRATION = PACKAGE / "migrations" / "versions" / "0001_initial.py"
"""A list of tables: as long as they are many."""


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(PACKAGE)))
def test_modules_and_functions_stay_short(file: Path) -> None:
    if file == MIGRATION:
        return
    text = file.read_text()
    assert text.count("\n") <= 320, "a module has at most 320 lines"
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or 0) - node.lineno + 1
            assert length <= 50, f"{node.name} has {length} lines, a function at most 50"


def test_the_tests_of_services_follow_the_map() -> None:
    tests = Path(__file__).parent / "services"
    folders = {folder.name for folder in tests.iterdir() if (folder / "__init__.py").exists()}
    assert folders <= set(LEVEL), folders - set(LEVEL)
    modules = {file.stem.removeprefix("test_") for file in tests.glob("test_*.py")}
    shared = {file.stem for file in (PACKAGE / "services").glob("*.py")}
    assert modules <= shared, (
        f"a neighbourhood or tests/scenarios/ is the place: {modules - shared}"
    )


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
            may_name_it = file.name in ("workers.py", "supervisor.py") and bad == {"socket"}
            assert not bad or may_name_it, f"{file}: {bad}"


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


def module_name(file: Path) -> str:
    """Return the dotted name of a module or package."""
    parts = file.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_name(file): file for file in FILES}


def run_time_imports(file: Path) -> set[str]:
    """Return the modules that a module imports when it runs, not only for the type checker."""
    tree = ast.parse(file.read_text())
    for_types = {
        id(node)
        for block in ast.walk(tree)
        if isinstance(block, ast.If) and ast.unparse(block.test) == "TYPE_CHECKING"
        for node in ast.walk(block)
    }
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module and id(node) not in for_types:
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                names.add(full if full in MODULES else node.module)
    return names & MODULES.keys()


def neighbourhood(module: str) -> str | None:
    """Return the package in services/ that holds a module, "" for a shared one, None elsewhere."""
    parts = module.split(".")
    if parts[:2] != ["newsletter", "services"] or len(parts) < 3:
        return None
    return parts[2] if len(parts) > 3 else ""


@pytest.mark.parametrize("module", [name for name in MODULES if neighbourhood(name) is not None])
def test_services_import_lower_neighbourhoods(module: str) -> None:
    own_level = LEVEL.get(neighbourhood(module) or "", 0)
    for used in run_time_imports(MODULES[module]):
        other = neighbourhood(used)
        if other and other != neighbourhood(module):
            assert LEVEL[other] < own_level, f"{module} reaches up or sideways to {used}"


def test_no_modules_import_each_other() -> None:
    imports_of = {name: run_time_imports(file) for name, file in MODULES.items()}
    done: set[str] = set()
    path: list[str] = []

    def visit(name: str) -> None:
        if name in path:
            raise AssertionError(" -> ".join([*path[path.index(name) :], name]))
        if name not in done:
            path.append(name)
            for used in imports_of[name]:
                visit(used)
            path.pop()
            done.add(name)

    for name in MODULES:
        visit(name)
