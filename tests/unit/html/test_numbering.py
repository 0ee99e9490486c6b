"""Items of lists are numbered as browsers number them."""

from __future__ import annotations

import pytest

from newsletter.html.numbering import write_number
from newsletter.html.to_text import html_to_text


@pytest.mark.parametrize(
    ("number", "style", "written"),
    [
        (3, "", "3"),
        (3, "1", "3"),
        (1, "a", "a"),
        (26, "a", "z"),
        (27, "A", "AA"),
        (702, "a", "zz"),
        (703, "a", "aaa"),
        (4, "i", "iv"),
        (1994, "I", "MCMXCIV"),
        (0, "a", "0"),
        (0, "i", "0"),
        (4000, "i", "4000"),
    ],
)
def test_numbers_in_each_style(number: int, style: str, written: str) -> None:
    assert write_number(number, style) == written


def test_a_list_counts_down_to_one_and_another_from_its_start() -> None:
    html = (
        "<ol reversed><li>c<ol type=a><li>x</ol><li>b<li>a</ol>"
        "<ol reversed start=9><li>nine</ol><ol><li value=4>four<li>five</ol>"
    )
    assert html_to_text(html).split("\n") == [
        "3. c",
        "  a. x",
        "2. b",
        "1. a",
        "",
        "9. nine",
        "",
        "4. four",
        "5. five",
    ]
