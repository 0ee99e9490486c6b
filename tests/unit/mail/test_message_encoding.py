"""Bodies as quoted-printable at the lengths where lines are cut, and slots at every place."""

from __future__ import annotations

import quopri
import re

import pytest

from newsletter.mail.message import (
    Html,
    MessageDraft,
    _encode_value,
    compile_message,
    encode_quoted_printable,
)
from newsletter.mail.slots import make_slot

WHOLE = re.compile(rb"(?:[!-<>-~ \t]|=[0-9A-F]{2})*=?")
SLOT = make_slot("name")


@pytest.mark.parametrize("sign", ["é", "=", "a", "€"])
@pytest.mark.parametrize("after", range(68, 80))
def test_a_line_is_cut_at_its_full_length_and_in_no_code(sign: str, after: int) -> None:
    text = "b" * after + sign * 60
    encoded = encode_quoted_printable(text)
    lines = encoded.split(b"\r\n")
    assert all(WHOLE.fullmatch(line) for line in lines)
    assert all(74 <= len(line) <= 76 for line in lines[:-1])
    assert quopri.decodestring(encoded).decode() == text


@pytest.mark.parametrize(
    ("text", "encoded"),
    [
        ("", b""),
        ("a b", b"a b"),
        ("a\r\nb\rc\nd", b"a\r\nb\r\nc\r\nd"),
        ("a \nb\t\n \n", b"a=20\r\nb=09\r\n=20\r\n"),
        (".a\n..\nb.", b"=2Ea\r\n=2E.\r\nb."),
        ("~!=\x7f\x1f", b"~!=3D=7F=1F"),
        ("a" * 75, b"a" * 75),
        ("a" * 76, b"a" * 75 + b"=\r\na"),
        ("a" * 75 + ".b", b"a" * 75 + b"=\r\n=2Eb"),
        ("a" * 74 + " ", b"a" * 74 + b"=\r\n=20"),
        ("a" * 72 + " ", b"a" * 72 + b"=20"),
        ("a" * 75 + " b", b"a" * 75 + b"=\r\n b"),
    ],
)
def test_a_text_is_encoded_from_the_start_of_a_line(text: str, encoded: bytes) -> None:
    assert encode_quoted_printable(text) == encoded


@pytest.mark.parametrize("length", [1, 73, 74, 75, 76, 149, 150, 151, 225, 300])
def test_a_value_is_encoded_the_same_the_quick_way(length: int) -> None:
    solid = "a" * length
    values = [solid, f"{solid}.", f"{solid[1:]} ", f" {solid[1:]}", f"{solid[2:]} b", f"{solid}=b"]
    values += [f"{solid[:-1]}ü", f"{solid}\n{solid}", f"{solid[1:]}\t"]
    values += [solid[:place] + "." + solid[place + 1 :] for place in (0, 1, 74, 75, 76, 150)]
    for value in values:
        assert _encode_value(value) == encode_quoted_printable(value), value


def bodies(text: str, html: str, value: str) -> tuple[bytes, bytes]:
    """Return the two bodies as they are written."""
    compiled = compile_message(MessageDraft([], text, html), boundary="mark")
    parts = compiled.build({"name": value}).split(b"--mark")
    return tuple(part.partition(b"\r\n\r\n")[2] for part in parts[1:3])  # type: ignore[return-value]


@pytest.mark.parametrize(
    ("text", "body"),
    [
        (SLOT, b"X\r\n"),
        (f"a{SLOT}", b"a=\r\nX\r\n"),
        (f"a\n{SLOT}", b"a\r\nX\r\n"),
        (f"{SLOT}b", b"X=\r\nb\r\n"),
        (f"a{SLOT}b", b"a=\r\nX=\r\nb\r\n"),
        (f"a\n{SLOT}\nb", b"a\r\nX=\r\n\r\nb\r\n"),
        (f"a{SLOT}{SLOT}b", b"a=\r\nX=\r\nX=\r\nb\r\n"),
        (f"a{SLOT} b {SLOT}\n", b"a=\r\nX=\r\n b=20=\r\nX=\r\n\r\n\r\n"),
        ("a", b"a\r\n"),
    ],
)
def test_a_slot_stands_on_a_line_of_its_own(text: str, body: bytes) -> None:
    assert bodies(text, "", "X")[0] == body


def test_a_value_is_escaped_in_html_alone_and_only_once() -> None:
    both = f"a{SLOT}b"
    assert [body.replace(b"=\r\n", b"") for body in bodies(both, both, 'x<&"')] == [
        b'ax<&"b\r\n',
        b"ax&lt;&amp;&quot;b\r\n",
    ]
    assert [body.replace(b"=\r\n", b"") for body in bodies(both, both, Html("<i>x</i>"))] == [
        b"a<i>x</i>b\r\n",
        b"a<i>x</i>b\r\n",
    ]
    assert bodies("a", both, "<")[1].replace(b"=\r\n", b"") == b"a&lt;b\r\n"
    assert bodies(both, "a", "<")[0].replace(b"=\r\n", b"") == b"a<b\r\n"


def test_both_bodies_stand_between_their_marks() -> None:
    compiled = compile_message(MessageDraft([], "a", "<p>a</p>"), boundary="mark")
    head = b"Content-Transfer-Encoding: quoted-printable\r\n\r\n"
    assert compiled.build({}) == (
        b"MIME-Version: 1.0\r\nContent-Type: multipart/alternative;\r\n"
        b' boundary="mark"\r\n\r\n'
        b'--mark\r\nContent-Type: text/plain; charset="utf-8"\r\n' + head + b"a\r\n"
        b'--mark\r\nContent-Type: text/html; charset="utf-8"\r\n' + head + b"<p>a</p>\r\n"
        b"--mark--\r\n"
    )
    marks = {compile_message(MessageDraft([], "", "")).build({}).split(b'"')[1] for _ in range(3)}
    assert len(marks) == 3
    assert all(re.fullmatch(rb"=_[0-9a-f]{32}", mark) for mark in marks)
