"""Canonicalize header fields and bodies in DKIM's relaxed form (RFC 6376 section 3.4).

Pure.
"""

from __future__ import annotations

import re

_SPACE = re.compile(rb"[ \t]+")
_FIELD_END = re.compile(rb"\r\n(?![ \t])")


def split_fields(header: bytes) -> list[tuple[bytes, bytes]]:
    """Split a header into fields: names in lower case, and lines in relaxed form with CRLF."""
    fields = []
    for line in _FIELD_END.split(header):
        name, colon, value = line.partition(b":")
        if colon:
            name = name.strip(b" \t").lower()
            fields.append((name, name + b":" + relax_value(value) + b"\r\n"))
    return fields


def relax_value(value: bytes) -> bytes:
    """Return a header field's value in DKIM's relaxed form (RFC 6376 section 3.4.2)."""
    return _SPACE.sub(b" ", value.replace(b"\r\n", b"")).strip(b" ")


def relax_lines(lines: bytes) -> bytes:
    """Return a piece of a body in relaxed form; the piece begins and ends between words.

    Empty lines at its end are kept: only the end of a body loses them.
    """
    if b"  " not in lines and b"\t" not in lines and b" \r" not in lines:
        return lines
    return _SPACE.sub(b" ", lines).replace(b" \r\n", b"\r\n")


def relax_body(body: bytes) -> bytes:
    """Return a whole body in DKIM's relaxed form (RFC 6376 section 3.4.4)."""
    relaxed = relax_lines(body)
    end = len(relaxed)
    while relaxed.endswith(b"\r\n", 0, end):
        end -= 2
    return relaxed[:end] + b"\r\n" if end else b""
