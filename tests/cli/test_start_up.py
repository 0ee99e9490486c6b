"""The modules that a short command, and an idle `serve`, may load.

What a command does not use costs its user time; what `serve` does not use costs memory for years.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from newsletter.services.operations import database

pytestmark = pytest.mark.processes

NOT_NEEDED = {
    "alembic",
    "altcha",
    "apscheduler",
    "babel",
    "css_inline",
    "dns",
    "email_validator",
    "feedparser",
    "flask_babel",
    "flask_migrate",
    "lxml",
    "mako",
    "markdown_it",
    "openpyxl",
    "PIL",
    "rich",
    "urllib3",
    "waitress",
}
"""Libraries that a command which only reads the database has no use for."""
OUR_OWN = ("newsletter.web.", "newsletter.feeds.fetch", "newsletter.mail.render", "newsletter.demo")
"""Parts of this program that would bring them in."""
SCRIPT = """
import sys
from newsletter.cli import main
try:
    main(sys.argv[1:])
finally:
    print("\\n".join(sys.modules), file=sys.stderr)
"""

NOT_NEEDED_AT_REST = {
    "aiosmtpd",
    "alembic",
    "cryptography",
    "dns",
    "feedparser",
    "imapclient",
    "lxml",
    "openpyxl",
    "PIL",
    "prometheus_client",
    "re2",
    "rich",
    "webauthn",
}
"""Libraries that `serve` loads when a feature of which not everybody makes use needs them."""
SERVE = """
import os
import sys
from newsletter.settings_loader import load_settings
from newsletter.app import create_app
from newsletter.worker import WorkerProcess
WorkerProcess(create_app(load_settings(environ=os.environ)))
print("\\n".join(sys.modules), file=sys.stderr)
"""


@pytest.mark.parametrize("words", [("list", "ls"), ("suppression", "ls"), ("entry", "ls")])
def test_a_command_that_reads_the_database_loads_no_more_than_it_uses(
    words: tuple[str, ...], tmp_path: Path
) -> None:
    modules = _list_modules(tmp_path, SCRIPT, *words)
    assert sorted({name.partition(".")[0] for name in modules} & NOT_NEEDED) == []
    assert [name for name in modules if name.startswith(OUR_OWN)] == []


def test_an_idle_serve_loads_no_more_than_it_uses(tmp_path: Path) -> None:
    modules = _list_modules(tmp_path, SERVE)
    assert "newsletter.web.author.health" in modules  # pages and worker are there
    assert sorted({name.partition(".")[0] for name in modules} & NOT_NEEDED_AT_REST) == []


def _list_modules(folder: Path, script: str, *words: str) -> list[str]:
    """Run a script on a new database, and return the names of the modules that it loaded."""
    database.upgrade(f"sqlite:///{folder}/newsletter.db")
    environ = os.environ | {
        "NEWSLETTER_SECRET_KEY": "0123456789abcdef" * 4,
        "NEWSLETTER_BASE_URL": "https://news.example.com",
        "NEWSLETTER_DATABASE_URL": f"sqlite:///{folder}/newsletter.db",
    }
    done = subprocess.run(
        [sys.executable, "-c", script, *words],
        env=environ,
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
    )
    modules = done.stderr.splitlines()
    assert "sqlalchemy.orm" in modules
    return modules
