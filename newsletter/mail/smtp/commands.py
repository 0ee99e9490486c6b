"""Write the commands of a message's envelope: MAIL and RCPT with the extensions a server offers.

Pure.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from newsletter.mail.smtp.types import Outgoing

_ADDRESS = re.compile(r"[^\s<>\x00-\x20\x7f]+")
_XTEXT = re.compile(r"[^!-*,-<>-~]")


def write_envelope(outgoing: Outgoing, offers: Mapping[str, str]) -> tuple[bytes, bytes]:
    """Write MAIL and RCPT.

    With SIZE (RFC 1870), SMTPUTF8 (RFC 6531) and DSN (RFC 3461) where they are offered.
    """
    mail = f"MAIL FROM:<{outgoing.sender}>"
    rcpt = f"RCPT TO:<{outgoing.recipient}>"
    if "size" in offers:
        mail += f" SIZE={len(outgoing.data)}"
    if not outgoing.recipient.isascii():
        mail += " BODY=8BITMIME SMTPUTF8"
    elif "dsn" in offers and outgoing.envelope_id:
        mail += f" RET=HDRS ENVID={encode_xtext(outgoing.envelope_id)}"
        rcpt += f" NOTIFY=FAILURE,DELAY ORCPT=rfc822;{encode_xtext(outgoing.recipient)}"
    return f"{mail}\r\n".encode(), f"{rcpt}\r\n".encode()


def read_size_limit(offers: Mapping[str, str]) -> int:
    """Return how many octets a message may have (RFC 1870 section 4); 0 means no limit."""
    size = offers.get("size") or "0"
    return int(size) if size.isdecimal() and len(size) <= 20 else 0


def is_writable(address: str) -> bool:
    """Tell whether a command can carry an address: no space, no bracket, no lone surrogate."""
    try:
        return bool(_ADDRESS.fullmatch(address) and address.encode())
    except UnicodeEncodeError:
        return False


def encode_xtext(value: str) -> str:
    """Encode `value` as xtext: ASCII, with spaces, ``+`` and ``=`` in hex (RFC 3461 section 4)."""
    return _XTEXT.sub(lambda match: f"+{ord(match[0]):02X}", value)
