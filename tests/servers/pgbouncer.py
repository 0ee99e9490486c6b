"""Debian's PgBouncer in transaction mode, in front of a test's PostgreSQL."""

from __future__ import annotations

import os
import pwd
import socket
import subprocess
import time
from pathlib import Path

from sqlalchemy.engine import make_url

from tests.programs import find_program
from tests.waiting import PATIENCE


class PgBouncer:
    """PgBouncer with two server connections, until `close`; it can be killed and started again."""

    def __init__(self, database_url: str, folder: Path) -> None:
        program = find_program("pgbouncer")
        url = make_url(database_url)
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.url = (
            f"postgresql+psycopg://{url.username}@127.0.0.1:{self.port}/{url.database}?pgbouncer=1"
        )
        folder.mkdir()
        users = folder / "users.txt"
        users.write_text(f'"{url.username}" ""\n')
        host = url.query.get("host") or url.host
        config = folder / "pgbouncer.ini"
        config.write_text(
            f"[databases]\n{url.database} = host={host} port={url.port or 5432} "
            f"dbname={url.database} user={url.username}\n"
            f"[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {self.port}\n"
            f"unix_socket_dir =\nauth_type = any\nauth_file = {users}\n"
            f"pool_mode = transaction\ndefault_pool_size = 2\nlogfile = {folder}/log\n"
        )
        self._command = [program, str(config)]
        self._opened: list[Path] = []
        if os.geteuid() == 0:  # it refuses to be root, and must reach the socket and its own files
            self._command[1:1] = ["-u", "postgres"] if _has_user("postgres") else ["-u", "nobody"]
            for path in (*config.parents, *Path(str(host)).parents, Path(str(host))):
                if path.exists() and not path.stat().st_mode & 0o001:
                    path.chmod(path.stat().st_mode | 0o011)
                    self._opened.append(path)
            folder.chmod(0o777)
        self.start()

    def start(self) -> None:
        """Start it, and wait until it answers."""
        self._process = subprocess.Popen(
            self._command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        )
        until = time.monotonic() + PATIENCE
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port)).close()
                return
            except OSError:
                assert self._process.poll() is None, self._process.communicate()[1]
                assert time.monotonic() < until
                time.sleep(0.05)

    def kill(self) -> None:
        """End it at once, with every connection through it."""
        self._process.kill()
        self._process.communicate()

    def close(self) -> None:
        """End it, and shut the folders that were opened for it."""
        if self._process.poll() is None:
            self._process.terminate()
            self._process.communicate(timeout=20)
        for path in self._opened:
            path.chmod(path.stat().st_mode & ~0o011)


def _has_user(name: str) -> bool:
    try:
        pwd.getpwnam(name)
    except KeyError:
        return False
    return True
