"""Score the third set of returned messages: by recipient, and by what must not happen."""

from __future__ import annotations

import pytest

from newsletter.bounces import BounceResult, read_bounce
from tests.unit.bounces.build import Sample
from tests.unit.bounces.strangers import MACHINE, NOTHING, SAMPLES, TEXTS

HARMFUL = ("hard", "complaint")
FAILURES = (*HARMFUL, "soft", "policy", "content", "sender")
READ = {sample.name: read_bounce(sample.data) for sample in SAMPLES}


def classes(name: str) -> dict[str, str]:
    return {result.recipient: result.bounce_class.value for result in READ[name]}


def found(samples: list[Sample]) -> float:
    pairs = [
        (sample.name, address) for sample in samples for address, _ in sample.expected if address
    ]
    return sum(address in classes(name) for name, address in pairs) / len(pairs)


def test_recipients_are_found_in_nearly_all_reports_of_strangers() -> None:
    assert found(MACHINE) >= 0.99
    assert found(TEXTS) >= 0.97


def test_nobody_is_suppressed_wrongly() -> None:
    wrong = [
        (sample.name, address)
        for sample in SAMPLES
        for address, meant in sample.expected
        if meant not in HARMFUL and classes(sample.name).get(address) in HARMFUL
    ]
    assert wrong == []


def test_dead_addresses_are_not_missed() -> None:
    """Three of 200: an Exim that does not say whose callout failed, and two odd wordings."""
    pairs = [
        (sample.name, address)
        for sample in SAMPLES
        for address, meant in sample.expected
        if meant in HARMFUL
    ]
    missed = [name for name, address in pairs if classes(name).get(address) not in HARMFUL]
    assert len(missed) <= 3, missed
    assert len(pairs) > 190


def test_what_is_nothing_raises_no_alarm() -> None:
    alarms = [
        (sample.name, READ[sample.name])
        for sample in NOTHING
        if any(result.bounce_class.value in FAILURES for result in READ[sample.name])
    ]
    assert alarms == []


@pytest.mark.parametrize(
    "sample",
    [sample for sample in NOTHING if sample.expected[0][0] != "*"],
    ids=lambda sample: sample.name,
)
def test_what_is_no_bounce_is_named(sample: Sample) -> None:
    results: list[BounceResult] = READ[sample.name]
    assert [result.bounce_class.value for result in results] == [
        meant for _, meant in sample.expected
    ]


def test_an_odd_header_leaves_no_traceback_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    """The detectors of flufl.bounce stumble over what strangers write, and say so at length."""
    read_bounce(
        b"From: \xff\xfe <mailer-daemon@x.example>\nReturn-Path: <>\nSubject: failure notice\n\n"
        b"Your message could not be delivered.\n"
    )
    read_bounce(b"Return-Path: <>\nSubject: failure notice\n\nUndeliverable.\n")
    assert caplog.records == []
