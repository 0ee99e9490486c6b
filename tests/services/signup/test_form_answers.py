"""Test what is filled into the author's fields: a box is ticked by a few words only."""

from __future__ import annotations

import pytest

from newsletter.services.signup.form_answers import parse_answers
from newsletter.services.signup.forms import Field

BOXES = [
    Field(name="terms", label="I agree", kind="consent", required=False, choices=()),
    Field(name="news", label="News", kind="checkbox", required=False, choices=()),
]


@pytest.mark.parametrize("value", ["1", "on", "TRUE", "yes", True])
def test_a_box_that_is_ticked(value: object) -> None:
    assert parse_answers(BOXES, {"terms": value}) == ({"terms": True, "news": False}, {})


@pytest.mark.parametrize("value", ["", None, False])
def test_a_box_that_is_not(value: object) -> None:
    assert parse_answers(BOXES, {"terms": value}) == ({"terms": False, "news": False}, {})


@pytest.mark.parametrize("value", ["no", "0", "off", "false", "maybe", 1, ["on"], {"on": 1}])
def test_anything_else_agrees_to_nothing(value: object) -> None:
    answers, problems = parse_answers(BOXES, {"terms": value, "news": "on"})
    assert (answers, list(problems)) == ({"news": True}, ["terms"])
