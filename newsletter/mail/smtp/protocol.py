"""Implement SMTP on an open connection: decide which octets to send, read the replies. Pure.

Where PIPELINING is offered, a message's content goes together with the next one's envelope (RFC
2920 section 3.1): one round trip a message. Where CHUNKING is offered too, a whole transaction goes
at once (BDAT, RFC 3030). Otherwise one command at a time. Every reply is read, a refused
transaction is RSET before the next, and whatever the server does, each message given to `advance`
comes back, in exactly one outcome or because it had not had its turn.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass

from newsletter.mail.smtp.classify import Cause, judge
from newsletter.mail.smtp.commands import STAGES, CommandWriter, Expected
from newsletter.mail.smtp.reply_parser import ProtocolError, ReplyParser, parse_reply, to_one_line
from newsletter.mail.smtp.types import Outcome, Outgoing, Reply, Result, Stage

MESSAGES_A_CONNECTION = 100
"""Messages after which a connection is closed: many servers refuse more on one."""

_NO_CHUNKS = (500, 502, 504)
_ENVELOPE = (Expected.MAIL, Expected.RCPT)


@dataclass(slots=True)
class _Flight:
    """A message whose transaction is in progress.

    `dot_at`: the total count of octets written once its content was; None before.
    """

    outgoing: Outgoing
    refusal: tuple[Stage, Reply] | None = None
    dot_at: int | None = None


class Conversation:
    """The state of an SMTP conversation.

    `written` and `flushed` count octets: handed out in all, and taken by the socket (the caller
    adds to it); `answers` counts whole replies.

    `outcomes` collects outcomes for the caller to take. Once `over`, nothing more can be said:
    `why` holds the reason for people, `returned` the messages that had not had their turn (they are
    for another connection), and `turned_away` tells that it was ended with 421 before a message was
    taken. `unwelcome` holds the reply of a server that takes no more connections: it is given no
    further message, and the one it answered so is returned.
    """

    def __init__(
        self, server: str, offers: Mapping[str, str], *, grouped: bool = True, chunks: bool = True
    ) -> None:
        self.server = server
        self._grouped = grouped and "pipelining" in offers
        self._chunks = chunks and self._grouped and "chunking" in offers
        self._writer = CommandWriter(offers, chunks=self._chunks)
        self._flights: deque[_Flight] = deque()
        self._expected: deque[tuple[Expected, _Flight | None]] = deque()
        self._steps: deque[tuple[Expected, bytes]] = deque()
        self._ready: _Flight | None = None
        self._clean = True
        self._begun = 0
        self._answers = ReplyParser()
        self.written = 0
        self.flushed = 0
        self.outcomes: list[Outcome] = []
        self.returned: list[Outgoing] = []
        self._accepted = False
        self.answers = 0
        self.over = False
        self.why = ""
        self.confused = False
        self.without_chunks = False
        self.turned_away = False
        self.unwelcome: Reply | None = None

    @property
    def ready(self) -> bool:
        """Tell whether the server waits for the content of a message."""
        return self._ready is not None

    @property
    def room(self) -> bool:
        """Tell whether another message may be given to `advance` now."""
        if self.over or self.unwelcome or self._begun >= MESSAGES_A_CONNECTION:
            return False
        if self._chunks:
            return len(self._flights) < 2
        return not self._flights or (
            self._grouped and self._ready is not None and len(self._flights) == 1
        )

    @property
    def exposes(self) -> bool:
        """Tell whether the next `advance` would let the server accept a message."""
        return self._chunks or self._ready is not None

    @property
    def exposed(self) -> int:
        """Return the number of messages that may have been accepted without a reply so far."""
        return sum([flight.dot_at is not None for flight in self._flights])

    @property
    def busy(self) -> bool:
        """Tell whether a reply is awaited."""
        return bool(self._expected) and not self.over

    @property
    def working(self) -> bool:
        """Tell whether a message has no outcome yet."""
        return bool(self._flights)

    @property
    def spent(self) -> bool:
        """Tell whether the connection has sent all it may, and every message has its outcome."""
        done = self._begun >= MESSAGES_A_CONNECTION or self.unwelcome is not None
        return done and not (self._flights or self._expected or self.over)

    def advance(self, following: Outgoing | None) -> bytes:
        """Return the octets to write now.

        These are the content that the server waits for, if it does, and the beginning of
        `following` (allowed while there is `room`).
        """
        pieces: list[bytes] = []
        if (flight := self._ready) is not None:
            self._ready = None
            pieces += (flight.outgoing.data, b".\r\n")
            self._expected.append((Expected.END, flight))
            flight.dot_at = self.written + len(flight.outgoing.data) + 3
        if following is not None:
            pieces += self._begin(following)
        return self._out(pieces)

    def quit(self) -> bytes:
        """Return the octets that end the conversation; no message may be in flight."""
        self._expected.append((Expected.QUIT, None))
        return self._out([b"QUIT\r\n"])

    def _out(self, pieces: list[bytes]) -> bytes:
        data = b"".join(pieces)
        self.written += len(data)
        return data

    def _begin(self, outgoing: Outgoing) -> list[bytes]:
        self._begun += 1
        if impossible := self._writer.find_impossible(outgoing, self.server):
            self.outcomes.append(impossible)
            return []
        flight = _Flight(outgoing)
        commands = self._writer.write(outgoing)
        # A transaction behind another that may yet be refused begins with RSET, to start clean.
        if not self._clean or (self._chunks and self._flights):
            commands.insert(0, (Expected.RSET, b"RSET\r\n"))
        self._clean = True
        self._flights.append(flight)
        if self._chunks:
            flight.dot_at = self.written + sum(len(line) for _, line in commands)
        if self._grouped:
            self._expected += [(stage, flight) for stage, _ in commands]
            return [line for _, line in commands]
        self._steps = deque(commands)
        return self._step(flight)

    def _step(self, flight: _Flight) -> list[bytes]:
        stage, line = self._steps.popleft()
        self._expected.append((stage, flight))
        return [line]

    def hear(self, data: bytes) -> bytes:
        """Process octets from the server. Return the octets to write at once, if any."""
        self._answers.feed(data)
        next_answer = self._answers.next
        expected = self._expected
        pieces: list[bytes] = []
        try:
            while not self.over and (answer := next_answer()) is not None:
                if not expected:
                    raise ProtocolError("an answer that nobody asked for")
                self.answers += 1
                stage, flight = expected.popleft()
                # In a group nothing follows from an envelope that is taken: half of all answers.
                if not (answer[0] == 250 and self._grouped and stage in _ENVELOPE):
                    pieces += self._understand(stage, flight, *answer)
        except ProtocolError as error:
            self.confused = True
            self.end(str(error))
        return self._out(pieces)

    def _understand(
        self, stage: Expected, flight: _Flight | None, code: int, words: bytes
    ) -> list[bytes]:
        """Process a reply. Return the octets to write at once."""
        if stage is Expected.QUIT:
            self.over = True
            return []
        assert flight is not None
        if code == 421:
            self._expected.appendleft((stage, flight))
            self.turned_away = not self._accepted
            self.end(to_one_line(words), parse_reply(code, words))
            return []
        if stage is Expected.END:
            return self._take_content_reply(flight, code, words)
        if stage is Expected.DATA:
            return self._take_data_reply(flight, code, words)
        if stage is Expected.VOID:
            return self._conclude(flight)
        return self._take_envelope_reply(stage, flight, code, words)

    def _take_envelope_reply(
        self, stage: Expected, flight: _Flight, code: int, words: bytes
    ) -> list[bytes]:
        if code // 100 == 2:
            return self._step(flight) if self._steps else []
        if code // 100 == 3 or stage is Expected.RSET:
            self._expected.appendleft((stage, flight))
            raise ProtocolError("an answer out of turn")
        if flight.refusal is None:
            refused_at: Stage = STAGES.get(stage, stage)  # type: ignore[arg-type]
            flight.refusal = (refused_at, parse_reply(code, words))
        if self._grouped:
            return []
        return self._conclude(flight)

    def _take_data_reply(self, flight: _Flight, code: int, words: bytes) -> list[bytes]:
        """Process the reply to DATA."""
        if code == 354 and flight.refusal is None:
            self._ready = flight
            return []
        if code == 354 and flight.refusal is not None and flight.refusal[0] is Stage.RCPT:
            # It asks for content although it refused the recipient: send it an empty one, which
            # goes to nobody (RFC 2920 section 3.1).
            self._expected.appendleft((Expected.VOID, flight))
            return [b".\r\n"]
        if code // 100 not in (4, 5):
            self._expected.appendleft((Expected.DATA, flight))
            raise ProtocolError("an answer out of turn")
        flight.refusal = flight.refusal or (Stage.DATA, parse_reply(code, words))
        return self._conclude(flight)

    def _take_content_reply(self, flight: _Flight, code: int, words: bytes) -> list[bytes]:
        """Process the reply to the content of a message."""
        if flight.refusal is not None:
            return self._conclude(flight)
        if code // 100 == 2:
            self._flights.popleft()
            self._accepted = True
            self.outcomes.append(
                Outcome(
                    flight.outgoing.id,
                    Result.ACCEPTED,
                    Stage.END,
                    parse_reply(code, words),
                    self.server,
                )
            )
            return []
        if code // 100 == 3:
            self._expected.appendleft((Expected.END, flight))
            raise ProtocolError("an answer out of turn")
        if self._chunks and code in _NO_CHUNKS:
            self.without_chunks = True
            self._expected.appendleft((Expected.END, flight))
            self.end(f"BDAT was offered and not understood: {code}", parse_reply(421, words))
            return []
        flight.refusal = (Stage.END, parse_reply(code, words))
        return self._conclude(flight, clean=not self._chunks)

    def _conclude(self, flight: _Flight, *, clean: bool = False) -> list[bytes]:
        """End a refused transaction, so that the next message starts a new one."""
        assert flight.refusal is not None
        self._flights.remove(flight)
        self._clean = clean and self._clean
        stage, refusal = flight.refusal
        outcome = Outcome(flight.outgoing.id, Result.REFUSED, stage, refusal, self.server)
        if judge(outcome).cause is Cause.CONNECTIONS:
            self.unwelcome = refusal
            self.returned.append(flight.outgoing)
        else:
            self.outcomes.append(outcome)
        return []

    def give_up(self) -> None:
        """End the conversation because no reply arrived in time."""
        self.confused = (
            self._grouped and bool(self._expected) and self._expected[0][0] is not Expected.END
        )
        self.end("no answer in time")

    def end(self, why: str, reply: Reply | None = None) -> None:
        """End the conversation.

        Messages that the server can have accepted are in doubt, the others were not sent. `reply`
        (421) is its answer to the message whose turn it was, which is not in doubt then.
        """
        if self.over:
            return
        self.over = True
        self.why = why
        stage, answered = self._expected[0] if self._expected else (Expected.MAIL, None)
        for number, flight in enumerate(self._flights):
            exposed = flight.dot_at is not None and self.flushed >= flight.dot_at
            where = Stage.END if exposed else STAGES[stage]
            outcome_reply = Reply(0, "", why)
            if reply is not None and flight is answered:
                exposed = False
                outcome_reply = reply
            if not exposed and (number or (self._accepted and where is Stage.MAIL)):
                self.returned.append(flight.outgoing)
                continue
            result = Result.IN_DOUBT if exposed else Result.UNSENT
            outcome = Outcome(flight.outgoing.id, result, where, outcome_reply, self.server)
            self.outcomes.append(outcome)
        self._flights.clear()
        self._ready = None
