"""Parse the e-mail addresses in bounce reports.

Pure.
"""

from __future__ import annotations

import re

ADDRESS_AT_MOST = 320
"""Characters of an address: 64 before the @, 255 after it (RFC 5321 section 4.5.3.1)."""

_LOCAL = r"[\w.!#$%&'*+/=?^`{|}~-]{1,64}"
_DOMAIN = r"(?:[\w-]{1,63}\.){1,10}[\w-]{1,63}"
ADDRESS = re.compile(rf"(?<![\w.+=/@-])({_LOCAL}|\"[^\"\\\r\n@]{{1,62}}\")@({_DOMAIN})(?![\w@])")
"""Pattern of an e-mail address anywhere in a text.

Letters beyond ASCII are allowed (RFC 6531).
"""

_ODD = re.compile(rf"[^\s<>;,@]{{1,64}}@(?:{_DOMAIN}|[\w-]{{1,63}}|\[[\w.:]{{3,60}}\])")
"""Pattern of an address that is accepted only in a report's field: one with any characters (an
emoji, RFC 6531) before the @, with a host name without a domain, or with an address literal (RFC
5321 section 4.1.3)."""

_X400 = re.compile(r"^(?:smtp|rfc-?822)=", re.I)
_QUOTES = "'\""
_XTEXT = re.compile(r"\+(2B|3D|40|20)")
_UNITEXT = re.compile(r"\\x\{([0-9A-Fa-f]{1,6})\}")
_OURS = re.compile(
    r"^(?:mailer-?daemon|mail-?daemon|postmaster|mdaemon|mmdf|uucp|noc|abuse|hostmaster|helpdesk|"
    r"support|root|nobody|noreply|no-reply|webmaster|administrator|admin)$",
    re.I,
)


def read_field(value: str) -> str:
    """Return the address in a report field such as Final-Recipient, or "".

    The type before the semicolon (RFC 3464 section 2.1.2) may be missing; comments and angle
    brackets are removed; xtext (RFC 3461 section 4) and its UTF-8 form (RFC 6533 section 3) are
    decoded.
    """
    _, mark, address = value[:1_000].partition(";")
    address = address if mark else value[:1_000]
    address = _UNITEXT.sub(_decode_point, address)
    address = _XTEXT.sub(lambda match: chr(int(match[1], 16)), address)
    if not address.isascii():
        return _read_odd(address) or find_address(address)
    return find_address(address) or _read_odd(address)


def _read_odd(address: str) -> str:
    match = _ODD.fullmatch(address.strip().strip("<>"))
    return normalize_address(match[0]) if match else ""


def find_address(text: str) -> str:
    """Return the first address in a short text, or ""."""
    match = ADDRESS.search(text.replace("&lt;", "<").replace("&gt;", ">"))
    return normalize_address(match[0]) if match else ""


def normalize_address(address: str) -> str:
    """Normalise an address for comparison: without quotes, with the domain in lower case."""
    local, _, domain = _X400.sub("", address.strip(" <>()")).rpartition("@")
    return f"{local.strip(_QUOTES)}@{domain.lower().rstrip('.')}"


def find_addresses(text: str) -> list[str]:
    """List the addresses in a text, each once, in order."""
    return list(dict.fromkeys(normalize_address(match[0]) for match in ADDRESS.finditer(text)))


def is_role(address: str) -> bool:
    """Tell whether an address belongs to a mail system or its support, such as postmaster@."""
    return bool(_OURS.match(address.rpartition("@")[0]))


def _decode_point(match: re.Match[str]) -> str:
    number = int(match[1], 16)
    return chr(number) if 32 < number < 0xD800 or 0xDFFF < number < 0x110000 else ""
