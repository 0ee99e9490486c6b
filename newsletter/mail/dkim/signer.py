"""Sign a message with DKIM (RFC 6376, RFC 8463).

Canonicalization is relaxed/relaxed, there is no length tag, and every important header is covered.
The caller hashes the body, because it knows which parts of it are the same for everyone.
"""

from __future__ import annotations

import base64
import hashlib
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from newsletter.mail.dkim.canonical import relax_body, relax_value, split_fields

if TYPE_CHECKING:  # cryptography takes 8 MB of memory that only those need who sign
    from newsletter.mail.dkim.keys import PrivateKey

OVERSIGNED = (
    "From",
    "To",
    "Cc",
    "Subject",
    "Date",
    "Reply-To",
    "Message-ID",
    "MIME-Version",
    "Content-Type",
    "List-Unsubscribe",
    "List-Unsubscribe-Post",
)
"""Headers named once more than they occur, so that nobody can add another one to a signed message
(RFC 6376 section 8.15).
"""

COVERED = (
    *OVERSIGNED,
    "Content-Transfer-Encoding",
    "In-Reply-To",
    "References",
    "List-ID",
    "List-Help",
    "List-Post",
    "List-Owner",
    "List-Archive",
    "Feedback-ID",
    "Auto-Submitted",
    "CFBL-Address",
    "CFBL-Feedback-ID",
)
"""Headers that a signature covers if they occur: those of RFC 6376 section 5.4.1, and both of RFC
8058 section 3.1."""

LINE_AT_MOST = 72
"""Characters in a line of a signature, without its indentation."""

Sign = Callable[[bytes, bytes], bytes]
"""A function that makes a message's DKIM-Signature fields from its header and the hash of its
body."""


@dataclass(frozen=True, slots=True)
class Signer:
    """A DKIM key that signs for a domain, under the selector that names it in DNS."""

    domain: str
    selector: str
    key: PrivateKey

    def sign(self, fields: Sequence[tuple[bytes, bytes]], body_hash: bytes, now: datetime) -> bytes:
        """Make the signature field of a message with these relaxed header fields."""
        from newsletter.mail.dkim.keys import get_kind

        names, signed = _choose_fields(fields)
        value = (
            f"v=1; a={get_kind(self.key)}-sha256; c=relaxed/relaxed; d={self.domain};\r\n"
            f" s={self.selector}; t={int(now.timestamp())};\r\n"
            f" bh={base64.b64encode(body_hash).decode('ascii')};\r\n"
            f" h={_fold(names)};\r\n"
            " b="
        ).encode("ascii")
        signature = self._sign(signed + b"dkim-signature:" + relax_value(value))
        encoded = base64.b64encode(signature)
        lines = [
            encoded[start : start + LINE_AT_MOST] for start in range(0, len(encoded), LINE_AT_MOST)
        ]
        return b"DKIM-Signature: " + value + b"\r\n ".join(lines) + b"\r\n"

    def _sign(self, data: bytes) -> bytes:
        from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
        from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
        from cryptography.hazmat.primitives.hashes import SHA256

        if isinstance(self.key, RSAPrivateKey):
            return self.key.sign(data, PKCS1v15(), SHA256())
        return self.key.sign(hashlib.sha256(data).digest())  # RFC 8463 section 3


def make_sign(signers: Sequence[Signer], now: datetime) -> Sign | None:
    """Return a function that signs with each of `signers`, or None if there are none."""
    if not signers:
        return None

    def sign(header: bytes, body_hash: bytes) -> bytes:
        fields = split_fields(header)
        return b"".join([signer.sign(fields, body_hash, now) for signer in signers])

    return sign


def sign_message(data: bytes, sign: Sign | None) -> bytes:
    """Sign a complete message whose lines end in CRLF."""
    if sign is None:
        return data
    header, _, body = data.partition(b"\r\n\r\n")
    return sign(header + b"\r\n", hashlib.sha256(relax_body(body)).digest()) + data


def _choose_fields(fields: Sequence[tuple[bytes, bytes]]) -> tuple[list[str], bytes]:
    """Return the names for the tag `h=` and the fields they cover, last one first (5.4.2)."""
    counts = Counter(name for name, _ in fields)
    names: list[str] = []
    signed: list[bytes] = []
    for name in COVERED:
        key = name.lower().encode("ascii")
        count = counts[key]
        names += [name] * (count + (name in OVERSIGNED))
        if count == 1:
            signed.append(next(line for field, line in fields if field == key))
        elif count:
            signed += reversed([line for field, line in fields if field == key])
    return names, b"".join(signed)


def _fold(names: Sequence[str]) -> str:
    lines = [""]
    for name in names:
        if len(lines[-1]) + len(name) >= LINE_AT_MOST:
            lines.append("")
        lines[-1] += f"{name}:"
    return "\r\n  ".join(lines).removesuffix(":")
