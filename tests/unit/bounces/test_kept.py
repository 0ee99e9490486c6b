"""The stored part of a report holds its words, in any encoding, and no address."""

from __future__ import annotations

import base64

from newsletter.bounces.kept import KEPT_AT_MOST, describe_report

ADDRESS = "ana.novak@example.com"


def test_encoded_parts_are_kept_as_text_without_addresses() -> None:
    encoded = base64.encodebytes(f"The mail to {ADDRESS} came back.".encode()).decode()
    data = f"""\
From: MAILER-DAEMON@x.example
X-Failed-Recipients: {ADDRESS}
Subject: =?utf-8?q?About_ana.novak=40example.com?=
Content-Type: multipart/mixed; boundary="B"

--B
Content-Transfer-Encoding: base64

{encoded}
--B
Content-Transfer-Encoding: quoted-printable

ana.no=
vak=40example.com is gone
--B
Content-Type: image/png

{ADDRESS}
--B
Content-Type: message/rfc822

To: {ADDRESS}

Dear Ana
--B--
""".encode()
    text = describe_report(data).decode()
    assert "ana.novak" not in text
    for words in (
        "X-Failed-Recipients: a…@example.com",
        "Subject: About a…@example.com",
        "The mail to a…@example.com came back.",
        "a…@example.com is gone",
        "(image/png, left out)",
        "Dear Ana",
    ):
        assert words in text


def test_whatever_the_bytes_are_there_is_a_text_of_bounded_length() -> None:
    for data in (b"", b"\0\xff" * 9_000, b"a" * 600_000, f"{ADDRESS}\n".encode() * 30_000):
        text = describe_report(data)
        assert len(text) <= KEPT_AT_MOST
        assert b"\0" not in text
        assert b"ana.novak" not in text
