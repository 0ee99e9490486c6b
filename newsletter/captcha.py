"""Create proof-of-work challenges (ALTCHA) for visitors' browsers, and verify solutions.

Pure; gets `now`.

A challenge costs one visitor's machine part of a second, and a robot that signs up thousands as
many seconds. The caller checks whether a solution was used before, by `Solved.nonce`.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

ALGORITHM = "PBKDF2/SHA-256"
COST = 2_000
"""Iterations of the hash in one attempt of a browser."""
TRIES = (400, 800)
"""Range of attempts that a solution takes: about 0.3 s on a laptop, 1 to 2 s on an old phone."""
LIFETIME = timedelta(hours=2)
PAYLOAD_AT_MOST = 4_000
"""The most characters of a solution; real ones have about 600."""


@dataclass(frozen=True, slots=True)
class Solved:
    """A solved puzzle with its `nonce` and creation time."""

    nonce: str
    made_at: datetime


class Puzzles:
    """Creates and verifies challenges.

    The first of the keys that `read_keys` returns signs; the others still verify, so that a key can
    be replaced (T06).
    """

    def __init__(self, read_keys: Callable[[], Sequence[str]]) -> None:
        self._read_keys = read_keys

    def make(self, now: datetime) -> dict[str, Any]:
        """Return a new challenge in the format of ALTCHA's widget (protocol 2)."""
        from altcha import create_challenge  # it costs start-up time that few commands need

        counter = TRIES[0] + secrets.randbelow(TRIES[1] - TRIES[0])
        sign, key_sign = _derive_keys(self._read_keys()[0])
        challenge = create_challenge(
            ALGORITHM,
            cost=COST,
            counter=counter,
            data={"made": int(now.timestamp())},
            hmac_secret=sign,
            hmac_key_secret=key_sign,
        )
        return dict(challenge.to_dict())

    def check(self, payload: object, now: datetime) -> Solved | None:
        """Return the challenge that `payload` (base64 of JSON) solves, or None.

        Raises nothing, whatever `payload` is.
        """
        if not isinstance(payload, str) or not payload or len(payload) > PAYLOAD_AT_MOST:
            return None
        from altcha import verify_solution

        for sign, key_sign in map(_derive_keys, self._read_keys()):
            if verify_solution(payload, sign, hmac_key_secret=key_sign).verified:
                return _read_solution(payload, now)
        return None


def _read_solution(payload: str, now: datetime) -> Solved | None:
    """Parse a payload with a valid signature, and check its age at `now`.

    The library's own expiry uses the system clock.
    """
    parameters = json.loads(base64.b64decode(payload))["challenge"]["parameters"]
    made_at = datetime.fromtimestamp(parameters["data"]["made"], UTC)
    if not timedelta(minutes=-10) <= now - made_at <= LIFETIME:
        return None
    return Solved(parameters["nonce"], made_at)


def _derive_keys(key: str) -> tuple[bytes, bytes]:
    """Derive separate keys for challenges and solutions, so that neither can sign a link."""
    return (
        hmac.digest(hashlib.sha256(key.encode()).digest(), b"newsletter.puzzle", "sha256"),
        hmac.digest(hashlib.sha256(key.encode()).digest(), b"newsletter.solution", "sha256"),
    )
