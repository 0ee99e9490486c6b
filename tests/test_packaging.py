"""The lock file of a deployment holds every dependency that the program asks for, with hashes."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
NEEDED = [
    *PROJECT["dependencies"],
    *PROJECT["optional-dependencies"]["postgres"],
    *PROJECT["optional-dependencies"]["redis"],
]
LOCK = (ROOT / "requirements.lock").read_text()
PINNED = dict(re.findall(r"^([a-z0-9][a-z0-9._-]*)(?:\[[^\]]*\])?==([^ ;\\\n]+)", LOCK, re.M))


@pytest.mark.parametrize("text", NEEDED)
def test_each_dependency_is_pinned_within_its_range(text: str) -> None:
    requirement = Requirement(text)
    name = re.sub(r"[-_.]+", "-", requirement.name).lower()
    assert name in PINNED, "run `make lock`"
    assert Version(PINNED[name]) in requirement.specifier, "run `make lock`"


def test_each_pin_has_hashes_and_no_registry_is_named() -> None:
    pins = re.split(r"\n(?=[a-z0-9])", LOCK)[1:]
    assert all("--hash=sha256:" in pin for pin in pins)
    assert "://" not in LOCK
