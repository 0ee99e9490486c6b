"""The demo's mailbox: a real SMTP server on the loopback, and pages that show its mails."""

from __future__ import annotations

import email
import email.policy
import re
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from email.message import EmailMessage
from html import escape
from typing import Any

from aiosmtpd.controller import Controller

from newsletter.demo.server import Answer, render_page


@dataclass(frozen=True, slots=True)
class DemoMail:
    """A mail that arrived in the demo's mailbox, as bytes and parsed."""

    raw: bytes
    message: EmailMessage

    def body(self, kind: str) -> str:
        """Return the ``plain`` or ``html`` part of the mail as text."""
        part = self.message.get_body((kind,))
        return str(part.get_content()) if part is not None else ""

    def link(self, word: str) -> str:
        """Return the first link in the mail's text whose path has the segment `word`, or ""."""
        match = re.search(rf"https?://\S*/{word}/\S+", self.body("plain"))
        return match[0] if match else ""


class DemoMailbox:
    """A mailbox that keeps every mail and calls `heard` with each mail and its number."""

    def __init__(
        self, *, port: int = 0, heard: Callable[[DemoMail, int], None] = lambda mail, number: None
    ) -> None:
        self.mails: list[DemoMail] = []
        self._heard = heard
        # aiosmtpd cannot choose a free port.
        with socket.create_server(("127.0.0.1", port)) as free:
            self._port = free.getsockname()[1]
        self._controller = Controller(self, hostname="127.0.0.1", port=self._port)

    # The name is the library's.
    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        """Keep one received mail."""
        message = email.message_from_bytes(envelope.content, policy=email.policy.default)
        assert isinstance(message, EmailMessage)
        self.mails.append(DemoMail(envelope.content, message))
        self._heard(self.mails[-1], len(self.mails) - 1)
        return "250 2.0.0 Ok"

    def start(self) -> str:
        """Start to listen for mails.

        Returns the server's smtp:// address.
        """
        self._controller.start()
        return f"smtp://127.0.0.1:{self._port}"

    def stop(self) -> None:
        """Stop listening."""
        self._controller.stop()

    def wait_for(self, count: int, *, seconds: float = 10) -> list[DemoMail]:
        """Wait until there are `count` mails, at most until the time-out; return the mails."""
        ends = time.monotonic() + seconds
        while len(self.mails) < count and time.monotonic() < ends:
            time.sleep(0.05)
        return self.mails

    def answer(self, path: str) -> Answer | None:
        """Return the page at `path`, or None if the mailbox has no such page."""
        if path == "/mailbox/":
            return render_page(
                "Mailbox",
                f"<h1>Mailbox</h1><ul>{self._rows()}</ul>",
                head='<meta http-equiv="refresh" content="5">',
            )
        match = re.fullmatch(r"/mailbox/(\d{1,6})/(html|text|raw)", path)
        if not match or int(match[1]) >= len(self.mails):
            return None
        mail = self.mails[int(match[1])]
        if match[2] == "html":
            return "text/html; charset=utf-8", mail.body("html").encode()
        text = mail.raw.decode("utf-8", "replace") if match[2] == "raw" else mail.body("plain")
        linked = re.sub(r"(https?://[^\s&lt;]+)", r'<a href="\1">\1</a>', escape(text))
        return render_page("Mail", f'<p><a href="/mailbox/">Mailbox</a></p><pre>{linked}</pre>')

    def _rows(self) -> str:
        return "".join(
            f"<li>{escape(str(mail.message['To']))}: <a href='/mailbox/{number}/html'>"
            f"{escape(str(mail.message['Subject']))}</a> · "
            f"<a href='/mailbox/{number}/text'>text</a> · <a href='/mailbox/{number}/raw'>as "
            "sent</a></li>"
            for number, mail in reversed(list(enumerate(self.mails)))
        )
