"""Check DKIM (RFC 6376): the published key of a selector, and the signatures of a sent mail."""

from __future__ import annotations

import base64
import binascii
import email.policy
import re
from dataclasses import dataclass, field
from email.parser import BytesParser
from email.utils import parseaddr

from newsletter.dns.dmarc import parse_tags
from newsletter.dns.resolver import RecordKind, Resolver
from newsletter.i18n import Text

BITS_AT_LEAST = 1024
"""Bits of an RSA key that receivers accept (RFC 8301 section 3.2)."""
BITS_RECOMMENDED = 2048
"""Bits of an RSA key that signers should use (RFC 8301 section 3.2)."""
ED25519_BYTES = 32
"""Bytes of an Ed25519 key (RFC 8463 section 4)."""
USUAL = (
    "default",
    "mail",
    "dkim",
    "s1",
    "s2",
    "k1",
    "k2",
    "k3",
    "google",
    "selector1",
    "selector2",
    "mx",
    "smtp",
    "pm",
    "mandrill",
    "mailjet",
    "brevo",
    "sib",
    "key1",
    "key2",
    "fm1",
    "fm2",
    "fm3",
    "protonmail",
    "zoho",
    "newsletter",
)
"""Selectors that servers and providers commonly use, tried if the selector is not known."""

_NAME = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,251}[A-Za-z0-9_])?")

MUST_SIGN = ("list-unsubscribe", "list-unsubscribe-post")
"""Headers that a signature must cover for one-click unsubscribe (RFC 8058 section 4)."""


@dataclass(slots=True)
class Key:
    """A published DKIM key: its selector, its record, and the key in base64.

    Receivers refuse a key with `problems`; `notes` are advice. A `withdrawn` key has been replaced
    by another one.
    """

    selector: str
    record: str = ""
    key: str = ""
    bits: int = 0
    withdrawn: bool = False
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Signature:
    """A DKIM signature in a mail: its domain, its selector, and the headers it covers."""

    domain: str
    selector: str
    signed: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Sample:
    """The sender's domain and the DKIM signatures of a mail that was sent."""

    sender: str
    signatures: tuple[Signature, ...]


def examine(domain: str, selector: str, ask: Resolver) -> Key:
    """Look up the DKIM key of one selector; its record is empty if there is none.

    Raises `CouldNotAsk`.
    """
    key = Key(selector)
    texts = ask(f"{selector}._domainkey.{domain}", RecordKind.TXT)
    records = [
        text
        for text in texts
        if "p" in parse_tags(text) and parse_tags(text).get("v", "DKIM1") == "DKIM1"
    ]
    if not records:
        return key
    key.record = records[0]
    tags = parse_tags(records[0])
    key.key = "".join(tags["p"].split())
    if len(records) > 1:
        key.problems.append(
            Text(
                "there are %(count)s records, and receivers may use any of them "
                "(RFC 6376 section 3.6.2.2)",
                count=len(records),
            )
        )
    _judge_key(key, tags)
    if "sha256" not in tags.get("h", "sha256").lower():
        key.problems.append(
            Text(
                "h=%(value)s: it excludes rsa-sha256, which is required (RFC 8301)",
                value=tags["h"],
            )
        )
    if not {"*", "email"} & set(tags.get("s", "*").lower().replace(" ", "").split(":")):
        key.problems.append(Text("s=%(value)s: it is not for mail", value=tags["s"]))
    if "y" in tags.get("t", "").lower().split(":"):
        key.notes.append(Text("t=y: it is marked as a test"))
    return key


def _judge_key(key: Key, tags: dict[str, str]) -> None:
    kind = tags.get("k", "rsa").lower()
    if not tags["p"]:
        key.withdrawn = True
        key.problems.append(Text("its key was withdrawn (p= is empty)"))
    elif kind == "ed25519" and _count_bytes(tags["p"]) != ED25519_BYTES:
        key.problems.append(Text("its key cannot be read (RFC 8463 section 4)"))
    elif kind == "rsa":
        key.bits = count_rsa_bits(tags["p"])
        if key.bits < BITS_AT_LEAST:
            key.problems.append(
                Text("its key cannot be read, or is too short for receivers (RFC 8301 section 3.2)")
            )
        elif key.bits < BITS_RECOMMENDED:
            key.notes.append(
                Text(
                    "its key has %(bits)s bits; use %(most)s (RFC 8301 section 3.2)",
                    bits=key.bits,
                    most=BITS_RECOMMENDED,
                )
            )


def _count_bytes(key: str) -> int:
    """Return the number of bytes of a key in base64, or 0 if it cannot be decoded."""
    try:
        return len(base64.b64decode("".join(key.split()), validate=True))
    except (binascii.Error, ValueError):
        return 0


def find_usual_keys(domain: str, ask: Resolver) -> list[Key]:
    """Look up the keys at common selectors. An empty result does not prove that there is none."""
    keys = [key for selector in USUAL if (key := examine(domain, selector, ask)).record]
    return [key for key in keys if not key.withdrawn] or keys


def count_rsa_bits(key: str) -> int:
    """Return the bits of an RSA key (SubjectPublicKeyInfo or PKCS#1 in base64), or 0."""
    try:
        der = base64.b64decode("".join(key.split()), validate=True)
    except (binascii.Error, ValueError):
        return 0
    return max((len(number.lstrip(b"\0")) * 8 for number in _read_integers(der)), default=0)


def _read_integers(der: bytes) -> list[bytes]:
    """Return the integers in a piece of DER (X.690), at every depth."""
    integers: list[bytes] = []
    position = 0
    while position + 2 <= len(der):
        tag = der[position]
        length = der[position + 1]
        start = position + 2
        if length & 0x80:
            size = length & 0x7F
            length = int.from_bytes(der[start : start + size], "big")
            start += size
        content = der[start : start + length]
        if tag == 0x02:
            integers.append(content)
        elif tag == 0x30:
            integers += _read_integers(content)
        elif tag == 0x03:
            integers += _read_integers(content[1:])
        position = start + length
    return integers


def read_sample(data: bytes) -> Sample:
    """Return the sender's domain and the DKIM signatures of a mail as it arrived."""
    message = BytesParser(policy=email.policy.compat32).parsebytes(data, headersonly=True)
    signatures = []
    for header in message.get_all("DKIM-Signature", []):
        tags = parse_tags("".join(str(header).split()))
        signed = tuple(name.lower() for name in tags.get("h", "").split(":") if name)
        if _NAME.fullmatch(tags.get("d", "")) and _NAME.fullmatch(tags.get("s", "")):
            signatures.append(Signature(tags["d"].lower(), tags["s"], signed))
    return Sample(
        parseaddr(str(message.get("From", "")))[1].rpartition("@")[2].lower(), tuple(signatures)
    )
