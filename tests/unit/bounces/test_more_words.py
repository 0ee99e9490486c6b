"""Reports that were once misread are read right, in other words than it came in."""

from __future__ import annotations

import pytest

from newsletter.bounces import read_bounce
from tests.unit.bounces.build import DEAD, Sample, mail
from tests.unit.bounces.more_words import AWAY, PARCEL, SAMPLES


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.name)
def test_it_is_read_right(sample: Sample) -> None:
    results = read_bounce(sample.data)
    assert [(result.recipient, result.bounce_class.value) for result in results] == sample.expected


def test_a_parcel_is_no_mail() -> None:
    assert [result.bounce_class.value for result in read_bounce(PARCEL)] == ["ignore"]


@pytest.mark.parametrize("subject", AWAY)
def test_who_is_away_is_not_dead(subject: str) -> None:
    results = read_bounce(mail(subject, "Delivery to boss@example.org failed? Write to us."))
    assert [(result.recipient, result.bounce_class.value) for result in results] == [
        (DEAD, "auto-reply")
    ]
