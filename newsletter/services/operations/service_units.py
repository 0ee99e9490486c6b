"""Write systemd units for an installation, sandboxed from the rest of the machine."""

from __future__ import annotations

import pwd
from dataclasses import dataclass, replace
from pathlib import Path

from newsletter.errors import Refused

SANDBOX = """\
UMask=0077
NoNewPrivileges=yes
CapabilityBoundingSet=
AmbientCapabilities=
ProtectSystem=strict
ReadWritePaths={folder}
ProtectHome={protect_home}
PrivateTmp=yes
PrivateDevices=yes
DevicePolicy=closed
ProtectClock=yes
ProtectControlGroups=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
ProtectProc=invisible
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
RemoveIPC=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallFilter=~@privileged
SystemCallErrorNumber=EPERM
"""
"""Directives of systemd that remove rights the program does not need.

It sets limits for the process that parses feeds, so that the calls of @resources stay.
"""

RUNNING = """\
[Unit]
Description=Newsletter: {what}
Wants=network-online.target
After=network-online.target postgresql.service

[Service]
Type=notify
{watchdog}User={user}
WorkingDirectory={folder}
ExecStart={command}
Restart=always
RestartSec=5
TimeoutStopSec=180
KillMode=mixed
LimitNOFILE=65536
{sandbox}
[Install]
WantedBy=multi-user.target
"""

BACKUP = """\
[Unit]
Description=Newsletter: back up into {folder}/backups

[Service]
Type=oneshot
User={user}
WorkingDirectory={folder}
ExecStart={command}
{sandbox}"""

BACKUP_TIMER = """\
[Unit]
Description=Newsletter: back up every night

[Timer]
OnCalendar=*-*-* 03:30
RandomizedDelaySec=30m
Persistent=true

[Install]
WantedBy=timers.target
"""

WATCHDOG = "WatchdogSec=300\n"
"""Time without a tick after which systemd restarts a worker; gunicorn watches its own."""
WEB_WORKERS = 2
WEB_THREADS = 8


@dataclass(frozen=True, slots=True)
class ServicePlan:
    """The user, files, port and processes of an installation's service.

    `settings_file` names it, `program` is the `newsletter` command, `port` where pages listen.
    `apart`: pages by gunicorn and a worker of its own, instead of `serve`.
    """

    settings_file: Path
    program: Path
    user: str
    port: int
    apart: bool


def write_units(plan: ServicePlan) -> dict[str, str]:
    """Return the text of each unit of `plan`, by name.

    Raises `Refused` where the user does not exist or cannot read the settings.
    """
    _require_owner(plan)
    folder = plan.settings_file.parent
    for path in (folder, plan.program):
        if any(sign.isspace() or sign in "%\"'\\$" for sign in str(path)):
            raise Refused(f"{path} cannot stand in a unit", hint="use a folder with a plain name")
    newsletter = f"{plan.program} --config {plan.settings_file}"
    protect_home = "read-only" if folder.is_relative_to("/home") else "yes"
    sandbox = SANDBOX.format(folder=folder, protect_home=protect_home)
    commands = _list_commands(plan, newsletter)
    values = {"user": plan.user, "folder": folder, "sandbox": sandbox}
    units = {
        f"{name}.service": RUNNING.format(
            what=text,
            command=command,
            watchdog="" if name == "newsletter-web" else WATCHDOG,
            **values,
        )
        for name, (text, command) in commands.items()
    }
    backup = f"{newsletter} backup {folder}/backups/ --keep 14"
    return {
        **units,
        "newsletter-backup.service": BACKUP.format(command=backup, **values),
        "newsletter-backup.timer": BACKUP_TIMER,
    }


def list_superseded(plan: ServicePlan, folder: Path) -> list[str]:
    """List the units in `folder` that ran the same installation with the other process layout."""
    other = _list_commands(replace(plan, apart=not plan.apart), "")
    files = [folder / f"{name}.service" for name in other]
    settings_file = str(plan.settings_file)
    return [file.name for file in files if file.exists() and settings_file in file.read_text()]


def _list_commands(plan: ServicePlan, newsletter: str) -> dict[str, tuple[str, str]]:
    """Map each service to its description and command."""
    if not plan.apart:
        serve = f"{newsletter} serve --port {plan.port}"
        return {"newsletter": ("pages and worker", serve)}
    gunicorn = (
        f"{plan.program.with_name('gunicorn')} --bind 127.0.0.1:{plan.port} "
        f"--workers {WEB_WORKERS} --threads {WEB_THREADS} --worker-tmp-dir /dev/shm "
        f"--env NEWSLETTER_CONFIG={plan.settings_file} wsgi:app"
    )
    return {
        "newsletter-web": ("pages", gunicorn),
        "newsletter-worker": ("worker", f"{newsletter} worker"),
    }


def _require_owner(plan: ServicePlan) -> None:
    """Refuse a user who does not exist, or does not own the settings file."""
    folder = plan.settings_file.parent
    try:
        uid = pwd.getpwnam(plan.user).pw_uid
    except KeyError:
        raise Refused(
            f"there is no user {plan.user}",
            hint=f"useradd --system --home-dir {folder} --shell /usr/sbin/nologin {plan.user}; "
            f"chown -R {plan.user}: {folder}",
        ) from None
    if uid == 0:
        raise Refused("the service needs no root", hint="give a user of its own with --user")
    if plan.settings_file.stat().st_uid != uid:
        raise Refused(
            f"{plan.settings_file} does not belong to {plan.user}",
            hint=f"chown -R {plan.user}: {folder}",
        )
