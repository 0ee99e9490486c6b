"""Header fields at the lengths where they change: folded, quoted, encoded or refused."""

from __future__ import annotations

from email.header import decode_header, make_header

import pytest

from newsletter.errors import InvalidInput
from newsletter.mail.header_fields import (
    Header,
    make_mailbox_header,
    make_text_header,
    make_url_header,
    make_verbatim_header,
)
from newsletter.mail.slots import make_slot


def line(header: Header, **values: str) -> str:
    """Return the whole line; where there are slots, both ways of writing must agree."""
    compiled = header.compile()
    if isinstance(compiled, bytes):
        return compiled.decode()
    return compiled(values).decode()


@pytest.mark.parametrize("length", [30, 42, 43, 44, 45, 60])
def test_an_address_is_folded_where_the_line_would_be_too_long(length: int) -> None:
    """The same with a slot, where the quick way must know the same bound."""
    name = "Ann Example Of Some Length"
    address = "a" * (length - len("@example.com")) + "@example.com"
    constant = line(make_mailbox_header("To", name, address))
    slots = make_mailbox_header("To", make_slot("name"), make_slot("email"))
    assert line(slots, name=name, email=address) == constant
    whole = f"To: {name} <{address}>"
    assert ("\r\n <" in constant) == (len(whole) > 76)
    assert constant.replace("\r\n <", " <") == whole + "\r\n"


def test_a_name_is_quoted_encoded_or_plain() -> None:
    def name(display: str) -> str:
        constant = line(make_mailbox_header("To", display, "a@b.example"))
        slots = make_mailbox_header("To", make_slot("name"), make_slot("email"))
        assert line(slots, name=display, email="a@b.example") == constant
        return constant.removeprefix("To: ")

    assert name("") == "a@b.example\r\n"
    assert name("Ann-Lee O'Hara") == "Ann-Lee O'Hara <a@b.example>\r\n"
    assert name("Ann, Lee") == '"Ann, Lee" <a@b.example>\r\n'
    assert name('A "B" \\ C') == '"A \\"B\\" \\\\ C" <a@b.example>\r\n'
    assert name(" Ann") == '" Ann" <a@b.example>\r\n'
    assert name("Jürgen").startswith("=?utf-8?")
    assert name("=?utf-8?q?x?=").startswith("=?utf-8?")
    assert name("a" * 60).startswith("a" * 60)
    assert name("a" * 61).startswith("=?utf-8?")
    assert name("Ann, Lee " * 7 + "x").startswith("=?utf-8?"), "a comma is not left bare"


@pytest.mark.parametrize("address", ["", "a b@c.example", "ann", "ü@c.example", "a@c\x7f"])
def test_an_address_that_ascii_cannot_hold_is_refused(address: str) -> None:
    with pytest.raises(InvalidInput):
        line(make_mailbox_header("To", "", address))


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("Hello there", True),
        ("a" * 59, True),
        ("a" * 60, False),
        (" Hello", False),
        ("Hello ", False),
        ("=?x", False),
        ("Grüße", False),
        ("a\tb", False),
    ],
)
def test_a_text_is_encoded_only_where_it_must_be(text: str, plain: bool) -> None:
    written = line(make_text_header("Subject", text))
    assert (written == f"Subject: {text}\r\n") is plain
    assert ("=?utf-8?" in written) is not plain
    assert line(make_text_header("Subject", make_slot("text")), text=text) == written
    value = written.removeprefix("Subject: ").removesuffix("\r\n")
    assert str(make_header(decode_header(value))) == text
    assert all(len(part) <= 76 for part in written.splitlines())


@pytest.mark.parametrize("word", ["a", "aa", "aaa", "aaaa", "ü", "aü"])
def test_a_long_text_is_folded_into_lines_of_76(word: str) -> None:
    text = " ".join([word] * 120)
    written = line(make_text_header("Subject", text))
    parts = written.split("\r\n")
    assert len(parts) > 3
    assert all(len(part) <= 76 for part in parts)
    value = written.removeprefix("Subject: ").replace("\r\n", "")
    assert str(make_header(decode_header(value))) == text


def test_a_link_has_900_characters_at_most_and_no_bracket() -> None:
    longest = "https://x.example/" + "a" * 882
    assert len(longest) == 900
    header = make_url_header("List-Unsubscribe", make_slot("one"), make_slot("other"))
    expected = f"List-Unsubscribe: <{longest}>,\r\n <mailto:x@y.example>\r\n"
    assert line(header, one=longest, other="mailto:x@y.example") == expected
    assert line(make_url_header("List-Unsubscribe", longest, "mailto:x@y.example")) == expected
    for wrong in (longest + "a", "https://x/<", "https://x/>", "https://x/ y", "https://x/ü", ""):
        with pytest.raises(InvalidInput):
            line(header, one=wrong, other="mailto:x@y.example")
        with pytest.raises(InvalidInput):
            line(make_url_header("List-Help", wrong))
        with pytest.raises(InvalidInput):
            line(make_url_header("List-Help", make_slot("one")), one=wrong)


@pytest.mark.parametrize("value", ["ü", "a\nb", "a\rb", "a\0b", "a\tb"])
def test_what_is_written_as_it_is_must_be_plain(value: str) -> None:
    with pytest.raises(InvalidInput):
        line(make_verbatim_header("X-Id", value))
    with pytest.raises(InvalidInput):
        line(make_verbatim_header("X-Id", make_slot("id")), id=value)
    assert line(make_verbatim_header("X-Id", make_slot("id")), id="a b") == "X-Id: a b\r\n"


def test_a_slot_may_stand_among_other_text() -> None:
    two = make_verbatim_header("X-Id", f"<{make_slot('id')}>")
    assert line(two, id="7") == "X-Id: <7>\r\n"
    three = make_verbatim_header("X-Id", f"a{make_slot('id')}b{make_slot('other')}c")
    assert line(three, id="1", other="2") == "X-Id: a1b2c\r\n"


@pytest.mark.parametrize("name", ["", "To:", "X Id", "Xü", "X\n"])
def test_a_name_of_a_field_is_one(name: str) -> None:
    with pytest.raises(InvalidInput):
        make_verbatim_header(name, "x").compile()
