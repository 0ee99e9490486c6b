"""Letters as files are: every encoding and every mistake, read right or refused in one line that
says where.
"""

from __future__ import annotations

import codecs
import os
import time
from pathlib import Path

import pytest

from newsletter.authoring.front_matter import decode_text
from newsletter.authoring.letter_file import Letter, parse_letter, replace_lines
from newsletter.errors import NewsletterError
from newsletter.services.letters.letter_files import read_letter

TEXT = "---\nsubject: Über Pausen\npreheader: x\n---\n\nHello.\n"


def read(data: bytes, folder: Path) -> Letter:
    (folder / "letter.md").write_bytes(data)
    return read_letter(folder / "letter.md")


@pytest.mark.parametrize(
    "data",
    [
        TEXT.encode(),
        TEXT.encode("utf-8-sig"),
        TEXT.encode("utf-16"),
        codecs.BOM_UTF16_BE + TEXT.encode("utf-16-be"),
        TEXT.replace("\n", "\r\n").encode(),
        TEXT.replace("\n", "\r").encode(),
        TEXT.replace("---\n", "--- \t\n").encode(),
        TEXT.replace("\n", "\r\n").encode("utf-16"),
    ],
    ids=["utf-8", "bom", "utf-16", "utf-16-be", "crlf", "cr", "blanks", "notepad"],
)
def test_every_editor_s_file_is_the_same_letter(data: bytes, tmp_path: Path) -> None:
    letter = read(data, tmp_path)
    plain = parse_letter(TEXT)
    assert (letter.subject, letter.markdown, letter.line, letter.digest, letter.text) == (
        "Über Pausen",
        plain.markdown,
        5,
        plain.digest,
        plain.text,
    )


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", "is empty"),
        (b" \n\n", "is empty"),
        (b"Hello\n", "line 1: begin the file with ---"),
        (b"---\nsubject: x\nHello\n", "no end"),
        (TEXT.encode("cp1252"), "line 2 is not UTF-8 text (0xDC"),
        (TEXT.encode("utf-16-le"), "line 1 contains a control character"),
        (TEXT.encode("utf-32"), "contains a control character"),
        (b"\x89PNG\r\n\x1a\n\0\0", "line 3 contains a control character"),
        (codecs.BOM_UTF16_LE + b"a", "line 1 is not UTF-8 text"),
        (TEXT.encode() + b"\n\0", "line 8 contains a control character"),
        (b"x" * 2_000_000, "too long"),
        (TEXT.encode() + b"x" * 400_000, "too long"),
        (b"---\nsubject: x\n---\n\n", "nothing below"),
        (b"---\npreheader: x\n---\nHello\n", "subject: the letter has none"),
        (b"---\n---\nHello\n", "subject: the letter has none"),
        (b"---\nsubject:\n---\nHello\n", "subject: the letter has none"),
        (b"---\nsubject: ~\n---\nHello\n", "subject: the letter has none"),
        (
            b"---\nsubject: a\npreheader: b\nsubject: c\n---\nHello\n",
            "line 4: subject stands here a second time",
        ),
        (
            b"---\nsubject: a\npreheadr: b\n---\nHello\n",
            "line 3: preheadr is unknown; did you mean preheader?",
        ),
        (b"---\n1: a\n---\nHello\n", "line 2: 1 is unknown"),
        (b"---\nsubject: [a, b]\n---\nHello\n", "line 2: subject is one line of text"),
        (b"---\nsubject: {{ a }}\n---\nHello\n", "line 2: subject is one line of text"),
        (
            b"---\nsubject: a\npreheader:\n- b\n---\nHello\n",
            "line 4: preheader is one line of text",
        ),
        (b"---\n- a\n---\nHello\n", "line 2: write lines"),
        (b"---\n? [a]\n: b\n---\nHello\n", "line 2: write lines"),
        (b"---\njust words\n---\nHello\n", "line 2: write lines"),
        (
            b"---\nsubject: On: pauses\n---\nHello\n",
            "line 2: cannot be read; put the whole value into quotation marks",
        ),
        (
            b'---\nsubject: a\nsegment: "x" in tags\n---\nHello\n',
            "line 3: cannot be read; put the whole",
        ),
        (b"---\nsubject: *a*\n---\nHello\n", "line 2: cannot be read; put"),
        (b"---\n\tsubject: a\n---\nHello\n", "line 2: a tab stands"),
        (b"---\nsubject: a\n\x07\n---\nHello\n", "line 3: contains an invalid"),
        (b"---\nsubject: 'a\n---\nHello\n", "line "),
        (b"---\na: &a [x]\nb: &b [*a, *a]\n---\nHello\n", "line 2: & and *"),
        (b"---\nsubject: &a b\npreheader: *a\n---\nHello\n", "line 2: & and *"),
        (b"---\nsubject: " + b"[" * 4900 + b"\n---\nHello\n", "cannot be read"),
        (
            b"---\nsubject: !!python/object/apply:os.system [x]\n---\nHello\n",
            "line 2: subject is one line",
        ),
        (b"---\n" + b"x: y\n" * 1500 + b"---\nHello\n", "longer than 5000"),
        (b"---\nsubject: " + b"x" * 1001 + b"\n---\nHello\n", "subject: has 1001 characters"),
        (b"---\nsubject: a\nsubject_b: b\nshare: many\n---\nHello\n", "1 to 100 percent"),
        (b"---\nsubject: a\nsubject_b: b\nshare: 0\n---\nHello\n", "1 to 100 percent"),
        (b"---\nsubject: a\nsegment: cadenze == 'daily'\n---\nHello\n", "did you mean cadence"),
    ],
)
def test_m07_what_is_wrong_with_a_file_is_said_in_one_line(
    data: bytes, expected: str, tmp_path: Path
) -> None:
    began = time.monotonic()
    with pytest.raises(NewsletterError) as refused:
        read(data, tmp_path)
    assert expected in str(refused.value), str(refused.value)
    assert "\n" not in str(refused.value)
    assert time.monotonic() - began < 2


def test_values_are_texts_whatever_yaml_makes_of_them() -> None:
    for written in ("2026-11-25", "yes", "007", "1e3", "0x10", "12:30:45", "no", "1_000"):
        assert parse_letter(f"---\nsubject: {written}\n---\nHello\n").subject == written
    letter = parse_letter(
        '---\nsubject: "a: b"\npreheader: >\n  long\n  words\n# noted\nshare: 30%\n'
        "subject_b: c\n---\nHello\n---\nx\n"
    )
    assert (letter.subject, letter.preheader, letter.share, letter.line) == (
        "a: b",
        "long words",
        30,
        10,
    )
    assert letter.markdown == "Hello\n---\nx\n"
    again = parse_letter(replace_lines(letter.text, {"subject": "yes", "preheader": ""}))
    assert (again.subject, again.preheader, again.subject_b, again.markdown) == (
        "yes",
        "",
        "c",
        letter.markdown,
    )


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    for file in (tmp_path, fifo, Path("/dev/zero")):
        with pytest.raises(NewsletterError, match="is not a file"):
            read_letter(file)
    with pytest.raises(NewsletterError, match="there is no file"):
        read_letter(tmp_path / "no.md")
    with pytest.raises(NewsletterError):
        read_letter(tmp_path / ("x" * 300))


def test_bytes_are_read_once() -> None:
    assert decode_text(b"\xef\xbb\xbfa\r\nb\rc") == "a\nb\nc"
