"""Create, load and publish DKIM keys."""

from __future__ import annotations

import base64
import hashlib
from typing import assert_never

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from newsletter.setup_vocabulary import KeyKind

PrivateKey = RSAPrivateKey | Ed25519PrivateKey

RSA_BITS = 2048
"""Bits of an RSA key, as recommended for signers (RFC 8301 section 3.2); a TXT record holds
them."""

STRING_AT_MOST = 255
"""Octets of one string of a TXT record (RFC 1035 section 3.3)."""


def make_key(kind: KeyKind) -> bytes:
    """Create a private DKIM key as PEM (PKCS#8)."""
    key: PrivateKey
    match kind:
        case KeyKind.RSA:
            key = generate_private_key(65537, RSA_BITS)
        case KeyKind.ED25519:
            key = Ed25519PrivateKey.generate()
        case _:
            assert_never(kind)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def load_key(pem: bytes) -> PrivateKey:
    """Parse a private DKIM key.

    Raises `ValueError` for one that no signature can be made with.
    """
    try:
        key = load_pem_private_key(pem, None)
    except (TypeError, ValueError) as error:
        raise ValueError("it is not a private key in PEM without a password") from error
    if not isinstance(key, RSAPrivateKey | Ed25519PrivateKey):
        raise ValueError("it is neither an RSA nor an Ed25519 key")
    return key


def get_kind(key: PrivateKey) -> KeyKind:
    """Return the algorithm of a DKIM key."""
    return KeyKind.RSA if isinstance(key, RSAPrivateKey) else KeyKind.ED25519


def encode_public(key: PrivateKey) -> str:
    """Encode the public key for the tag `p=` of its DNS record."""
    if isinstance(key, RSAPrivateKey):
        public = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    else:
        public = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    return base64.b64encode(public).decode("ascii")


def fingerprint_key(key: PrivateKey) -> str:
    """Return the fingerprint of a DKIM key."""
    return hashlib.sha256(encode_public(key).encode("ascii")).hexdigest()


def write_record(key: PrivateKey, selector: str, domain: str) -> str:
    """Write the TXT record that publishes a key for `domain`, split into strings."""
    text = f"v=DKIM1; k={get_kind(key)}; p={encode_public(key)}"
    strings = [
        text[start : start + STRING_AT_MOST] for start in range(0, len(text), STRING_AT_MOST)
    ]
    quoted = " ".join(f'"{string}"' for string in strings)
    return f"{selector}._domainkey.{domain}. TXT {quoted}"
