"""Run the process in which untrusted feeds are parsed: read requests, write answers.

Started and watched by isolated.py. It limits its own memory, and its processor time for each feed;
when a limit is hit it ends or is killed, and the feed's next turn is in another process. It has no
settings, no database and no network.

A request is four bytes (the length of its head, big-endian), a head in JSON (`url`, `content_type`,
`size`, `seconds` of processor time) and the body. An answer is lines of JSON: an object that holds
the result (`feed`, `refused`, `limit` or `failed`), and after `feed` one array a line for each
entry.
"""

from __future__ import annotations

import json
import sys
from dataclasses import fields
from math import ceil
from typing import Any, BinaryIO

from newsletter.errors import NotAFeed
from newsletter.feeds.parse import parse_feed
from newsletter.feeds.types import ParsedEntry, ParsedFeed

MEMORY = 185_000_000
"""Bytes of data that this process may use: with about 90 MB of the process that waits for it, a
small server can bear it."""
_HEAD = [field.name for field in fields(ParsedFeed) if field.name != "entries"]
_ENTRY = [field.name for field in fields(ParsedEntry)]


def main() -> None:
    """Answer requests on standard input until there are no more, or a limit is hit."""
    _limit_memory()
    requests = sys.stdin.buffer
    answers = sys.stdout.buffer
    _write(answers, {"ready": True})
    while length := requests.read(4):
        request = json.loads(requests.read(int.from_bytes(length, "big")))
        body = requests.read(request["size"])
        _limit_time(request["seconds"])
        if not _answer_request(answers, body, request["url"], request["content_type"]):
            return


def _answer_request(answers: BinaryIO, body: bytes, url: str, content_type: str) -> bool:
    """Parse one feed and write the result.

    Return False if this process should not be used again.
    """
    try:
        feed = parse_feed(body, url=url, content_type=content_type)
        _write(
            answers,
            {"feed": {name: getattr(feed, name) for name in _HEAD}, "entries": len(feed.entries)},
        )
        for entry in feed.entries:
            _write(answers, [_as_json(getattr(entry, name)) for name in _ENTRY])
    except NotAFeed as error:
        _write(answers, {"refused": [error.reason, error.hint]})
    except MemoryError:
        _write(answers, {"limit": "memory"})
        return False
    except Exception as error:  # of the parser's own making; the next feed gets a fresh process
        _write(answers, {"failed": type(error).__name__})
        return False
    return True


def _as_json(value: object) -> object:
    return value.isoformat() if hasattr(value, "isoformat") else value


def _write(answers: BinaryIO, value: Any) -> None:
    answers.write(json.dumps(value, ensure_ascii=False).encode("utf-8", "replace") + b"\n")
    answers.flush()


def _limit_memory() -> None:
    """Limit this process's memory, and prevent a core dump if it is killed."""
    try:
        import resource
    except ImportError:  # no Unix: only time is limited, from outside
        return
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _limit_time(seconds: int) -> None:
    """Limit the processor time for the next feed to `seconds`; the system then ends the process."""
    try:
        import resource
    except ImportError:
        return
    usage = resource.getrusage(resource.RUSAGE_SELF)
    ends_at = ceil(usage.ru_utime + usage.ru_stime) + seconds
    resource.setrlimit(resource.RLIMIT_CPU, (ends_at, resource.getrlimit(resource.RLIMIT_CPU)[1]))
