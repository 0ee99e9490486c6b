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
    """Return MAIL and RCPT with SIZE (RFC 1870), SMTPUTF8 (RFC 6531) and DSN (RFC 3461) where they
    are offered.
    """
    sender, recipient = outgoing.sender, outgoing.recipient
    mail = f"MAIL FROM:<{sender}>"
    rcpt = f"RCPT TO:<{recipient}>"
    if "size" in offers:
        mail += f" SIZE={len(outgoing.data)}"
    if not recipient.isascii():
        mail += " BODY=8BITMIME SMTPUTF8"
    elif "dsn" in offers and outgoing.envelope_id:
        mail += f" RET=HDRS ENVID={encode_xtext(outgoing.envelope_id)}"
        rcpt += f" NOTIFY=FAILURE,DELAY ORCPT=rfc822;{encode_xtext(recipient)}"
    return f"{mail}\r\n".encode(), f"{rcpt}\r\n".encode()


def is_writable(address: str) -> bool:
    """Tell whether a command can carry an address: no space, no bracket, and octets, which a lone
    surrogate has not.
    """
    try:
        return bool(_ADDRESS.fullmatch(address) and address.encode())
    except UnicodeEncodeError:
        return False


def encode_xtext(value: str) -> str:
    """Encode `value` as xtext (RFC 3461 section 4): ASCII without spaces, ``+`` and ``=``, which
    are written in hex.
    """
    return _XTEXT.sub(lambda found: f"+{ord(found[0]):02X}", value)
