"""Signed links: one purpose each, and nothing opens what it was not made for."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.errors import LinkExpired, LinkInvalid
from newsletter.tokens import LIFETIMES, Purpose, Tokens, keyed_hash, message_id, new_handle, return_path

NOW = datetime(2026, 11, 24, 9, tzinfo=UTC)
OLD, NEW = "an-old-key-0123456789abcdef", "a-new-key-0123456789abcdef"


@pytest.mark.parametrize("purpose", LIFETIMES)
def test_what_is_signed_opens(purpose: Purpose) -> None:
    tokens = Tokens([NEW])
    assert tokens.open(purpose, tokens.sign(purpose, "handle.1", NOW), NOW) == "handle.1"


@pytest.mark.parametrize("purpose", LIFETIMES)
@pytest.mark.parametrize("other", LIFETIMES)
def test_t02_a_token_opens_no_other_door(purpose: Purpose, other: Purpose) -> None:
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
            damaged = token[:position] + ("A" if token[position] != "A" else "B") + token[position + 1 :]
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


@pytest.mark.parametrize("junk", ["", "a", "x" * 10_000, "\0", "a\0b.c", "ü.ü", "..", "....", "é" * 50, "a b.c", "%00"])
def test_t01_junk_opens_nothing(junk: str) -> None:
    with pytest.raises(LinkInvalid):
        Tokens([NEW]).open("unsubscribe", junk, NOW)


def test_the_last_character_of_a_signature_counts() -> None:
    """Base64 leaves spare bits in the last character; itsdangerous must not accept a twin."""
    tokens = Tokens([NEW])
    token = tokens.sign("unsubscribe", "handle", NOW)
    twins = [
        token[:-1] + c for c in "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_" if c != token[-1]
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


def test_message_ids_are_fixed_and_not_to_be_guessed() -> None:
    assert message_id("seed", 7, "x.org") == message_id("seed", 7, "x.org")
    assert message_id("seed", 7, "x.org") != message_id("tree", 7, "x.org")
    assert message_id("seed", 7, "x.org").startswith("d.7.")


def test_a_keyed_hash_depends_on_its_key() -> None:
    assert keyed_hash(OLD, "a@x.org") != keyed_hash(NEW, "a@x.org")
    assert len(keyed_hash(NEW, "a@x.org")) == 64


def test_handles_do_not_repeat() -> None:
    assert len({new_handle() for _ in range(1000)}) == 1000


def test_a_return_path_names_its_message_and_is_short_enough() -> None:
    reference = message_id("s" * 32, 2**40, "example.com").partition("@")[0]
    found = return_path("bounces@news.example.com", reference)
    assert found == f"bounces+{reference}@news.example.com"
    assert len(return_path("b" * 24 + "@x.org", reference).partition("@")[0]) <= 64
