"""Start the program as a real process: what it inherits, and how it is waited for.

A process reads the machine's clock, moved ahead as that of the tests is. Tests that start one
therefore date their rows from now (`clock` in tests/crash/conftest.py) and never from a fixed day.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from flask import Flask

from newsletter.services.runtime import EXTENSION
from tests.conftest import SECRET
from tests.waiting import PATIENCE

INHERITED = ("PATH", "PYTHONPATH", "DAYS_AHEAD", "LOG_GUARD")
"""Variables that a child process gets: search paths, how far its clock is ahead, where its log
is looked at (tests/children/sitecustomize.py)."""


def inherited_environment() -> dict[str, str]:
    """Return what a child process inherits, and nothing of the tests' own settings."""
    return {name: os.environ[name] for name in INHERITED if name in os.environ}


def program_environment(app: Flask, **more: str) -> dict[str, str]:
    """Return the environment in which the program works on the database of `app`."""
    return {
        **inherited_environment(),
        "NEWSLETTER_SECRET_KEY": SECRET,
        "NEWSLETTER_BASE_URL": "https://news.example.com",
        "NEWSLETTER_DATABASE_URL": app.extensions[EXTENSION].settings.database_url,
        **more,
    }


def start_program(
    folder: Path, environment: dict[str, str], *command: str
) -> subprocess.Popen[str]:
    """Start `newsletter COMMAND` in `folder`; its output is one stream of text."""
    code = "from newsletter.cli import main; main()"
    return subprocess.Popen(
        [sys.executable, "-c", code, *command],
        env=environment,
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def finish(process: subprocess.Popen[str], *, seconds: float = PATIENCE) -> str:
    """Wait for the end of `process` and return its output."""
    output, _ = process.communicate(timeout=seconds)
    return output
