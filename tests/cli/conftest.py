"""A blog on the loopback and an installation in a folder, for commands to work on."""

from __future__ import annotations

import io
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from newsletter.cli import main
from tests.feeds_server import FeedsServer, feeds_server, item, rss
from tests.smtp.fault_server import FaultServer


@dataclass
class Said:
    """The output of a command and how it ended."""

    code: int
    out: str
    err: str


Run = Callable[..., Said]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command in an empty folder, as a pipe would see it."""
    monkeypatch.chdir(tmp_path)
    for name in list(os.environ):
        if name.startswith("NEWSLETTER_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("NEWSLETTER_FEEDS__ALLOW_PRIVATE_ADDRESSES", "true")
    monkeypatch.setattr("sys.stdin", io.StringIO())

    def command(*words: str) -> Said:
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main(list(words))
        result = capsys.readouterr()
        assert "Traceback" not in result.out + result.err
        return Said(int(ended.value.code or 0), result.out, result.err)

    return command


@pytest.fixture
def blog() -> Iterator[FeedsServer]:
    with feeds_server() as server:
        server.page("/feed.xml", rss(item("Old"), title="Slow Letters", link=server.url))
        server.page(
            "/", b'<link rel="alternate" type="application/rss+xml" href="/feed.xml">', "text/html"
        )
        yield server


@pytest.fixture
def mail() -> Iterator[FaultServer]:
    server = FaultServer()
    yield server
    server.close()


@pytest.fixture
def newsletter(
    run: Run, blog: FeedsServer, mail: FaultServer, tmp_path: Path, sqlite_template: Path
) -> Run:
    """`run`, in a folder where `init` was done; the tables were there (test_init.py makes them)."""
    shutil.copy(sqlite_template, tmp_path / "newsletter.db")
    install(run, blog, mail)
    return run


def install(run: Run, blog: FeedsServer, mail: FaultServer, *options: str) -> None:
    """Set up an installation in the folder: a list of the blog, mail through the server."""
    words = "init", blog.url, "--from", "Ana <ana@news.example.com>", "--address", "1 Main Street"
    urls = "--smtp", f"smtp://127.0.0.1:{mail.port}", "--base-url", "https://news.example.com"
    result = run(*words, *urls, "--yes", *options)
    assert result.code == 0, result.err
