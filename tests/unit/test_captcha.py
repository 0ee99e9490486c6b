"""Puzzles: solved ones are known, forged and old ones are not, and nothing makes the check fall
over.
"""

from __future__ import annotations

import base64
import json
from datetime import timedelta
from typing import Any

import altcha
import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.captcha import LIFETIME, Puzzles
from tests.fakes import START

KEY = "a-key-for-tests-only-0123456789abcdef"


def solve(puzzle: dict[str, Any]) -> str:
    """Return what a browser sends for a puzzle."""
    challenge = altcha.Challenge.from_dict(puzzle)
    solution = altcha.solve_challenge(challenge)
    assert solution is not None
    return str(altcha.Payload(challenge, solution).to_base64())


PUZZLES = Puzzles(lambda: [KEY])
MADE = PUZZLES.make(START)
SOLVED = solve(MADE)


def test_a_solution_is_known_until_it_is_old() -> None:
    check = PUZZLES.check(SOLVED, START + timedelta(minutes=5))
    assert check is not None
    assert (check.nonce, check.made_at) == (MADE["parameters"]["nonce"], START)
    assert PUZZLES.check(SOLVED, START + LIFETIME + timedelta(seconds=1)) is None
    assert PUZZLES.check(SOLVED, START - timedelta(hours=1)) is None


def test_a_key_can_be_replaced() -> None:
    assert Puzzles(lambda: ["another-key-0123456789", KEY]).check(SOLVED, START) is not None
    assert Puzzles(lambda: ["another-key-0123456789"]).check(SOLVED, START) is None


@pytest.mark.parametrize(
    "part", ["cost", "nonce", "data", "keyPrefix", "keySignature", "algorithm"]
)
def test_no_part_of_a_puzzle_can_be_made_easier(part: str) -> None:
    sent = json.loads(base64.b64decode(SOLVED))
    sent["challenge"]["parameters"][part] = {"cost": 1, "data": {"made": 1}}.get(part, "00")
    assert PUZZLES.check(base64.b64encode(json.dumps(sent).encode()).decode(), START) is None


def test_a_guess_is_no_solution() -> None:
    sent = json.loads(base64.b64decode(SOLVED))
    sent["solution"] = {"counter": 1, "derivedKey": "00" * 32}
    assert PUZZLES.check(base64.b64encode(json.dumps(sent).encode()).decode(), START) is None


@pytest.mark.parametrize(
    "sent",
    [
        None,
        5,
        "",
        "x",
        "é",
        [],
        {},
        True,
        "A" * 5000,
        base64.b64encode(b"[]").decode(),
        base64.b64encode(b"[" * 999).decode(),
        base64.b64encode(
            b'{"challenge": {"parameters": [], "signature": 5}, "solution": 7}'
        ).decode(),
    ],
)
def test_nonsense_is_no_solution(sent: object) -> None:
    assert PUZZLES.check(sent, START) is None


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@given(
    parameters=st.dictionaries(st.sampled_from(sorted(MADE["parameters"])), JSON),
    signature=JSON,
    solution=JSON,
)
def test_no_payload_crashes_the_check(
    parameters: object, signature: object, solution: object
) -> None:
    whole = {
        "challenge": {"parameters": {**MADE["parameters"], **parameters}, "signature": signature}
    }  # type: ignore[dict-item]
    payload = base64.b64encode(json.dumps({**whole, "solution": solution}).encode()).decode()
    assert PUZZLES.check(payload, START) is None
