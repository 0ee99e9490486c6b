"""The house stands: every import points downwards, and each room keeps to what it may touch
(docs/design.md).
"""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

PACKAGE = Path(__file__).parent.parent / "newsletter"

FLOORS = [
    {
        "access_vocabulary",
        "bounce_vocabulary",
        "closed_sets",
        "digest_vocabulary",
        "errors",
        "i18n",
        "link_purposes",
        "setting_types",
        "setup_vocabulary",
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
        "stored_texts",
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
"""Packages in services/, bottom to top.

Modules beside them are shared: they import none of these.
"""
LEVEL = {name: number for number, names in enumerate(NEIGHBOURHOODS, 1) for name in names}

FILES = sorted(file for file in PACKAGE.rglob("*.py") if "versions" not in file.parts)


def room(file: Path) -> str:
    """Return the top-level module or package a file belongs to."""
    first = file.relative_to(PACKAGE).parts[0]
    return first.removesuffix(".py")


@cache
def parse(file: Path) -> ast.Module:
    """Return the syntax tree of a module."""
    return ast.parse(file.read_text())


@cache
def imports(file: Path) -> list[str]:
    """Every module named in an import statement, wherever it stands."""
    names = []
    for node in ast.walk(parse(file)):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: relative import"
            names += [f"{node.module}.{alias.name}" for alias in node.names] + [str(node.module)]
    return names


def rooms_used(file: Path) -> set[str]:
    return {name.split(".")[1] for name in imports(file) if name.startswith("newsletter.")}


def test_imports_point_downwards() -> None:
    faults = []
    for file in FILES:
        own_room = room(file)
        if own_room == "__init__":
            continue
        for used in rooms_used(file) - {own_room, "__version__"}:
            assert used in FLOOR, f"{file}: {used} is on no floor"
            if FLOOR[used] >= FLOOR[own_room]:
                faults.append(f"{file} ({own_room}) reaches up or sideways to {used}")
    assert not faults, "\n".join(faults)


def test_modules_stay_short() -> None:
    lengths = {file: file.read_text().count("\n") for file in FILES}
    faults = [f"{file} has {length} lines" for file, length in lengths.items() if length > 320]
    assert not faults, "\n".join([*faults, "A module has at most 320 lines."])


def test_the_tests_of_services_follow_the_map() -> None:
    tests = Path(__file__).parent / "services"
    folders = {folder.name for folder in tests.iterdir() if (folder / "__init__.py").exists()}
    assert folders <= set(LEVEL), folders - set(LEVEL)
    modules = {file.stem.removeprefix("test_") for file in tests.glob("test_*.py")}
    shared = {file.stem for file in (PACKAGE / "services").glob("*.py")}
    assert modules <= shared, (
        f"a neighbourhood or tests/scenarios/ is the place: {modules - shared}"
    )


def test_a_missing_program_is_judged_in_one_place() -> None:
    """`tests/programs.py` makes it a failure in CI; a skip of a test's own would go unnoticed."""
    tests = Path(__file__).parent
    may = {tests / "programs.py", tests / "chromium.py", tests / "servers/wordpress.py"}
    others = {file for file in tests.rglob("*.py") if "shutil.which(" in file.read_text()} - may
    assert others == {Path(__file__)}


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
            assert ast.get_docstring(parse(file)), f"{file} has no docstring"


def test_functions_fit_in_one_look() -> None:
    sizes = []
    for file in FILES:
        for node in ast.walk(parse(file)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
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


@cache
def run_time_imports(file: Path) -> set[str]:
    """Return the modules that a module imports when it runs, not only for the type checker."""
    tree = parse(file)
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


def test_services_import_lower_neighbourhoods() -> None:
    faults = []
    for module in MODULES:
        home = neighbourhood(module)
        if home is None:
            continue
        for used in run_time_imports(MODULES[module]):
            other = neighbourhood(used)
            if other and other != home and LEVEL[other] >= LEVEL.get(home, 0):
                faults.append(f"{module} reaches up or sideways to {used}")
    assert not faults, "\n".join(faults)


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


LISTED_ELSEWHERE = ("web/api/", "demo/", "bounces/providers/", "migrations/")
"""Packages that the map describes as a whole: one module a resource, provider or step."""


def read_map() -> dict[str, set[str]]:
    """Return the names that stand in the map of docs/design.md, by package ("" is the top)."""
    text = (PACKAGE.parent / "docs/design.md").read_text()
    lines = text.split("\nnewsletter/\n", 1)[1].split("\ntemplates/", 1)[0].splitlines()
    names: dict[str, set[str]] = {"": set()}
    package = outer = ""
    for line in lines:
        title = re.match(r"( {2}| {4})([a-z_]+/?)", line)
        if title and title[2].endswith("/"):
            outer = "" if title[1] == "  " else outer.partition("/")[0] + "/"
            package = outer = outer + title[2]
        elif title:
            package = ""
        names.setdefault(package, set()).update(re.findall(r"[a-z_0-9]+", line))
    return names


def test_the_map_names_every_module() -> None:
    """A package's line names its modules, so that a newcomer finds each one from docs/design.md."""
    names = read_map()
    missing = []
    for file in FILES:
        path = file.relative_to(PACKAGE)
        package = "" if len(path.parts) == 1 else f"{path.parent}/"
        if file.stem.startswith("__") or f"{path}".startswith(LISTED_ELSEWHERE):
            continue
        if file.stem not in names.get(package, set()):
            missing.append(f"{path}")
    assert missing == [], "docs/design.md, the map: name each beside the others of its package"
