"""The vendors' corpus, scored by class against targets; and twenty thousand mutations of
everything.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Sequence

import pytest

from newsletter.bounces import BounceResult, read_bounce
from tests.unit.bounces import machine, others, plaintext, plaintext_more, vendors
from tests.unit.bounces.build import Sample

pytestmark = pytest.mark.any_database

MUTATIONS = int(os.environ.get("BOUNCE_MUTATIONS", "1000"))
"""20,000 where it may take two minutes."""

SECONDS_AT_MOST = 2.0
"""Processor time of one mutation; the largest has 512 KB."""

ALL = [
    *machine.SAMPLES,
    *plaintext.SAMPLES,
    *plaintext_more.SAMPLES,
    *others.SAMPLES,
    *vendors.MACHINE,
    *vendors.SHAPES,
    *vendors.PLAIN,
    *vendors.NOTHING,
]
SUPPRESSING = ("hard", "complaint")


def share(part: int, whole: int) -> float:
    return part / whole if whole else 0.0


def score(samples: Sequence[Sample]) -> dict[str, float]:
    """Shares of recipients found, of wrong suppressions, and of dead addresses that were missed."""
    expected = text = wrong = missed = dead = living = 0
    for sample in samples:
        results: list[BounceResult] = read_bounce(sample.data)
        suppressed = {result.recipient for result in results if result.suppress}
        named = {result.recipient for result in results}
        for address, kind in sample.expected:
            expected += 1
            text += address in named
            dead += kind in SUPPRESSING
            living += kind not in SUPPRESSING
            missed += kind in SUPPRESSING and address not in suppressed
            wrong += kind not in SUPPRESSING and address in suppressed
        wrong += len(suppressed - {address for address, _ in sample.expected})
    return {
        "found": share(text, expected),
        "wrong": share(wrong, living),
        "missed": share(missed, dead),
    }


@pytest.mark.parametrize(
    ("samples", "expected"),
    [(vendors.MACHINE + vendors.SHAPES, 0.98), (vendors.PLAIN, 0.85)],
    ids=["machine", "plain"],
)
def test_the_vendors_corpus_meets_its_targets(samples: list[Sample], expected: float) -> None:
    shares = score(samples)
    assert shares["found"] >= expected
    assert shares["wrong"] <= 0.02
    assert shares["missed"] <= 0.05


def test_what_is_nothing_raises_no_false_alarm() -> None:
    for sample in vendors.NOTHING:
        allowed = {address for address, kind in sample.expected if kind in SUPPRESSING}
        results = read_bounce(sample.data)
        assert {result.recipient for result in results if result.suppress} <= allowed, sample.name


def test_there_is_enough_of_each_kind() -> None:
    assert len(vendors.MACHINE) + len(vendors.SHAPES) + len(vendors.PLAIN) > 150
    assert len(vendors.NOTHING) >= 30
    samples = vendors.MACHINE + vendors.SHAPES + vendors.PLAIN + vendors.NOTHING
    assert len({sample.name for sample in samples}) == len(samples)


def mutate(data: bytes, others_data: bytes, chance: random.Random) -> bytes:
    """Damage a message as hostile or broken programs would."""
    for _ in range(chance.randint(1, 6)):
        place = chance.randrange(len(data) + 1)
        end = min(len(data), place + chance.randrange(200))
        piece = others_data[: chance.randrange(400)]
        data = chance.choice(
            [
                data[:place],
                data[:place] + data[end:],
                data[:place] + piece + data[place:],
                data[:place] + data[place:end] * chance.randint(2, 50) + data[end:],
                data[:place] + bytes(chance.randrange(256) for _ in range(20)) + data[place:],
                data.replace(b"\n", chance.choice([b"\r\n", b"\r", b"\n\n", b"\x85", b"\n "])),
                data.replace(chance.choice([b":", b"@", b"--", b"<", b";", b"="]), piece[:3]),
                data[:place]
                + chance.choice([b"\0", b"(", b"<" * 9, b"=?x?q?"]) * 5_000
                + data[place:],
            ]
        )
    return data


def test_mutations_neither_raise_nor_take_long() -> None:
    chance = random.Random(14)
    slowest = 0.0
    for _ in range(MUTATIONS):
        data = mutate(chance.choice(ALL).data, chance.choice(ALL).data, chance)
        began = time.process_time()
        for result in read_bounce(data):
            assert isinstance(result.recipient, str)
        slowest = max(slowest, time.process_time() - began)
        assert slowest < SECONDS_AT_MOST
