"""Run a server that discards mail and answers as late as one at some distance does.

``python -m bench.far PORT SECONDS [EHLO-KEYWORD …]``
"""

from __future__ import annotations

import asyncio
import sys


class Sink(asyncio.Protocol):
    """One connection. Every answer leaves `delay` seconds after its question came."""

    def __init__(self, delay: float, offers: list[str]) -> None:
        self.delay = delay
        self.offers = offers
        self.buffer = bytearray()
        self.in_content = False
        self.to_skip = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.say(b"220 far ESMTP\r\n")

    def say(self, answer: bytes) -> None:
        """Write an answer when its time has come."""
        if self.delay:
            asyncio.get_running_loop().call_later(self.delay, self.transport.write, answer)
        else:
            self.transport.write(answer)

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        answers = []
        while (answer := self.next_answer()) is not None:
            answers.append(answer)
        if answers:
            self.say(b"".join(answers))

    def next_answer(self) -> bytes | None:
        """Take a command or a message out of the buffer; return None if it holds neither."""
        if self.to_skip:
            if len(self.buffer) < self.to_skip:
                return None
            del self.buffer[: self.to_skip]
            self.to_skip = 0
            return b"250 2.0.0 Ok\r\n"
        if self.in_content:
            end = self.buffer.find(b"\r\n.\r\n")
            if end < 0:
                return None
            del self.buffer[: end + 5]
            self.in_content = False
            return b"250 2.0.0 Ok\r\n"
        end = self.buffer.find(b"\r\n")
        if end < 0:
            return None
        line = bytes(self.buffer[:end])
        del self.buffer[: end + 2]
        return self.obey(line)

    def obey(self, line: bytes) -> bytes | None:
        """Return the answer to a command."""
        command = line[:4].upper()
        if command == b"DATA":
            self.in_content = True
            return b"354 Go on\r\n"
        if command == b"BDAT":
            self.to_skip = int(line.split()[1])
            return self.next_answer()
        if command == b"EHLO":
            lines = ["far", *self.offers]
            last = lines.pop()
            return "".join([*(f"250-{line}\r\n" for line in lines), f"250 {last}\r\n"]).encode()
        if command == b"QUIT":
            self.say(b"221 Bye\r\n")
            asyncio.get_running_loop().call_later(self.delay + 0.01, self.transport.close)
            return None
        return b"250 2.0.0 Ok\r\n"


async def serve(port: int, delay: float, offers: list[str]) -> None:
    """Answer until the process is ended."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Sink(delay, offers), "127.0.0.1", port, backlog=1000)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), float(sys.argv[2]), sys.argv[3:]))
