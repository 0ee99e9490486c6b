"""Test what returned mail means: a corpus by class, targets over it, and any bytes at all."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from newsletter.bounces import BounceClass, BounceResult, read_bounce
from newsletter.bounces.mime import BYTES_AT_MOST
from tests.unit.bounces import machine, more_systems, others, plaintext, plaintext_more
from tests.unit.bounces.build import DEAD, ORIGINAL, VERP, Sample, complaint, group, plain, report

pytestmark = pytest.mark.any_database

SAMPLES = [
    *machine.SAMPLES,
    *plaintext.SAMPLES,
    *plaintext_more.SAMPLES,
    *more_systems.SAMPLES,
    *others.SAMPLES,
]


def said(results: list[BounceResult]) -> list[tuple[str, str]]:
    """List recipient and class of each result."""
    return [(result.recipient, result.bounce_class.value) for result in results]


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.name)
def test_a_message_means_what_it_says(sample: Sample) -> None:
    assert said(read_bounce(sample.data)) == sample.expected


def test_the_corpus_knows_every_class() -> None:
    assert len(SAMPLES) > 200
    assert len({sample.name for sample in SAMPLES}) == len(SAMPLES)
    assert {kind for sample in SAMPLES for _, kind in sample.expected} == {
        kind.value for kind in BounceClass
    }


def damage_case(data: bytes) -> bytes:
    """Lose the charset: bytes that are no UTF-8."""
    return data.replace(b"could not", b"k\xf6nnte not")


DAMAGES: list[Callable[[bytes], bytes]] = [
    lambda data: data.replace(b"\n", b"\r\n"),
    lambda data: data.replace(b"\n", b"\r"),
    lambda data: b"\r\n\r\n" + data,
    lambda data: data.replace(b'boundary="=_bound"', b"boundary==_bound"),
    lambda data: data.replace(b"--=_bound--", b""),
    lambda data: b"Received: from a by b; Tue, 24 Nov 2026 09:00:06 +0000\n" * 30 + data,
    damage_case,
]


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("samples", [machine.SAMPLES, plaintext.SAMPLES], ids=["machine", "plain"])
def test_damage_on_the_way_changes_no_meaning(
    samples: list[Sample], damage: Callable[[bytes], bytes]
) -> None:
    for sample in samples:
        if not sample.data.startswith(b"From ") and b"\r" not in sample.data:
            assert said(read_bounce(damage(sample.data))) == sample.expected, sample.name


@pytest.mark.parametrize("cut", [0.3, 0.5, 0.7, 0.9])
def test_a_cut_message_suppresses_nobody_else(cut: float) -> None:
    for sample in SAMPLES:
        allowed = [address for address, kind in sample.expected if kind in ("hard", "complaint")]
        for result in read_bounce(sample.data[: int(len(sample.data) * cut)]):
            if result.suppress and result.recipient:
                assert any(address.startswith(result.recipient) for address in allowed), sample.name


@pytest.mark.parametrize(
    "reason", ["xyzzy plugh", "Something went wrong", "554 transaction failed", "451 local error"]
)
def test_what_mail_systems_write_around_a_reason_is_none(reason: str) -> None:
    notices = [
        plaintext.QMAIL.format(reason=reason),
        plaintext.EXIM.format(reason=reason),
        machine.POSTFIX.format(reason=reason),
    ]
    for notice in [*notices, *AROUND]:
        text = notice.replace("REASON", reason)
        assert said(read_bounce(plain(text, subject="Undelivered Mail Returned to Sender"))) == [
            (DEAD, "soft")
        ], notice
        for status in ("5.0.0", "5.3.0", ""):
            assert said(read_bounce(report(group(DEAD, status, reason), notice=text))) == [
                (DEAD, "soft")
            ], notice


AROUND = [
    """   ----- The following addresses had permanent fatal errors -----
<ann@example.org>
    (reason: REASON)

   ----- Transcript of session follows -----
... while talking to mx.example.org.:
>>> RCPT To:<ann@example.org>
<<< REASON
""",
    """Delivery has failed to these recipients or groups:

ann@example.org
REASON

Diagnostic information for administrators:
Generating server: example.org
""",
    """The attached message had PERMANENT fatal delivery errors!

After one or more unsuccessful delivery attempts the attached message has
been removed from the mail queue on this server.

  ann@example.org
     REASON
""",
    """Your message did not reach some or all of the intended recipients.

The following recipient(s) could not be reached:

      ann@example.org on 11/24/2026 9:01 AM
            REASON
""",
    """Ihre Nachricht konnte nicht zugestellt werden an:

ann@example.org:
REASON
""",
]


def test_what_the_returned_message_says_decides_nothing() -> None:
    shouting = ORIGINAL + (
        "\n550 5.1.1 user unknown\nmailbox full, blocked using zen.spamhaus.org\n"
        "The user does not exist.\n"
    )
    soft = report(group(DEAD, "4.4.1", "connection timed out"), original=shouting)
    assert said(read_bounce(soft)) == [(DEAD, "soft")]
    words = (
        "<ann@example.org>:\nRemote host said: 552 5.2.2 Mailbox full\n\n"
        "--- Below this line is a copy of the message.\n\n"
    )
    assert said(read_bounce(plain(words + shouting))) == [(DEAD, "soft")]


def test_a_report_yields_what_can_prove_it() -> None:
    data = report(
        group(DEAD, "5.1.1", "550 User unknown"),
        about="Original-Envelope-Id: env-77\nReporting-MTA: dns; mx.example.org\n",
    )
    evidence = read_bounce(data)[0].evidence
    assert evidence.sent_to == (VERP,)
    assert evidence.envelope_ids == ("env-77",)
    assert evidence.message_ids == ("h4ndle0f0urs@example.com",)
    assert evidence.unsubscribe == ("<https://news.example.com/u/t0ken0f0urs>",)


def test_plain_text_and_complaints_yield_proofs_too() -> None:
    words = (
        f"<{DEAD}>:\nno such user\n\n--- Below this line is a copy of the message.\n\n{ORIGINAL}"
    )
    for data in (plain(words), complaint()):
        evidence = read_bounce(data)[0].evidence
        assert "h4ndle0f0urs@example.com" in evidence.message_ids
        assert "<https://news.example.com/u/t0ken0f0urs>" in evidence.unsubscribe


def test_text_of_strangers_stays_one_short_harmless_line() -> None:
    nasty = (
        "550 5.1.1 user unknown \x1b[31m\u202e<script>alert(1)</script>'; DROP TABLE "
        "subscribers; --" + "x" * 9_000
    )
    [result] = read_bounce(report(group(DEAD, "5.1.1", nasty)))
    assert len(result.reason) <= 300
    assert not any(ord(letter) < 32 or letter == "\u202e" for letter in result.reason)


@settings(
    max_examples=400,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(st.binary(max_size=4_000))
def test_no_bytes_break_the_reader(data: bytes) -> None:
    assert not any(result.suppress for result in read_bounce(data))


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.sampled_from(SAMPLES),
    st.lists(st.tuples(st.floats(0, 1), st.binary(max_size=12)), min_size=1, max_size=8),
)
def test_no_damage_breaks_the_reader(sample: Sample, edits: list[tuple[float, bytes]]) -> None:
    data = bytearray(sample.data[:20_000])
    for place, piece in edits:
        at = int(place * len(data))
        data[at : at + len(piece)] = piece[::-1]
    for result in read_bounce(bytes(data)):
        assert isinstance(result.bounce_class, BounceClass)


DEEP = b"".join(
    b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n" % (level, level)
    for level in range(20_000)
)
HOSTILE = {
    "deep": DEEP,
    "nested messages": b"Content-Type: message/rfc822\n\n" * 20_000,
    "many parts": b"Content-Type: multipart/mixed; boundary=b\n\n"
    + b"--b\nContent-Type: text/plain\n\nx\n" * 20_000,
    "long line": b"Subject: " + b"x" * 3_000_000,
    "one header": b"To: " + b"a@example.org, " * 100_000,
    "folded": b"To:" + b"\n a@example.org," * 100_000,
    "angles": b"From: mailer-daemon@x.example\nSubject: undeliverable\nContent-Type: text/html\n\n"
    + b"<" * 900_000,
    "at signs": b"From: mailer-daemon@x.example\nSubject: undeliverable\n\n" + b"a@" * 400_000,
    "dots": b"From: mailer-daemon@x.example\nSubject: undeliverable\n\n" + b"a@" + b"b." * 400_000,
    "locals": b"From: mailer-daemon@x.example\nSubject: undeliverable\n\n" + b"a" * 900_000,
    "lines": b"From: mailer-daemon@x.example\nSubject: undeliverable\n\n" + b"\n" * 900_000,
    "spaces": b"From: mailer-daemon@x.example\nSubject: undeliverable\n\n" + b" " * 900_000,
    "encoded words": b"Subject: " + b"=?utf-8?q?=41?= " * 60_000,
    "encoded base64": b"Subject: =?utf-8?b?" + b"QUFB" * 100_000,
    "fields": b"Content-Type: message/delivery-status\n\n"
    + b"Final-Recipient: rfc822; a@example.org\n\n" * 20_000,
    "unsubscribe": b"From: mailer-daemon@x.example\nSubject: undeliverable\n\n"
    + b"List-Unsubscribe:\n " * 50_000,
    "punycode": b"Content-Type: text/plain; charset=punycode\n\n" + b"a-" * 200_000,
    "parameters": b"Content-Type: multipart/mixed" + b"; a*0=b" * 60_000,
    "dashes": b"From: mailer-daemon@x.example\nSubject: undeliverable\n\n" + b"-" * 900_000,
    "quoted printable": b"Content-Transfer-Encoding: quoted-printable\n\n" + b"=" * 900_000,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_messages_cost_bounded_time(name: str) -> None:
    """Four times the message takes about as long: only the beginning is looked at."""
    data = HOSTILE[name]
    whole = data * (4 * BYTES_AT_MOST // len(data) + 1)
    small = measure(whole[:BYTES_AT_MOST])
    assert measure(whole[: 4 * BYTES_AT_MOST]) < 4 * small + 0.5
    assert small < 5


def measure(data: bytes) -> float:
    """Measure the processor time one message takes."""
    begun = time.process_time()
    read_bounce(data)
    return time.process_time() - begun
