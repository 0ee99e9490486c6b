"""A letter's file and the fields of a form: one is the other, whatever is typed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.authoring.letter_fields import (
    EMPTY,
    LetterFields,
    clean_body,
    place_in_body,
    read_fields,
    write_fields,
)
from newsletter.authoring.letter_file import parse_letter
from newsletter.errors import InvalidInput
from newsletter.html.text import to_plain_line

LINES = st.text(max_size=60).map(to_plain_line)
FILE = "---\n# by hand\nsubject: 'Going: slowly'\nlist: blog\n---\n\n\nDear {{ name }},\n\nwords.\n"


@given(LINES, LINES, LINES, st.text(max_size=300).map(clean_body))
def test_what_is_written_is_read_again(
    subject: str, preheader: str, segment: str, body: str
) -> None:
    fields = LetterFields(subject=subject, preheader=preheader, segment=segment, body=body)
    try:
        text = write_fields(EMPTY, fields)
    except InvalidInput:
        return  # too many brackets for a front matter
    assert read_fields(text) == fields
    assert write_fields(text, fields) == text


def test_front_matter_that_says_the_same_stays_as_it_is() -> None:
    fields = read_fields(FILE)
    assert fields == LetterFields(subject="Going: slowly", body="Dear {{ name }},\n\nwords.\n")
    assert write_fields(FILE, fields) == FILE
    changed = write_fields(FILE, LetterFields(subject="Other", body="New"))
    assert (parse_letter(changed).subject, parse_letter(changed).slug) == ("Other", "blog")


def test_lines_are_counted_from_the_top_of_the_text() -> None:
    assert place_in_body("letter: line 8: no such thing", FILE) == "letter: line 1: no such thing"
    assert place_in_body("line 10: words", FILE) == "line 3: words"
    assert place_in_body("subject: line 3: wrong", FILE) == "subject: wrong"


@pytest.mark.parametrize(
    "fields",
    [
        LetterFields(subject="x" * 1001),
        LetterFields(body="x" * 300_001),
        LetterFields(segment="[" * 300),
    ],
)
def test_what_fits_in_no_file_is_refused(fields: LetterFields) -> None:
    with pytest.raises(InvalidInput):
        write_fields(EMPTY, fields)
