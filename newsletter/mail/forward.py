"""Forward a mail whole, as an attachment (RFC 2046 section 5.2.1)."""

from __future__ import annotations

import base64
import re
import secrets
from collections.abc import Sequence
from email import message_from_bytes
from email.message import Message
from email.policy import compat32

from newsletter.mail.header_fields import Header
from newsletter.mail.message import CRLF, encode_quoted_printable
from newsletter.mail.slots import Values

LINE_AT_MOST = 998
"""Octets of a line in an SMTP message (RFC 5321 section 4.5.3.1.6)."""

_LINE_END = re.compile(rb"\r{0,2}\n|\r")
_POLICY = compat32.clone(linesep="\r\n", max_line_length=0)


def build_forward(headers: Sequence[Header], values: Values, text: str, original: bytes) -> bytes:
    """Build a message of `text` with `original` attached.

    It is 7-bit, and no line starts with a dot. Raises `InvalidInput` if a header cannot be written.
    """
    mark = ("=_" + secrets.token_hex(16)).encode("ascii")
    lines = [field.compile() for field in headers]
    out = [line if isinstance(line, bytes) else line(values) for line in lines]
    out += [
        b'MIME-Version: 1.0\r\nContent-Type: multipart/mixed;\r\n boundary="%b"\r\n\r\n' % mark,
        b'--%b\r\nContent-Type: text/plain; charset="utf-8"\r\n' % mark,
        b"Content-Transfer-Encoding: quoted-printable\r\n\r\n",
        encode_quoted_printable(text),
        b"\r\n--%b\r\n" % mark,
        *_attach(original),
        b"\r\n--%b--\r\n" % mark,
    ]
    return b"".join(out)


def _attach(original: bytes) -> tuple[bytes, bytes]:
    """Return the header and body of a MIME part that contains a mail.

    message/rfc822 must not be encoded itself, so the parts in it are encoded if needed; a mail that
    cannot be parsed is attached as a file.
    """
    name = b'Content-Disposition: attachment; filename="reply.eml"\r\n'
    data = _make_writable(original)
    if data is not None:
        return b"Content-Type: message/rfc822\r\n" + name + CRLF, data
    header = b"Content-Type: application/octet-stream\r\nContent-Transfer-Encoding: base64\r\n"
    return header + name + CRLF, base64.encodebytes(original).replace(b"\n", CRLF)


def _make_writable(original: bytes) -> bytes | None:
    data = _LINE_END.sub(CRLF, original.lstrip())
    if data.startswith(b"From "):  # an mbox separator
        data = data.partition(CRLF)[2]
    if _is_writable(data):
        return data
    try:
        message = message_from_bytes(data, policy=compat32)
        for part in message.walk():
            _encode(part)
        data = _LINE_END.sub(CRLF, message.as_bytes(policy=_POLICY))
    except Exception:  # the standard library raises what it likes on odd input
        return None
    return data if _is_writable(data) else None


def _is_writable(data: bytes) -> bool:
    lines = data.split(CRLF)
    return data.isascii() and not any(
        line.startswith(b".") or len(line) > LINE_AT_MOST for line in lines
    )


def _encode(part: Message) -> None:
    if part.is_multipart():
        return
    content = part.get_payload(decode=True)
    del part["Content-Transfer-Encoding"]
    part["Content-Transfer-Encoding"] = "base64"
    encoded = base64.encodebytes(content) if isinstance(content, bytes) else b""
    part.set_payload(encoded.decode("ascii"))
