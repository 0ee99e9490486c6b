"""Create passkey challenges and verify the responses of devices (WebAuthn Level 2).

A challenge is made for one browser and one purpose, and stands nowhere: it carries the time and a
MAC. `webauthn` judges the answers; it is loaded when it is first needed.
"""

from __future__ import annotations

import hmac
import json
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from newsletter.errors import Refused
from newsletter.i18n import Text
from newsletter.models import Author, AuthorPasskey
from newsletter.services.runtime import Environment
from newsletter.tokens import LEEWAY

if TYPE_CHECKING:
    from webauthn.registration.verify_registration_response import VerifiedRegistration

LIFETIME = timedelta(minutes=5)
"""The lifetime of a challenge."""
_PORTS = {"https": 443, "http": 80}


@dataclass(frozen=True, slots=True)
class RelyingParty:
    """The relying party of WebAuthn: host and origin (scheme, host, port) of `base_url`."""

    id: str
    origin: str


@dataclass(frozen=True, slots=True)
class AnsweredChallenge:
    """A challenge with a response: bytes, name, creation time, and the passkey that responded."""

    value: bytes
    name: str
    made_at: datetime
    answered_by: str


class PasskeyRefused(Refused):
    """A passkey's response was rejected; `text` is for people, `why` for the log."""

    text = Text("This passkey is not known here, or its answer came too late. Try once more.")

    def __init__(self, why: str) -> None:
        super().__init__(self.text)
        self.why = why


def find_relying_party(base_url: str) -> RelyingParty | None:
    """Return the relying party, None where `base_url` has an IP address as its host.

    Browsers keep passkeys for names only (WebAuthn section 5.1.3, a valid domain).
    """
    parts = urlsplit(base_url)
    host = parts.hostname or ""
    port = "" if parts.port in (None, _PORTS.get(parts.scheme)) else f":{parts.port}"
    try:
        ip_address(host)
    except ValueError:
        return RelyingParty(host, f"{parts.scheme}://{host}{port}") if host else None
    return None


def get_relying_party(env: Environment) -> RelyingParty:
    """Return the relying party. Raises `Refused` where passkeys cannot be used."""
    party = find_relying_party(env.settings.base_url)
    if party is None:
        raise Refused(
            Text("passkeys need a name, and base_url has a number"),
            hint=Text("set base_url to https and a domain"),
        )
    return party


def make_challenge(env: Environment, scope: str) -> bytes:
    """Create a challenge that is valid for one `scope`: a purpose and a browser.

    40 bytes: 128 random bits, the second, and a MAC of 128 bits.
    """
    plain = secrets.token_bytes(16) + int(env.now.timestamp()).to_bytes(8, "big")
    return plain + _authenticate(env.settings.signing_keys[0], scope, plain)


def open_challenge(env: Environment, answer: str, scope: str) -> AnsweredChallenge:
    """Return the challenge that a response belongs to.

    Raises `PasskeyRefused` for one of another browser, and one that is too old.
    """
    value, answered_by = _read_answer(answer)
    plain = value[:24]
    mac = value[24:]
    expected = [_authenticate(key, scope, plain) for key in env.tokens.read_keys()]
    if not any(hmac.compare_digest(mac, one) for one in expected):
        raise PasskeyRefused("the challenge is not this browser's")
    made_at = datetime.fromtimestamp(int.from_bytes(plain[16:], "big"), UTC)
    if not -LEEWAY <= env.now - made_at <= LIFETIME + LEEWAY:
        raise PasskeyRefused("the challenge is too old")
    return AnsweredChallenge(value, plain[:16].hex(), made_at, answered_by)


def _read_answer(answer: str) -> tuple[bytes, str]:
    """Return the challenge in a response, and the id of the passkey that responded."""
    from webauthn.helpers import base64url_to_bytes, parse_client_data_json

    try:
        fields = json.loads(answer)
        client_data = base64url_to_bytes(fields["response"]["clientDataJSON"])
        return parse_client_data_json(client_data).challenge, str(fields["id"])
    except Exception as error:  # the library raises its parsers' errors, too
        raise PasskeyRefused("the answer cannot be read") from error


def verify_new(answer: str, challenge: bytes, party: RelyingParty) -> VerifiedRegistration:
    """Verify the passkey that a device has created. Raises `PasskeyRefused`."""
    from webauthn import verify_registration_response

    try:
        return verify_registration_response(
            credential=answer,
            expected_challenge=challenge,
            expected_rp_id=party.id,
            expected_origin=party.origin,
            require_user_verification=True,
        )
    except Exception as error:  # the library raises its parsers' errors, too
        raise PasskeyRefused("the library refuses the answer") from error


def verify(
    answer: str, challenge: bytes, party: RelyingParty, passkey: AuthorPasskey, author: Author
) -> int:
    """Verify a response against the passkey that it names; return the device's signature counter.

    Raises `PasskeyRefused`, also for a counter that did not go up: the passkey was copied.
    """
    from webauthn import verify_authentication_response
    from webauthn.helpers import parse_authentication_credential_json

    try:
        credential = parse_authentication_credential_json(answer)
        verified = verify_authentication_response(
            credential=credential,
            expected_challenge=challenge,
            expected_rp_id=party.id,
            expected_origin=party.origin,
            credential_public_key=passkey.public_key,
            credential_current_sign_count=passkey.sign_count,
            require_user_verification=True,
        )
    except Exception as error:  # the library raises its parsers' errors, too
        raise PasskeyRefused("the library refuses the answer") from error
    if credential.response.user_handle != author.handle.encode():
        raise PasskeyRefused("the passkey names another author")
    return verified.new_sign_count


def _authenticate(key: str, scope: str, plain: bytes) -> bytes:
    message = b"newsletter.passkey." + plain + scope.encode()
    return hmac.digest(key.encode(), message, "sha256")[:16]
