"""Test that what is fast must say the same: messages, tokens and references beside the plain way
to make them.
"""

from __future__ import annotations

import email
import email.policy
import hashlib
import hmac
import random
import re
from base64 import b32encode, urlsafe_b64encode
from functools import partial
from html import escape

import pytest
from itsdangerous import Signer

from newsletter.errors import InvalidInput
from newsletter.i18n import LANGUAGES
from newsletter.link_purposes import LinkPurpose
from newsletter.mail import header_fields, headers
from newsletter.mail.message import (
    CRLF,
    SOFT_BREAK,
    MessageDraft,
    compile_message,
    encode_quoted_printable,
)
from newsletter.mail.slots import SLOT_PATTERN, make_slot
from newsletter.tokens import RowNames, Tokens
from tests.fakes import START
from tests.naughty import NAUGHTY
from tests.unit.mail import former_header_fields as former

BOUNDARY = "=_0123456789abcdef"
SUBJECTS = [
    "Going slowly",
    "Ruhe, Übung und Geduld – wöchentlich",
    "Întâlnire săptămânală: șezătoare",
    "رسالة الأسبوع",
    "La lettre d’été : ce qui compte vraiment",
    "¿Qué tal?",
    "=?utf-8?q?x?=",
    "A " + "very " * 40 + "long one",
    " ",
    "x" * 300,
]
_AS_IT_IS = re.compile(r"[!-\-/-<>-~](?:[ -<>-~]{0,73}[!-<>-~]|[!-<>-~]{74,})?", re.ASCII)


def former_value(value: str) -> bytes:
    """Encode a value for a body as it was done before."""
    if _AS_IT_IS.fullmatch(value):
        if len(value) <= 75:
            return value.encode("ascii")
        if "." not in value[75::75]:
            data = value.encode("ascii")
            return SOFT_BREAK.join([data[start : start + 75] for start in range(0, len(data), 75)])
    return encode_quoted_printable(value)


def former_body(text: str, values: dict[str, str], *, escaped: bool) -> bytes:
    """Fill a body in as it was done before."""
    chunks = b""
    pieces = SLOT_PATTERN.split(text)
    for number, piece in enumerate(pieces):
        if number % 2:
            value = values[piece]
            chunks += former_value(escape(value) if escaped else value)
        else:
            constant = encode_quoted_printable(piece)
            if number + 1 < len(pieces) and constant and not constant.endswith(CRLF):
                constant += SOFT_BREAK
            chunks += SOFT_BREAK + constant if number and constant else constant
    return chunks


def former_message(
    fields: list[former.Header], draft: MessageDraft, values: dict[str, str]
) -> bytes:
    """Make a message as it was made before."""
    mark = BOUNDARY.encode()
    lines = [field.compile() for field in fields]
    data = b"".join([line if isinstance(line, bytes) else line(values) for line in lines])
    data += (
        b'MIME-Version: 1.0\r\nContent-Type: multipart/alternative;\r\n boundary="%b"\r\n\r\n'
        % mark
    )
    for subtype, body in ((b"plain", draft.text), (b"html", draft.html)):
        data += (
            b'--%b\r\nContent-Type: text/%b; charset="utf-8"\r\n'
            b"Content-Transfer-Encoding: quoted-printable\r\n\r\n" % (mark, subtype)
        )
        data += former_body(body, values, escaped=subtype == b"html") + CRLF
    return data + b"--%b--\r\n" % mark


def make_headers(module: object, subject: str, title: str, monkeypatch: pytest.MonkeyPatch):  # type: ignore[no-untyped-def]
    for name in (
        "make_mailbox_header",
        "make_text_header",
        "make_url_header",
        "make_verbatim_header",
        "Header",
    ):
        monkeypatch.setattr(headers, name, getattr(module, name))
    return headers.make_list_headers(
        headers.Sender("Ana Müller", "ana@example.com", "reply@example.com"),
        subject,
        title=title,
        list_id="slow.news.example.com",
        help_url="https://news.example.com/slow/",
        archive_url="https://news.example.com/slow/archive/",
        feedback_id="slow:digest:newsletter",
        unsubscribe_by_mail=True,
    )


def compile_and_build(draft: MessageDraft, values: dict[str, str]) -> bytes:
    return compile_message(draft, boundary=BOUNDARY).build(values)


def build(work):  # type: ignore[no-untyped-def]
    """Return what is made, or the name of what is raised."""
    try:
        return work()
    except (InvalidInput, UnicodeEncodeError) as error:
        return type(error).__name__


def test_messages_have_the_same_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    """500 strings as names, subjects, addresses and links, in each language's subject."""
    dice = random.Random(1)
    languages = list(LANGUAGES)
    text = f"Dear {make_slot('name')},\n\n{make_slot('unsubscribe_url')}\n.{make_slot('name')}."
    html = f'<p>{make_slot("name")}</p><a href="{make_slot("preferences_url")}">x</a>'
    result = 0
    for number, naughty in enumerate(NAUGHTY):
        naughty = naughty[:3000]
        subject = SUBJECTS[number % len(SUBJECTS)]
        draft_text = f"{languages[number % len(languages)]} {text}"
        token = "".join(dice.choices("abcXYZ019-_.", k=dice.randint(20, 120)))
        values = {
            "name": naughty,
            "email": f"r{number}@example.org"
            if number % 3
            else f"{'long' * 15}.{number}@example.org",
            "date": "Tue, 24 Nov 2026 09:00:00 +0000",
            "message_id": f"d{number}@example.com",
            "report_id": f"r{number}@example.com",
            "unsubscribe_url": f"https://news.example.com/unsubscribe/{token}",
            "unsubscribe_mail": "mailto:bounces+u.abc@example.com?subject=unsubscribe",
            "preferences_url": f"https://news.example.com/preferences/{token}",
        }
        for changed in (
            values,
            {**values, "email": naughty},
            {**values, "unsubscribe_url": naughty},
            {**values, "message_id": naughty, "preferences_url": naughty},
        ):
            title = f"Letters {naughty[:40]}" if number % 2 and "\n" not in naughty else "Slow"
            fields = make_headers(former, subject, title, monkeypatch)
            draft = MessageDraft(fields, draft_text, html)
            old = build(partial(former_message, fields, draft, changed))
            draft = MessageDraft(
                make_headers(header_fields, subject, title, monkeypatch), draft_text, html
            )
            new = build(partial(compile_and_build, draft, changed))
            assert new == old, (number, changed)
            result += isinstance(new, bytes)
    assert result > len(NAUGHTY)


def test_a_parser_reads_each_header_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """Python's own email package reads the names and subjects that were written."""
    for number, name in enumerate(
        ("Jürgen", "Ana Coach", 'Quote " here', "ليلى", "x" * 50, "O'Hara, Pat")
    ):
        subject = SUBJECTS[number]
        fields = make_headers(header_fields, subject, "Slow", monkeypatch)
        message = compile_message(MessageDraft(fields, "x", "<p>x</p>"))
        slots = ("date", "message_id", "report_id", "unsubscribe_url", "unsubscribe_mail")
        values = dict.fromkeys(slots, "x@x")
        data = message.build({**values, "name": name, "email": "reader@example.org"})
        parsed = email.message_from_bytes(data, policy=email.policy.default)
        assert parsed["Subject"] == subject
        [address] = parsed["To"].addresses
        assert (address.display_name, address.addr_spec) == (name, "reader@example.org")


@pytest.mark.parametrize("purpose", LinkPurpose)
def test_tokens_are_those_of_a_plain_signer(purpose: LinkPurpose) -> None:
    """The first 191 bits of the HMAC that itsdangerous makes with a key of the purpose's own."""
    tokens = Tokens(["the-key-of-today", "an-older-key"])
    plain = Signer(
        "the-key-of-today",
        salt=f"newsletter.{purpose.value}",
        key_derivation="hmac",
        digest_method=hashlib.sha256,
    )
    token = tokens.sign(purpose, "handle.7", START)
    payload, _, _ = token.rpartition(".")
    mac = bytearray(hmac.digest(plain.derive_key(), payload.encode(), "sha256")[:24])
    mac[23] &= 0b1101_1111
    assert token == f"{payload}.{urlsafe_b64encode(bytes(mac)).decode()}"
    assert tokens.open(purpose, token, START) == "handle.7"


def test_references_are_those_of_plain_hmacs() -> None:
    key = bytes(range(32))
    references = RowNames(key)
    mac_key, pad_key = (hmac.digest(key, name, "sha256") for name in (b"mac", b"pad"))
    for number in (0, 1, 77, 2**31, 2**48 - 1):
        plain = number.to_bytes(6, "big")
        mac = hmac.digest(mac_key, plain, "sha256")[:9]
        pad = hmac.digest(pad_key, mac, "sha256")
        sealed = bytes(left ^ right for left, right in zip(plain, pad, strict=False))
        assert references.name(number) == b32encode(mac + sealed).decode().lower()
        assert references.find(references.name(number)) == number
