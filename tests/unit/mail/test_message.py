"""Messages on the wire: judged on raw bytes, and read back by a parser that is not ours."""

from __future__ import annotations

import email
import email.policy
import re
from email.message import EmailMessage
from html import escape

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from newsletter.errors import InvalidInput
from newsletter.html.text import to_plain_line
from newsletter.mail.header_fields import make_mailbox_header, make_text_header, make_url_header
from newsletter.mail.headers import Sender, make_list_headers, make_single_headers
from newsletter.mail.message import MessageDraft, compile_message, encode_quoted_printable
from newsletter.mail.slots import fill, make_slot

LONG_URL = "https://news.example.com/unsubscribe/" + "a1B2-_" * 30
VALUES = {
    "name": "Jürgen",
    "email": "jurgen@example.com",
    "date": "Tue, 24 Nov 2026 09:00:00 +0000",
    "message_id": "d.1.abc@example.com",
    "report_id": "r.1.abc@example.com",
    "unsubscribe_url": LONG_URL,
    "preferences_url": "https://news.example.com/preferences/x",
}
SENDER = Sender("Ana Coach", "ana@example.com", "reply@example.com")


def headers(subject: str = "Hello", title: str = "Slow Letters", sender: Sender = SENDER):  # type: ignore[no-untyped-def]
    return make_list_headers(
        sender,
        subject,
        title=title,
        list_id="slow.news.example.com",
        help_url="https://news.example.com/slow/",
        archive_url="https://news.example.com/slow/archive/",
        feedback_id="slow:digest:newsletter",
    )


def check_wire(data: bytes) -> None:
    """Check what every message must be: CRLF only, 7-bit, short lines, no line starting with a
    dot.
    """
    assert data.isascii()
    assert data.endswith(b"\r\n")
    assert b"\0" not in data
    assert not re.search(rb"(?<!\r)\n|\r(?!\n)", data)
    for line in data.split(b"\r\n"):
        assert len(line) <= 998
        assert not line.startswith(b".")
    _, _, body = data.partition(b"\r\n\r\n")
    assert all(len(line) <= 76 for line in body.split(b"\r\n"))


def body_of(part: EmailMessage) -> str:
    return str(part.get_content()).replace("\r\n", "\n").rstrip("\n")


texts = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\ue000\ue001\0\r"), max_size=300
)
names = texts.map(lambda text: to_plain_line(text, limit=200))


@settings(max_examples=60, deadline=None)
@given(texts, texts, names, names, names)
def test_any_message_reads_back_as_it_was_meant(
    text: str, html: str, name: str, subject: str, title: str
) -> None:
    """M01, M03, M05, M10, P12."""
    text = f"Dear {make_slot('name')}\n{text}{make_slot('unsubscribe_url')}{text}\n.\n"
    html = f'<p>{html}{make_slot("name")}<a href="{make_slot("unsubscribe_url")}">{html}'
    values = {**VALUES, "name": name}
    data = compile_message(MessageDraft(headers(subject, title), text, html)).build(values)
    check_wire(data)
    message = email.message_from_bytes(data, policy=email.policy.default)
    plain_part, html_part = message.iter_parts()
    assert body_of(plain_part) == fill(text, values).rstrip("\n")
    escaped = {key: escape(value) for key, value in values.items()}
    assert body_of(html_part) == fill(html, escaped).rstrip("\n")
    assert str(message["Subject"]) == subject
    [to] = message["To"].addresses
    assert to.addr_spec == VALUES["email"]
    # Python's parser puts a space between two encoded-words of a name; RFC 2047 §6.2 has none.
    assert to.display_name.replace(" ", "") == name.replace(" ", "")
    assert sorted(set(message.keys())) == sorted(message.keys())
    assert len(message.keys()) == 19


def test_m02_a_long_unsubscribe_link_arrives_as_it_is() -> None:
    data = compile_message(MessageDraft(headers(), "x", "x")).build(VALUES)
    assert b"List-Unsubscribe: <" + LONG_URL.encode() + b">\r\n" in data
    assert b"List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n" in data
    assert data.count(b"List-Unsubscribe:") == 1


def test_the_headers_of_the_contract_are_all_there() -> None:
    data = compile_message(MessageDraft(headers(), "x", "x")).build(VALUES)
    result = email.message_from_bytes(data, policy=email.policy.default)
    for name in (
        "From",
        "To",
        "Subject",
        "Date",
        "Message-ID",
        "MIME-Version",
        "Reply-To",
        "List-ID",
        "List-Unsubscribe",
        "List-Unsubscribe-Post",
        "List-Help",
        "List-Archive",
        "Feedback-ID",
        "CFBL-Feedback-ID",
        "Precedence",
        "Auto-Submitted",
        "Content-Type",
    ):
        assert len(result.get_all(name)) == 1, name
    assert result["List-ID"] == "Slow Letters <slow.news.example.com>"
    assert result.get_content_type() == "multipart/alternative"
    assert [part.get_content_type() for part in result.iter_parts()] == ["text/plain", "text/html"]


def test_a_message_names_the_slots_of_its_headers_and_bodies() -> None:
    texts = [f"Dear {make_slot('name')}", f"<p>{make_slot('why_url')}</p>"]
    slots = compile_message(MessageDraft(headers(), *texts)).slots
    assert slots >= {"name", "why_url", "email", "date", "message_id", "unsubscribe_url"}
    assert "preferences_url" not in slots


def test_h19_a_confirmation_says_nothing_of_lists() -> None:
    data = compile_message(
        MessageDraft(make_single_headers(SENDER, "Please confirm"), "x", "x")
    ).build({**VALUES, "name": ""})
    assert b"List-" not in data
    assert b"Auto-Submitted: auto-generated\r\n" in data
    assert b"To: jurgen@example.com\r\n" in data


@pytest.mark.parametrize("bad", ["a\r\nBcc: x@example.com", "a\nb", "a\0b"])
def test_m01_a_line_break_never_reaches_a_header(bad: str) -> None:
    with pytest.raises(InvalidInput):
        compile_message(MessageDraft([make_text_header("Subject", bad)], "", ""))
    compiled = compile_message(
        MessageDraft([make_mailbox_header("To", make_slot("name"), make_slot("email"))], "", "")
    )
    with pytest.raises(InvalidInput):
        compiled.build({**VALUES, "name": bad})
    with pytest.raises(InvalidInput):
        compiled.build({**VALUES, "email": bad})


def test_m01_an_encoded_word_that_decodes_to_a_line_break_stays_text() -> None:
    name = "=?utf-8?q?a=0D=0ABcc:_x=40example.com?="
    data = compile_message(MessageDraft(headers(name), "", "")).build({**VALUES, "name": name})
    assert b"Bcc:" not in data
    assert email.message_from_bytes(data, policy=email.policy.default)["Subject"] == name


def test_m04_an_address_beyond_ascii_is_refused() -> None:
    with pytest.raises(InvalidInput):
        compile_message(
            MessageDraft([make_mailbox_header("To", "Jörg", "jörg@example.com")], "", "")
        )


@pytest.mark.parametrize(
    "bad",
    ["https://x.org/a b", "https://x.org/<b>", "https://x.org/ü", "https://x.org/" + "a" * 900],
)
def test_an_address_that_no_list_header_can_carry_is_refused(bad: str) -> None:
    with pytest.raises(InvalidInput):
        compile_message(MessageDraft([make_url_header("List-Help", bad)], "", ""))


def test_m05_encoded_words_are_short_and_lines_folded() -> None:
    data = compile_message(
        MessageDraft([make_text_header("Subject", "Größe " * 40)], "", "")
    ).build({})
    for word in re.findall(rb"=\?[^ ]*\?=", data):
        assert len(word) <= 75
    assert all(len(line) <= 76 for line in data.split(b"\r\n"))


@given(st.binary(max_size=400).map(lambda raw: raw.decode("latin-1")))
def test_quoted_printable_keeps_every_line_short(text: str) -> None:
    encoded = encode_quoted_printable(text)
    for line in encoded.split(b"\r\n"):
        assert len(line) <= 76
        assert not line.startswith(b".")
        assert not line.endswith((b" ", b"\t"))


def test_m06_a_lone_surrogate_stops_nothing() -> None:
    data = compile_message(MessageDraft([], "a\ud83db", "c\ud83dd")).build({})
    check_wire(data)


def test_p12_smuggling_bytes_stay_inside() -> None:
    evil = "x\n.\nMAIL FROM:<a@b.c>\r.\r\n.\r\ny"
    data = compile_message(MessageDraft(headers(), evil, evil)).build(VALUES)
    check_wire(data)
    assert b"\r\n.\r\n" not in data


@pytest.mark.parametrize("length", [40, 59, 60, 75, 200, 900, 1200])
def test_m_no_header_line_is_longer_than_it_may_be(length: int) -> None:
    """RFC 5322 section 2.1.1: 998 characters at most, however long a word is; about 78 where it can
    be.
    """
    for text in ("x" * length, f"a {'y' * length} b", " ".join(["z" * length] * 3)):
        data = compile_message(MessageDraft(headers(text, text), "t", "<p>t</p>")).build(VALUES)
        head = data.partition(b"\r\n\r\n")[0]
        lines = [
            line
            for line in head.split(b"\r\n")
            if b"xx" in line or b"yy" in line or b"zz" in line or b"=?" in line
        ]
        assert lines
        assert max(map(len, lines)) <= 100
        assert str(email.message_from_bytes(data, policy=email.policy.default)["Subject"]) == text
