"""The units of systemd: what runs, as whom, and shut off from the rest of the machine."""

from __future__ import annotations

import getpass
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from newsletter.cli import main
from newsletter.errors import Refused
from newsletter.services.operations import service_units
from newsletter.services.operations.service_units import ServicePlan
from tests.processes import inherited_environment
from tests.programs import find_program, need

KEY = "0123456789abcdef0123456789abcdef"
OTHER = "nobody"
EXPOSURE_AT_MOST = 3.0


@pytest.fixture
def settings_file(tmp_path: Path) -> Path:
    """Write the settings of a user who is not root."""
    file = tmp_path / "newsletter.toml"
    file.write_text(f'secret_key = "{KEY}"\n')
    if os.geteuid() == 0:
        shutil.chown(file, OTHER)
    return file


def plan(file: Path, *, apart: bool = False, user: str = "") -> ServicePlan:
    return ServicePlan(file, Path("/bin/true"), user or file.owner(), 8025, apart)


def test_one_service_or_two_and_a_backup_every_night(settings_file: Path) -> None:
    together = service_units.write_units(plan(settings_file))
    apart = service_units.write_units(plan(settings_file, apart=True))
    backups = {"newsletter-backup.service", "newsletter-backup.timer"}
    assert set(together) == {"newsletter.service", *backups}
    assert set(apart) == {"newsletter-web.service", "newsletter-worker.service", *backups}
    assert f"--config {settings_file} serve --port 8025" in together["newsletter.service"]
    assert "gunicorn --bind 127.0.0.1:8025" in apart["newsletter-web.service"]
    assert f"User={settings_file.owner()}\n" in together["newsletter.service"]
    assert all(
        "Type=notify\n" in text
        for text in (*together.values(), *apart.values())
        if "Restart=" in text
    )
    watched = {name for name, text in (together | apart).items() if "WatchdogSec=300" in text}
    assert watched == {"newsletter.service", "newsletter-worker.service"}


@pytest.mark.systemd
@pytest.mark.parametrize("apart", [False, True])
def test_systemd_understands_the_units_and_finds_them_shut_off(
    settings_file: Path, tmp_path: Path, *, apart: bool
) -> None:
    analyze = find_program("systemd-analyze", "systemd")
    (tmp_path / "gunicorn").symlink_to("/bin/true")
    (tmp_path / "newsletter").symlink_to("/bin/true")
    result = plan(settings_file, apart=apart)
    units = service_units.write_units(
        ServicePlan(result.settings_file, tmp_path / "newsletter", result.user, 8025, apart)
    )
    files = [tmp_path / name for name in units]
    for file, text in zip(files, units.values(), strict=True):
        file.write_text(text)
    environ = {**inherited_environment(), "SYSTEMD_LOG_LEVEL": "warning"}
    done = subprocess.run(
        [analyze, "verify", *files], capture_output=True, text=True, env=environ, check=False
    )
    complaints = [
        line
        for line in done.stderr.splitlines()
        if str(tmp_path) in line and f"Special user {OTHER}" not in line
    ]
    assert (done.returncode, complaints) == (0, [])
    for file in files:
        if file.suffix == ".service":
            rated = subprocess.run(
                [analyze, "security", "--offline=true", file],
                capture_output=True,
                text=True,
                check=True,
                env=environ,
            ).stdout
            exposure = re.search(r"exposure level for \S+: ([\d.]+)", rated)
            assert exposure, rated
            assert float(exposure[1]) < EXPOSURE_AT_MOST


def test_a_user_who_cannot_run_it_is_refused_with_the_next_command(settings_file: Path) -> None:
    with pytest.raises(Refused, match="useradd --system"):
        service_units.write_units(plan(settings_file, user="nobody-here"))
    with pytest.raises(Refused, match="needs no root"):
        service_units.write_units(plan(settings_file, user="root"))
    other = "daemon" if settings_file.owner() != "daemon" else OTHER
    with pytest.raises(Refused, match=f"chown -R {other}: {settings_file.parent}"):
        service_units.write_units(plan(settings_file, user=other))


def test_a_folder_that_systemd_would_read_otherwise_is_refused(
    settings_file: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "two words"
    folder.mkdir()
    moved = settings_file.rename(folder / settings_file.name)
    with pytest.raises(Refused, match="plain name"):
        service_units.write_units(plan(moved))


def test_the_command_writes_the_units(
    settings_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    need(available=getpass.getuser() == "root", what="root, who owns everything that it makes")
    words = ["--config", str(settings_file), "service", "install"]
    with pytest.raises(SystemExit):
        main([*words, "--print"])
    printed = capsys.readouterr().out
    assert "ProtectSystem=strict" in printed
    assert not (tmp_path / "newsletter.service").exists()
    with pytest.raises(SystemExit) as ended:
        main([*words, "--into", str(tmp_path), "--yes"])
    assert not ended.value.code
    text = (tmp_path / "newsletter.service").read_text()
    assert text in printed
    assert f"User={OTHER}" in text


def test_the_units_of_the_other_way_are_removed(settings_file: Path, tmp_path: Path) -> None:
    if getpass.getuser() != "root":
        pytest.skip("root owns everything that it makes")
    words = ["--config", str(settings_file), "service", "install", "--into", str(tmp_path), "--yes"]

    def install(*more: str) -> set[str]:
        with pytest.raises(SystemExit) as ended:
            main([*words, *more])
        assert not ended.value.code
        return {file.name for file in tmp_path.glob("*.service")} - {"newsletter-backup.service"}

    assert install() == {"newsletter.service"}
    assert install("--apart") == {"newsletter-web.service", "newsletter-worker.service"}
    others = tmp_path / "newsletter-worker.service"
    others.write_text("ExecStart=newsletter --config /srv/another/newsletter.toml worker\n")
    assert install() == {"newsletter.service", others.name}, "another installation's stays"
