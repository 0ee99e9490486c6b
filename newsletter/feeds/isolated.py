"""Reads feeds that strangers made: a heavy one in a process of its own, which may take so much time and memory and no
more. Run as a program this is that process: a feed on its input, what was understood on its output."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
import zlib
from dataclasses import asdict
from datetime import datetime

from newsletter.errors import NotAFeed
from newsletter.feeds.parse import BODY_AT_MOST, parse
from newsletter.feeds.repair import heavy
from newsletter.feeds.types import ParsedEntry, ParsedFeed

SECONDS = 20
"""Of the processor's time;"""
SECONDS_IN_ALL = 35
"""on a machine that has much to do."""
MEMORY = 185_000_000
"""Bytes; beside it stands the process that waits, with some 90 MB of its own."""
_TURN = threading.Semaphore(2)
"""So many of them at once: two hundred heavy feeds must not take the memory of two hundred."""
TOO_LONG = "reading it takes longer than any feed should"


def read(body: bytes, *, url: str, content_type: str = "") -> ParsedFeed:
    """The feed in `body`, found at `url`. Raises `NotAFeed` with the reason, at the latest after `SECONDS_IN_ALL`."""
    body = _unpacked(body)
    if len(body) > BODY_AT_MOST or not heavy(body):
        return parse(body, url=url, content_type=content_type)
    try:
        with _TURN:
            done = subprocess.run(  # noqa: S603 (our own program; the feed is its input, not its command)
                [sys.executable, "-P", "-m", "newsletter.feeds.isolated", url, content_type],
                input=body,
                capture_output=True,
                timeout=SECONDS_IN_ALL,
                check=False,
            )
    except subprocess.TimeoutExpired:
        raise NotAFeed(url, TOO_LONG) from None
    if done.returncode == -signal.SIGXCPU:
        raise NotAFeed(url, TOO_LONG)
    if done.returncode == 1:
        reason, hint = json.loads(done.stdout)
        raise NotAFeed(url, reason, hint=hint)
    if done.returncode != 0:
        raise NotAFeed(url, "reading it takes more memory than any feed should")
    return _from_json(done.stdout)


def _unpacked(body: bytes) -> bytes:
    """What a gzip file holds (some servers hand one out as it is), as far as anything of it would be read."""
    if not body.startswith(b"\x1f\x8b"):
        return body
    try:
        return zlib.decompressobj(wbits=31).decompress(body, BODY_AT_MOST + 1)
    except zlib.error:
        return body


def _from_json(said: bytes) -> ParsedFeed:
    found = json.loads(said)
    entries = tuple(_entry(entry) for entry in found.pop("entries"))
    return ParsedFeed(**{**found, "entries": entries, "notes": tuple(found["notes"])})


def _entry(found: dict[str, object]) -> ParsedEntry:
    when = found["published"]
    values = {
        **found,
        "published": datetime.fromisoformat(str(when)) if when else None,
        "categories": tuple(found["categories"]),  # type: ignore[arg-type]
    }
    return ParsedEntry(**values)  # type: ignore[arg-type]


def main() -> None:
    """Parses what is on standard input. Exit code 1: it is no feed, and why."""
    import resource  # where there is none, memory is not limited

    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS + 1))
    try:
        found = parse(sys.stdin.buffer.read(), url=sys.argv[1], content_type=sys.argv[2])
    except NotAFeed as error:
        sys.stdout.write(json.dumps([error.reason, error.hint]))
        sys.exit(1)
    except MemoryError:
        sys.exit(2)
    sys.stdout.write(json.dumps(asdict(found), default=str))


if __name__ == "__main__":
    main()
