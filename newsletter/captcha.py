"""Proof of work (ALTCHA): makes a puzzle for a visitor's browser, and checks its solution.

Pure; gets `now`.

A puzzle costs a person's machine part of a second and a robot that signs up thousands the
thousandfold. Whether a solution was used before is the caller's to know: `Solved.nonce` names it.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from altcha import create_challenge, verify_solution

ALGORITHM = "PBKDF2/SHA-256"
COST = 2_000
"""Iterations of a single try;"""
TRIES = (400, 800)
"""so many tries, at random: about 0.3 s on a laptop, 1 to 2 s on an old phone."""
LIFETIME = timedelta(hours=2)
PAYLOAD_AT_MOST = 4_000


@dataclass(frozen=True, slots=True)
class Solved:
    """A puzzle that was solved: `nonce` is its own, `made_at` when it was given out."""

    nonce: str
    made_at: datetime


class Puzzles:
    """Makes and checks puzzles.

    `keys[0]` signs; the others still verify, so that a key can be replaced (T06).
    """

    def __init__(self, keys: Sequence[str]) -> None:
        self._keys = [_derived(key) for key in keys]

    def make(self, now: datetime) -> dict[str, Any]:
        """A puzzle, as ALTCHA's widget reads it (protocol 2)."""
        counter = TRIES[0] + secrets.randbelow(TRIES[1] - TRIES[0])
        sign, key_sign = self._keys[0]
        made = create_challenge(
            ALGORITHM,
            cost=COST,
            counter=counter,
            data={"made": int(now.timestamp())},
            hmac_secret=sign,
            hmac_key_secret=key_sign,
        )
        return dict(made.to_dict())

    def check(self, payload: object, now: datetime) -> Solved | None:
        """The puzzle that `payload` (base64 of JSON) solves; None for anything else.

        Never raises.
        """
        if not isinstance(payload, str) or not payload or len(payload) > PAYLOAD_AT_MOST:
            return None
        for sign, key_sign in self._keys:
            if verify_solution(payload, sign, hmac_key_secret=key_sign).verified:
                return _solved(payload, now)
        return None


def _solved(payload: str, now: datetime) -> Solved | None:
    """What a payload whose signature holds says.

    The library's expiry would live by the system's clock, not `now`.
    """
    parameters = json.loads(base64.b64decode(payload))["challenge"]["parameters"]
    made_at = datetime.fromtimestamp(parameters["data"]["made"], UTC)
    if not timedelta(minutes=-10) <= now - made_at <= LIFETIME:
        return None
    return Solved(parameters["nonce"], made_at)


def _derived(key: str) -> tuple[bytes, bytes]:
    """Keys of our own for puzzles and for their solutions, so that none of them can be taken for a
    link's.
    """
    return (
        hmac.digest(hashlib.sha256(key.encode()).digest(), b"newsletter.puzzle", "sha256"),
        hmac.digest(hashlib.sha256(key.encode()).digest(), b"newsletter.solution", "sha256"),
    )
