"""A soft authenticator: makes passkeys and answers challenges as a device does.

WebAuthn Level 2, sections 6.1 and 6.5.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass, field
from typing import Any

import cbor2
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

PRESENT = 1
VERIFIED = 4
ATTESTED = 64


def encode(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


def decode(text: str) -> bytes:
    return urlsafe_b64decode(text + "==")


@dataclass
class Device:
    """A device with one passkey at most; what a dishonest one does differently is a field."""

    origin: str
    counts: bool = True
    flags: int = PRESENT | VERIFIED
    key: ec.EllipticCurvePrivateKey = field(
        default_factory=lambda: ec.generate_private_key(ec.SECP256R1())
    )
    credential: bytes = field(default_factory=lambda: secrets.token_bytes(32))
    user: bytes = b""
    count: int = 0

    def make(self, options: dict[str, Any]) -> str:
        """Answer `navigator.credentials.create`."""
        assert options["authenticatorSelection"]["residentKey"] == "required"
        assert options["authenticatorSelection"]["userVerification"] == "required"
        self.user = decode(options["user"]["id"])
        point = self.key.public_key().public_numbers()
        cose = {
            1: 2,
            3: -7,
            -1: 1,
            -2: point.x.to_bytes(32, "big"),
            -3: point.y.to_bytes(32, "big"),
        }
        attested = bytes(16) + len(self.credential).to_bytes(2, "big") + self.credential
        data = self._data(options["rp"]["id"], ATTESTED) + attested + cbor2.dumps(cose)
        attestation = cbor2.dumps({"fmt": "none", "attStmt": {}, "authData": data})
        client = self._client("webauthn.create", options)
        return self._answer(clientDataJSON=client, attestationObject=attestation)

    def answer(self, options: dict[str, Any]) -> str:
        """Answer `navigator.credentials.get`."""
        assert options["userVerification"] == "required"
        assert not options.get("allowCredentials"), "nobody is told which passkeys there are"
        self.count += self.counts
        data = self._data(options["rpId"], 0)
        client = self._client("webauthn.get", options)
        digest = hashlib.sha256(client).digest()
        signature = self.key.sign(data + digest, ec.ECDSA(hashes.SHA256()))
        return self._answer(
            clientDataJSON=client, authenticatorData=data, signature=signature, userHandle=self.user
        )

    def _data(self, party: str, flags: int) -> bytes:
        head = hashlib.sha256(party.encode()).digest()
        return head + bytes([self.flags | flags]) + self.count.to_bytes(4, "big")

    def _client(self, kind: str, options: dict[str, Any]) -> bytes:
        client_data = {"type": kind, "challenge": options["challenge"], "origin": self.origin}
        return json.dumps(client_data).encode()

    def _answer(self, **parts: bytes) -> str:
        name = encode(self.credential)
        response = {key: encode(part) for key, part in parts.items()}
        return json.dumps({"id": name, "rawId": name, "type": "public-key", "response": response})
