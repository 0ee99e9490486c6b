"""Which modules a short command may load: what it does not use costs its user time."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from newsletter.services.operations import database

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


@pytest.mark.parametrize("words", [("list", "ls"), ("suppression", "ls"), ("entry", "ls")])
def test_a_command_that_reads_the_database_loads_no_more_than_it_uses(
    words: tuple[str, ...], tmp_path: Path
) -> None:
    database.upgrade(f"sqlite:///{tmp_path}/newsletter.db")
    environ = os.environ | {
        "NEWSLETTER_SECRET_KEY": "0123456789abcdef" * 4,
        "NEWSLETTER_BASE_URL": "https://news.example.com",
        "NEWSLETTER_DATABASE_URL": f"sqlite:///{tmp_path}/newsletter.db",
    }
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, *words],
        env=environ,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    modules = done.stderr.splitlines()
    assert "sqlalchemy.orm" in modules
    assert sorted({name.partition(".")[0] for name in modules} & NOT_NEEDED) == []
    assert [name for name in modules if name.startswith(OUR_OWN)] == []
