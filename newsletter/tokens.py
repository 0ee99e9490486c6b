"""Sign and verify links, create handles, and make opaque references.

Each link purpose has a salt of its own. A token is `payload.signature`, or
`payload.time.signature` where its purpose has a lifetime. What the payload names, such as a
subscription's handle, is up to the caller; nothing here knows the database.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
import secrets
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache, lru_cache

from itsdangerous import BadSignature, HMACAlgorithm, Signer

from newsletter.errors import LinkExpired, LinkInvalid
from newsletter.link_purposes import LinkPurpose

LEEWAY = timedelta(minutes=10)
"""The largest accepted difference between two machines' clocks."""

_TOKEN = re.compile(r"[A-Za-z0-9_.-]{8,300}", re.ASCII)
_HANDLE_BYTES = 9
_HANDLE_LENGTH = 12
_BASE32 = "abcdefghijklmnopqrstuvwxyz234567"
_PAIRS = [first + second for first in _BASE32 for second in _BASE32]
"""Table of all pairs of base32 letters for ten bits (RFC 4648 section 6), in lower case."""
_URL_SAFE = bytes.maketrans(b"+/", b"-_")
_UNSUBSCRIBE_LOCAL = re.compile(r"\+u\.([a-z2-7]{15})([a-z2-7]{16})$")


def new_handle() -> str:
    """Create a handle, the public name of a row: 12 random URL-safe characters.

    It does not tell how many rows there are. It begins and ends with a letter or digit, because
    mail programs leave a hyphen at the end of an address out of the link.
    """
    return new_handles(1)[0]


def new_handles(count: int) -> list[str]:
    """Create `count` handles with few requests for random bytes."""
    handles: list[str] = []
    while missing := count - len(handles):
        letters = secrets.token_urlsafe(_HANDLE_BYTES * missing)
        drawn = [letters[at : at + _HANDLE_LENGTH] for at in range(0, len(letters), _HANDLE_LENGTH)]
        handles += [one for one in drawn if one[0] not in "-_" and one[-1] not in "-_"]
    return handles


class KeyedState:
    """HMAC-SHA256 with a fixed key (RFC 2104), whose inner state is computed once."""

    def __init__(self, key: bytes) -> None:
        block = (hashlib.sha256(key).digest() if len(key) > 64 else key).ljust(64, b"\0")
        self._inner = hashlib.sha256(bytes(byte ^ 0x36 for byte in block))
        self._outer = hashlib.sha256(bytes(byte ^ 0x5C for byte in block))

    def digest(self, value: bytes) -> bytes:
        """Return the MAC of `value`."""
        inner = self._inner.copy()
        inner.update(value)
        outer = self._outer.copy()
        outer.update(inner.digest())
        return outer.digest()


class _Mac(HMACAlgorithm):
    """A signing algorithm: HMAC-SHA256 truncated to 191 bits (RFC 2104 section 5).

    24 bytes leave base64 no spare bits, so that each token has one spelling. With one bit of the
    last byte always clear, the last of the 32 characters is a letter from A to f: a token never
    ends with a hyphen or underscore.
    """

    def get_signature(self, key: bytes, value: bytes) -> bytes:
        return _cut(hmac.digest(key, value, "sha256"))


_LAST_BYTES = [bytes([byte & 0b1101_1111]) for byte in range(256)]


def _cut(mac: bytes) -> bytes:
    return mac[:23] + _LAST_BYTES[mac[23]]


class _Signer(Signer):
    """A signer that derives the key of its purpose only once."""

    def derive_key(self, secret_key: str | bytes | None = None) -> bytes:
        secret = secret_key or self.secret_keys[-1]
        derived: dict[str | bytes, bytes] = self.__dict__.setdefault("derived", {})
        if secret not in derived:
            derived[secret] = super().derive_key(secret)
        return derived[secret]


class Tokens:
    """Signs and verifies the tokens of links.

    `keys[0]` signs; the others still verify, so that a key can be replaced (T06, T07). `reread`
    returns all keys that verify by now, where another process may have got a new one.
    """

    def __init__(
        self, keys: Sequence[str], reread: Callable[[], tuple[str, ...]] | None = None
    ) -> None:
        self._keys = tuple(keys)
        self._reread = reread or (lambda: self._keys)
        self._signers = _make_signers(self._keys)
        self._lifetimes: dict[str, timedelta | None] = {
            purpose: purpose.lifetime for purpose in LinkPurpose
        }
        self._states: dict[str, KeyedState] = {}

    def sign(self, purpose: LinkPurpose, payload: str, now: datetime) -> str:
        """Sign `payload` at `now`, and return the token."""
        if self._lifetimes[purpose] is not None:
            payload = f"{payload}.{int(now.timestamp()):x}"
        state = self._states.get(purpose)
        if state is None:
            state = self._states[purpose] = KeyedState(self._signers[purpose].derive_key())
        # What itsdangerous would write; its way of signing takes three times as long.
        mac = _cut(state.digest(payload.encode("ascii")))
        return f"{payload}.{binascii.b2a_base64(mac, newline=False).translate(_URL_SAFE).decode()}"

    def open(self, purpose: LinkPurpose, token: str, now: datetime) -> str:
        """Verify `token`, and return its payload.

        Raises `LinkInvalid`, or `LinkExpired` if only its lifetime is over.
        """
        if not _TOKEN.fullmatch(token):
            raise LinkInvalid
        payload = self._verify(purpose, token)
        lifetime = self._lifetimes[purpose]
        if lifetime is None:
            return payload
        payload, _, stamp = payload.rpartition(".")
        signed_at = datetime.fromtimestamp(int(stamp, 16), UTC)
        if not -LEEWAY <= now - signed_at <= lifetime + LEEWAY:
            raise LinkExpired(signed_at, payload, purpose)
        return payload

    def _verify(self, purpose: LinkPurpose, token: str) -> str:
        tried = self._keys
        try:
            return self._signers[purpose].unsign(token).decode("ascii")
        except BadSignature:
            if self.read_keys() == tried:
                raise LinkInvalid from None
        return self._verify(purpose, token)

    def read_keys(self) -> tuple[str, ...]:
        """Return the keys that verify, the one that signs first."""
        keys = self._reread()
        if keys != self._keys:
            self._signers = _make_signers(keys)
            self._keys = keys
        return keys

    def read_signing_time(self, purpose: LinkPurpose, token: str) -> datetime:
        """Return the signing time of a valid token of a purpose with a lifetime."""
        return datetime.fromtimestamp(int(token.rsplit(".", 2)[1], 16), UTC)

    def make_code(self, handle: str) -> str:
        """Return the code that can be typed instead of a link: 8 letters and digits, 40 bits."""
        return _make_code(self._keys[0], handle)

    def check_code(self, handle: str, typed: str) -> bool:
        """Tell whether `typed` is the code of `handle`, in whatever case and grouping."""
        plain = _UNSPOKEN.sub("", typed.upper()).translate(_LOOKALIKES)
        codes = [_make_code(key, handle) for key in self.read_keys()]
        return any(hmac.compare_digest(code.encode(), plain.encode()) for code in codes)


def _make_signers(keys: Sequence[str]) -> dict[str, _Signer]:
    """Make the signer of each purpose; the first key signs, and itsdangerous takes the last."""
    ordered = list(reversed(keys))
    return {
        purpose: _Signer(
            ordered,
            salt=f"newsletter.{purpose.value}",
            key_derivation="hmac",
            digest_method=hashlib.sha256,
            algorithm=_Mac(hashlib.sha256),
        )
        for purpose in LinkPurpose
    }


CODE_LETTERS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""The 32 characters of Crockford's base 32, without look-alikes."""
_LOOKALIKES = str.maketrans("OIL", "011")
_UNSPOKEN = re.compile(r"[^0-9A-Z]")
_CODE_LENGTH = 8


def _make_code(key: str, handle: str) -> str:
    mac = hmac.digest(key.encode(), b"newsletter.log-in-code." + handle.encode(), "sha256")
    return "".join(CODE_LETTERS[octet % 32] for octet in mac[:_CODE_LENGTH])


class RowNames:
    """Encrypts row ids of one table into opaque names, and decrypts them.

    A name is 24 characters from a to z and 2 to 7, as mail systems that fold the case of a local
    part keep them. It holds a row's id, encrypted under a MAC of itself (a synthetic IV, as in
    RFC 5297): the same row always has the same name, nobody without the key can count by them or
    make one up, and `find` reads it back.
    """

    _MAC_BYTES = 9
    _ID_BYTES = 6

    def __init__(self, key: bytes) -> None:
        self._macs = KeyedState(hmac.digest(key, b"mac", "sha256"))
        self._pads = KeyedState(hmac.digest(key, b"pad", "sha256"))

    def name(self, row_id: int) -> str:
        """Return the opaque name of a row id."""
        mac = self._authenticate(row_id.to_bytes(self._ID_BYTES, "big"))
        bits = int.from_bytes(mac + self._make_pad(mac), "big") ^ row_id
        return "".join([_PAIRS[bits >> shift & 1023] for shift in range(110, -1, -10)])

    def find(self, name: str) -> int | None:
        """Return the row id of an opaque name in any case, or None."""
        try:
            raw = base64.b32decode(name.upper())
        except ValueError:
            return None
        mac = raw[: self._MAC_BYTES]
        encrypted = raw[self._MAC_BYTES :]
        if len(encrypted) != self._ID_BYTES:
            return None
        row_id = int.from_bytes(encrypted, "big") ^ int.from_bytes(self._make_pad(mac), "big")
        genuine = self._authenticate(row_id.to_bytes(self._ID_BYTES, "big"))
        return row_id if hmac.compare_digest(mac, genuine) else None

    def _authenticate(self, plain: bytes) -> bytes:
        return self._macs.digest(plain)[: self._MAC_BYTES]

    def _make_pad(self, mac: bytes) -> bytes:
        return self._pads.digest(mac)[: self._ID_BYTES]


def make_random_message_id(domain: str) -> str:
    """Return a random Message-ID for a message without a delivery, such as a test."""
    return f"{base64.b32encode(secrets.token_bytes(15)).decode('ascii').lower()}@{domain}"


def make_return_path(address: str, reference: str) -> str:
    """Return the envelope sender of one message (VERP): ``bounces+k3v9…@example.com``.

    A report of a failed delivery is sent to it. `reference` is `References.name_report`, which
    cannot be guessed, nor found by the Message-ID.
    """
    local, _, domain = address.rpartition("@")
    return f"{local}+{reference}@{domain}"


def make_unsubscribe_address(key: str, address: str, handle: str) -> str:
    """Return the address for unsubscribing by mail: ``bounces+u.<handle><MAC>@example.com``.

    It is written in base32, because mail systems may change the case of a local part, and has at
    most 58 octets before the @ (RFC 5321 section 4.5.3.1.1 allows 64). The MAC has 80 bits.
    """
    local, _, domain = address.rpartition("@")
    code = base64.urlsafe_b64decode(handle)
    signed = base64.b32encode(code).rstrip(b"=") + base64.b32encode(_sign_code(key, code))
    return f"{local}+u.{signed.decode().lower()}@{domain}"


def open_unsubscribe_address(keys: Sequence[str], address: str) -> str:
    """Return the handle in an unsubscribe address, "" if the address is not valid."""
    match = _UNSUBSCRIBE_LOCAL.search(address[:320].rpartition("@")[0].lower())
    if match is None:
        return ""
    try:
        code = base64.b32decode(match[1].upper() + "=")
        mac = base64.b32decode(match[2].upper())
    except binascii.Error:
        return ""
    if any(hmac.compare_digest(_sign_code(key, code), mac) for key in keys):
        return base64.urlsafe_b64encode(code).decode()
    return ""


def _sign_code(key: str, code: bytes) -> bytes:
    return hmac.digest(_derive_unsubscribe_key(key), code, "sha256")[:10]


@cache
def _derive_unsubscribe_key(key: str) -> bytes:
    return hashlib.sha256(b"newsletter.unsubscribe-address" + key.encode()).digest()


def make_keyed_hash(key: str, value: str) -> str:
    """Return the HMAC-SHA256 of `value` in hexadecimal digits.

    For what must be recognised and cannot be read back, such as an erased address.
    """
    return hmac.digest(_derive_key(key), value.encode(), "sha256").hex()


@lru_cache(maxsize=16)
def _derive_key(key: str) -> bytes:
    return hashlib.sha256(b"newsletter.suppression" + key.encode()).digest()


def fingerprint(secret_key: str) -> str:
    """Return a fingerprint of a signing key: 16 hexadecimal digits."""
    return hmac.digest(secret_key.encode(), b"newsletter.fingerprint", "sha256")[:8].hex()
