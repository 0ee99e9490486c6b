"""Programs of the machine that tests need: a missing one skips the test, and fails it in CI."""

from __future__ import annotations

import os
import shutil

import pytest

PATH = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"


def need(*, available: bool, what: str) -> None:
    """Skip the test without `what`; fail it where nothing may be skipped (`TESTS_MUST_RUN`)."""
    if available:
        return
    if os.environ.get("TESTS_MUST_RUN"):
        pytest.fail(f"needs {what}, and nothing may be skipped here")
    pytest.skip(f"needs {what}")


def find_program(name: str, package: str = "", *, as_root: bool = False) -> str:
    """Return the path of a program of Debian's `package`, of the same name by default."""
    path = shutil.which(name, path=PATH)
    need(available=path is not None, what=f"Debian's {package or name}")
    if as_root:
        need(available=os.geteuid() == 0, what=f"root to start {name}")
    assert path is not None
    return path
