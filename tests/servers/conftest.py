"""One WordPress for all tests that need one."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.servers.wordpress import PROGRAMS, WordPress, is_installed


@pytest.fixture(scope="session")
def wordpress() -> Iterator[WordPress]:
    """A blog; whoever needs an empty one deletes its posts."""
    if not is_installed():
        reason = f"needs Debian's wordpress and mariadb-server ({', '.join(PROGRAMS)})"
        if os.environ.get("TESTS_MUST_RUN"):
            pytest.fail(f"{reason}, and nothing may be skipped here")
        pytest.skip(reason)
    folder = Path(tempfile.mkdtemp(prefix="wp-", dir="/tmp"))
    try:
        with WordPress(folder) as site:
            yield site
    finally:
        shutil.rmtree(folder, ignore_errors=True)
