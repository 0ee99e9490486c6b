"""The tutorial does what it says: followed to the letter, each window on a terminal of 80 × 24."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import signal
import socket
import struct
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from urllib.request import Request, urlopen

import pytest

from tests.waiting import PATIENCE

pytestmark = pytest.mark.processes

PAGE = Path(__file__).parent.parent / "docs" / "tutorial.md"


def free_port() -> int:
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        return int(listener.getsockname()[1])


class Window:
    """A shell on a terminal, and everything it has shown."""

    def __init__(self, folder: Path) -> None:
        self.read, write = pty.openpty()
        fcntl.ioctl(write, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        environ = {
            name: value for name, value in os.environ.items() if not name.startswith("NEWSLETTER_")
        }
        environ |= {
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "PS1": "",
            "TERM": "xterm",
        }
        self.shell = subprocess.Popen(
            ["bash", "--norc", "--noprofile"],
            stdin=write,
            stdout=write,
            stderr=write,
            cwd=folder,
            env=environ | {"NO_COLOR": "1"},
            start_new_session=True,
        )
        os.close(write)
        self.shown = ""
        self.type("stty -echo; bind 'set enable-bracketed-paste off'\n")
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        while True:
            try:
                self.shown += os.read(self.read, 4096).decode("utf-8", "replace")
            except OSError:
                return

    def type(self, text: str) -> None:
        os.write(self.read, text.encode())

    def see(self, pattern: str, *, after: int = 0, seconds: float = PATIENCE) -> str:
        """Wait until the pattern is on the screen."""
        ends = time.monotonic() + seconds
        while time.monotonic() < ends:
            if match := re.search(pattern, self.shown[after:].replace("\r", "")):
                return match[0]
            time.sleep(0.05)
        raise AssertionError(f"{pattern} is not in:\n{self.shown[after:]}")

    def run(self, commands: str) -> str:
        """Types commands, and returns what they show once they are through."""
        before = len(self.shown)
        self.type(f"{commands}\necho through-$?\n")
        self.see(r"through-\d+\n", after=before)
        return (
            re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", self.shown[before:])
            .replace("\r\n", "\n")
            .replace("\r", "\n")
        )

    def close(self) -> None:
        os.killpg(self.shell.pid, signal.SIGKILL)
        self.shell.wait(10)
        os.close(self.read)


@pytest.fixture
def windows(tmp_path: Path) -> Iterator[dict[str, Window]]:
    opened = {name: Window(tmp_path) for name in ("window-1", "window-2", "window-3")}
    yield opened
    for window in (opened["window-1"], opened["window-2"]):
        window.type("\x03")
    time.sleep(0.3)
    for window in opened.values():
        window.close()


def blocks() -> list[tuple[str, str, str]]:
    """(where, commands, what is shown then) of each block that is to be typed."""
    matches = re.findall(r"^```(\w+)(?: ([\w-]+))?\n(.*?)^```$", PAGE.read_text(), re.M | re.S)
    typed: list[tuple[str, str, str]] = []
    for kind, where, text in matches:
        if kind == "sh":
            typed.append((where, text.rstrip("\n"), ""))
        elif kind == "text":
            typed[-1] = (*typed[-1][:2], text)
    return typed


def check(screen: str, expected: str) -> None:
    """Each expected line is on the screen; … stands for anything."""
    for line in expected.splitlines():
        pattern = ".*".join(re.escape(part.strip()) for part in line.split("…"))
        assert re.search(pattern, screen), f"{line!r} is not in:\n{screen}"


@pytest.mark.any_database
def test_the_tutorial_followed_to_the_letter(
    windows: dict[str, Window], database_kind: str
) -> None:
    ports = {number: str(free_port()) for number in ("8025", "8026", "2525")}
    first, second, third = windows.values()
    mails = 0

    def local(text: str) -> str:
        text = re.sub("8025|8026|2525", lambda match: ports[match[0]], text)
        text = text.replace(
            "demo --practice", f"demo --practice --port {ports['8026']} --smtp-port {ports['2525']}"
        )
        text = text.replace("newsletter serve", f"newsletter serve --port {ports['8025']}")
        return (
            text.replace("--yes\n", f"--yes --base-url http://localhost:{ports['8025']}\n", 1)
            if "init" in text
            else text
        )

    for where, commands, expected in blocks():
        commands = local(commands + "\n")
        expected = local(expected)
        if where == "publish":
            before = len(first.shown)
            first.type("\n")
            first.see("Published: “", after=before)
        elif where in ("window-1", "window-2"):
            windows[where].type(commands)
            windows[where].see(re.escape(expected.splitlines()[-1]))
            check(windows[where].shown, expected)
        else:
            if where == "confirmed":
                link = first.see(rf"http://localhost:{ports['8025']}/confirm/\S+")
                urlopen(Request(link, data=b""), timeout=10).close()
            if where == "third":
                first.see("Mail for Ben .*“The second cup”", seconds=90)
            result = third.run(commands)
            assert "through-0" in result, result
            check(result, expected)
            if re.search("subscriber|status|explain campaign", commands):  # other lines may fold
                assert all(len(line) <= 80 or "http" in line for line in result.splitlines()), (
                    result
                )
    mails = len(
        re.findall(r"Mail for (?!ana@news\.test)", first.shown)
    )  # to readers; the author may get notices
    assert mails == 1 + 1 + 1 + 3 + 1, (
        first.shown
    )  # to confirm, welcome, three digests to 1, 3 and 1 readers
    assert "Traceback" not in first.shown + second.shown + third.shown
