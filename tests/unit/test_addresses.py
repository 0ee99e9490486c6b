"""Test what is an address, and which two are the same."""

from __future__ import annotations

from email import message_from_string, policy

import pytest
from email_validator import EmailNotValidError
from hypothesis import given
from hypothesis import strategies as st

from newsletter.addresses import (
    _validate,
    fold_address,
    mask,
    mask_addresses,
    mask_mailboxes,
    parse_address,
)
from newsletter.errors import InvalidInput
from newsletter.mail.header_fields import make_mailbox_header


@pytest.mark.parametrize(
    ("typed", "email"),
    [
        ("ana@example.com", "ana@example.com"),
        ("  Ana.B@Example.COM \t", "Ana.B@example.com"),
        ("ana+blog@example.com", "ana+blog@example.com"),
        ("user@bücher.example", "user@xn--bcher-kva.example"),
        ("user@xn--bcher-kva.example", "user@xn--bcher-kva.example"),
        ("user@bu\u0308cher.example", "user@xn--bcher-kva.example"),
        ("o'connor@example.ie", "o'connor@example.ie"),
        ("a" * 64 + "@example.com", "a" * 64 + "@example.com"),
        ("reader@blog.test", "reader@blog.test"),
        ('"hana..ko."@Docomo.example', '"hana..ko."@docomo.example'),
        ('".hana"@docomo.example', '".hana"@docomo.example'),
    ],
)
def test_s07_addresses_that_can_be_reached(typed: str, email: str) -> None:
    assert parse_address(typed).email == email


@pytest.mark.parametrize(
    "typed",
    [
        "",
        " ",
        "ana",
        "@",
        "@example.com",
        "ana@",
        "a@b@c.org",
        "ana@localhost",
        "ana@example",
        "ana@test",
        "ana@example..com",
        "ana@.example.com",
        "ana@example.com.",
        ".ana@example.com",
        "ana.@example.com",
        "a..b@example.com",
        "ana@[127.0.0.1]",
        '"ana b"@example.com',
        "ana(comment)@example.com",
        "Ana <ana@example.com>",
        "ana@exam ple.com",
        "an a@example.com",
        "ana@example.com\r\nBcc: x@example.com",
        "ana\0@example.com",
        "ana@example\0.com",
        "a\ud83d@example.com",
        "ana\u200b@example.com",
        "a" * 65 + "@example.com",
        "a@" + "b" * 250 + ".com",
        "jörg@example.com",
        "😀@example.com",
        "ana@-example.com",
        "ana@exa_mple.com",
        "ana@example.invalid",
        "ana@router.local",
        "a" * 10_000,
        '"a..b"@example..com',
        '"hana.ko"@docomo.example',
        '"a..b@example.com',
        'a..b"@example.com',
        '""@example.com',
        '"a\\"b"@example.com',
        '"' + "a." * 32 + '"@example.com',
        '"a..b"@localhost',
        "ana@example.com, bob@example.com",
        "mailto:ana@example.com",
        "ana@example.com\n",
        "\r\nana@example.com",
    ],
)
def test_s07_addresses_that_cannot(typed: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_address(typed)
    assert list(caught.value.fields) == ["email"]


@pytest.mark.parametrize("typed", [None, 5, ["ana@example.com"], {"a": 1}, True])
def test_s09_what_is_no_text_is_no_address(typed: object) -> None:
    with pytest.raises(InvalidInput):
        parse_address(typed)


def test_s08_twins_share_a_key() -> None:
    keys = {
        parse_address(typed).key
        for typed in ("User@EXAMPLE.com", "user@example.com", "USER@Example.Com")
    }
    assert keys == {"user@example.com"}
    assert parse_address("a.b@example.com").key != parse_address("ab@example.com").key


@given(st.text(max_size=80))
def test_no_text_crashes_the_parser(typed: str) -> None:
    try:
        address = parse_address(typed)
    except InvalidInput:
        return
    assert address.email.isascii()
    assert address.email.count("@") == 1


def test_a_masked_address_shows_little() -> None:
    assert mask("ana.b@example.com") == "a…@example.com"
    assert mask("nonsense") == "…"
    assert mask('"hana..ko"@docomo.example') == "h…@docomo.example"


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("550 <ana.b@example.com>: unknown", "550 <a…@example.com>: unknown"),
        ("rfc822;ana@example.com,bo@x.example", "rfc822;a…@example.com,b…@x.example"),
        ("https://x.example/?email=ana%40example.com&a=b", "https:/…@example.com&a=b"),
        ('"ana b"@example.com is full', "a…@example.com is full"),
        ("müller@bücher.example", "m…@bücher.example"),
        ("ana😀@example.com", "a…@example.com"),
        ("a…@example.com", "a…@example.com"),
        ("bounces+ana=example.com@news.example", "b…@news.example"),
        ("at 5 @ 7, @ana, root@localhost", "at 5 @ 7, @ana, root@localhost"),
    ],
)
def test_every_address_in_a_text_is_masked(text: str, masked: str) -> None:
    assert mask_addresses(text) == masked


def test_a_mailbox_is_masked_where_its_name_stands_alone() -> None:
    text = "No mailbox 'Ana.Novak' here (ana.novak+news), see Ana.Novaks page"
    named = mask_mailboxes(text, ["ana.novak+news@example.com", ""])
    assert named == "No mailbox 'a…' here (a…), see Ana.Novaks page"
    assert mask_mailboxes("I am not here", ["am@example.com"]) == "I am not here", "too short"


def test_a_quoted_local_part_is_compared_and_written_as_it_is() -> None:
    quoted = parse_address('"Hana..ko+a"@docomo.example')
    assert (
        quoted.key == '"hana..ko+a"@docomo.example' != parse_address("hana.ko@docomo.example").key
    )
    assert fold_address(quoted.key) == fold_address('"hana..ko"@docomo.example')
    for name in ("", "Hana Ko"):
        line = make_mailbox_header("To", name, quoted.email).write(name, quoted.email)
        message = message_from_string(f"To: {line}\n\n", policy=policy.SMTP)
        [mailbox] = message["To"].addresses
        assert (mailbox.display_name, mailbox.domain) == (name, "docomo.example")
        assert mailbox.username == "Hana..ko+a"


@given(
    st.from_regex(
        r"[A-Za-z0-9._+-]{1,70}@[A-Za-z0-9.-]{1,12}\.(com|test|x1|invalid|-a|xn--p1ai)",
        fullmatch=True,
    )
)
def test_s07_the_short_way_gives_the_verdict_of_the_long_one(typed: str) -> None:
    try:
        long_way = _validate(typed).ascii_email
    except EmailNotValidError:
        long_way = None
    try:
        assert parse_address(typed).email == long_way
    except InvalidInput:
        assert long_way is None or "." not in long_way.rpartition("@")[2]
