"""One WordPress for all tests that need one."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.programs import need
from tests.servers.wordpress import PROGRAMS, WordPress, is_installed


@pytest.fixture(scope="session")
def wordpress() -> Iterator[WordPress]:
    """Start a blog; whoever needs an empty one deletes its posts."""
    packages = f"Debian's wordpress and mariadb-server ({', '.join(PROGRAMS)})"
    need(available=is_installed(), what=packages)
    folder = Path(tempfile.mkdtemp(prefix="wp-", dir="/tmp"))
    try:
        with WordPress(folder) as site:
            yield site
    finally:
        shutil.rmtree(folder, ignore_errors=True)
