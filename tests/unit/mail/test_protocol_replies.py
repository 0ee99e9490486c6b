"""Every class of reply to every command, and what it makes of the message."""

from __future__ import annotations

import pytest

from newsletter.mail.smtp.protocol import Conversation
from newsletter.mail.smtp.types import Outgoing
from tests.unit.mail.test_protocol import CHUNKED, GROUPED, envelope, message, results, written

GOOD = {"MAIL": b"250 ok\r\n", "RCPT": b"250 ok\r\n", "DATA": b"354 go\r\n"}
COMMANDS = ["MAIL", "RCPT", "DATA", "END"]
OFFERS = [{}, GROUPED]


def send(talk: Conversation, outgoing: Outgoing, answers: dict[str, bytes]) -> None:
    """Say a message to a server that gives these answers."""
    written(talk, talk.advance(outgoing))
    for command in COMMANDS:
        if command == "END" and talk.ready:
            written(talk, talk.advance(None))
        if talk.busy:
            written(talk, talk.hear(answers.get(command, GOOD.get(command, b"250 taken\r\n"))))


@pytest.mark.parametrize("offers", OFFERS)
@pytest.mark.parametrize("command", ["MAIL", "RCPT", "END"])
@pytest.mark.parametrize("code", [200, 201, 250, 299])
def test_any_reply_that_begins_with_2_takes(
    offers: dict[str, str], command: str, code: int
) -> None:
    talk = Conversation("x", offers)
    send(talk, message(7), {command: b"%d ok\r\n" % code})
    assert results(talk) == [(7, "accepted", "END")]
    assert not talk.over


@pytest.mark.parametrize("offers", OFFERS)
@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("code", [400, 403, 450, 499, 500, 550, 599])
def test_any_reply_that_begins_with_4_or_5_refuses_the_message_alone(
    offers: dict[str, str], command: str, code: int
) -> None:
    talk = Conversation("x", offers)
    refusal = b"%d 5.9.9 no\r\n" % code
    after = {"RCPT": b"503 x\r\n", "DATA": b"503 x\r\n"} if offers and command == "MAIL" else {}
    after |= {"DATA": b"503 x\r\n"} if offers and command == "RCPT" else {}
    send(talk, message(7), {**after, command: refusal})
    assert results(talk) == [(7, "refused", command)]
    assert talk.outcomes[0].reply == (code, "5.9.9", "no")
    assert (talk.over, talk.confused, talk.busy) == (False, False, False)
    begins_clean = command == "END"
    following = talk.advance(message(9))
    assert following.startswith(b"RSET\r\n") is not begins_clean
    if not begins_clean:
        talk.hear(b"250 reset\r\n")
    talk.hear(b"250 ok\r\n" * 2 + b"354 go\r\n") if offers else [
        talk.hear(answer) for answer in GOOD.values()
    ]
    talk.advance(None)
    talk.hear(b"250 taken\r\n")
    assert results(talk)[1:] == [(9, "accepted", "END")]


@pytest.mark.parametrize("offers", OFFERS)
@pytest.mark.parametrize(
    ("command", "code"),
    [(command, code) for command in COMMANDS for code in (300, 302, 353, 355, 399)]
    + [("MAIL", 354), ("RCPT", 354), ("END", 354), ("DATA", 200), ("DATA", 250), ("DATA", 299)],
)
def test_a_reply_out_of_turn_ends_the_conversation_at_its_command(
    offers: dict[str, str], command: str, code: int
) -> None:
    talk = Conversation("x", offers)
    send(talk, message(7), {command: b"%d what\r\n" % code})
    assert results(talk) == [(7, "in_doubt" if command == "END" else "unsent", command)]
    assert (talk.over, talk.confused) == (True, True)


def test_a_reply_out_of_turn_before_the_content_was_written_is_no_doubt() -> None:
    talk = Conversation("x", {})
    written(talk, talk.advance(message(7)))
    for answer in GOOD.values():
        written(talk, talk.hear(answer))
    talk.advance(None)
    talk.hear(b"354 go on\r\n")
    assert results(talk) == [(7, "unsent", "END")]


@pytest.mark.parametrize("code", [354, 450, 550])
def test_a_reset_that_is_not_taken_ends_the_conversation(code: int) -> None:
    talk = Conversation("x", {})
    send(talk, message(7), {"RCPT": b"550 5.1.1 no\r\n"})
    assert talk.advance(message(9)) == b"RSET\r\n"
    talk.hear(b"%d what\r\n" % code)
    assert results(talk)[1:] == [(9, "unsent", "MAIL")]
    assert talk.confused


@pytest.mark.parametrize("code", [500, 502, 504])
def test_a_server_that_does_not_know_its_own_chunks_is_asked_without(code: int) -> None:
    talk = Conversation("x", CHUNKED)
    written(talk, talk.advance(message(7)))
    written(talk, talk.advance(message(9)))
    talk.hear(b"250 ok\r\n250 ok\r\n%d what\r\n" % code)
    assert (talk.over, talk.without_chunks, talk.confused) == (True, True, False)
    assert results(talk) == [(7, "unsent", "END"), (9, "in_doubt", "END")]
    assert talk.outcomes[0].reply == (421, "", "what")
    assert str(code) in talk.why
    grouped = Conversation("x", GROUPED)
    send(grouped, message(7), {"END": b"%d what\r\n" % code})
    assert results(grouped) == [(7, "refused", "END")], "no chunk was sent"
    assert not grouped.without_chunks


@pytest.mark.parametrize("code", [501, 503, 550])
def test_another_refusal_of_a_chunk_is_of_its_message(code: int) -> None:
    talk = Conversation("x", CHUNKED)
    written(talk, talk.advance(message(7)))
    talk.hear(b"250 ok\r\n250 ok\r\n%d no\r\n" % code)
    assert results(talk) == [(7, "refused", "END")]
    assert not talk.without_chunks
    assert talk.advance(message(9)).startswith(b"RSET\r\n"), "a chunk leaves the transaction open"


def test_a_refused_content_after_a_refusal_still_begins_clean() -> None:
    """The first refusal was undone by RSET, and the second leaves nothing open."""
    talk = Conversation("x", GROUPED)
    send(talk, message(7), {"RCPT": b"550 5.1.1 no\r\n", "DATA": b"503 x\r\n"})
    assert talk.advance(message(8)) == b"RSET\r\n" + envelope(8)
    talk.hear(b"250 ok\r\n250 ok\r\n250 ok\r\n354 go\r\n")
    talk.advance(None)
    talk.hear(b"554 5.6.0 no\r\n")
    assert talk.advance(message(9)) == envelope(9)


def test_a_server_that_has_enough_connections_keeps_no_message() -> None:
    talk = Conversation("x", GROUPED)
    send(talk, message(7), {})
    refusal = b"432 4.3.2 Concurrent connections limit exceeded\r\n"
    send(talk, message(9), {"MAIL": refusal, "RCPT": b"503 x\r\n", "DATA": b"503 x\r\n"})
    assert results(talk) == [(7, "accepted", "END")]
    assert [outgoing.id for outgoing in talk.returned] == [9]
    assert talk.unwelcome is not None
    assert talk.unwelcome.code == 432
    assert (talk.room, talk.spent, talk.working) == (False, True, False)


@pytest.mark.parametrize(
    ("offers", "command", "confused"),
    [(GROUPED, "MAIL", True), (GROUPED, "END", False), ({}, "MAIL", False), (GROUPED, "", False)],
)
def test_only_a_group_that_is_not_answered_was_too_much(
    offers: dict[str, str], command: str, confused: bool
) -> None:
    """A server that is silent after a content may only be slow."""
    talk = Conversation("x", offers)
    if command:
        written(talk, talk.advance(message(7)))
    if command == "END":
        talk.hear(b"250 ok\r\n250 ok\r\n354 go\r\n")
        written(talk, talk.advance(message(9)))
    talk.give_up()
    assert talk.confused is confused
    assert (talk.over, talk.why, talk.working) == (True, "no answer in time", False)
    assert [outgoing.id for outgoing in talk.returned] == ([9] if command == "END" else [])


def test_what_has_ended_ends_once() -> None:
    talk = Conversation("x", GROUPED)
    written(talk, talk.advance(message(7)))
    talk.end("the line was cut")
    talk.end("it was cut again")
    assert talk.why == "the line was cut"
    assert results(talk) == [(7, "unsent", "MAIL")]
    assert talk.outcomes[0].reply == (0, "", "the line was cut")
    talk.hear(b"250 ok\r\n")
    assert talk.answers == 0


@pytest.mark.parametrize("before", [0, 1])
@pytest.mark.parametrize("offers", OFFERS)
@pytest.mark.parametrize("command", ["MAIL", "RCPT", "DATA"])
def test_a_cut_before_its_turn_costs_a_message_nothing_once_the_server_has_worked(
    offers: dict[str, str], command: str, before: int
) -> None:
    talk = Conversation("x", offers)
    for number in range(before):
        send(talk, message(70 + number), {})
    written(talk, talk.advance(message(9)))
    for answered in COMMANDS[: COMMANDS.index(command)]:
        written(talk, talk.hear(GOOD[answered]))
    talk.end("cut")
    had_no_turn = bool(before) and command == "MAIL"
    assert [outgoing.id for outgoing in talk.returned] == ([9] if had_no_turn else [])
    assert results(talk)[before:] == ([] if had_no_turn else [(9, "unsent", command)])


def test_commands_go_in_groups_only_where_they_may() -> None:
    single = b"MAIL FROM:<ana@example.com>\r\n"
    for talk in (
        Conversation("x", {}),
        Conversation("x", {"chunking": ""}),
        Conversation("x", CHUNKED, grouped=False),
        Conversation("x", GROUPED, grouped=False),
    ):
        assert talk.advance(message(7)) == single
    for talk in (Conversation("x", GROUPED), Conversation("x", CHUNKED, chunks=False)):
        assert talk.advance(message(7)) == envelope(7)
