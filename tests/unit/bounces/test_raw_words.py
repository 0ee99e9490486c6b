"""Read the fourth set of returned messages: each as it was expected to be."""

from __future__ import annotations

import pytest

from newsletter.bounces import read_bounce
from tests.unit.bounces.build import Sample
from tests.unit.bounces.raw_words import ABSENT, FAILED, NOTHING


@pytest.mark.parametrize("sample", FAILED, ids=lambda sample: sample.name)
def test_each_recipient_is_judged(sample: Sample) -> None:
    read = [(result.recipient, result.bounce_class.value) for result in read_bounce(sample.data)]
    assert sorted(read) == sorted(sample.expected)


@pytest.mark.parametrize("sample", [*NOTHING, *ABSENT], ids=lambda sample: sample.name)
def test_what_is_no_bounce_means_nothing(sample: Sample) -> None:
    """A program's answer or question, in any language: nobody is counted for it."""
    read = [result.bounce_class.value for result in read_bounce(sample.data)]
    assert read == [meant for _, meant in sample.expected]
