"""Files with personal data are readable by their owner only, from the moment they exist and
whatever the umask.
"""

from __future__ import annotations

import ast
import json
import os
import sqlite3
import stat
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from newsletter import files
from tests.cli.conftest import Run, install
from tests.feeds_server import FeedsServer, item, rss
from tests.smtp.fault_server import FaultServer

PACKAGE = Path(__file__).parent.parent.parent / "newsletter"
LETTER = "---\nsubject: Going slowly\n---\n\nHello {{ subscriber.name or 'you' }}\n"

WRITES = [
    ("db", "backup", "backup.db"),
    ("db", "backup", "again.db"),
    ("subscriber", "export", "people.csv"),
    ("campaign", "preview", "letter.md", "--html", "letter.html"),
    ("campaign", "preview", "letter.md", "--text", "letter.txt"),
    ("campaign", "preview", "letter.md", "--eml", "letter.eml"),
    ("campaign", "preview", "letter.md", "--web"),
    ("digest", "preview", "--html", "digest.html"),
    ("db", "restore", "backup.db", "--yes"),
    ("db", "restore", "again.db", "--yes"),
]
"""Every command that writes a file with personal data; with what `init` wrote before."""

PUBLIC = {"feed.xml", "letter.md"}


@pytest.fixture
def umask() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


class Watch:
    """Looks at the mode of every file of a folder again and again, from another thread."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.exposed = set[str]()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look)

    def _look(self) -> None:
        while not self._ended.is_set():
            for entry in os.scandir(self.folder):
                try:
                    mode = entry.stat(follow_symlinks=False).st_mode
                except OSError:
                    continue
                if stat.S_ISREG(mode) and mode & 0o077 and entry.name not in PUBLIC:
                    self.exposed.add(entry.name)

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._ended.set()
        self._thread.join()


def test_a4_every_file_with_personal_data_is_private_at_its_creation(
    umask: None, run: Run, blog: FeedsServer, mail: FaultServer, tmp_path: Path
) -> None:
    with Watch(tmp_path) as watch:
        install(run, blog, mail)
        run("subscriber", "add", "ana@example.com")
        blog.page("/feed.xml", rss(item("Old"), item("New"), title="Slow Letters", link=blog.url))
        run("list", "edit", "slow-letters", "--grace", "0")
        run("feed", "check")
        (tmp_path / "letter.md").write_text(LETTER)
        with sqlite3.connect(
            tmp_path / "newsletter.db"
        ) as held:  # side files stay as long as it is open
            held.execute("SELECT count(*) FROM subscribers").fetchone()
            for words in WRITES[:-2]:
                result = run(*words)
                assert result.code == 0, (words, result.err)
            assert (tmp_path / "newsletter.db-wal").exists()
            names = {file.name for file in tmp_path.iterdir()}
            held.rollback()
        held.close()
        for words in WRITES[-2:]:
            result = run(*words)
            assert result.code == 0, (words, result.err)
    names |= {file.name for file in tmp_path.iterdir()}
    assert {
        "newsletter.toml",
        "newsletter.db",
        "newsletter.db-wal",
        "newsletter.db-shm",
        "backup.db",
        "people.csv",
        "letter.html",
        "letter.txt",
        "letter.eml",
        ".preview.html",
        "digest.html",
        "newsletter.db.before-restore",
        "newsletter.db.before-restore.2",
    } <= names
    assert watch.exposed == set()


def test_a4_a_file_that_is_written_again_becomes_private(umask: None, tmp_path: Path) -> None:
    file = tmp_path / "preview.html"
    file.write_text("old and long")
    assert files.is_exposed(file)
    files.write_private(file, "new")
    assert (file.read_text(), files.is_exposed(file)) == ("new", False)
    assert not files.is_exposed(tmp_path / "missing")


def test_a4_doctor_names_what_others_can_read(newsletter: Run, tmp_path: Path) -> None:
    assert looked_at(newsletter)["verdict"] == "good"
    for name in ("newsletter.db", "newsletter.db.before-restore", "newsletter.toml"):
        (tmp_path / name).touch()
        (tmp_path / name).chmod(0o644)
    check = looked_at(newsletter)
    assert check["verdict"] == "bad"
    assert all(
        name in check["hint"]
        for name in ("newsletter.db ", "newsletter.db.before-restore", "newsletter.toml")
    )


def looked_at(newsletter: Run) -> dict[str, str]:
    [check] = [
        check for check in json.loads(newsletter("doctor", "--json").out) if check["id"] == "files"
    ]
    return dict(check)


WRITERS = {
    "write_text",
    "write_bytes",
    "copyfile",
    "copy",
    "copy2",
    "copytree",
    "touch",
    "save",
    "extractall",
    "mkfifo",
    "makedirs",
}
OPENERS = {"open", "fdopen", "ZipFile", "TarFile", "GzipFile"}
OTHERS = {
    "newsletter/cli/__init__.py": "the null device",
    "newsletter/cli/templates.py": "the author's own template",
    "newsletter/services/resources.py": "a folder of its own, 0700",
    "newsletter/services/letters/letter_files.py": "the author's own letter",
    "newsletter/authoring/images.py": "a picture in memory",
    "newsletter/import_formats/archive.py": "a temporary folder, 0700",
    "newsletter/import_formats/spool.py": "a temporary folder, 0700",
    "newsletter/services/transfer/export_subscribers.py": (
        "pipes and devices; its files are private"
    ),
    "newsletter/services/operations/backup.py": (
        "a part of the archive that `newsletter.files` opened"
    ),
    "newsletter/cli/worker_lock.py": "a lock, 0600, with nothing in it",
    "newsletter/cli/service.py": "units of systemd, which everybody may read",
    "newsletter/db/bulk.py": "COPY of PostgreSQL, which writes no file",
    "newsletter/services/operations/table_copy.py": "COPY of PostgreSQL, which writes no file",
    "newsletter/files.py": "the one place",
}
"""Modules that write files by other means, and why they may."""


def test_a4_files_are_written_in_one_place() -> None:
    """A new module that writes files uses `newsletter.files`, or says here why it need not."""
    for file in PACKAGE.rglob("*.py"):
        name = str(file.relative_to(PACKAGE.parent))
        if name in OTHERS or "demo" in file.parts:
            continue
        assert find_writers(ast.parse(file.read_text())) == [], name


def find_writers(tree: ast.AST) -> list[str]:
    """Find the calls that make a file or a folder for everybody to read."""
    return [
        f"{node.lineno}: {ast.unparse(node)}"
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and (_writes(node) or _opens_to_write(node))
    ]


def _name(node: ast.Call) -> str:
    return node.func.attr if isinstance(node.func, ast.Attribute) else ast.unparse(node.func)


def _writes(node: ast.Call) -> bool:
    """Tell whether a call writes a file, or makes a folder for all; dict.copy() does not."""
    if _name(node) == "mkdir":
        modes = [word.value for word in node.keywords if word.arg == "mode"]
        return [ast.literal_eval(mode) for mode in modes] != [0o700]
    return _name(node) in WRITERS and not (_name(node) == "copy" and not node.args)


def _opens_to_write(node: ast.Call) -> bool:
    if _name(node) not in OPENERS:
        return False
    is_method = isinstance(node.func, ast.Attribute) and len(node.args) == 1
    positional = node.args if is_method else node.args[1:]  # the first is the file
    words = [*positional, *(word.value for word in node.keywords)]
    texts = [
        word.value
        for word in words
        if isinstance(word, ast.Constant) and isinstance(word.value, str)
    ]
    return "O_CREAT" in ast.unparse(node) or any(
        mode and set(mode) <= set("wxab+t:gz") and set(mode) & set("wxa") for mode in texts
    )


@pytest.mark.parametrize(
    "planted",
    [
        "Path('x').write_text('y')",
        "open('x', 'w')",
        "open('x', mode='wb')",
        "file.open('a')",
        "os.open('x', os.O_CREAT | os.O_WRONLY, 0o600)",
        "gzip.open('x', 'wt')",
        "tarfile.open('x', 'w:gz')",
        "zipfile.ZipFile('x', 'w')",
        "shutil.copyfile('x', 'y')",
        "copy2('x', 'y')",
        "picture.save('x')",
        "folder.mkdir(parents=True)",
        "folder.mkdir(mode=0o755)",
    ],
)
def test_the_guard_sees_a_file_that_is_made_elsewhere(planted: str) -> None:
    assert find_writers(ast.parse(planted))


@pytest.mark.parametrize(
    "planted", ["words.copy()", "open('x')", "file.open('rb')", "folder.mkdir(mode=0o700)"]
)
def test_the_guard_lets_the_rest_pass(planted: str) -> None:
    assert not find_writers(ast.parse(planted))
