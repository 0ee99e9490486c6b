"""`newsletter init`: providers by name, and its questions on a terminal."""

from __future__ import annotations

import io
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import event
from sqlalchemy.engine import Engine

from newsletter.settings_loader import load_settings
from tests.cli.conftest import Run
from tests.feeds_server import FeedsServer
from tests.smtp.fault_server import FaultServer

pytestmark = pytest.mark.any_database


class Terminal(io.StringIO):
    """Text that is typed on a terminal."""

    def isatty(self) -> bool:
        return True


Type = Callable[..., None]


@pytest.fixture
def answer(monkeypatch: pytest.MonkeyPatch) -> Type:
    """Type lines on the terminal; `password` is what is typed unseen."""

    def type_lines(*lines: str, password: str = "") -> None:
        monkeypatch.setattr("sys.stdin", Terminal("".join(f"{line}\n" for line in lines)))
        monkeypatch.setattr("click.termui.hidden_prompt_func", lambda prompt: password)

    return type_lines


WORDS = ("init", "--from", "Ana <ana@example.com>", "--address", "1 Main Street", "--title", "Mine")


def written(folder: Path) -> dict[str, object]:
    return tomllib.loads((folder / "newsletter.toml").read_text())


@pytest.mark.parametrize(
    ("name", "smtp"),
    [
        (
            "ses:eu-west-1",
            {
                "url": "smtp+starttls://email-smtp.eu-west-1.amazonaws.com:587",
                "connections": 4,
                "max_per_second": 14,
            },
        ),
        (
            "postmark",
            {
                "url": "smtp+starttls://smtp.postmarkapp.com:587",
                "connections": 4,
                "campaign_headers": "X-PM-Message-Stream: broadcast",
            },
        ),
        ("mailgun", {"url": "smtp+starttls://smtp.mailgun.org:587", "connections": 4}),
        ("mailgun:eu", {"url": "smtp+starttls://smtp.eu.mailgun.org:587", "connections": 4}),
        ("brevo", {"url": "smtp+starttls://smtp-relay.brevo.com:587", "connections": 4}),
        ("resend", {"url": "smtps://smtp.resend.com:465", "connections": 2, "max_per_second": 2}),
        ("fastmail", {"url": "smtps://smtp.fastmail.com:465", "connections": 2}),
        (
            "gmail",
            {"url": "smtp+starttls://smtp.gmail.com:587", "connections": 2, "max_per_day": 500},
        ),
        (
            "office365",
            {
                "url": "smtp+starttls://smtp.office365.com:587",
                "connections": 3,
                "max_per_second": 0.5,
                "max_per_day": 10_000,
            },
        ),
    ],
)
def test_a_provider_fills_in_its_settings(
    run: Run, tmp_path: Path, name: str, smtp: dict[str, object]
) -> None:
    result = run(*WORDS, "--smtp", name, "--yes")
    assert result.code == 0, result.err
    assert "wants in the DNS" in result.out
    assert written(tmp_path)["smtp"] == smtp
    assert load_settings(tmp_path / "newsletter.toml").smtp.connections == smtp["connections"]


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("ses", "needs its region"),
        ("ses:", "is no region"),
        ("ses:../x", "is no region"),
        ("mailgun:de", "is no region of Mailgun"),
        ("gmail:eu", "has no regions"),
        ("sendmail", "no provider known"),
    ],
)
def test_a_provider_that_cannot_be(run: Run, tmp_path: Path, name: str, reason: str) -> None:
    result = run(*WORDS, "--smtp", name, "--yes")
    assert (result.code, reason in result.err) == (2, True), result.err
    assert list(tmp_path.iterdir()) == []


def test_an_https_address_trusts_the_proxy_in_front(run: Run, tmp_path: Path) -> None:
    assert run(*WORDS, "--base-url", "https://news.example.com", "--yes").code == 0
    assert load_settings(tmp_path / "newsletter.toml").web.trusted_proxies == 1


def test_a_plain_address_trusts_none(run: Run, tmp_path: Path) -> None:
    assert run(*WORDS, "--yes").code == 0
    assert load_settings(tmp_path / "newsletter.toml").web.trusted_proxies == 0


def test_on_a_terminal_it_asks_tries_and_mails(
    run: Run, answer: Type, tmp_path: Path, mail: FaultServer, blog: FeedsServer
) -> None:
    server = f"smtp://127.0.0.1:{mail.port}"
    answer(
        "Mars/Base",
        "Europe/Berlin",
        "news.example.com",
        "https://news.example.com",
        "smtp://127.0.0.1:1",
        "y",
        server,
        "y",
    )
    result = run(*WORDS, blog.url)
    assert result.code == 0, result.err
    assert "'Mars/Base' is not a time zone" in result.err
    assert "must be a full address" in result.err
    assert "127.0.0.1" in result.err  # the server that does not answer
    assert "It connects." in result.out
    assert written(tmp_path)["smtp"] == {"url": server}
    [(_, recipient, data)] = mail.accepted
    assert recipient == "ana@example.com"
    assert b"[Test]" in data
    assert "was taken: 250" in result.out
    assert "Europe/Berlin" in run("list", "show", "mine").out


def test_a_login_is_asked_for_and_kept_apart_from_the_url(
    run: Run, blog: FeedsServer, answer: Type, tmp_path: Path
) -> None:
    answer("n", password="s%cr:et@#")
    result = run(
        *WORDS,
        "--smtp",
        "resend",
        "--timezone",
        "UTC",
        "--base-url",
        "https://news.example.com",
        blog.url,
    )
    assert result.code == 0, result.err
    assert "s%cr" not in result.out + result.err
    smtp = load_settings(tmp_path / "newsletter.toml").smtp
    assert smtp.user == "resend"
    assert smtp.password is not None
    assert smtp.password.get_secret_value() == "s%cr:et@#"
    assert smtp.has_login()


def test_blog_and_sender_are_asked_again_after_a_wrong_answer(
    run: Run, blog: FeedsServer, answer: Type, tmp_path: Path
) -> None:
    answer("http://127.0.0.1:1/", blog.url, "nobody", "Ana <ana@example.com>", "n")
    result = run(
        "init",
        "--address",
        "1 Main Street",
        "--timezone",
        "Europe/Berlin",
        "--smtp",
        "smtp://localhost:2525",
        "--base-url",
        "https://news.example.com",
    )
    assert result.code == 0, result.err
    blog_line, sender_line = result.err.splitlines()
    assert "127.0.0.1:1/" in blog_line
    assert "from: " in sender_line
    assert f"{blog.url}/feed.xml" in run("feed", "ls").out


def test_an_interrupted_init_can_be_given_again(run: Run, tmp_path: Path) -> None:
    def interrupt(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if statement.startswith("INSERT INTO mailing_lists"):
            raise KeyboardInterrupt

    event.listen(Engine, "before_cursor_execute", interrupt)
    try:
        stopped = run(*WORDS, "--yes")
    finally:
        event.remove(Engine, "before_cursor_execute", interrupt)
    assert stopped.code != 0
    assert not (tmp_path / "newsletter.toml").exists()
    assert run(*WORDS, "--yes").code == 0
    assert written(tmp_path)["database_url"] == "sqlite:///newsletter.db"
