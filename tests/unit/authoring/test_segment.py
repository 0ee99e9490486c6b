"""Segments are read, never run."""

from __future__ import annotations

from datetime import date

import pytest

from newsletter.authoring.segment import parse_segment
from newsletter.authoring.segment_terms import Comparison, Joined, Not, OneOf, Tagged, Untagged
from newsletter.errors import InvalidInput


def test_a_segment_is_read_into_a_tree() -> None:
    assert parse_segment(
        'cadence == "weekly" and "berlin" in tags and joined > "2026-01-01"'
    ) == Joined(
        "and",
        (
            Comparison("cadence", "==", "weekly"),
            Tagged("berlin"),
            Comparison("joined", ">", date(2026, 1, 1)),
        ),
    )
    assert parse_segment('not (name == "" or "vip" not in tags)') == Not(
        Joined("or", (Comparison("name", "==", ""), Not(Tagged("vip"))))
    )
    assert parse_segment('"2026-01-01" <= joined') == Comparison("joined", ">=", date(2026, 1, 1))
    assert parse_segment('cadence in ["daily", "weekly"]') == OneOf("cadence", ("daily", "weekly"))
    assert parse_segment("  ") is None
    assert parse_segment('domain == "@Example.org"') == Comparison("domain", "==", "example.org")
    assert parse_segment('cadence == "Weekly"\n  and language == "DE"') == Joined(
        "and", (Comparison("cadence", "==", "weekly"), Comparison("language", "==", "de"))
    )
    assert parse_segment('joined < "9999-12-31"') == Comparison("joined", "<", date(2999, 12, 31))
    assert parse_segment('joined > "0001-01-01"') == Comparison("joined", ">", date(1970, 1, 1))


@pytest.mark.parametrize("none", ["none", "None", "''", "[]", '""'])
def test_subscribers_without_a_tag_can_be_asked_for(none: str) -> None:
    assert parse_segment(f"tags == {none}") == Untagged()
    assert parse_segment(f"tags != {none}") == Not(Untagged())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("tag == 'x'", "did you mean tags"),
        ("cadence = 'weekly'", "wants =="),
        ("cadence == 'weakly'", "is not a cadence"),
        ("joined > 'soon'", "is not a date"),
        ("joined", "no condition"),
        ("name > 'a'", "== and !="),
        ("tags == 'x'", "in tags"),
        ("cadence == weekly", "quotation marks"),
        ("__import__('os')", "is unknown"),
        ("name == f'{x}'", "quotation"),
        ("name == name", "quotation marks"),
        ("(lambda: 1)() == 'x'", "field"),
        ("email.__class__ == 'x'", "field"),
        ("'a' < joined < 'b'", "two things"),
        ("1 == 1", "field"),
        ("name == 1", "quotation"),
        ("joined in ['2026-01-01']", "`in` is for"),
        ("name is 'x'", "knows =="),
        ("(" * 900, "cannot be read"),
        ("not " * 240 + "name", "no condition"),
        ("x" * 2000, "longer"),
        ("name == 'a\0'", "contains an invalid or control character"),
        (r"name == '\ud800'", "contains an invalid or control character"),
        (r"name == '\0'", "contains an invalid or control character"),
        (r"'\ud800' in tags", "contains an invalid or control character"),
        ("name == '\ud800'", "contains an invalid or control character"),
        (r"'\x1b[2J' in tags", "contains an invalid or control character"),
        ("name == “x”", "straight quotation marks"),
        ("name == 'x' AND name == 'y'", "does not know AND"),
        ("name == 'x' && 1", "does not know &&"),
        ("Cadence == 'weekly'", "did you mean cadence"),
        ("cadence == 'weekley'", "did you mean weekly"),
        ("joined > '2026-W01-1'", "is not a date"),
        ("joined > '20260101'", "is not a date"),
        ("joined > 2026-01-01", "cannot be read at character"),
        ("'' in tags", "without a name"),
        ("name == 'x'; 1", "cannot be read"),
        (r"name == '\d' or 1", "no condition"),
        ("not (" * 90 + "x" + ")" * 90, "no condition"),
        ("name == 'x' and (" * 55 + ")" * 55, "no condition"),
        ("open('/etc/passwd').read() in tags", "quotation"),
        ("[x for x in tags]", "no condition"),
    ],
)
def test_s10_what_is_no_segment_is_refused(text: str, expected: str) -> None:
    with pytest.raises(InvalidInput, match=expected):
        parse_segment(text)
