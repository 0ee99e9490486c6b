"""Write the commands of a message's envelope: MAIL and RCPT with the extensions a server offers.

Pure.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import StrEnum

from newsletter.mail.smtp.types import Outcome, Outgoing, Reply, Result, Stage

_ADDRESS = re.compile(r"[^\s<>\x00-\x20\x7f]+")
_XTEXT = re.compile(r"[^!-*,-<>-~]")


class Expected(StrEnum):
    """The command to which a reply is expected; `VOID` is the end of a refused DATA."""

    MAIL = "MAIL"
    RCPT = "RCPT"
    DATA = "DATA"
    END = "END"
    RSET = "RSET"
    VOID = "VOID"
    QUIT = "QUIT"


STAGES = {
    Expected.MAIL: Stage.MAIL,
    Expected.RCPT: Stage.RCPT,
    Expected.DATA: Stage.DATA,
    Expected.END: Stage.END,
    Expected.RSET: Stage.MAIL,
    Expected.VOID: Stage.DATA,
    Expected.QUIT: Stage.END,
}
"""The stage of a transaction at which the conversation ended, by the reply that was expected."""


def read_size_limit(offers: Mapping[str, str]) -> int:
    """Return the maximum octets of a message (RFC 1870 section 4); 0 means no limit."""
    size = offers.get("size") or "0"
    return int(size) if size.isdecimal() and len(size) <= 20 else 0


class CommandWriter:
    """A writer of SMTP commands that uses the extensions a server offers.

    These are SIZE (RFC 1870), SMTPUTF8 (RFC 6531), DSN (RFC 3461), and CHUNKING (RFC 3030) if
    `chunks`.
    """

    def __init__(self, offers: Mapping[str, str], *, chunks: bool) -> None:
        self._chunks = chunks
        self._takes_size = "size" in offers
        self._takes_utf8 = "smtputf8" in offers
        self._reports = "dsn" in offers
        self._limit = read_size_limit(offers)

    def write(self, outgoing: Outgoing) -> list[tuple[Expected, bytes]]:
        """Write the commands of a message: MAIL, RCPT, and DATA or the message itself."""
        mail, rcpt = self._write_envelope(outgoing)
        content: tuple[Expected, bytes] = (Expected.DATA, b"DATA\r\n")
        if self._chunks:
            content = (Expected.END, b"BDAT %d LAST\r\n%b" % (len(outgoing.data), outgoing.data))
        return [(Expected.MAIL, mail), (Expected.RCPT, rcpt), content]

    def _write_envelope(self, outgoing: Outgoing) -> tuple[bytes, bytes]:
        mail = f"MAIL FROM:<{outgoing.sender}>"
        rcpt = f"RCPT TO:<{outgoing.recipient}>"
        if self._takes_size:
            mail += f" SIZE={len(outgoing.data)}"
        if not outgoing.recipient.isascii():
            mail += " BODY=8BITMIME SMTPUTF8"
        elif self._reports and outgoing.envelope_id:
            mail += f" RET=HDRS ENVID={encode_xtext(outgoing.envelope_id)}"
            rcpt += f" NOTIFY=FAILURE,DELAY ORCPT=rfc822;{encode_xtext(outgoing.recipient)}"
        return f"{mail}\r\n".encode(), f"{rcpt}\r\n".encode()

    def find_impossible(self, outgoing: Outgoing, server: str) -> Outcome | None:
        """Return the outcome of a message that the server cannot take, or None if it may."""
        size = len(outgoing.data)
        if self._limit and size > self._limit:
            why = f"the message has {size:,} octets, and the server takes {self._limit:,} at most"
            return Outcome(outgoing.id, Result.UNSENT, Stage.SIZE, Reply(552, "5.3.4", why), server)
        if not outgoing.recipient.isascii() and not self._takes_utf8:
            why = "the address needs SMTPUTF8, which this server does not offer"
            reply = Reply(553, "5.6.7", why)
        elif not is_writable(outgoing.recipient):
            reply = Reply(553, "5.1.3", "the address cannot be written in a command")
        else:
            return None
        return Outcome(outgoing.id, Result.REFUSED, Stage.RCPT, reply, server)


def is_writable(address: str) -> bool:
    """Tell whether an SMTP command can carry an address: no space, bracket or lone surrogate."""
    try:
        return bool(_ADDRESS.fullmatch(address) and address.encode())
    except UnicodeEncodeError:
        return False


def encode_xtext(value: str) -> str:
    """Encode `value` as xtext: ASCII, with spaces, ``+`` and ``=`` in hex (RFC 3461 section 4)."""
    return _XTEXT.sub(lambda match: f"+{ord(match[0]):02X}", value)
