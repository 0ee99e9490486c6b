"""A signed message passes a real Postfix that changes nothing, and OpenDKIM says that it is
right.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller

from newsletter.mail.dkim.signer import make_sign
from newsletter.mail.message import MessageDraft, compile_message
from newsletter.mail.smtp.transport import SmtpTransport, parse_server
from newsletter.mail.smtp.types import Outgoing
from tests.programs import find_program
from tests.servers.postfix import find_port, run_postfix, wait_for_port
from tests.unit.mail.test_dkim import NOW, RECORDS, SIGNERS, verifies
from tests.unit.mail.test_message import VALUES, headers

pytestmark = [pytest.mark.postfix, pytest.mark.xdist_group("postfix")]


class Keeper:
    """An SMTP server's handler that keeps what comes."""

    def __init__(self) -> None:
        self.contents: list[bytes] = []

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        self.contents.append(envelope.content)
        return "250 Ok"


@pytest.fixture
def keeper() -> Iterator[tuple[Keeper, int]]:
    """Start the server behind the relay."""
    keeper = Keeper()
    port = find_port()
    controller = Controller(keeper, hostname="127.0.0.1", port=port)
    controller.start()
    yield keeper, port
    controller.stop()


@pytest.fixture
def opendkim(tmp_path: Path) -> Iterator[int]:
    """OpenDKIM as a milter that verifies, with a file in place of the DNS."""
    program = find_program("opendkim", as_root=True)
    port = find_port()
    keys = "".join(f"{name.removesuffix('.')} {record}\n" for name, record in RECORDS.items())
    (tmp_path / "keys").write_text(keys)
    (tmp_path / "conf").write_text(
        f"Mode v\nSyslog no\nSocket inet:{port}@127.0.0.1\nTestPublicKeys {tmp_path}/keys\n"
        "AuthservID mx.example.com\nAlwaysAddARHeader yes\nInternalHosts 192.0.2.1\n"
    )
    process = subprocess.Popen([program, "-f", "-x", str(tmp_path / "conf")])
    try:
        wait_for_port(port)
        yield port
    finally:
        process.terminate()
        process.wait(10)


def test_opendkim_behind_postfix_says_pass(keeper: tuple[Keeper, int], opendkim: int) -> None:
    keeper_server, behind = keeper
    text = "Dear Jürgen,  \n.\n..hidden\n\n" + "a long line " * 200 + "\t tabs \n\n\n"
    compiled = compile_message(MessageDraft(headers("Größe"), text, f"<p>{text}"))
    settings = {
        "relayhost": f"[127.0.0.1]:{behind}",
        "default_transport": "smtp",
        "relay_transport": "smtp",
        "smtpd_milters": f"inet:127.0.0.1:{opendkim}",
        "milter_default_action": "tempfail",
    }
    with run_postfix(settings) as postfix:
        for number, options in enumerate(("", "smtpd_discard_ehlo_keywords = chunking")):
            if options:
                name, _, value = options.partition(" = ")
                subprocess.run(
                    ["postconf", "-c", str(postfix.folder / "etc"), "-e", f"{name}={value}"],
                    check=True,
                )
                subprocess.run([*postfix.command, "reload"], check=True, capture_output=True)
            data = compiled.build({**VALUES, "name": "A  B"}, make_sign(SIGNERS, NOW))
            waiting = iter([Outgoing(1, "ana@example.com", "r@example.com", data)])
            transport = SmtpTransport(
                [parse_server(f"smtp://127.0.0.1:{postfix.port}")],
                timeout=20,
                hello="news.example.com",
                connections=1,
            )
            outcomes = [
                row
                for group in transport.deliver(lambda rows=waiting: next(rows, None))
                for row in group
            ]
            assert [outcome.result for outcome in outcomes] == ["accepted"]
            postfix.wait_for("status=sent", number + 1)
    assert len(keeper_server.contents) == 2
    for content in keeper_server.contents:
        assert verifies(content, 0)
        assert verifies(content, 1)
        [results] = re.findall(rb"^Authentication-Results:.*?(?=^\S)", content, re.M | re.S)
        assert b"dkim=pass" in results
        assert b"header.s=s1" in results
        assert b"fail" not in results


def test_opendkim_says_fail_of_a_changed_message(keeper: tuple[Keeper, int], opendkim: int) -> None:
    keeper_server, behind = keeper
    data = compile_message(MessageDraft(headers(), "A letter.", "x")).build(
        VALUES, make_sign(SIGNERS, NOW)
    )
    data = data.replace(b"A letter.", b"A better.")
    settings = {
        "relayhost": f"[127.0.0.1]:{behind}",
        "default_transport": "smtp",
        "relay_transport": "smtp",
        "smtpd_milters": f"inet:127.0.0.1:{opendkim}",
        "milter_default_action": "tempfail",
    }
    with run_postfix(settings) as postfix:
        waiting = iter([Outgoing(1, "ana@example.com", "r@example.com", data)])
        transport = SmtpTransport(
            [parse_server(f"smtp://127.0.0.1:{postfix.port}")],
            timeout=20,
            hello="news.example.com",
            connections=1,
        )
        for _ in transport.deliver(lambda rows=waiting: next(rows, None)):
            pass
        postfix.wait_for("status=sent")
    assert b"dkim=pass" not in keeper_server.contents[0]
    assert b"dkim=" in keeper_server.contents[0]
