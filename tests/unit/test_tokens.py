"""Signed links: one purpose each, and nothing opens what it was not made for."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.errors import LinkExpired, LinkInvalid
from newsletter.link_purposes import PATHS, LinkPurpose, LinkScope
from newsletter.outbox.references import References
from newsletter.tokens import (
    Tokens,
    make_keyed_hash,
    make_random_message_id,
    make_return_path,
    new_handle,
)

NOW = datetime(2026, 11, 24, 9, tzinfo=UTC)
OLD = "an-old-key-0123456789abcdef"
NEW = "a-new-key-0123456789abcdef"


@pytest.mark.parametrize("purpose", LinkPurpose)
def test_what_is_signed_opens(purpose: LinkPurpose) -> None:
    tokens = Tokens([NEW])
    assert tokens.open(purpose, tokens.sign(purpose, "handle.1", NOW), NOW) == "handle.1"


@pytest.mark.parametrize("purpose", LinkPurpose)
@pytest.mark.parametrize("other", LinkPurpose)
def test_t02_a_token_opens_no_other_door(purpose: LinkPurpose, other: LinkPurpose) -> None:
    tokens = Tokens([NEW])
    if purpose != other:
        with pytest.raises(LinkInvalid):
            tokens.open(other, tokens.sign(purpose, "handle", NOW), NOW)


@given(st.data())
def test_t01_a_damaged_token_opens_nothing(data: st.DataObject) -> None:
    tokens = Tokens([NEW])
    token = tokens.sign("preferences", "abcDEF_-123", NOW)
    position = data.draw(st.integers(0, len(token) - 1))
    kind = data.draw(st.sampled_from(["flip", "cut", "append", "case"]))
    match kind:
        case "flip":
            damaged = (
                token[:position] + ("A" if token[position] != "A" else "B") + token[position + 1 :]
            )
        case "cut":
            damaged = token[:position]
        case "append":
            damaged = token + data.draw(st.characters())
        case _:
            damaged = token[:position] + token[position].swapcase() + token[position + 1 :]
    if damaged == token:
        return
    with pytest.raises(LinkInvalid):
        tokens.open("preferences", damaged, NOW)


@pytest.mark.parametrize(
    "junk", ["", "a", "x" * 10_000, "\0", "a\0b.c", "ü.ü", "..", "....", "é" * 50, "a b.c", "%00"]
)
def test_t01_junk_opens_nothing(junk: str) -> None:
    with pytest.raises(LinkInvalid):
        Tokens([NEW]).open("unsubscribe", junk, NOW)


def test_the_last_character_of_a_signature_counts() -> None:
    """Base64 leaves spare bits in the last character; itsdangerous must not accept a twin."""
    tokens = Tokens([NEW])
    token = tokens.sign("unsubscribe", "handle", NOW)
    twins = [
        token[:-1] + c
        for c in "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
        if c != token[-1]
    ]
    opened = []
    for twin in twins:
        try:
            opened.append(tokens.open("unsubscribe", twin, NOW))
        except LinkInvalid:
            continue
    assert opened == []


def test_t05_expiry_with_a_little_leeway() -> None:
    tokens = Tokens([NEW])
    token = tokens.sign("confirm", "handle.1", NOW)
    assert tokens.open("confirm", token, NOW + timedelta(days=7, minutes=5))
    assert tokens.open("confirm", token, NOW - timedelta(minutes=5))
    with pytest.raises(LinkExpired) as caught:
        tokens.open("confirm", token, NOW + timedelta(days=7, minutes=11))
    assert caught.value.signed_at == NOW


def test_t06_unsubscribe_links_outlive_years_and_a_new_key() -> None:
    token = Tokens([OLD]).sign("unsubscribe", "handle", NOW)
    assert Tokens([NEW, OLD]).open("unsubscribe", token, NOW + timedelta(days=3650)) == "handle"
    with pytest.raises(LinkInvalid):
        Tokens([NEW]).open("unsubscribe", token, NOW)


def test_t07_the_new_key_signs() -> None:
    token = Tokens([NEW, OLD]).sign("unsubscribe", "handle", NOW)
    assert Tokens([NEW]).open("unsubscribe", token, NOW) == "handle"
    with pytest.raises(LinkInvalid):
        Tokens([OLD]).open("unsubscribe", token, NOW)


KEY = b"k" * 32


@given(st.integers(0, 2**48 - 1), st.binary(min_size=1))
def test_a_reference_names_one_delivery_and_is_read_back(delivery: int, other_key: bytes) -> None:
    references = References(KEY)
    message = references.message_id(delivery, "x.org")[:24]
    report = references.name_report(delivery)
    assert report == References(KEY).name_report(delivery)
    for name, find in ((message, "find_message"), (report, "find_report")):
        assert getattr(references, find)(name) == delivery
        assert getattr(references, find)(name.upper()) == delivery, "mail systems fold local parts"
        assert getattr(References(b"x" + other_key), find)(name) is None
        assert re.fullmatch("[a-z2-7]{24}", name)
    assert references.find_report(message) is None, "whoever knows the one does not know the other"
    assert references.find_message(report) is None


def test_references_of_neighbours_have_nothing_in_common() -> None:
    names = [References(KEY).name_report(number) for number in range(1000)]
    for part in (slice(8), slice(8, 16), slice(16, 24)):
        assert len({name[part] for name in names}) == 1000
    assert sorted(names) != names


@given(st.text(alphabet="abcdefghijklmnopqrstuvwxyz234567=é0", max_size=30))
def test_a_made_up_reference_names_nothing(text: str) -> None:
    assert References(KEY).find_message(text) is None
    assert References(KEY).find_report(text) is None


def test_a_message_without_a_delivery_has_an_id_of_its_own() -> None:
    first, second = (make_random_message_id("x.org") for _ in range(2))
    assert first != second
    assert References(KEY).find_message(first.partition("@")[0]) is None


@given(
    st.sampled_from(LinkPurpose),
    st.datetimes(datetime(2020, 1, 1), datetime(2100, 1, 1)),
    st.text("ab-_", max_size=9),
)
def test_no_token_ends_or_begins_with_what_mail_programs_leave_out(
    purpose: LinkPurpose, now: datetime, rest: str
) -> None:
    token = Tokens([NEW]).sign(purpose, f"{new_handle()}.{rest}", now.replace(tzinfo=UTC))
    assert re.fullmatch(r"[A-Za-z0-9].*[A-Za-z0-9]", token), token


def test_every_purpose_is_declared_once() -> None:
    """Its value is the salt of its signature: two with one value would open each other's pages."""
    assert len({purpose.value for purpose in LinkPurpose}) == len(LinkPurpose.__members__)
    for purpose in LinkPurpose:
        if purpose.scope is LinkScope.SUBSCRIBER and purpose is not LinkPurpose.ADDRESS_UNDO:
            assert purpose.lifetime is not None and purpose.lifetime <= timedelta(days=1), purpose
        assert purpose.path in PATHS or purpose is LinkPurpose.FORM


def test_a_keyed_hash_depends_on_its_key() -> None:
    assert make_keyed_hash(OLD, "a@x.org") != make_keyed_hash(NEW, "a@x.org")
    assert len(make_keyed_hash(NEW, "a@x.org")) == 64


def test_handles_do_not_repeat() -> None:
    assert len({new_handle() for _ in range(1000)}) == 1000


def test_a_return_path_names_its_message_and_is_short_enough() -> None:
    reference = References(KEY).name_report(2**40)
    result = make_return_path("bounces@news.example.com", reference)
    assert result == f"bounces+{reference}@news.example.com"
    assert len(make_return_path("b" * 24 + "@x.org", reference).partition("@")[0]) <= 64
