"""`newsletter service`: install the program as a systemd service."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import click

from newsletter import settings, settings_loader
from newsletter.cli.groups import CommandGroup
from newsletter.cli.output import ask, say, say_raw, yes_option
from newsletter.errors import Refused
from newsletter.services.operations import service_units
from newsletter.services.operations.service_units import ServicePlan

UNITS = Path("/etc/systemd/system")
RUNNING = Path("/run/systemd/system")
"""A folder that exists if systemd is the init process (sd_booted(3))."""


@click.group(cls=CommandGroup)
def service() -> None:
    """Run the program as a service of systemd."""


@service.command(epilog="Example: sudo newsletter service install --user newsletter")
@click.option("--user", help="The user who runs it (default: the owner of newsletter.toml).")
@click.option("--port", type=click.IntRange(1, 65535), default=8025, show_default=True)
@click.option("--apart", is_flag=True, help="Pages (gunicorn) and worker as two services.")
@click.option(
    "--into",
    type=click.Path(path_type=Path, file_okay=False),
    default=UNITS,
    show_default=True,
    help="The folder of the units.",
)
@click.option("--print", "print_", is_flag=True, help="Print the units; write nothing.")
@yes_option
@click.pass_context
def install(
    ctx: click.Context,
    user: str | None,
    port: int,
    into: Path,
    *,
    apart: bool,
    print_: bool,
    yes: bool,
) -> None:
    """Write, enable and start the units: the program, and a backup every night.

    Units that ran this installation the other way, in one process or apart, are removed.
    """
    file = ctx.find_root().obj or Path(os.environ.get("NEWSLETTER_CONFIG") or settings.DEFAULT_FILE)
    settings_loader.load_settings(file, os.environ)
    file = file.resolve()
    plan = ServicePlan(file, _get_program(), user or file.owner(), port, apart)
    units = service_units.write_units(plan)
    if print_:
        for name, text in units.items():
            say_raw(f"# {into / name}\n{text}")
        return
    ask(f"Write {len(units)} units into {into} and start them?", yes=yes)
    for name in service_units.list_superseded(plan, into):
        if into == UNITS:
            _run_systemctl(["disable", "--now", name] if RUNNING.exists() else ["disable", name])
        (into / name).unlink()
        say(f"Removed: {into / name}")
    for name, text in units.items():
        (into / name).write_text(text, "utf-8")
        say(f"Written: {into / name}")
    if into == UNITS:
        _enable([name for name, text in units.items() if "[Install]" in text])


def _get_program() -> Path:
    """Return the path of the `newsletter` command beside the running Python."""
    return Path(sys.executable).with_name("newsletter")


def _enable(names: list[str]) -> None:
    """Enable the units, and start or restart them if systemd is running."""
    runs = RUNNING.exists()
    if runs:
        _run_systemctl(["daemon-reload"])
    _run_systemctl(["enable", *names])
    if runs:
        _run_systemctl(["restart", *names])
    say(f"Enabled{' and started' if runs else ''}: {', '.join(names)}")


def _run_systemctl(words: list[str]) -> None:
    """Run systemctl with these arguments.

    Raises `Refused` with its words.
    """
    systemctl = shutil.which("systemctl")
    if systemctl is None:
        raise Refused("there is no systemctl", hint="the units are written; start them yourself")
    done = subprocess.run(  # noqa: S603
        [systemctl, *words], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise Refused(f"systemctl {' '.join(words)}: {done.stderr.strip()}")
