"""Encrypt files with a passphrase: key by scrypt, chunks of 64 KiB in AES-256-GCM.

A chunk's nonce is its number and whether it is the last, so that chunks can neither be exchanged
nor left out, and a file that was cut does not open. The head is authenticated with every chunk.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import IO

from newsletter.errors import Refused

MAGIC = b"newsletter sealed backup 1\n"
SALT = 16
CHUNK = 65_536
TAG = 16
SCRYPT = {"n": 2**16, "r": 8, "p": 1}
"""Parameters of scrypt (RFC 7914): 64 MiB and a fifth of a second for each guess."""
SHORTEST = 12
"""The least characters of a passphrase, since an archive can be attacked offline."""


def is_sealed(head: bytes) -> bool:
    """Tell whether a file that begins with `head` is encrypted."""
    return head.startswith(MAGIC)


def require_passphrase(passphrase: str) -> str:
    """Return the passphrase, or raise `Refused` if it is too short.

    Raises `Refused`.
    """
    if len(passphrase) < SHORTEST:
        raise Refused(
            f"the passphrase has fewer than {SHORTEST} characters", hint="take four or more words"
        )
    return passphrase


def _derive(passphrase: str, salt: bytes) -> bytes:
    from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

    return Scrypt(salt=salt, length=32, **SCRYPT).derive(passphrase.encode("utf-8"))


def _make_nonce(number: int, *, last: bool) -> bytes:
    return number.to_bytes(11, "big") + bytes([last])


def seal(source: IO[bytes], target: IO[bytes], passphrase: str) -> None:
    """Encrypt the contents of `source` into `target`."""
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    salt = os.urandom(SALT)
    head = MAGIC + salt
    cipher = AESGCM(_derive(passphrase, salt))
    target.write(head)
    for number, last, chunk in _read_chunks(source, CHUNK):
        target.write(cipher.encrypt(_make_nonce(number, last=last), chunk, head))


def unseal(source: IO[bytes], target: IO[bytes], passphrase: str) -> None:
    """Decrypt a file that `seal` wrote.

    Raises `Refused` for another passphrase and for a file that is damaged or not whole.
    """
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    head = source.read(len(MAGIC) + SALT)
    cipher = AESGCM(_derive(passphrase, head[len(MAGIC) :]))
    for number, last, chunk in _read_chunks(source, CHUNK + TAG):
        try:
            target.write(cipher.decrypt(_make_nonce(number, last=last), chunk, head))
        except (InvalidTag, ValueError):
            why = "the file is damaged or not whole" if number else "the passphrase is not the one"
            raise Refused(f"the backup cannot be decrypted: {why}") from None


def _read_chunks(source: IO[bytes], size: int) -> Iterator[tuple[int, bool, bytes]]:
    """Yield each chunk with its number and whether it is the last one."""
    chunk = source.read(size)
    number = 0
    while True:
        following = source.read(size)
        yield number, not following, chunk
        if not following:
            return
        chunk = following
        number += 1
