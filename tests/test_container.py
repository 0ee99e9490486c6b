"""The container's files, as far as they can be checked without a container engine."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "Containerfile").read_text()


def test_what_is_copied_exists_and_is_enough_for_the_wheel() -> None:
    sources = re.findall(r"^COPY (?!--)(.+) \S+$", TEXT, re.M)
    names = {name for line in sources for name in line.split()}
    assert all((ROOT / name).exists() for name in names), names
    built = re.findall(r'^"([\w.]+)" = ', (ROOT / "pyproject.toml").read_text(), re.M)
    assert names >= {
        "pyproject.toml",
        "requirements.lock",
        "newsletter",
        *(name for name in built if (ROOT / name).exists()),
    }


def test_it_runs_as_nobody_special_and_is_watched() -> None:
    assert re.search(r"^USER newsletter$", TEXT, re.M)
    assert TEXT.index("useradd") < TEXT.index("\nUSER ")
    assert "HEALTHCHECK" in TEXT
    assert "/healthz" in TEXT


def test_compose_is_read_only_and_names_its_volumes() -> None:
    compose = yaml.safe_load((ROOT / "compose.yaml").read_text())
    program = compose["services"]["newsletter"]
    assert program["read_only"] is True
    assert program["cap_drop"] == ["ALL"]
    assert "ports" not in program, "only Caddy is reached from outside"
    assert compose["services"]["postgres"]["profiles"] == ["postgres"]
    used = {
        volume.partition(":")[0]
        for service in compose["services"].values()
        for volume in service["volumes"]
        if not volume.startswith(".")
    }
    assert used == set(compose["volumes"])
