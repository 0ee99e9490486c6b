"""A real Postfix on the loopback takes what we send, without a warning."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from newsletter.mail.headers import Sender, list_headers
from newsletter.mail.message import MessageDraft, compile_message
from newsletter.mail.slots import make_slot
from newsletter.mail.smtp.transport import SmtpTransport, parse_server
from newsletter.mail.smtp.types import Outgoing

MESSAGES = int(os.environ.get("POSTFIX_MESSAGES", "400"))
"""10,000 where it may take a minute."""

pytestmark = [pytest.mark.postfix, pytest.mark.xdist_group("postfix")]

POSTFIX = shutil.which("postfix") or (
    shutil.which("postfix", path="/usr/sbin") if Path("/usr/sbin").exists() else None
)


@pytest.fixture
def postfix() -> Iterator[tuple[int, Path]]:
    """A Postfix of our own: its port and its log. It discards whatever it accepts."""
    if POSTFIX is None or os.geteuid() != 0:
        if os.environ.get("TESTS_MUST_RUN"):
            pytest.fail("there is no postfix that can be started, and nothing may be skipped here")
        pytest.skip("needs Debian's postfix, and root to start it")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    folder = Path(tempfile.mkdtemp(prefix="newsletter-postfix-"))
    folder.chmod(0o755)  # Postfix works as a user of its own
    log = folder / "log"
    for name in ("etc", "queue", "data"):
        (folder / name).mkdir(parents=True)
    shutil.chown(folder / "data", "postfix")
    (folder / "etc/main.cf").write_text(
        f"compatibility_level = 3.6\nqueue_directory = {folder}/queue\ndata_directory = {folder}/data\n"
        "mail_owner = postfix\nmyhostname = mx.example.com\nmydestination =\ninet_interfaces = 127.0.0.1\n"
        "inet_protocols = ipv4\nmynetworks = 127.0.0.0/8\ndefault_transport = discard\nrelay_transport = discard\n"
        f"local_transport = discard\nmaillog_file = {log}\nmaillog_file_prefixes = {folder}\nalias_maps =\nlocal_recipient_maps =\n"
        "smtpd_relay_restrictions = permit_mynetworks, reject\nmessage_size_limit = 20000000\n"
    )
    services = ["cleanup unix n - n - 0 cleanup", "qmgr unix n - n 300 1 qmgr", "rewrite unix - - n - - trivial-rewrite",
                "bounce unix - - n - 0 bounce", "defer unix - - n - 0 bounce", "trace unix - - n - 0 bounce",
                "discard unix - - n - - discard", "error unix - - n - - error", "anvil unix - - n - 1 anvil",
                "scache unix - - n - 1 scache", "postlog unix-dgram n - n - 1 postlogd", "pickup unix n - n 60 1 pickup",
                "flush unix n - n 1000? 0 flush", "proxymap unix - - n - - proxymap", "tlsmgr unix - - n 1000? 1 tlsmgr", "retry unix - - n - - error", f"127.0.0.1:{port} inet n - n - - smtpd"]  # fmt: skip
    (folder / "etc/master.cf").write_text("\n".join(services) + "\n")
    command = [POSTFIX, "-c", str(folder / "etc")]
    subprocess.run([*command, "start"], check=True, capture_output=True, timeout=30)
    try:
        _wait_for(port)
        yield port, log
    finally:
        subprocess.run([*command, "abort"], capture_output=True, timeout=30)
        shutil.rmtree(folder, ignore_errors=True)


def _wait_for(port: int) -> None:
    ends = time.monotonic() + 15
    while time.monotonic() < ends:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=1) as connection:
                if connection.recv(3) == b"220":
                    return
        except OSError:
            time.sleep(0.1)
    raise AssertionError("postfix did not come up")


def test_postfix_takes_list_mail_without_a_warning(postfix: tuple[int, Path]) -> None:
    port, log = postfix
    headers = list_headers(
        Sender("Ana Müller", "ana@example.com"), "Größe und Ruhe", title="Slow Letters", list_id="slow.news.example.com",
        help_url="https://news.example.com/slow/", archive_url="https://news.example.com/slow/archive/", feedback_id="a:b:c",
    )  # fmt: skip
    text = (
        f"Dear {make_slot('name')}\n.\n..\nBye: {make_slot('unsubscribe_url')}\n"
        + "long line " * 300
    )
    compiled = compile_message(MessageDraft(headers, text, f"<p>{text}</p>"))
    messages = [
        Outgoing(number, "ana@example.com", f"r{number}@example.com", compiled.build(
            {"name": f"Jörg {number}", "email": f"r{number}@example.com", "date": "Tue, 24 Nov 2026 09:00:00 +0000",
             "message_id": f"d.{number}@example.com", "unsubscribe_url": "https://news.example.com/unsubscribe/" + "a" * 90}))
        for number in range(MESSAGES)
    ]  # fmt: skip
    waiting = iter(messages)
    carrier = SmtpTransport(
        [parse_server(f"smtp://127.0.0.1:{port}")],
        timeout=20,
        hello="news.example.com",
        connections=4,
    )
    outcomes = [
        outcome for group in carrier.deliver(lambda: next(waiting, None)) for outcome in group
    ]
    assert [outcome.result for outcome in outcomes] == ["accepted"] * MESSAGES
    assert all("queued as" in outcome.reply.text for outcome in outcomes)
    ends = time.monotonic() + 20 + MESSAGES / 50
    while log.read_text().count("status=sent") < MESSAGES and time.monotonic() < ends:
        time.sleep(0.2)
    said = log.read_text()
    assert said.count("status=sent") == MESSAGES
    said = re.sub(
        r".*warning: file system clock is .*", "", said
    )  # a shared machine's, not the mail's
    assert [
        line for line in said.splitlines() if re.search(r"warning|error|fatal|panic", line)
    ] == []
