"""Test that what libraries say about their errors reaches no person: it names no place and no mend.

Every message that is made of a caught exception is found in the source. An exception of our own has
a message for people; those of libraries are translated, but for the few whose words are the answer.
"""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from newsletter import errors
from newsletter.services.letters import preflight

PACKAGE = Path(__file__).parents[2] / "newsletter"
OWN = {name for name, value in vars(errors).items() if isinstance(value, type)} | {
    "LeaseLost",
    "Conflict",
    "_Invalid",
    "UNFINISHED",
}
FILES = sorted(PACKAGE.rglob("*.py"))
WANTED = {
    "authoring/front_matter.py": "asks which mistake it is; the message is ours",
    "cli/bounces.py": "the system's reason in the mail server's log, and a usage error of click's",
    "cli/database.py": "a ValueError of the settings' own",
    "cli/setup_questions.py": "a ValueError of the settings' own",
    "cli/demo.py": "the system's reason why a port cannot be had",
    "db/direct.py": "the database's reason: a full disk, a missing right",
    "db/session.py": "the database's reason: a full disk, a missing right",
    "feeds/reader_process.py": "the class of an error, between two processes; nobody reads it",
    "import_formats/spool.py": "the system's reason why standard input cannot be read or kept",
    "import_formats/table.py": "asks which mistake it is; the message is ours",
    "mail/mailbox/imap.py": "the mailbox server's own words",
    "mail/mailbox/pop3.py": "the mailbox server's own words",
    "mail/render.py": "the author's own template, with its line",
    "mail/smtp/connect.py": "the mail server's own words",
    "mail/smtp/protocol.py": "an exception of that module, with a message of ours",
    "mail/templating/placeholders.py": "the author's own template, with its line",
    "mail/templating/sandbox.py": "the author's own template",
    "services/inbound/listener.py": "the class of an error, in the log",
    "services/letters/letter_files.py": "the system's reason why a file cannot be read",
    "services/letters/pictures.py": "the system's reason why a file cannot be read",
    "services/lists/list_options.py": "a ValueError of the settings' own",
    "services/operations/backup.py": "the database's reason: a full disk, a missing right",
    "services/operations/backup_archive.py": (
        "the system's reason, and the class of what is damaged"
    ),
    "services/operations/database_copy.py": "the database's reason: a full disk, a missing right",
    "services/operations/restore_installation.py": "the system's reason: a full disk",
    "services/operations/restore_postgresql.py": "the database's reason",
    "services/operations/setup.py": "a ValueError of the settings' own",
    "services/operations/restore_checks.py": "the database's reason why a file is damaged",
    "services/operations/database.py": "the database's reason: a full disk, a missing right",
    "services/operations/merge.py": "the database's reason why a damaged one cannot be read",
    "services/operations/restore.py": "the database's reason: a damaged file, a full disk",
    "services/resources.py": "the system's reason why a file cannot be copied",
    "settings_loader.py": "the place in the operator's own file",
}
"""Modules that repeat a library's or the system's words on purpose, and why those are what the
person needs.
"""


def test_what_stops_a_letter_is_said_in_our_words() -> None:
    assert all(issubclass(kind, errors.NewsletterError) for kind in preflight.UNFINISHED)


def caught(handler: ast.ExceptHandler) -> set[str]:
    """Return the names of the exceptions that a handler catches."""
    if handler.type is None:
        return {"BaseException"}
    nodes = list(ast.walk(handler.type))
    modules = {id(node.value) for node in nodes if isinstance(node, ast.Attribute)}
    return {
        node.attr if isinstance(node, ast.Attribute) else node.id
        for node in nodes
        if isinstance(node, (ast.Attribute, ast.Name)) and id(node) not in modules
    }


def uses_words(handler: ast.ExceptHandler) -> bool:
    """Tell whether a handler makes text of the exception itself, or of its class."""
    words = {"str", "repr", "type"}
    for node in ast.walk(handler):
        if not any(
            isinstance(child, ast.Name) and child.id == handler.name for child in ast.walk(node)
        ):
            continue
        if isinstance(node, ast.FormattedValue):
            attribute = isinstance(node.value, ast.Attribute) and isinstance(
                node.value.value, ast.Name
            )
            if not attribute:
                return True
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in words:
            return True
    return False


def raw(file: Path) -> list[int]:
    tree = ast.parse(file.read_text())
    handlers = [
        node for node in ast.walk(tree) if isinstance(node, ast.ExceptHandler) and node.name
    ]
    return [node.lineno for node in handlers if uses_words(node) and not caught(node) <= OWN]


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(PACKAGE)))
def test_h8_no_library_speaks_to_people(file: Path) -> None:
    assert str(file.relative_to(PACKAGE)) in WANTED or raw(file) == []


@pytest.mark.parametrize(
    "planted",
    [
        "try:\n    x()\nexcept OSError as error:\n    raise FeedError(url, f'failed ({error})')\n",
        "try:\n    x()\nexcept Exception as error:\n"
        "    raise FeedError(url, f'failed ({type(error).__name__})')\n",
        "try:\n    x()\nexcept (ValueError, FeedError) as error:\n    say(str(error))\n",
    ],
)
def test_the_guard_sees_what_is_planted(planted: str, tmp_path: Path) -> None:
    file = tmp_path / "planted.py"
    file.write_text(planted)
    assert raw(file) == [3]
