"""Read strangers' feeds in a process of its own, so that whatever is in them costs this process
nothing but waiting.

One reader process serves all threads of this process, one feed at a time (reader_process.py). It is
replaced after a limit was hit or `FEEDS` feeds, ended after `IDLE` seconds without any, and ends by
itself when this process does.
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
from dataclasses import fields
from datetime import datetime
from pathlib import Path
from typing import Any

from newsletter.errors import FeedError, NotAFeed
from newsletter.feeds.parse import BODY_AT_MOST
from newsletter.feeds.types import ParsedEntry, ParsedFeed

SECONDS_IN_ALL = 35.0
"""Seconds that one feed may take by the clock, on a machine that has much to do."""
FEEDS = 500
"""Feeds that one process reads before it is replaced, so that what parsers leave in memory does not
add up.
"""
IDLE = 60.0
"""Seconds without a feed after which the process is ended: most installations read a few feeds
every quarter hour.
"""
TOO_LONG = "reading it takes longer than any feed should"
TOO_LARGE = "reading it takes more memory than any feed should"

_ROOT = str(Path(__file__).parents[2])
_PROGRAM = (
    f"import sys; root = {_ROOT!r}; root in sys.path or sys.path.insert(0, root); "
    "from newsletter.feeds.reader_process import main; main()"
)
_KEPT = ("PATH", "LD_LIBRARY_PATH", "PYTHONHOME", "SYSTEMROOT")
"""What the reader gets of our environment: never keys and passwords."""
_ENTRY = [field.name for field in fields(ParsedEntry)]


class _OutOfMemory(Exception):
    """The process hit its memory limit, or was killed for a reason that we do not know."""


class _Process:
    """A running reader process."""

    def __init__(self) -> None:
        self.feeds = 0
        self.used_at = time.monotonic()
        self._late = False
        self._process = subprocess.Popen(  # noqa: S603 (our own program; feeds are its input)
            [sys.executable, "-P", "-c", _PROGRAM],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={name: os.environ[name] for name in _KEPT if name in os.environ},
            start_new_session=True,  # Ctrl-C is for this process; the reader ends with it
        )

    def read(self, body: bytes, url: str, content_type: str) -> ParsedFeed:
        """Have one feed read.

        Raises `NotAFeed`, `FeedError`, `_OutOfMemory`.
        """
        watchdog = threading.Timer(SECONDS_IN_ALL, self._give_up)
        watchdog.daemon = True
        watchdog.start()
        try:
            return self._exchange(body, url, content_type)
        except (OSError, ValueError, EOFError):
            self.end()
            # The system ends what used up its processor time with SIGXCPU (24), or SIGKILL at the
            # hard limit.
            if self._late or self._process.returncode == -24:
                raise NotAFeed(url, TOO_LONG) from None
            raise _OutOfMemory from None
        finally:
            watchdog.cancel()
            self.used_at = time.monotonic()

    def _exchange(self, body: bytes, url: str, content_type: str) -> ParsedFeed:
        stdin = self._process.stdin
        assert stdin is not None
        if self.feeds == 0 and "ready" not in self._line():
            raise EOFError
        self.feeds += 1
        head = json.dumps({"url": url, "content_type": content_type, "size": len(body)}).encode()
        stdin.write(len(head).to_bytes(4, "big") + head)
        stdin.write(body)
        stdin.flush()
        answer = self._line()
        if "feed" not in answer:
            raise self._refusal(answer, url)
        entries = [self._line() for _ in range(answer["entries"])]
        if failed := next((line for line in entries if isinstance(line, dict)), None):
            raise self._refusal(failed, url)
        feed = answer["feed"]
        return ParsedFeed(
            **{**feed, "notes": tuple(feed["notes"]), "entries": tuple(map(_build_entry, entries))}
        )

    def _line(self) -> Any:
        """Read a line of an answer.

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

    def _refusal(self, answer: dict[str, Any], url: str) -> FeedError:
        if "refused" in answer:
            reason, hint = answer["refused"]
            return NotAFeed(url, reason, hint=hint)
        self.end()
        return NotAFeed(url, "it is broken in a way that cannot be read")

    @property
    def spent(self) -> bool:
        """Tell whether this process should read no more feeds."""
        return self.feeds >= FEEDS or self._process.poll() is not None

    def _give_up(self) -> None:
        self._late = True
        self._process.kill()

    def end(self) -> None:
        """End the process, whatever it does."""
        self._process.kill()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with suppress(OSError):
                    pipe.close()
        self._process.wait()


class FeedReader:
    """Read feeds in one process at a time, started when it is needed.

    Thread-safe.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: _Process | None = None
        self._owner = 0

    def read(self, body: bytes, *, url: str, content_type: str = "") -> ParsedFeed:
        """Read the feed in `body`.

        Raises `NotAFeed` with the reason, at the latest after twice `SECONDS_IN_ALL`.
        """
        with self._lock:
            used = self._current()
            try:
                return used.read(body, url, content_type)
            except _OutOfMemory:
                if used.feeds <= 1:
                    raise NotAFeed(url, TOO_LARGE) from None
            # What earlier feeds left behind may have filled the memory: once more, in a fresh
            # process.
            try:
                return self._current().read(body, url, content_type)
            except _OutOfMemory:
                raise NotAFeed(url, TOO_LARGE) from None

    def _current(self) -> _Process:
        if self._owner != os.getpid():  # a fork of the process that started it
            self._process, self._owner = None, os.getpid()
        if self._process is not None and self._process.spent:
            self._process.end()
            self._process = None
        if self._process is None:
            self._process = _Process()
            threading.Thread(target=self._end_idle, args=[self._process], daemon=True).start()
        return self._process

    def _end_idle(self, process: _Process) -> None:
        """End `process` once nothing was read for a while."""
        while process is self._process:
            time.sleep(max(0.05, process.used_at + IDLE - time.monotonic()))
            with self._lock:
                if process is self._process and time.monotonic() - process.used_at >= IDLE:
                    process.end()
                    self._process = None

    def close(self) -> None:
        """End the process; the next feed starts another."""
        process, self._process = self._process, None
        if process is not None and self._owner == os.getpid():
            process.end()


_READER = FeedReader()
atexit.register(_READER.close)


def read_feed(body: bytes, *, url: str, content_type: str = "") -> ParsedFeed:
    """Read the feed in `body`, found at `url`, in the reader process.

    Raises `NotAFeed` with the reason.
    """
    body = _unpack(body)
    if len(body) > BODY_AT_MOST:
        raise NotAFeed(url, "larger than 10 MB")
    return _READER.read(body, url=url, content_type=content_type)


def _unpack(body: bytes) -> bytes:
    """Return what a gzip file holds (some servers hand one out as it is), as far as anything of it
    would be read.
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
