"""Signatures, judged by dkimpy, which shares no line with ours."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from datetime import UTC, datetime

import dkim
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from dkim import canonicalization
from hypothesis import example, given
from hypothesis import strategies as st

from newsletter.mail.dkim.canonical import relax_body, split_fields
from newsletter.mail.dkim.keys import encode_public, load_key, make_key, write_record
from newsletter.mail.dkim.signer import (
    COVERED,
    OVERSIGNED,
    Signer,
    _fold,
    make_sign,
    sign_message,
)
from newsletter.mail.message import CompiledMessage, MessageDraft, compile_message
from newsletter.mail.slots import make_slot
from newsletter.setup_vocabulary import KeyKind
from tests.unit.mail.test_message import VALUES, check_wire, headers

NOW = datetime(2023, 5, 4, 3, 2, 1, tzinfo=UTC)
RSA = load_key(make_key(KeyKind.RSA))
ED25519 = load_key(make_key(KeyKind.ED25519))
SIGNERS = [Signer("example.com", "s1", RSA), Signer("example.com", "e1", ED25519)]
RECORDS = {
    f"{signer.selector}._domainkey.example.com.": "".join(
        re.findall('"([^"]*)"', write_record(signer.key, signer.selector, "example.com"))
    )
    for signer in SIGNERS
}


def look_up(name: bytes, timeout: int = 5) -> bytes:
    return RECORDS.get(name.decode(), "").encode()


def verifies(data: bytes, number: int = 0) -> bool:
    """Tell whether a signature of a message, counted from the top, is right."""
    try:
        return bool(dkim.DKIM(data).verify(number, dnsfunc=look_up))
    except dkim.DKIMException:
        return False


def compiled(text: str = "A letter.", html: str = "<p>A letter.") -> CompiledMessage:
    return compile_message(MessageDraft(headers(), text, html))


def signed(message: CompiledMessage, **values: str) -> bytes:
    return message.build({**VALUES, **values}, make_sign(SIGNERS, NOW))


pieces = [" ", "  ", "\t", "\n", ".", "=", "a", "é", make_slot("name")]
spaced = st.lists(st.sampled_from(pieces), max_size=40).map("".join)


@given(spaced, spaced, spaced)
@example("  a \n\t. ", f"{make_slot('name')}{make_slot('name')} b", " \n")
def test_whatever_is_written_verifies(text: str, html: str, name: str) -> None:
    name = name.replace(make_slot("name"), "").replace("\n", "")
    message = compiled(text, html)
    data = signed(message, name=name.strip(), preferences_url=name)
    check_wire(data)
    assert verifies(data, 0)
    assert verifies(data, 1)
    assert data.endswith(message.build({**VALUES, "name": name.strip()})), "nothing else changes"


def test_both_kinds_sign_and_each_on_its_own() -> None:
    data = signed(compiled())
    first, second = re.findall(rb"^DKIM-Signature:.*?(?=^\S)", data, re.M | re.S)
    assert b"a=rsa-sha256; c=relaxed/relaxed; d=example.com;" in first
    assert b"a=ed25519-sha256;" in second
    assert b"l=" not in re.sub(rb"\s(?:b|bh)=[^;]*", b"", first)
    assert len(base64.b64decode(encode_public(ED25519))) == 32
    assert verifies(data.replace(first, b""))


def test_headers_are_covered_and_oversigned() -> None:
    data = signed(compiled())
    covered = re.sub(rb"\s", b"", re.search(rb"\sh=(.*?);", data, re.S)[1]).decode().split(":")  # type: ignore[index]
    present = {name.decode() for name, _ in split_fields(data.partition(b"\r\n\r\n")[0])}
    for name in COVERED:
        expected = (name.lower() in present) + (name in OVERSIGNED)
        assert covered.count(name) == expected, name
    assert {"List-Unsubscribe", "List-Unsubscribe-Post", "Feedback-ID", "List-ID"} <= set(covered)


@pytest.mark.parametrize("name", OVERSIGNED)
def test_no_second_header_can_be_added(name: str) -> None:
    data = signed(compiled())
    assert verifies(data)
    assert not verifies(f"{name}: x\r\n".encode() + data)


@pytest.mark.parametrize(
    "change",
    [
        lambda data: data.replace(b"A letter.", b"A better", 1),
        lambda data: data.replace(b"Subject: Hello", b"Subject: Hullo"),
        lambda data: data.replace(b"One-Click", b"Two-Click"),
        lambda data: data + b"footer\r\n",
        lambda data: re.sub(rb"t=1\d+", b"t=1600000000", data),
    ],
)
def test_a_changed_message_does_not_verify(change: Callable[[bytes], bytes]) -> None:
    data = signed(compiled())
    assert change(data) != data
    assert not verifies(change(data))


@pytest.mark.parametrize(
    "change",
    [
        lambda data: data + b"\r\n\r\n",
        lambda data: data.replace(b"Subject: Hello", b"SUBJECT:   Hello "),
        lambda data: b"Received: from a by b\r\n" + data,
    ],
)
def test_what_relays_do_to_white_space_is_no_change(change: Callable[[bytes], bytes]) -> None:
    assert verifies(change(signed(compiled())))


@pytest.mark.parametrize(
    "body",
    [
        b"8-bit: \xc3\xa9 \xff\r\n",
        b".\r\n..\r\n.a\r\n",
        b"x" * 5000 + b" \t y\r\n",
        b"",
        b"\r\n\r\n",
        b"no end",
        b"a \r\n \t\r\n\r\n",
    ],
)
def test_foreign_bytes_in_a_message_made_as_a_whole(body: bytes) -> None:
    data = sign_message(
        b"From: a@example.com\r\nSubject: x\r\n\r\n" + body, make_sign(SIGNERS, NOW)
    )
    assert verifies(data, 0)
    assert verifies(data, 1)


@given(st.lists(st.sampled_from([b"a", b" ", b"\t", b"\r\n", b"."])).map(b"".join))
def test_the_relaxed_form_of_a_body_is_dkimpys(body: bytes) -> None:
    body += b"\r\n"  # as every message on the wire ends
    assert relax_body(body) == canonicalization.Relaxed.canonicalize_body(body)


def test_fields_that_occur_several_times_are_all_covered() -> None:
    header = b"From: a@example.com\r\nReferences: <1>\r\nSubject: x\r\nReferences: <2>\r\n"
    data = sign_message(header + b"\r\nbody\r\n", make_sign(SIGNERS, NOW))
    assert verifies(data)
    assert not verifies(data.replace(b"<1>", b"<3>"))
    assert not verifies(data.replace(b"<2>", b"<3>"))


@pytest.mark.parametrize(("length", "lines"), [(35, 1), (36, 2)])
def test_the_names_of_a_signature_are_folded_where_a_line_is_full(length: int, lines: int) -> None:
    names = ["a" * 35, "b" * length, "c" * 71]
    folded = _fold(names).split("\r\n  ")
    assert "".join(folded) == ":".join(names)
    assert len(folded) == lines + 1
    assert max(map(len, folded)) <= 72


def test_a_key_is_made_read_and_published() -> None:
    key = load_key(make_key(KeyKind.RSA))
    assert isinstance(key, rsa.RSAPrivateKey)
    assert (key.key_size, key.public_key().public_numbers().e) == (2048, 65537)
    record = write_record(key, "s1", "example.com")
    assert record.startswith('s1._domainkey.example.com. TXT "v=DKIM1; k=rsa; p=')
    strings = re.findall('"([^"]*)"', record)
    assert [len(string) for string in strings[:-1]] == [255]
    assert "".join(strings) == f"v=DKIM1; k=rsa; p={encode_public(key)}"


def test_a_key_of_another_kind_is_refused() -> None:
    pem = ec.generate_private_key(ec.SECP256R1()).private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
    )
    with pytest.raises(ValueError, match="neither an RSA nor an Ed25519 key"):
        load_key(pem)


def test_nothing_signs_where_there_is_no_key() -> None:
    assert make_sign([], NOW) is None
    assert compiled().build(VALUES).startswith(b"From:")


@pytest.mark.parametrize("pem", [b"", b"x", b"-----BEGIN PRIVATE KEY-----\nAA\n-----END"])
def test_what_is_no_key_is_refused(pem: bytes) -> None:
    with pytest.raises(ValueError, match="not a private key"):
        load_key(pem)
