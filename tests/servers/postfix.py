"""A Postfix of the tests' own on the loopback, with the settings that a test needs."""

from __future__ import annotations

import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.programs import find_program
from tests.waiting import PATIENCE

_SERVICES = (
    "cleanup unix n - n - 0 cleanup",
    "qmgr unix n - n 300 1 qmgr",
    "rewrite unix - - n - - trivial-rewrite",
    "bounce unix - - n - 0 bounce",
    "defer unix - - n - 0 bounce",
    "trace unix - - n - 0 bounce",
    "discard unix - - n - - discard",
    "error unix - - n - - error",
    "anvil unix - - n - 1 anvil",
    "scache unix - - n - 1 scache",
    "postlog unix-dgram n - n - 1 postlogd",
    "pickup unix n - n 60 1 pickup",
    "flush unix n - n 1000? 0 flush",
    "proxymap unix - - n - - proxymap",
    "tlsmgr unix - - n 1000? 1 tlsmgr",
    "retry unix - - n - - error",
    "smtp unix - - n - - smtp",
    "relay unix - - n - - smtp",
    "lmtp unix - - n - - lmtp",
    "virtual unix - n n - - virtual",
    "showq unix n - n - - showq",
)


@dataclass(frozen=True)
class Postfix:
    """A running Postfix: its port, its log, its folder, and the command that steers it."""

    port: int
    log: Path
    folder: Path
    command: tuple[str, ...]

    def change(self, setting: str, value: str) -> None:
        """Change a setting of main.cf, and look at the queue with it."""
        etc = self.command[-1]
        postconf = find_program("postconf", "postfix")
        postqueue = find_program("postqueue", "postfix")
        subprocess.run(
            [postconf, "-c", etc, "-e", f"{setting}={value}"], check=True, timeout=PATIENCE
        )
        subprocess.run([*self.command, "reload"], check=True, capture_output=True, timeout=PATIENCE)
        subprocess.run(
            [postqueue, "-c", etc, "-f"], check=True, capture_output=True, timeout=PATIENCE
        )

    def wait_for(self, text: str, count: int = 1, seconds: float = PATIENCE) -> str:
        """Return the log, once it holds `text` so many times."""
        ends = time.monotonic() + seconds
        while time.monotonic() < ends:
            log = self.log.read_text() if self.log.exists() else ""
            if log.count(text) >= count:
                return log
            time.sleep(0.1)
        raise AssertionError(f"no {text!r} in the log of Postfix:\n{self.log.read_text()[-3000:]}")


def find_port() -> int:
    """Return a port of the loopback that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


def wait_for_port(port: int) -> None:
    """Wait until somebody listens."""
    ends = time.monotonic() + PATIENCE
    while time.monotonic() < ends:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=1):
                return
        except OSError:
            time.sleep(0.1)
    raise AssertionError(f"nobody listens on port {port}")


@contextmanager
def run_postfix(
    settings: Mapping[str, str] | None = None, files: Mapping[str, str] | None = None
) -> Iterator[Postfix]:
    """Run a Postfix that discards what it takes, unless `settings` (of main.cf) say otherwise.

    `{folder}` in a setting is its folder, where `files` (texts by name) are written first.
    """
    postfix = find_program("postfix", as_root=True)
    port = find_port()
    folder = Path(tempfile.mkdtemp(prefix="newsletter-postfix-", dir="/tmp"))
    folder.chmod(0o755)  # Postfix works as a user of its own
    for name in ("etc", "queue", "data"):
        (folder / name).mkdir()
    shutil.chown(folder / "data", "postfix")
    for name, text in (files or {}).items():
        (folder / name).write_text(text)
    _write_configuration(folder, port, settings or {})
    command = (postfix, "-c", str(folder / "etc"))
    try:
        started = subprocess.run(
            [*command, "start"], capture_output=True, timeout=PATIENCE, check=False
        )
        assert started.returncode == 0, started.stderr.decode()
        wait_for_port(port)
        yield Postfix(port, folder / "log", folder, command)
    finally:
        subprocess.run([*command, "abort"], capture_output=True, timeout=30)
        shutil.rmtree(folder, ignore_errors=True)


def _write_configuration(folder: Path, port: int, settings: Mapping[str, str]) -> None:
    """Write main.cf and master.cf of a Postfix that listens on `port`."""
    main = {
        "compatibility_level": "3.6",
        "queue_directory": f"{folder}/queue",
        "data_directory": f"{folder}/data",
        "mail_owner": "postfix",
        "myhostname": "mx.example.com",
        "mydestination": "",
        "inet_interfaces": "127.0.0.1",
        "inet_protocols": "ipv4",
        "mynetworks": "127.0.0.0/8",
        "default_transport": "discard",
        "relay_transport": "discard",
        "local_transport": "discard",
        "maillog_file": f"{folder}/log",
        "maillog_file_prefixes": str(folder),
        "alias_maps": "",
        "local_recipient_maps": "",
        "smtpd_relay_restrictions": "permit_mynetworks, reject",
        "message_size_limit": "20000000",
        "smtp_host_lookup": "native",
        "smtp_dns_support_level": "disabled",
    }
    main |= {name: value.replace("{folder}", str(folder)) for name, value in settings.items()}
    lines = [f"{name} = {value}" for name, value in main.items()]
    (folder / "etc/main.cf").write_text("\n".join(lines) + "\n")
    services = (*_SERVICES, f"127.0.0.1:{port} inet n - n - - smtpd")
    (folder / "etc/master.cf").write_text("\n".join(services) + "\n")
