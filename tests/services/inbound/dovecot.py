"""A real Dovecot of the tests' own: IMAP and POP3 on the loopback, one user, a Maildir."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.programs import find_program
from tests.waiting import PATIENCE

CONFIGURATION = """\
base_dir = {folder}/run
state_dir = {folder}/state
log_path = {folder}/log
protocols = imap pop3
ssl = no
disable_plaintext_auth = no
auth_mechanisms = plain
default_internal_user = dovecot
default_login_user = dovenull
mail_location = maildir:{folder}/Maildir
first_valid_uid = 1
mail_max_userip_connections = 50
passdb {{
  driver = static
  args = password=secret
}}
userdb {{
  driver = static
  args = uid={uid} gid={uid} home={folder}
}}
service imap-login {{
  chroot =
  inet_listener imap {{
    address = 127.0.0.1
    port = {imap}
  }}
  inet_listener imaps {{
    port = 0
  }}
}}
service pop3-login {{
  chroot =
  inet_listener pop3 {{
    address = 127.0.0.1
    port = {pop3}
  }}
  inet_listener pop3s {{
    port = 0
  }}
}}
service anvil {{
  chroot =
}}
"""


@dataclass
class Dovecot:
    """The port and folder of a running server."""

    folder: Path
    imap_port: int
    pop3_port: int
    uid: int
    _delivered: int = 0

    def url(self, kind: str) -> str:
        port = self.imap_port if kind == "imap" else self.pop3_port
        return f"{kind}://bounces:secret@127.0.0.1:{port}"

    def deliver(self, data: bytes) -> None:
        """Put a mail into the mailbox, as a delivery agent does."""
        self._delivered += 1
        place = self.folder / f"Maildir/new/{time.time():.6f}.M{self._delivered}.test"
        place.write_bytes(data)
        os.chown(place, self.uid, self.uid)

    def mails(self) -> list[bytes]:
        """Every mail that is there."""
        files = [
            file for name in ("new", "cur") for file in (self.folder / "Maildir" / name).iterdir()
        ]
        return [file.read_bytes() for file in sorted(files, key=lambda file: file.name)]

    def unread(self) -> int:
        """Return how many mails nobody has opened."""
        return sum(
            ":2," not in file.name or "S" not in file.name.rpartition(",")[2]
            for name in ("new", "cur")
            for file in (self.folder / "Maildir" / name).iterdir()
        )

    def kick(self) -> None:
        """End every session, as a restart of the server does."""
        subprocess.run(
            ["doveadm", "-c", str(self.folder / "dovecot.conf"), "kick", "bounces"],
            check=True,
            capture_output=True,
        )

    def forget_index(self) -> None:
        """Lose what the server knew: every mail gets a new UID under a new UIDVALIDITY."""
        list_ = self.folder / "Maildir/dovecot-uidlist"
        changed = re.sub(
            r"V(\d+)", lambda match: f"V{int(match[1]) + 1000}", list_.read_text(), count=1
        )
        for file in (self.folder / "Maildir").glob("dovecot.*index*"):
            file.unlink()
        list_.write_text(changed)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
        return port


def _wait_for(port: int) -> None:
    ends = time.monotonic() + PATIENCE
    while time.monotonic() < ends:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=1):
                return
        except OSError:
            time.sleep(0.1)
    raise AssertionError("Dovecot does not listen")


@contextmanager
def running_dovecot() -> Iterator[Dovecot]:
    """Start one and stop it at the end."""
    dovecot = find_program("dovecot", "dovecot-imapd and dovecot-pop3d", as_root=True)
    folder = Path(tempfile.mkdtemp(prefix="newsletter-dovecot-", dir="/tmp"))
    folder.chmod(0o755)
    uid = 65534
    for name in ("run", "state", "Maildir/new", "Maildir/cur", "Maildir/tmp"):
        (folder / name).mkdir(parents=True)
    for place in (folder / "Maildir", *(folder / "Maildir").iterdir()):
        os.chown(place, uid, uid)
    os.chown(folder, uid, uid)
    server = Dovecot(folder, _free_port(), _free_port(), uid)
    text = CONFIGURATION.format(
        folder=folder, uid=uid, imap=server.imap_port, pop3=server.pop3_port
    )
    (folder / "dovecot.conf").write_text(text)
    process = subprocess.Popen(
        [dovecot, "-F", "-c", str(folder / "dovecot.conf")], stderr=subprocess.PIPE
    )
    try:
        try:
            _wait_for(server.imap_port)
        except AssertionError:
            log = (folder / "log").read_text() if (folder / "log").exists() else ""
            process.terminate()
            errors = process.stderr.read().decode() if process.stderr else ""
            raise AssertionError(f"Dovecot does not start: {log} {errors}") from None
        yield server
    finally:
        process.terminate()
        process.wait(20)
        if process.stderr:
            process.stderr.close()
        shutil.rmtree(folder, ignore_errors=True)
