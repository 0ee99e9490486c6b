"""Verify the signatures of mail providers' webhook reports.

Each function raises `NotVerified`. Pure. `cryptography` takes 8 MB of memory, and is imported when
the first signature that needs it arrives.
"""

from __future__ import annotations

import base64
import binascii
import hmac

from newsletter.bounces.providers.types import NotVerified


def verify_rsa(certificate: bytes, signature: bytes, text: bytes, *, old_hash: bool) -> None:
    """Verify an RSA signature (PKCS #1 v1.5) by a certificate; SNS still uses SHA-1 by default."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import padding, rsa
    from cryptography.x509 import load_pem_x509_certificate

    algorithm: hashes.HashAlgorithm = hashes.SHA1() if old_hash else hashes.SHA256()  # noqa: S303
    try:
        key = load_pem_x509_certificate(certificate).public_key()
    except ValueError:
        raise NotVerified from None
    if not isinstance(key, rsa.RSAPublicKey):
        raise NotVerified
    try:
        key.verify(signature, text, padding.PKCS1v15(), algorithm)
    except InvalidSignature:
        raise NotVerified from None


def verify_ecdsa(public_key: str, signature: str, text: bytes) -> None:
    """Verify an ECDSA signature over SHA-256; key (DER) and signature in base64."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import load_der_public_key

    try:
        key = load_der_public_key(base64.b64decode(public_key))
        if not isinstance(key, ec.EllipticCurvePublicKey):
            raise NotVerified
        key.verify(base64.b64decode(signature, validate=True), text, ec.ECDSA(hashes.SHA256()))
    except (InvalidSignature, ValueError, binascii.Error):
        raise NotVerified from None


def verify_hmac(key: bytes, text: bytes, signature: bytes) -> None:
    """Verify an HMAC-SHA256 in constant time."""
    if not hmac.compare_digest(hmac.digest(key, text, "sha256"), signature):
        raise NotVerified
