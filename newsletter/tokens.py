"""Signed links: one purpose each, one salt each; and the ids a message carries.

A token is `payload.signature`, or `payload.time.signature` where its purpose has a lifetime. What the payload names
(a subscription's or a subscriber's handle) is the caller's; nothing here knows the database.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Literal

from itsdangerous import BadSignature, HMACAlgorithm, Signer

from newsletter.errors import LinkExpired, LinkInvalid

Purpose = Literal[
    "confirm", "stay", "preferences", "unsubscribe", "export", "erase", "address", "resources", "never", "form"
]

LIFETIMES: dict[Purpose, timedelta | None] = {
    "confirm": timedelta(days=7),
    "stay": timedelta(days=200),
    "preferences": timedelta(days=30),
    "unsubscribe": None,
    "export": timedelta(days=1),
    "erase": timedelta(days=1),
    "address": timedelta(days=1),
    "resources": timedelta(days=30),
    "never": timedelta(days=14),
    "form": timedelta(days=1),
}
LEEWAY = timedelta(minutes=10)
"""How far two machines' clocks may differ."""

_TOKEN = re.compile(r"[A-Za-z0-9_.-]{8,300}", re.ASCII)
_HANDLE_BYTES = 9


def new_handle() -> str:
    """A public name for a row, 12 URL-safe characters: says nothing of how many there are, and is never reused."""
    return secrets.token_urlsafe(_HANDLE_BYTES)


class _Mac(HMACAlgorithm):
    """HMAC-SHA256 cut to 24 bytes (RFC 2104 §5): base64 then has no spare bits, so that each token has one spelling."""

    def get_signature(self, key: bytes, value: bytes) -> bytes:
        return hmac.digest(key, value, "sha256")[:24]


class _Signer(Signer):
    """Derives the key of its purpose once, and not for each of a million links."""

    def derive_key(self, secret_key: str | bytes | None = None) -> bytes:
        secret = secret_key or self.secret_keys[-1]
        derived: dict[str | bytes, bytes] = self.__dict__.setdefault("derived", {})
        if secret not in derived:
            derived[secret] = super().derive_key(secret)
        return derived[secret]


class Tokens:
    """Signs and opens links. `keys[0]` signs; the others still verify, so that a key can be replaced (T06, T07)."""

    def __init__(self, keys: Sequence[str]) -> None:
        # itsdangerous signs with the last key of its list.
        ordered = list(reversed(keys))
        self._signers: dict[Purpose, _Signer] = {
            purpose: _Signer(
                ordered,
                salt=f"newsletter.{purpose}",
                key_derivation="hmac",
                digest_method=hashlib.sha256,
                algorithm=_Mac(hashlib.sha256),
            )
            for purpose in LIFETIMES
        }

    def sign(self, purpose: Purpose, payload: str, now: datetime) -> str:
        """The token for `payload`, made at `now`."""
        if LIFETIMES[purpose] is not None:
            payload = f"{payload}.{int(now.timestamp()):x}"
        return self._signers[purpose].sign(payload).decode("ascii")

    def open(self, purpose: Purpose, token: str, now: datetime) -> str:
        """The payload of `token`. Raises `LinkInvalid`, or `LinkExpired` where only the time is over."""
        if not _TOKEN.fullmatch(token):
            raise LinkInvalid
        try:
            payload = self._signers[purpose].unsign(token).decode("ascii")
        except BadSignature:
            raise LinkInvalid from None
        lifetime = LIFETIMES[purpose]
        if lifetime is None:
            return payload
        payload, _, stamp = payload.rpartition(".")
        signed_at = datetime.fromtimestamp(int(stamp, 16), UTC)
        if not -LEEWAY <= now - signed_at <= lifetime + LEEWAY:
            raise LinkExpired(signed_at, payload)
        return payload

    def signed_at(self, purpose: Purpose, token: str) -> datetime:
        """When a token that opens was made; for purposes with a lifetime."""
        return datetime.fromtimestamp(int(token.rsplit(".", 2)[1], 16), UTC)


def message_id(seed: str, delivery: int, domain: str) -> str:
    """The Message-ID of a delivery, without angle brackets: the same however often it is sent (RFC 5322 §3.6.4).

    `seed` is random and belongs to the campaign, so that nobody can make up another recipient's id.
    """
    mac = hmac.digest(seed.encode(), b"%d" % delivery, "sha256")[:9].hex()
    return f"d.{delivery}.{mac}@{domain}"


def return_path(address: str, reference: str) -> str:
    """The envelope sender of one message (VERP), ``bounces+d.7.1a2b…@example.com``: a report of its failure names it.
    `reference` is the local part of its Message-ID, which nobody can make up."""
    local, _, domain = address.rpartition("@")
    return f"{local}+{reference}@{domain}"


def keyed_hash(key: str, value: str) -> str:
    """HMAC-SHA256 of `value`, hex: for what must be recognised and never read back (an erased address)."""
    return hmac.digest(
        hashlib.sha256(b"newsletter.suppression" + key.encode()).digest(), value.encode(), "sha256"
    ).hex()


def fingerprint(secret_key: str) -> str:
    """Identify a signing key without revealing it: 16 hexadecimal digits, to compare with a stored one."""
    return hmac.digest(secret_key.encode(), b"newsletter.fingerprint", "sha256")[:8].hex()
