"""Identify worker processes, check whether they are alive, and record their ticks."""

from __future__ import annotations

import os
import socket
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import delete, func, select

from newsletter.db.direct import read_boot_id
from newsletter.db.session import db, transaction
from newsletter.models import Worker
from newsletter.services.runtime import Environment

FORGET_AFTER = timedelta(days=1)


def make_identity() -> str:
    """Return `machine:pid:start:boot`, which identifies this process even if its pid is reused."""
    pid = os.getpid()
    return f"{_name_machine()}:{pid}:{_read_start(pid)}:{read_boot_id()}"


def is_alive(worker: str) -> bool:
    """Tell whether a worker may still be running.

    Another machine's always may: its leases run out by themselves.
    """
    machine, pid, started, boot_ = worker.rsplit(":", 3)
    if machine != _name_machine():
        return True
    return boot_ == read_boot_id() and _read_start(int(pid)) == started


def is_name(text: str) -> bool:
    """Tell whether a text has the form of a worker's identity."""
    parts = text.rsplit(":", 3)
    return len(parts) == 4 and parts[1].isdecimal()


def is_here(worker: str) -> bool:
    """Tell whether a worker runs on this machine."""
    return worker.rsplit(":", 3)[0] == _name_machine()


def parse_pid(worker: str) -> int:
    """Return the process number of a worker."""
    return int(worker.rsplit(":", 3)[1])


def is_before_restart(worker: str) -> bool:
    """Tell whether a worker was started before this machine's last boot.

    Its last notes may not have reached the disk.
    """
    return worker.rsplit(":", 1)[1] != read_boot_id()


def _name_machine() -> str:
    """Return the name of this host, with its pid namespace if containers share the name."""
    try:
        namespace = str(Path("/proc/self/ns/pid").readlink())
    except OSError:
        namespace = "pids"
    return f"{socket.gethostname()}/{namespace}"


def _read_start(pid: int) -> str:
    """Return the start time of process `pid` in clock ticks; "" if it is not visible."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return "" if Path("/proc/self").exists() else _probe_process(pid)
    return "" if fields[0] == "Z" else fields[19]


def _probe_process(pid: int) -> str:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return ""
    except PermissionError:
        pass
    return "up"


def record_tick(env: Environment, worker: str) -> None:
    """Record that a worker is alive, and delete workers that stopped long ago."""
    now = env.now
    with transaction(announced=False) as session:
        session.merge(Worker(name=worker, ticked_at=now))
        session.execute(delete(Worker).where(Worker.ticked_at < now - FORGET_AFTER))


def find_last_tick() -> datetime | None:
    """Return the time of any worker's last tick, None if there was none."""
    return db.session.scalar(select(func.max(Worker.ticked_at)))
