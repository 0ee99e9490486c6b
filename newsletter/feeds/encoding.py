"""Decode the bytes of a feed whose character encoding is not the declared one.

Pure.
"""

from __future__ import annotations

import codecs
import re

_DECLARED = re.compile(
    rb"""\A(<\?xml[^<>]{0,200}?encoding\s*=\s*["'])([\w.:-]{1,40})(["'])""", re.I
)
_SAID_WIDE = re.compile(
    rb"""\A(<\?xml[^<>]{0,200}?encoding\s*=\s*["'])(?:utf-?(?:16|32)|ucs-?[24])[\w-]*(["'])""", re.I
)
"""Pattern of an XML declaration of UTF-16 or UTF-32 in single-byte text, which cannot be true, as
programs on .NET write it."""
_CHARSET = re.compile(r"""charset\s*=\s*["']?([\w.:-]{1,40})""", re.I)
_WIDE = {
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
    b"\0\0\0<": "utf-32-be",
    b"<\0\0\0": "utf-32-le",
    b"\0<": "utf-16-be",
    b"<\0": "utf-16-le",
}
"""First bytes of a feed in UTF-16 or UTF-32, with the name of the encoding; the longest first."""
_ONE_BYTE = re.compile(r"(iso-?8859|windows-?125|cp125|latin|us-ascii|ascii)", re.I)
_USUAL = re.compile(
    r"windows-125|iso-?8859|koi8|cp(?:932|949|874)|shift|euc|gb|big5|iso-?2022|tis", re.I
)
_MIXED = re.compile(r"[a-z][\u0370-\u06ff]|[\u0370-\u06ff][a-z]", re.I)
_OF_ITS_OWN = re.compile(r"[\u0370-\u06ff]{2}")
"""Pattern of two Greek, Cyrillic, Hebrew or Arabic letters in a row; single ones inside Latin words
are Western accented letters, wrongly decoded."""
DAMAGED = 2
"""Valid non-ASCII characters per invalid one from which damaged text still counts as UTF-8."""
SAMPLE = 200_000


def decode_feed(body: bytes, content_type: str) -> tuple[bytes, str]:
    """Return `body` and `content_type` so that they agree: unchanged, or converted to UTF-8.

    Valid UTF-8 is taken as UTF-8, whatever the server declares: hardly any other text is valid
    UTF-8 by chance. If a body is valid neither as UTF-8 nor in the declared encoding, its encoding
    is guessed.
    """
    if wide := next((name for start, name in _WIDE.items() if body.startswith(start)), ""):
        narrow = body.decode(wide, "replace").replace("\0", "").encode("utf-8", "replace")
        return _DECLARED.sub(rb"\1utf-8\3", narrow, count=1), content_type.split(";")[0]
    body = _SAID_WIDE.sub(rb"\1utf-8\2", body.replace(b"\0", b""), count=1)
    if body.startswith(codecs.BOM_UTF8) or body.isascii():
        return body, content_type
    declared = [match[2].decode("ascii") for match in [_DECLARED.match(body)] if match]
    declared += _CHARSET.findall(content_type)
    text = _decode(body, "utf-8")
    if text is None:
        if any(
            _decode(body, name) is not None
            for name in declared
            if name.lower() not in ("utf-8", "utf8")
        ):
            return body, content_type
        text = _guess(body)
    elif not all(_ONE_BYTE.match(name) for name in declared):
        return body, content_type
    declared_body = _DECLARED.sub(rb"\1utf-8\3", text.encode("utf-8", "replace"), count=1)
    return declared_body, content_type.split(";")[0]


def _decode(body: bytes, name: str) -> str | None:
    try:
        return body.decode(name)
    except (LookupError, ValueError):
        return None


def _guess(body: bytes) -> str:
    text = body.decode("utf-8", "replace")
    broken = text.count("\ufffd")
    if len(re.sub(r"[\x00-\x7f\ufffd]+", "", text)) > DAMAGED * broken:
        return text
    import chardet  # only where it is needed: it takes its time to load

    name = str(chardet.detect(re.sub(rb"<[^<>]*>", b" ", body[:SAMPLE]))["encoding"] or "")
    decoded = _decode(body, name) if _USUAL.match(name) else None
    sample = (decoded or "")[:SAMPLE]
    mixed = len(_MIXED.findall(sample)) > len(_OF_ITS_OWN.findall(sample))
    return decoded if decoded and not mixed else body.decode("cp1252", "replace")
