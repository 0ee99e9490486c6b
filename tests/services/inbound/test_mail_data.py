"""The text of a mail behind DATA: dots, ends in any place, and only its beginning kept."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.services.inbound.mail_data import MailData


def feed(data: MailData, stream: bytes, size: int) -> bytes | None:
    for start in range(0, len(stream), size):
        rest = data.feed(stream[start : start + size])
        if rest is not None:
            return rest + stream[start + size :]
    return None


@given(
    st.lists(st.sampled_from([b"a", b".", b"..", b"\r", b"\n", b"\r\n", b".\r", b"\r\n."])),
    st.integers(1, 9),
)
def test_a_mail_in_any_pieces_is_what_was_sent(pieces: list[bytes], size: int) -> None:
    """Dot-stuffing as a client does it, and the next command right behind the end."""
    mail = b"".join(pieces) + b"\r\n"
    stuffed = (b"\r\n" + mail).replace(b"\r\n.", b"\r\n..")[2:]
    data = MailData(1_000)
    assert feed(data, stuffed + b".\r\nQUIT\r\n", size) == b"QUIT\r\n"
    assert data.content() == mail
    assert data.size == len(stuffed)


def test_only_the_beginning_is_kept() -> None:
    data = MailData(10)
    assert feed(data, b"x" * 1_000 + b"\r\n.\r\n", 7) == b""
    assert data.content().startswith(b"x" * 10)
    assert len(data.content()) < 20
    assert data.size == 1_002


@pytest.mark.parametrize("odd", [b"a\n.\nb\r\n", b"a\r.\rb\r\n", b"a\n.\r\nb\r\n"])
def test_only_a_dot_between_whole_line_ends_ends_a_mail(odd: bytes) -> None:
    """Otherwise a part of a mail could pass for another one (SMTP smuggling)."""
    data = MailData(100)
    assert data.feed(odd) is None
    assert data.feed(b".\r\n") == b""


def test_an_empty_mail_ends_at_once() -> None:
    data = MailData(100)
    assert data.feed(b".\r\n") == b""
    assert data.content() == b""
    assert data.size == 0
