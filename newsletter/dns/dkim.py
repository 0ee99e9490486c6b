"""DKIM (RFC 6376): whether the key that mail is signed with is published, and what a sent mail
shows of it.
"""

from __future__ import annotations

import base64
import binascii
import email.policy
import re
from dataclasses import dataclass, field
from email.parser import BytesParser
from email.utils import parseaddr

from newsletter.dns.dmarc import parse_tags
from newsletter.dns.resolver import Resolver

BITS_AT_LEAST, BITS_WANTED, ED25519_BYTES = 1024, 2048, 32
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
"""Selectors that servers and providers use, tried where nobody says which it is."""

_NAME = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,251}[A-Za-z0-9_])?")

MUST_SIGN = ("list-unsubscribe", "list-unsubscribe-post")


@dataclass(slots=True)
class Key:
    """A published key: its selector and its record.

    `problems` keep receivers from taking it, `notes` want to be looked at; ``withdrawn`` keys are
    left behind where a new one has come.
    """

    selector: str
    record: str = ""
    bits: int = 0
    withdrawn: bool = False
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Signature:
    """What a signature in a mail says: for whom, by which key, and which headers it covers."""

    domain: str
    selector: str
    signed: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Sample:
    """A mail that was sent: whom it is from, and its signatures."""

    sender: str
    signatures: tuple[Signature, ...]


def examine(domain: str, selector: str, ask: Resolver) -> Key:
    """The key of one selector; its record is empty where there is none.

    Raises `CouldNotAsk`.
    """
    found = Key(selector)
    texts = ask(f"{selector}._domainkey.{domain}", "TXT")
    records = [
        text
        for text in texts
        if "p" in parse_tags(text) and parse_tags(text).get("v", "DKIM1") == "DKIM1"
    ]
    if not records:
        return found
    found.record = records[0]
    said = parse_tags(records[0])
    if len(records) > 1:
        found.problems.append(
            f"there are {len(records)} records, and which one counts is nobody's guess (§3.6.2.2)"
        )
    _judge_key(found, said)
    if "sha256" not in said.get("h", "sha256").lower():
        found.problems.append(
            f"h={said['h']}: it is not for rsa-sha256, which is all that receivers take (RFC 8301 §3.1)"
        )
    if not {"*", "email"} & set(said.get("s", "*").lower().replace(" ", "").split(":")):
        found.problems.append(f"s={said['s']}: it is not for mail")
    if "y" in said.get("t", "").lower().split(":"):
        found.notes.append("t=y: receivers are told that it is a test")
    return found


def _judge_key(found: Key, said: dict[str, str]) -> None:
    kind = said.get("k", "rsa").lower()
    if not said["p"]:
        found.withdrawn = True
        found.problems.append("its key was withdrawn (p= is empty)")
    elif kind == "ed25519" and _length(said["p"]) != ED25519_BYTES:
        found.problems.append("its key cannot be read (RFC 8463 §4)")
    elif kind == "rsa":
        found.bits = rsa_bits(said["p"])
        if found.bits < BITS_AT_LEAST:
            found.problems.append(
                "its key cannot be read, or is too short for anybody (RFC 8301 §3.2)"
            )
        elif found.bits < BITS_WANTED:
            found.notes.append(
                f"its key has {found.bits} bits; {BITS_WANTED} are wanted today (RFC 8301 §3.2)"
            )


def _length(key: str) -> int:
    """How many bytes a key has; 0 where it is none."""
    try:
        return len(base64.b64decode("".join(key.split()), validate=True))
    except (binascii.Error, ValueError):
        return 0


def find_usual_keys(domain: str, ask: Resolver) -> list[Key]:
    """The keys at usual selectors.

    None found proves nothing.
    """
    keys = [key for selector in USUAL if (key := examine(domain, selector, ask)).record]
    return [key for key in keys if not key.withdrawn] or keys


def rsa_bits(key: str) -> int:
    """How many bits the modulus of a public key has (SubjectPublicKeyInfo or PKCS#1, base64); 0
    where it is none.
    """
    try:
        der = base64.b64decode("".join(key.split()), validate=True)
    except (binascii.Error, ValueError):
        return 0
    return max((len(number.lstrip(b"\0")) * 8 for number in _integers(der)), default=0)


def _integers(der: bytes) -> list[bytes]:
    """The whole numbers in a piece of DER (X.690), however deep."""
    found, at = list[bytes](), 0
    while at + 2 <= len(der):
        tag, length, start = der[at], der[at + 1], at + 2
        if length & 0x80:
            size = length & 0x7F
            length, start = int.from_bytes(der[start : start + size], "big"), start + size
        content = der[start : start + length]
        if tag == 0x02:
            found.append(content)
        elif tag == 0x30:
            found += _integers(content)
        elif tag == 0x03:
            found += _integers(content[1:])
        at = start + length
    return found


def read_sample(data: bytes) -> Sample:
    """A mail as it arrived: whom it is from and who signed it."""
    message = BytesParser(policy=email.policy.compat32).parsebytes(data, headersonly=True)
    signatures = []
    for header in message.get_all("DKIM-Signature", []):
        said = parse_tags("".join(str(header).split()))
        signed = tuple(name.lower() for name in said.get("h", "").split(":") if name)
        if _NAME.fullmatch(said.get("d", "")) and _NAME.fullmatch(said.get("s", "")):
            signatures.append(Signature(said["d"].lower(), said["s"], signed))
    return Sample(
        parseaddr(str(message.get("From", "")))[1].rpartition("@")[2].lower(), tuple(signatures)
    )
