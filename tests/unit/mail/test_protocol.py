"""Test what is said to a server and when, octet by octet: no socket, no clock."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.mail.smtp.commands import encode_xtext
from newsletter.mail.smtp.protocol import MESSAGES_A_CONNECTION, Conversation
from newsletter.mail.smtp.types import Outgoing

GROUPED = {"pipelining": ""}
CHUNKED = {"pipelining": "", "chunking": ""}
DATA = b"Subject: x\r\n\r\nHello\r\n"


def message(number: int, recipient: str = "", data: bytes = DATA) -> Outgoing:
    return Outgoing(
        number, "ana@example.com", recipient or f"r{number}@example.com", data, f"d.{number}.ab="
    )


def envelope(number: int) -> bytes:
    return b"MAIL FROM:<ana@example.com>\r\nRCPT TO:<r%d@example.com>\r\nDATA\r\n" % number


def written(talk: Conversation, data: bytes) -> bytes:
    """All of it reached the socket."""
    talk.flushed = talk.written
    return data


def results(talk: Conversation) -> list[tuple[int, str, str]]:
    return [(outcome.id, outcome.result, outcome.stage) for outcome in talk.outcomes]


def test_content_and_the_next_envelope_go_together() -> None:
    talk = Conversation("x", GROUPED)
    assert talk.advance(message(1)) == envelope(1)
    assert not talk.room
    assert talk.hear(b"250 ok\r\n250 ok\r\n") == b""
    assert not talk.ready
    talk.hear(b"354 go\r\n")
    assert talk.ready
    assert talk.room
    assert talk.advance(message(2)) == DATA + b".\r\n" + envelope(2)
    talk.hear(b"250 2.0.0 taken\r\n250 ok\r\n250 ok\r\n354 go\r\n")
    assert results(talk) == [(1, "accepted", "END")]
    assert talk.outcomes[0].reply == (250, "2.0.0", "taken")
    assert talk.advance(None) == DATA + b".\r\n"
    talk.hear(b"250 taken\r\n")
    assert [outcome.id for outcome in talk.outcomes] == [1, 2]
    assert not talk.busy


def test_an_answer_is_due_while_something_was_asked_and_the_conversation_goes_on() -> None:
    talk = Conversation("x", GROUPED)
    assert not talk.busy
    talk.advance(message(1))
    assert talk.busy
    talk.hear(b"250 ok\r\n250 ok\r\n")
    assert talk.busy, "the reply to DATA"
    talk.hear(b"354 go\r\n")
    assert not talk.busy, "the server waits for the content"
    written(talk, talk.advance(None))
    assert talk.busy
    talk.end("the line was cut")
    assert not talk.busy, "nobody answers any more"


def test_without_pipelining_one_command_at_a_time() -> None:
    talk = Conversation("x", {})
    assert talk.advance(message(1)) == b"MAIL FROM:<ana@example.com>\r\n"
    assert talk.hear(b"250 ok\r\n") == b"RCPT TO:<r1@example.com>\r\n"
    assert talk.hear(b"550 5.1.1 no\r\n") == b""
    assert results(talk) == [(1, "refused", "RCPT")]
    assert talk.advance(message(2)) == b"RSET\r\n"
    assert talk.hear(b"250 ok\r\n") == b"MAIL FROM:<ana@example.com>\r\n"
    assert talk.hear(b"250 ok\r\n") == b"RCPT TO:<r2@example.com>\r\n"
    assert talk.hear(b"250 ok\r\n") == b"DATA\r\n"
    talk.hear(b"354 go\r\n")
    assert not talk.room, "the next one waits for the answer to this one's dot"
    assert talk.advance(None) == DATA + b".\r\n"


@pytest.mark.parametrize(
    "answers", [b"250 ok\r\n550 no\r\n554 none\r\n", b"450 no\r\n503 x\r\n503 x\r\n"]
)
def test_p05_after_a_refusal_the_next_begins_clean(answers: bytes) -> None:
    talk = Conversation("x", GROUPED)
    talk.advance(message(1))
    talk.hear(answers)
    assert [result for _, result, _ in results(talk)] == ["refused"]
    assert talk.advance(message(2)) == b"RSET\r\n" + envelope(2)
    talk.hear(b"250 ok\r\n250 ok\r\n250 ok\r\n354 go\r\n")
    assert talk.ready


def test_a_server_that_wants_a_content_for_nobody_gets_an_empty_one() -> None:
    """RFC 2920 §3.1: 354 although the only recipient was refused."""
    talk = Conversation("x", GROUPED)
    talk.advance(message(1))
    assert talk.hear(b"250 ok\r\n550 5.1.1 no\r\n354 go\r\n") == b".\r\n"
    talk.hear(b"554 no recipients\r\n")
    assert results(talk) == [(1, "refused", "RCPT")]
    assert talk.advance(message(2)).startswith(b"RSET\r\nMAIL")


def test_a_server_that_forgets_it_refused_the_sender_is_left() -> None:
    talk = Conversation("x", GROUPED)
    talk.advance(message(1))
    assert talk.hear(b"550 no\r\n250 ok\r\n354 go\r\n") == b""
    assert talk.over
    assert results(talk) == [(1, "unsent", "DATA")]


def test_a_refused_content_needs_no_reset_and_stops_nobody() -> None:
    talk = Conversation("x", GROUPED)
    talk.advance(message(1))
    talk.hear(b"250 ok\r\n250 ok\r\n354 go\r\n")
    written(talk, talk.advance(message(2)))
    talk.hear(b"554 5.6.0 no\r\n250 ok\r\n250 ok\r\n354 go\r\n")
    assert results(talk) == [(1, "refused", "END")]
    assert talk.advance(message(3)) == DATA + b".\r\n" + envelope(3)


def test_p08_what_was_written_whole_is_in_doubt_and_the_next_had_not_its_turn() -> None:
    talk = Conversation("x", GROUPED)
    talk.advance(message(1))
    talk.hear(b"250 ok\r\n250 ok\r\n354 go\r\n")
    written(talk, talk.advance(message(2)))
    talk.end("gone")
    assert results(talk) == [(1, "in_doubt", "END")]
    assert [outgoing.id for outgoing in talk.returned] == [2]


def test_p07_what_was_written_in_part_is_not_in_doubt() -> None:
    talk = Conversation("x", GROUPED)
    written(talk, talk.advance(message(1)))
    talk.hear(b"250 ok\r\n250 ok\r\n354 go\r\n")
    talk.advance(message(2))
    talk.flushed += len(DATA) + 2
    talk.end("gone")
    assert results(talk) == [(1, "unsent", "END")]


def test_p02_421_after_some_messages_costs_nobody_anything() -> None:
    talk = Conversation("x", GROUPED)
    talk.advance(message(1))
    talk.hear(b"250 ok\r\n250 ok\r\n354 go\r\n")
    written(talk, talk.advance(message(2)))
    talk.hear(b"250 taken\r\n421 4.3.2 enough\r\n")
    assert results(talk) == [(1, "accepted", "END")]
    assert [outgoing.id for outgoing in talk.returned] == [2]
    assert talk.over


def test_421_to_a_content_is_no_doubt() -> None:
    talk = Conversation("x", GROUPED)
    talk.advance(message(1))
    talk.hear(b"250 ok\r\n250 ok\r\n354 go\r\n")
    written(talk, talk.advance(None))
    talk.hear(b"421 4.3.2 no\r\n")
    assert [(outcome.result, outcome.reply.code) for outcome in talk.outcomes] == [("unsent", 421)]


@pytest.mark.parametrize("answer", [b"354 go\r\n", b"garbage\r\n", b"199 x\r\n", b"600 x\r\n"])
def test_p09_nonsense_after_a_content_leaves_it_in_doubt(answer: bytes) -> None:
    talk = Conversation("x", GROUPED)
    talk.advance(message(1))
    talk.hear(b"250 ok\r\n250 ok\r\n354 go\r\n")
    written(talk, talk.advance(None))
    talk.hear(answer)
    assert results(talk) == [(1, "in_doubt", "END")]
    assert talk.confused


def test_p09_lines_without_end_are_cut_off_even_if_they_say_nothing() -> None:
    talk = Conversation("x", GROUPED)
    begun = time.process_time()
    talk.advance(message(1))
    for _ in range(400):
        talk.hear(b"250-\r\n" * 1_000)
    assert talk.over
    assert results(talk) == [(1, "unsent", "MAIL")]
    assert time.process_time() - begun < 5


def test_p09_an_answer_that_nobody_asked_for_ends_it() -> None:
    talk = Conversation("x", GROUPED)
    talk.advance(message(1))
    talk.hear(b"250 ok\r\n250 ok\r\n354 go\r\n250 more\r\n")
    assert talk.over
    assert results(talk) == [(1, "unsent", "MAIL")]


def test_p09_an_answer_without_an_end_is_given_up() -> None:
    for endless in (b"250-a\r\n" * 20_000, b"2" * 10_000):
        talk = Conversation("x", GROUPED)
        talk.advance(message(1))
        talk.hear(endless)
        assert talk.over
        assert results(talk) == [(1, "unsent", "MAIL")]


def test_chunking_sends_a_transaction_at_once_and_two_ahead() -> None:
    talk = Conversation("x", CHUNKED)
    head = b"MAIL FROM:<ana@example.com>\r\nRCPT TO:<r%d@example.com>\r\n"
    bdat = b"BDAT %d LAST\r\n" % len(DATA) + DATA
    assert talk.advance(message(1)) == head % 1 + bdat
    assert talk.room
    assert talk.advance(message(2)) == b"RSET\r\n" + head % 2 + bdat, "it may follow a refusal"
    assert not talk.room
    assert talk.exposed == 2
    talk.hear(
        b"250 ok\r\n550 5.1.1 no\r\n503 no recipients\r\n250 reset\r\n250 ok\r\n250 ok\r\n"
        b"250 taken\r\n"
    )
    assert results(talk) == [(1, "refused", "RCPT"), (2, "accepted", "END")]


def test_chunking_that_is_offered_and_not_understood_is_not_used_again() -> None:
    talk = Conversation("x", CHUNKED)
    written(talk, talk.advance(message(1)))
    talk.hear(b"250 ok\r\n250 ok\r\n502 what?\r\n")
    assert talk.without_chunks
    assert results(talk) == [(1, "unsent", "END")]
    assert Conversation("x", CHUNKED, chunks=False).advance(message(1)) == envelope(1)


def test_size_and_letters_beyond_ascii_are_judged_before_anything_is_said() -> None:
    talk = Conversation("x", {**GROUPED, "size": "10"})
    assert talk.advance(message(1)) == b""
    assert talk.outcomes[0].reply[:2] == (552, "5.3.4")
    talk = Conversation("x", {**GROUPED, "size": "0"})
    assert f"SIZE={len(DATA)}".encode() in talk.advance(message(1))
    talk = Conversation("x", GROUPED)
    assert talk.advance(message(1, "jörg@example.com")) == b""
    assert talk.outcomes[0].reply[:2] == (553, "5.6.7")
    talk = Conversation("x", {**GROUPED, "smtputf8": ""})
    assert talk.advance(message(1, "jörg@example.com")).startswith(
        (
            "MAIL FROM:<ana@example.com> BODY=8BITMIME SMTPUTF8\r\nRCPT TO:<jörg@example.com>\r\n"
        ).encode()
    )


@pytest.mark.parametrize("address", ["a@b>\r\nRCPT TO:<x@y", "a b@c.d", "<a@b.c>", "a\0@b.c", ""])
def test_m01_an_address_cannot_smuggle_a_command(address: str) -> None:
    talk = Conversation("x", GROUPED)
    assert talk.advance(Outgoing(1, "ana@example.com", address, DATA)) == b""
    assert talk.outcomes[0].result == "refused"


def test_reports_of_delivery_are_asked_for_where_they_are_offered() -> None:
    """RFC 3461."""
    talk = Conversation("x", {**GROUPED, "dsn": ""})
    result = talk.advance(message(1, "a+b=c@example.com"))
    assert b"MAIL FROM:<ana@example.com> RET=HDRS ENVID=d.1.ab+3D\r\n" in result
    assert b"NOTIFY=FAILURE,DELAY ORCPT=rfc822;a+2Bb+3Dc@example.com\r\n" in result
    assert encode_xtext("a b") == "a+20b"


def test_a_connection_is_left_after_so_many_messages() -> None:
    talk = Conversation("x", {})
    for number in range(MESSAGES_A_CONNECTION):
        assert talk.room
        talk.advance(message(number))
        for answer in (b"250 ok\r\n", b"250 ok\r\n", b"354 go\r\n"):
            talk.hear(answer)
        written(talk, talk.advance(None))
        talk.hear(b"250 taken\r\n")
    assert not talk.room
    assert talk.spent
    assert talk.quit() == b"QUIT\r\n"
    talk.hear(b"221 bye\r\n")
    assert talk.over


def test_no_answer_in_time_to_a_group_makes_the_next_conversation_slower() -> None:
    talk = Conversation("x", GROUPED)
    written(talk, talk.advance(message(1)))
    talk.give_up()
    assert talk.confused
    assert results(talk) == [(1, "unsent", "MAIL")]
    assert (
        Conversation("x", GROUPED, grouped=False).advance(message(1))
        == b"MAIL FROM:<ana@example.com>\r\n"
    )


ANSWERS = st.sampled_from(
    [
        b"250 ok\r\n",
        b"354 go\r\n",
        b"550 5.1.1 no\r\n",
        b"451 later\r\n",
        b"421 bye\r\n",
        b"250-a\r\n250 b\r\n",
        b"503 what\r\n",
        b"nonsense\r\n",
        b"25",
        b"220 hi\n",
        b"\xff\r\n",
    ]
)


@given(st.sampled_from([{}, GROUPED, CHUNKED]), st.lists(ANSWERS, max_size=40), st.booleans())
def test_whatever_a_server_says_each_message_comes_back_once(
    offers: dict[str, str], answers: list[bytes], flushed: bool
) -> None:
    talk = Conversation("x", offers)
    given_ = []
    number = 0
    for answer in [*answers, b""]:
        while talk.room or talk.ready:
            following = None
            if talk.room:
                number += 1
                following = message(number)
                given_.append(number)
            talk.advance(following)
            talk.flushed = talk.written if flushed else 0
        talk.hear(answer)
    talk.end("gone")
    back = [outcome.id for outcome in talk.outcomes] + [outgoing.id for outgoing in talk.returned]
    assert sorted(back) == given_
    assert flushed or not any(outcome.result == "in_doubt" for outcome in talk.outcomes)


def test_a_conversation_that_ran_well_blames_nobody() -> None:
    talk = Conversation("x", GROUPED)
    assert not talk.exposes
    assert talk.exposed == 0
    talk.advance(message(1))
    talk.hear(b"250 ok\r\n250 ok\r\n354 go\r\n")
    assert talk.exposes, "the next octets are a content"
    talk.advance(None)
    assert (talk.exposes, talk.exposed) == (False, 1)
    talk.hear(b"250 taken\r\n")
    assert talk.exposed == 0
    assert talk.quit() == b"QUIT\r\n"
    talk.hear(b"221 bye\r\n")
    assert talk.over
    assert (talk.confused, talk.without_chunks, talk.turned_away) == (False, False, False)
    assert (talk.why, talk.unwelcome, talk.returned) == ("", None, [])
    assert talk.answers == 5
    assert Conversation("x", CHUNKED).exposes, "whatever it says first is a whole message"


@pytest.mark.parametrize("offers", [GROUPED, CHUNKED, {}])
@pytest.mark.parametrize(("missing", "result"), [(0, "in_doubt"), (1, "unsent")])
def test_p08_only_what_was_written_to_the_last_octet_is_in_doubt(
    offers: dict[str, str], missing: int, result: str
) -> None:
    """The octets that the socket took are counted, as its connection does."""
    talk = Conversation("x", offers)
    talk.flushed += len(talk.advance(message(1)))
    if "chunking" not in offers:
        for answer in (b"250 ok\r\n", b"250 ok\r\n", b"354 go\r\n"):
            talk.flushed += len(talk.hear(answer))
        assert talk.ready
    octets = talk.advance(None)
    talk.flushed += len(octets) - missing
    talk.end("cut off")
    assert [outcome.result for outcome in talk.outcomes] == [result]
    assert talk.outcomes[0].reply == (0, "", "cut off")


def test_a_connection_is_spent_once_its_last_message_has_its_outcome() -> None:
    talk = Conversation("x", {})
    assert not talk.spent
    for number in range(1, MESSAGES_A_CONNECTION + 1):
        talk.advance(message(number))
        assert not talk.spent
        for answer in (b"250 ok\r\n", b"250 ok\r\n", b"354 go\r\n"):
            talk.hear(answer)
        assert not talk.spent
        talk.advance(None)
        talk.hear(b"250 taken\r\n")
        assert talk.spent == (number == MESSAGES_A_CONNECTION) == (not talk.room)
    talk.quit()
    assert not talk.spent, "it ends already"
    talk.hear(b"221 bye\r\n")
    assert not talk.spent, "it has ended"


@pytest.mark.parametrize("messages", [0, 1])
def test_421_turns_away_only_who_has_had_no_message_taken(messages: int) -> None:
    talk = Conversation("x", {})
    for number in range(messages):
        talk.advance(message(number))
        for answer in (b"250 ok\r\n", b"250 ok\r\n", b"354 go\r\n"):
            talk.hear(answer)
        talk.advance(None)
        talk.hear(b"250 taken\r\n")
    talk.advance(message(7))
    talk.hear(b"421 4.7.0 too many\r\n")
    assert talk.turned_away is (messages == 0)
    assert talk.why == "4.7.0 too many"
