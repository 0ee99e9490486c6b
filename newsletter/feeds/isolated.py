"""Parse untrusted feeds in a separate process, so that hostile ones can only cause waiting.

One parser process serves all threads of this process, one feed at a time (reader_process.py). It is
replaced after it hit a limit or parsed `FEEDS` feeds, ended after `IDLE` seconds without a feed,
and ends by itself when this process does.
"""

from __future__ import annotations

import atexit
import json
import os
import subprocess
import sys
import threading
import time
import zlib
from contextlib import suppress
from dataclasses import dataclass, fields
from datetime import datetime
from pathlib import Path
from typing import Any

from newsletter.errors import FeedError, NotAFeed
from newsletter.feeds.types import BODY_AT_MOST, ParsedEntry, ParsedFeed
from newsletter.i18n import Text


@dataclass(frozen=True, slots=True)
class Limits:
    """The time that parsing one feed may take, in seconds of processor time and by the clock.

    The limit by the clock is higher, for a busy machine.
    """

    processor_seconds: int
    clock_seconds: float


FULL = Limits(20, 35.0)
"""Limits for a slow feed: the heaviest of 10 MB that a blog could have takes about half of this
processor time."""
QUICK = Limits(1, 5.0)
"""Limits for the first try of a feed: almost every feed is parsed within milliseconds, and any
other can wait."""
FEEDS = 500
"""Feeds that one process parses before it is replaced, so that what parsers leave in memory does
not add up."""
IDLE = 60.0
"""Seconds without a feed after which the process is ended: most installations poll a few feeds
every quarter of an hour."""
TOO_LONG = Text("reading it takes longer than any feed should")
TOO_LARGE = Text("reading it takes more memory than any feed should")
NOT_STARTED = Text(
    "the program that reads feeds could not be started on this machine: it may be out of memory, "
    "or allow no more processes"
)

_ROOT = str(Path(__file__).parents[2])
_PROGRAM = (
    f"import sys; root = {_ROOT!r}; root in sys.path or sys.path.insert(0, root); "
    "from newsletter.feeds.reader_process import main; main()"
)
_ENVIRONMENT = ("PATH", "LD_LIBRARY_PATH", "PYTHONHOME", "SYSTEMROOT")
"""Environment variables that the parser process inherits: never keys and passwords."""
_ENTRY = [field.name for field in fields(ParsedEntry)]


class TakesLong(NotAFeed):
    """Parsing the feed takes longer than `QUICK` allows; it may succeed within `FULL`."""


class _OutOfMemory(Exception):
    """The parser process hit its memory limit, or was killed for an unknown reason."""


class _NotStarted(Exception):
    """The parser process ended, or was too slow, before it could read its first feed."""


class _Process:
    """A running parser process."""

    def __init__(self) -> None:
        self.feeds = 0
        self.used_at = time.monotonic()
        self._late = False
        self._process = subprocess.Popen(  # noqa: S603 (our own program; feeds are its input)
            [sys.executable, "-P", "-c", _PROGRAM],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={name: os.environ[name] for name in _ENVIRONMENT if name in os.environ},
            start_new_session=True,  # Ctrl-C is for this process; that one ends with it
        )

    def read(self, body: bytes, url: str, content_type: str, limits: Limits) -> ParsedFeed:
        """Parse one feed in the process.

        Raises `NotAFeed`, `FeedError` (also if the process did not start), `_OutOfMemory`.
        """
        watchdog = threading.Timer(limits.clock_seconds, self._give_up)
        watchdog.daemon = True
        watchdog.start()
        try:
            return self._exchange(body, url, content_type, limits)
        except _NotStarted:
            self.end()
            if self._late and limits != FULL:  # the machine has much to do
                raise TakesLong(url, TOO_LONG) from None
            raise FeedError(url, NOT_STARTED) from None
        except (OSError, ValueError, EOFError):
            self.end()
            # The system ends what used up its processor time with SIGXCPU (24), or SIGKILL at the
            # hard limit.
            if self._late or self._process.returncode == -24:
                error = NotAFeed if limits == FULL else TakesLong
                raise error(url, TOO_LONG) from None
            raise _OutOfMemory from None
        finally:
            watchdog.cancel()
            self.used_at = time.monotonic()

    def _exchange(self, body: bytes, url: str, content_type: str, limits: Limits) -> ParsedFeed:
        stdin = self._process.stdin
        assert stdin is not None
        if self.feeds == 0:
            self._wait_until_ready()
        self.feeds += 1
        request = {
            "url": url,
            "content_type": content_type,
            "size": len(body),
            "seconds": limits.processor_seconds,
        }
        head = json.dumps(request).encode()
        stdin.write(len(head).to_bytes(4, "big") + head)
        stdin.write(body)
        stdin.flush()
        answer = self._read_line()
        if "feed" not in answer:
            raise self._explain_refusal(answer, url)
        entries = [self._read_line() for _ in range(answer["entries"])]
        if failed := next((line for line in entries if isinstance(line, dict)), None):
            raise self._explain_refusal(failed, url)
        feed = answer["feed"]
        return ParsedFeed(
            **{**feed, "notes": tuple(feed["notes"]), "entries": tuple(map(_build_entry, entries))}
        )

    def _wait_until_ready(self) -> None:
        try:
            is_ready = "ready" in self._read_line()
        except (OSError, ValueError, EOFError):
            is_ready = False
        if not is_ready:
            raise _NotStarted

    def _read_line(self) -> Any:
        """Read a line of the process's answer.

        Raises `EOFError` if the process has ended.
        """
        stdout = self._process.stdout
        assert stdout is not None
        line = stdout.readline()
        if not line.endswith(b"\n"):
            raise EOFError
        value = json.loads(line)
        if isinstance(value, dict) and "limit" in value:
            raise EOFError
        return value

    def _explain_refusal(self, answer: dict[str, Any], url: str) -> FeedError:
        if "refused" in answer:
            reason, hint = answer["refused"]
            return NotAFeed(url, reason, hint=hint)
        self.end()
        return NotAFeed(url, Text("it is broken in a way that cannot be read"))

    @property
    def spent(self) -> bool:
        """Tell whether the process should be replaced before it parses more feeds."""
        return self.feeds >= FEEDS or self._process.poll() is not None

    def _give_up(self) -> None:
        self._late = True
        self._process.kill()

    def end(self) -> None:
        """End the process, whatever it is doing."""
        self._process.kill()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with suppress(OSError):
                    pipe.close()
        self._process.wait()


class FeedReader:
    """A parser of feeds in one separate process at a time, which is started when needed.

    Thread-safe.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: _Process | None = None
        self._owner = 0

    def read(
        self, body: bytes, *, url: str, content_type: str = "", limits: Limits = FULL
    ) -> ParsedFeed:
        """Parse the feed in `body`.

        Raises `NotAFeed` with the reason, at the latest after twice the clock's limit; `TakesLong`
        if limits other than `FULL` do not suffice; `FeedError` if no process can be started.
        """
        with self._lock:
            process = self._get_process(url)
            try:
                return process.read(body, url, content_type, limits)
            except _OutOfMemory:
                if process.feeds <= 1:
                    raise NotAFeed(url, TOO_LARGE) from None
            # Earlier feeds may have filled the memory: try again in a new process.
            try:
                return self._get_process(url).read(body, url, content_type, limits)
            except _OutOfMemory:
                raise NotAFeed(url, TOO_LARGE) from None

    def _get_process(self, url: str) -> _Process:
        if self._owner != os.getpid():  # a fork of the process that started it
            self._process = None
            self._owner = os.getpid()
        if self._process is not None and self._process.spent:
            self._process.end()
            self._process = None
        if self._process is None:
            try:
                self._process = _Process()
            except OSError:
                raise FeedError(url, NOT_STARTED) from None
            threading.Thread(target=self._end_idle, args=[self._process], daemon=True).start()
        return self._process

    def _end_idle(self, process: _Process) -> None:
        """End `process` once it has not parsed a feed for a while."""
        while process is self._process:
            time.sleep(max(0.05, process.used_at + IDLE - time.monotonic()))
            with self._lock:
                if process is self._process and time.monotonic() - process.used_at >= IDLE:
                    process.end()
                    self._process = None

    def close(self) -> None:
        """End the parser process; the next feed starts another."""
        process = self._process
        self._process = None
        if process is not None and self._owner == os.getpid():
            process.end()


_READER = FeedReader()
atexit.register(_READER.close)


def read_feed(
    body: bytes, *, url: str, content_type: str = "", limits: Limits = FULL
) -> ParsedFeed:
    """Parse the feed in `body`, fetched from `url`, in the parser process.

    Raises `NotAFeed` with the reason; `TakesLong` if limits other than `FULL` do not suffice;
    `FeedError` if the process cannot be started.
    """
    body = _unpack(body)
    if len(body) > BODY_AT_MOST:
        raise NotAFeed(url, Text("larger than 10 MB"))
    return _READER.read(body, url=url, content_type=content_type, limits=limits)


def _unpack(body: bytes) -> bytes:
    """Return the content of a gzip file, cut where it would be too large to parse.

    Some servers serve such a file as it is.
    """
    if not body.startswith(b"\x1f\x8b"):
        return body
    try:
        return zlib.decompressobj(wbits=31).decompress(body, BODY_AT_MOST + 1)
    except zlib.error:
        return body


def _build_entry(values: list[Any]) -> ParsedEntry:
    entry = dict(zip(_ENTRY, values, strict=True))
    entry["published"] = datetime.fromisoformat(entry["published"]) if entry["published"] else None
    entry["categories"] = tuple(entry["categories"])
    return ParsedEntry(**entry)
