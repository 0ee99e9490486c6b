"""Segments are read, never run."""

from __future__ import annotations

from datetime import date

import pytest

from newsletter.errors import InvalidInput
from newsletter.segment import Comparison, Joined, Not, OneOf, Tagged, parse_segment


def test_a_segment_is_read_into_a_tree() -> None:
    assert parse_segment('cadence == "weekly" and "berlin" in tags and joined > "2026-01-01"') == Joined(
        "and", (Comparison("cadence", "==", "weekly"), Tagged("berlin"), Comparison("joined", ">", date(2026, 1, 1)))
    )
    assert parse_segment('not (name == "" or "vip" not in tags)') == Not(
        Joined("or", (Comparison("name", "==", ""), Not(Tagged("vip"))))
    )
    assert parse_segment('"2026-01-01" <= joined') == Comparison("joined", ">=", date(2026, 1, 1))
    assert parse_segment('cadence in ["daily", "weekly"]') == OneOf("cadence", ("daily", "weekly"))
    assert parse_segment("  ") is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("tag == 'x'", "did you mean tags"), ("cadence = 'weekly'", "character"), ("cadence == 'weakly'", "no cadence"),
        ("joined > 'soon'", "no day"), ("joined", "no condition"), ("name > 'a'", "== and !="), ("tags == 'x'", "in tags"),
        ("cadence == weekly", "quotation marks"), ("__import__('os')", "no condition"), ("name == f'{x}'", "quotation"),
        ("name == name", "quotation marks"), ("(lambda: 1)() == 'x'", "field"), ("email.__class__ == 'x'", "field"),
        ("'a' < joined < 'b'", "two things"), ("1 == 1", "field"), ("name == 1", "quotation"), ("joined in ['2026-01-01']", "`in` is for"),
        ("name is 'x'", "knows =="), ("(" * 900, "cannot be read"), ("not " * 240 + "name", "no condition"), ("x" * 2000, "longer"), ("name == 'a\0'", "cannot be read"),
        ("open('/etc/passwd').read() in tags", "quotation"), ("[x for x in tags]", "no condition"),
    ],
)  # fmt: skip
def test_s10_what_is_no_segment_is_refused(text: str, said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        parse_segment(text)
