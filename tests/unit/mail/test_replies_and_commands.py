"""Octets of a server into replies, and envelopes into commands, at the bounds of both."""

from __future__ import annotations

import pytest

from newsletter.mail.smtp.commands import CommandWriter, Expected, is_writable, read_size_limit
from newsletter.mail.smtp.reply_parser import (
    LINE_AT_MOST,
    REPLY_AT_MOST,
    ProtocolError,
    ReplyParser,
    parse_reply,
    to_one_line,
)
from newsletter.mail.smtp.types import Outgoing, Result, Stage


def hear(*pieces: bytes) -> list[tuple[int, bytes]]:
    """Return the whole replies in what the server sent."""
    parser = ReplyParser()
    replies = []
    for piece in pieces:
        parser.feed(piece)
        while (reply := parser.next()) is not None:
            replies.append(reply)
    return replies


def test_replies_come_in_whatever_pieces() -> None:
    assert hear(b"250 ok\r\n") == [(250, b"ok")]
    assert hear(b"25", b"0 ok\r", b"\n354 go\r\n2") == [(250, b"ok"), (354, b"go")]
    assert hear(b"250\r\n") == [(250, b"")]
    assert hear(b"250 ok\n") == [(250, b"ok")]
    assert hear(b"250-a\r\n250-b\r\n", b"250 c\r\n") == [(250, b"a\nb\nc")]
    assert hear(b"250-a\r\n250\r\n250 d\r\n") == [(250, b"a\n"), (250, b"d")]


@pytest.mark.parametrize("line", [b"200 a", b"599 a", b"200-a\r\n200 b"])
def test_codes_from_200_to_599_are_replies(line: bytes) -> None:
    assert len(hear(line + b"\r\n")) == 1


@pytest.mark.parametrize("line", [b"199 a", b"600 a", b"25 a", b"abc d", b"250_a", b"", b"2500"])
def test_anything_else_is_none(line: bytes) -> None:
    with pytest.raises(ProtocolError, match="no SMTP"):
        hear(line + b"\r\n")


def test_a_line_may_be_long_and_has_an_end() -> None:
    assert hear(b"2" * LINE_AT_MOST) == []
    with pytest.raises(ProtocolError, match="without an end"):
        hear(b"2" * (LINE_AT_MOST + 1))


def test_a_reply_has_an_end() -> None:
    """A line counts with its CRLF. The one that ends the reply may be beyond the bound."""
    line = b"250-" + b"x" * 58 + b"\r\n"
    assert len(line) == 64
    lines = REPLY_AT_MOST // 64
    assert len(hear(line * lines, b"250 end\r\n")) == 1
    with pytest.raises(ProtocolError, match="without an end"):
        hear(line * (lines + 1))
    assert len(hear(line * lines + b"250 end\r\n" + line * lines + b"250 end\r\n")) == 2


def test_an_enhanced_status_is_told_from_the_words() -> None:
    assert parse_reply(550, b"5.1.1 no such user") == (550, "5.1.1", "no such user")
    assert parse_reply(250, b"2.0.0") == (250, "2.0.0", "")
    assert parse_reply(550, b"3.1.1 odd") == (550, "", "3.1.1 odd")
    assert parse_reply(550, b"no 5.1.1") == (550, "", "no 5.1.1")


def test_words_are_one_line_of_500_visible_characters() -> None:
    assert to_one_line(b" a\r\n\tb \x1b[31m c\xff ") == "a b [31m c\ufffd"
    assert to_one_line("a\u202eb\u200bc") == "a b c"
    assert to_one_line(b"a\x1b[31mb") == "a [31mb"
    assert len(to_one_line(b"x" * 501)) == 500
    assert to_one_line(b"\n" * 1_999 + b"xyz") == "x"


@pytest.mark.parametrize(
    ("size", "limit"),
    [
        ("1000", 1000),
        ("", 0),
        ("0", 0),
        ("1e3", 0),
        ("-1", 0),
        ("9" * 20, int("9" * 20)),
        ("9" * 21, 0),
    ],
)
def test_the_limit_that_a_server_names(size: str, limit: int) -> None:
    assert read_size_limit({"size": size}) == limit
    assert read_size_limit({}) == 0


def message(recipient: str = "r@example.com", size: int = 10, envelope_id: str = "d.1") -> Outgoing:
    return Outgoing(7, "a@example.com", recipient, b"x" * size, envelope_id)


def commands(offers: dict[str, str], outgoing: Outgoing, *, chunks: bool = False) -> list[bytes]:
    return [line for _, line in CommandWriter(offers, chunks=chunks).write(outgoing)]


def test_extensions_are_used_where_they_are_offered() -> None:
    plain = [b"MAIL FROM:<a@example.com>\r\n", b"RCPT TO:<r@example.com>\r\n", b"DATA\r\n"]
    assert commands({}, message()) == plain
    assert commands({"size": ""}, message())[0] == b"MAIL FROM:<a@example.com> SIZE=10\r\n"
    assert commands({"dsn": ""}, message(envelope_id="")) == plain
    assert b" RET=HDRS ENVID=d.1\r\n" in commands({"dsn": ""}, message())[0]
    assert b"ORCPT=rfc822;r@example.com\r\n" in commands({"dsn": ""}, message())[1]
    wide = commands({"dsn": "", "smtputf8": ""}, message("ü@example.com"))
    assert wide[0] == b"MAIL FROM:<a@example.com> BODY=8BITMIME SMTPUTF8\r\n"
    assert b"NOTIFY" not in wide[1]
    assert commands({"chunking": ""}, message(), chunks=True)[2] == b"BDAT 10 LAST\r\n" + b"x" * 10
    stages = [stage for stage, _ in CommandWriter({}, chunks=False).write(message())]
    assert stages == [Expected.MAIL, Expected.RCPT, Expected.DATA]


def test_what_a_server_need_not_be_offered() -> None:
    writer = CommandWriter({"size": "10"}, chunks=False)
    assert writer.find_impossible(message(size=10), "mx") is None
    large = writer.find_impossible(message(size=1_011), "mx")
    assert large is not None
    assert (large.result, large.stage, large.reply.code) == (Result.UNSENT, Stage.SIZE, 552)
    assert "1,011 octets, and the server takes 10 at most" in large.reply.text
    no_limit = CommandWriter({"size": "0"}, chunks=False)
    assert no_limit.find_impossible(message(size=10_000), "mx") is None
    wide = message("ü@example.com")
    refused = no_limit.find_impossible(wide, "mx")
    assert refused is not None
    assert (refused.result, refused.stage) == (Result.REFUSED, Stage.RCPT)
    assert refused.reply[:2] == (553, "5.6.7")
    assert CommandWriter({"smtputf8": ""}, chunks=False).find_impossible(wide, "mx") is None
    odd = no_limit.find_impossible(message("a b@example.com"), "mx")
    assert odd is not None
    assert odd.reply[:2] == (553, "5.1.3")


def test_an_address_that_a_command_cannot_carry() -> None:
    assert is_writable("a@b.example")
    assert not any(map(is_writable, ("", "a b@c", "a<@c", "a>@c", "a\x7f@c", "a\udc80@c")))
