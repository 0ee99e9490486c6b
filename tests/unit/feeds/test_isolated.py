"""Reading strangers' feeds apart: what a feed costs is bounded, and none of it is this
process's.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from newsletter.errors import FeedError, NotAFeed
from newsletter.feeds import isolated
from newsletter.feeds.isolated import FeedReader
from newsletter.feeds.parse import parse_feed
from tests.feeds_server import item, rss
from tests.waiting import PATIENCE

URL = "https://blog.example.com/feed/"
LABELS = "".join(f"<category>{number}</category>" for number in range(150_000))
ENDLESS = rss(f"<item><title>A</title>{LABELS}</item>")
"""So many labels on one entry would take feedparser hours."""


@pytest.fixture
def reader() -> Iterator[FeedReader]:
    reader = FeedReader()
    yield reader
    reader.close()


def process_id(reader: FeedReader) -> int:
    assert reader._process is not None
    return reader._process._process.pid


def is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


def test_one_process_reads_many_feeds_to_the_same_end(reader: FeedReader) -> None:
    plain = rss(
        item("Größe", date="Tue, 24 Nov 2026 09:00:00 GMT"), item("B", body="<p>x\u2028\n</p>")
    )
    assert reader.read(plain, url=URL, content_type="text/xml") == parse_feed(
        plain, url=URL, content_type="text/xml"
    )
    first = process_id(reader)
    many = rss(*(item(f"Post {number}") for number in range(1200)))
    assert reader.read(many, url=URL) == parse_feed(many, url=URL)
    with pytest.raises(NotAFeed, match="a web page"):
        reader.read(b"<html>" + b"<p>" * 10_000, url=URL)
    assert process_id(reader) == first, "what is no feed costs no new process"


def test_p4_nothing_in_a_header_or_address_reaches_a_command_line(reader: FeedReader) -> None:
    feed = reader.read(rss(item("A")), url=URL + "\0", content_type="text/xml\0; charset=utf-8")
    assert [entry.title for entry in feed.entries] == ["A"]


def test_a_feed_that_takes_too_long_is_ended_and_the_next_is_read(reader: FeedReader) -> None:
    reader.read(rss(item("A")), url=URL)
    first = process_id(reader)
    with pytest.raises(NotAFeed, match="takes longer"):
        reader.read(ENDLESS, url=URL, limits=isolated.Limits(20, 1.0))
    assert not is_alive(first)
    assert reader.read(rss(item("B")), url=URL).entries[0].title == "B"


def test_a_feed_that_takes_too_much_memory_is_ended_and_the_next_is_read(
    reader: FeedReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    little = (
        "import newsletter.feeds.reader_process as process; process.MEMORY = 60_000_000; "
        "process.main()"
    )
    monkeypatch.setattr(isolated, "_PROGRAM", isolated._PROGRAM.rpartition("from ")[0] + little)
    assert reader.read(rss(item("A")), url=URL).entries[0].title == "A"
    with pytest.raises(NotAFeed, match="more memory"):
        reader.read(rss(item("A", body="\U0001f600" + "x" * 9_900_000)), url=URL)
    assert reader.read(rss(item("B")), url=URL).entries[0].title == "B"


def test_what_cannot_be_started_is_not_said_of_the_feed(
    reader: FeedReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It ends before it is ready, is not there at all, or answers something else."""
    for program in ("raise SystemExit(1)", "print('Welcome')"):
        with monkeypatch.context() as patch:
            patch.setattr(isolated, "_PROGRAM", program)
            with pytest.raises(FeedError, match="could not be started on this machine") as caught:
                reader.read(rss(item("A")), url=URL)
            assert not isinstance(caught.value, NotAFeed)
    with monkeypatch.context() as patch:
        patch.setattr(sys, "executable", "/no/such/python")
        with pytest.raises(FeedError, match="could not be started on this machine"):
            reader.read(rss(item("A")), url=URL)
    assert reader.read(rss(item("B")), url=URL).entries[0].title == "B"


def test_processor_time_is_limited_for_each_feed_apart() -> None:
    """A process that has read for long has as much time for the next feed as at first."""
    program = (
        "import resource, time\n"
        "from newsletter.feeds import reader_process as reader\n"
        "for _ in range(2):\n"
        "    reader._limit_time(20)\n"
        "    used = sum(resource.getrusage(resource.RUSAGE_SELF)[:2])\n"
        "    left = resource.getrlimit(resource.RLIMIT_CPU)[0] - used\n"
        "    assert 20 <= left <= 21, left\n"
        "    end = time.process_time() + 1.2\n"
        "    while time.process_time() < end: pass\n"
        "reader._limit_time(0)\n"
        "while True: pass\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, timeout=120, check=False
    )
    assert done.returncode == -signal.SIGXCPU, done.stderr


def test_a_process_that_was_killed_is_replaced(reader: FeedReader) -> None:
    reader.read(rss(item("A")), url=URL)
    os.kill(process_id(reader), signal.SIGKILL)
    assert reader.read(rss(item("B")), url=URL).entries[0].title == "B"


def test_a_process_is_replaced_after_so_many_feeds(
    reader: FeedReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(isolated, "FEEDS", 2)
    ids = []
    for _ in range(4):
        reader.read(rss(item("A")), url=URL)
        ids.append(process_id(reader))
    assert ids[0] == ids[1] != ids[2] == ids[3]
    assert not is_alive(ids[0])


def test_a_process_that_reads_nothing_is_ended(
    reader: FeedReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(isolated, "IDLE", 0.3)
    reader.read(rss(item("A")), url=URL)
    with reader._lock:
        process = reader._process
    ends_at = time.monotonic() + PATIENCE
    while reader._process is not None and time.monotonic() < ends_at:
        time.sleep(0.05)
    assert reader._process is None
    assert process is not None
    assert not is_alive(process._process.pid)


def test_this_process_goes_on_while_a_hostile_feed_is_read(reader: FeedReader) -> None:
    """Reading holds no lock of the interpreter: other threads run, and this process uses next to no
    time.
    """
    reader.read(rss(item("A")), url=URL)
    begun = time.process_time()

    def read() -> None:
        with pytest.raises(NotAFeed):
            reader.read(ENDLESS, url=URL, limits=isolated.Limits(20, 2.0))

    thread = threading.Thread(target=read)
    thread.start()
    turns = 0
    while thread.is_alive():
        time.sleep(0.01)
        turns += 1
    assert turns > 20
    assert time.process_time() - begun < 1.0


def test_a_reader_knows_no_secrets_and_ends_with_its_parent(tmp_path: Path) -> None:
    program = (
        "import os, sys\n"
        "from newsletter.feeds import isolated\n"
        f"isolated.read_feed({rss(item('A'))!r}, url='https://blog.example.com/')\n"
        "print(isolated._READER._process._process.pid, flush=True)\n"
        "sys.stdin.read()\n"
    )
    environ = {**os.environ, "NEWSLETTER_SECRET_KEY": "do-not-hand-on-0123456789"}
    parent = subprocess.Popen(
        [sys.executable, "-c", program],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environ,
        text=True,
    )
    with parent:
        assert parent.stdout is not None
        process = int(parent.stdout.readline())
        variables = Path(f"/proc/{process}/environ")
        if variables.exists():
            assert b"do-not-hand-on" not in variables.read_bytes()
        parent.kill()
    ends_at = time.monotonic() + PATIENCE
    while is_alive(process) and time.monotonic() < ends_at:
        stat = Path(f"/proc/{process}/stat")
        if stat.exists() and stat.read_text().rsplit(")", 1)[1].split()[0] == "Z":
            break  # it has ended, and waits to be noticed by whoever is process 1 here
        time.sleep(0.05)
    else:
        assert not is_alive(process)
