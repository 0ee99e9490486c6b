"""Settings: file under environment, and every mistake at once."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr

import newsletter
from newsletter.errors import SettingsError
from newsletter.mail.smtp.servers import parse_server
from newsletter.services import mailbox_limits
from newsletter.settings import Settings, list_keys
from newsletter.settings_loader import load_settings

DOCS = Path(newsletter.__file__).parents[1] / "docs"
KEY = "0123456789abcdef0123456789abcdef"


def write(folder: Path, text: str) -> Path:
    file = folder / "newsletter.toml"
    file.write_text(text)
    return file


def problems(file: Path | None, environ: dict[str, str] | None = None) -> str:
    with pytest.raises(SettingsError) as caught:
        load_settings(file, environ)
    assert caught.value.exit_code == 2
    return "\n".join(caught.value.problems)


def test_defaults_are_those_of_the_documentation(tmp_path: Path) -> None:
    settings = load_settings(write(tmp_path, f'secret_key = "{KEY}"'))
    assert settings.base_url == "http://localhost:8025"
    assert settings.database_url == f"sqlite:///{tmp_path}/newsletter.db"
    assert settings.smtp.connections == 4
    assert settings.smtp.patience == timedelta(hours=48)
    assert settings.smtp.retry_after[0] == timedelta(minutes=1)
    assert settings.smtp.timeout == timedelta(seconds=60)
    assert settings.feeds.allow_private_addresses is False


DOCUMENTED = dict(
    re.findall(r"^- `([a-z_.]+)` \(default `([^`]+)`", (DOCS / "settings.md").read_text(), re.M)
)


@pytest.mark.parametrize("key", DOCUMENTED)
def test_a_default_is_what_its_page_says(key: str, tmp_path: Path) -> None:
    """Whoever writes the documented default into the file changes nothing."""
    file = write(tmp_path, f'secret_key = "{KEY}"')
    name = f"NEWSLETTER_{key.upper().replace('.', '__')}"
    assert load_settings(file, {name: DOCUMENTED[key]}) == load_settings(file)


def test_most_settings_have_a_documented_default() -> None:
    assert len(DOCUMENTED) > 20


def test_the_mails_of_a_mailbox_are_remembered_longer_than_one_is_tried() -> None:
    patience = f"{int(mailbox_limits.EMPTY_FOR.total_seconds())}s"
    assert "SMTP__PATIENCE" in problems(
        None, {"NEWSLETTER_SECRET_KEY": KEY, "NEWSLETTER_SMTP__PATIENCE": patience}
    )


def test_the_environment_wins(tmp_path: Path) -> None:
    file = write(tmp_path, f'secret_key = "{KEY}"\n[smtp]\nconnections = 2\nretry_after = "2m 1h"')
    secret = tmp_path / "password"
    secret.write_text("another-secret-of-32-characters!\n")
    settings = load_settings(
        file,
        {
            "NEWSLETTER_SMTP__CONNECTIONS": "9",
            "NEWSLETTER_SECRET_KEY_FILE": str(secret),
            "NEWSLETTER_SECRET_KEY_FALLBACKS": f"{KEY}, {KEY[::-1]}",
            "NEWSLETTER_FEEDS__ALLOW_PRIVATE_ADDRESSES": "true",
            "NEWSLETTER_SMTP__URL": "smtps://a:b@one.example smtp://two.example:25",
            "PATH": "/bin",
        },
    )
    assert settings.smtp.connections == 9
    assert settings.signing_keys == ("another-secret-of-32-characters!", KEY, KEY[::-1])
    assert settings.feeds.allow_private_addresses is True
    assert [url.get_secret_value() for url in settings.smtp.url] == [
        "smtps://a:b@one.example",
        "smtp://two.example:25",
    ]
    assert settings.smtp.retry_after == (timedelta(minutes=2), timedelta(hours=1))


def test_every_mistake_is_named_at_once(tmp_path: Path) -> None:
    file = write(
        tmp_path,
        'secret_key = "changeme"\nbase_url = "news.example.com"\ncolour = "red"\n'
        '[smtp]\nconections = 4\ntimeout = "soon"\nurl = "http://x"\n',
    )
    result = problems(file, {"NEWSLETTER_SMTP__CONNECTIONS": "many", "NEWSLETTER_BASEURL": "x"})
    for part in (
        "secret_key",
        "base_url",
        "colour: unknown setting",
        "smtp.conections: unknown setting; did you mean smtp.conn",
        "smtp.timeout",
        "smtp.url",
        "NEWSLETTER_SMTP__CONNECTIONS",
        "NEWSLETTER_BASEURL: unknown setting; did you mean",
    ):
        assert part in result, result
    assert "changeme" not in result


@pytest.mark.parametrize(
    "key",
    [
        "",
        "changeme",
        "short",
        " " * 20,
        "changeme-changeme",
        "Change-Me-Change-Me",
        "secretsecretsecret",
        "password-password-1",
        "1234567890123456",
        "a" * 40,
        "abcdefghijklmnopqrstuvwxyz",
        "your-secret-key-here",
        "please-change-me-2026",
        "qwertyqwertyqwerty",
    ],
)
def test_t08_a_guessable_secret_is_refused(tmp_path: Path, key: str) -> None:
    assert "secret_key" in problems(write(tmp_path, f'secret_key = "{key}"'))


def test_t08_a_missing_secret_is_named_with_the_mend(tmp_path: Path) -> None:
    result = problems(write(tmp_path, ""))
    assert "secret_key: missing" in result
    assert "NEWSLETTER_SECRET_KEY" in result


def test_no_secret_is_ever_printed(tmp_path: Path) -> None:
    file = write(tmp_path, f'secret_key = "{KEY}"\n[smtp]\nurl = "smtp://user:pa55word@host:587"')
    settings = load_settings(file)
    assert KEY not in repr(settings)
    assert "pa55word" not in repr(settings)
    file.write_text(f'secret_key = "{KEY}"\n[smtp]\nurl = "smtp://user:pa55word@:587x"')
    assert "pa55word" not in problems(file)


@pytest.mark.parametrize("text", ["not toml", "a = [1", "\udcff"])
def test_a_broken_file_is_one_line(tmp_path: Path, text: str) -> None:
    file = tmp_path / "newsletter.toml"
    file.write_bytes(text.encode("utf-8", "surrogateescape"))
    assert "not valid TOML" in problems(file)


def test_a_file_that_was_asked_for_must_be_there(tmp_path: Path) -> None:
    assert "no such file" in problems(tmp_path / "gone.toml")
    assert "no such file" in problems(None, {"NEWSLETTER_CONFIG": str(tmp_path / "gone.toml")})


def test_a_file_in_place_of_a_table(tmp_path: Path) -> None:
    assert "smtp" in problems(
        write(tmp_path, f'secret_key = "{KEY}"\nsmtp = 3'), {"NEWSLETTER_SMTP__TIMEOUT": "5s"}
    )


def test_a_value_in_place_of_a_table(tmp_path: Path) -> None:
    result = problems(write(tmp_path, f'secret_key = "{KEY}"\nsmtp = "smtp://localhost"\n'))
    assert "smtp: is a table; write [smtp] on a line of its own" in result


@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "postgresql+psycopg"])
def test_postgresql_means_psycopg(tmp_path: Path, scheme: str) -> None:
    file = write(tmp_path, f'secret_key = "{KEY}"\ndatabase_url = "{scheme}://u:p@h/d"')
    assert load_settings(file).database_url == "postgresql+psycopg://u:p@h/d"


def test_every_key_can_be_listed() -> None:
    assert {"secret_key", "smtp.url", "web.trusted_proxies"} <= set(list_keys(Settings))


HOSTS = {
    "base_url": "https://{}",
    "smtp.url": "smtp+starttls://me:pass@{}:587 smtps://{}",
    "smtp.max_per_domain": "{}=5/hour",
    "bounces.address": "bounces@{}",
    "bounces.mailbox": "imaps://me:pass@{}/INBOX",
    "signup.refuse_domains": "{} other.example",
    "web.redis": "redis://:pass@{}:6379/0",
}
NO_HOST = {
    "secret_key",
    "secret_key_fallbacks",
    "database_url",
    "smtp.connections",
    "smtp.max_per_second",
    "smtp.max_per_hour",
    "smtp.user",
    "smtp.password",
    "smtp.campaign_headers",
    "smtp.max_per_day",
    "smtp.warmup",
    "smtp.retry_after",
    "smtp.patience",
    "smtp.timeout",
    "smtp.ca_file",
    "bounces.listen",
    *(key for key in list_keys() if key.startswith("bounces.hooks.")),
    "bounces.forward_replies",
    "dkim.selectors",
    "feeds.allow_private_addresses",
    "web.trusted_proxies",
    "log.format",
    "log.level",
    "metrics.token",
    "webhooks.allow_private_addresses",
    "keep_deliveries",
}


@pytest.mark.parametrize("key", HOSTS)
def test_b26_every_host_is_folded_to_what_the_wire_carries(tmp_path: Path, key: str) -> None:
    environ = {
        "NEWSLETTER_SECRET_KEY": KEY,
        f"NEWSLETTER_{key.upper().replace('.', '__')}": HOSTS[key].replace("{}", "Bücher.test"),
    }
    value: object = load_settings(write(tmp_path, ""), environ)
    for part in key.split("."):
        value = getattr(value, part)
    text = str([secret.get_secret_value() for secret in value] if key == "smtp.url" else value)  # type: ignore[attr-defined]
    text = value.get_secret_value() if isinstance(value, SecretStr) else text
    assert "xn--bcher-kva.test" in text
    assert text.isascii()
    assert "me:pass@" in text or key != "smtp.url", "nothing else of it changes"


def test_b26_a_setting_that_holds_a_host_is_known_to_this_test() -> None:
    signup = {key for key in list_keys() if key.startswith("signup.")} - set(HOSTS)
    assert set(list_keys()) - set(HOSTS) - NO_HOST - signup == set(), (
        "does the new setting hold a host? Fold it, and add it"
    )


@pytest.mark.parametrize(
    "host",
    ["https://bü cher.test", "https://-ü-.test", "https://xn--ü.test", "https://a.test/bücher"],
)
def test_b26_what_the_wire_cannot_carry_is_refused(tmp_path: Path, host: str) -> None:
    assert "base_url" in problems(write(tmp_path, f'secret_key = "{KEY}"\nbase_url = "{host}"'))


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("[signup]\nper_ip = 5\nweb.trusted_proxies = 1\n", "write trusted_proxies under [web]"),
        ("[signup]\ntrusted_proxies = 1\n", "write trusted_proxies under [web]"),
        ('[smtp]\nbase_url = "https://a.example"\n', "write base_url above the first ["),
    ],
)
def test_w8_a_setting_in_the_wrong_table_is_told_where_it_belongs(
    tmp_path: Path, text: str, place: str
) -> None:
    file = tmp_path / "newsletter.toml"
    file.write_text(f'secret_key = "{"k3y9" * 10}z8"\n{text}')
    with pytest.raises(SettingsError) as caught:
        load_settings(file, {})
    assert place in str(caught.value.problems)


def test_a_login_stands_beside_the_url(tmp_path: Path) -> None:
    file = write(tmp_path, f'secret_key = "{KEY}"\n[smtp]\nuser = "ana"')
    assert "user and password go together" in problems(file)
    settings = load_settings(file, {"NEWSLETTER_SMTP__PASSWORD": "p@:/ss"})
    assert settings.smtp.password == SecretStr("p@:/ss")
    server = parse_server("smtp://mail.example", user="ana", password="p@:/ss")
    assert (server.port, server.user, server.password) == (587, "ana", "p@:/ss")
    other = parse_server("smtp://own:word@mail.example", user="ana", password="p@:/ss")
    assert (other.user, other.password) == ("own", "word")


@pytest.mark.parametrize("text", ["Subject: x", "X-A: b\nBcc: v@example.com", "X-A", "X-A: é"])
def test_a_campaign_header_cannot_be_any_header(tmp_path: Path, text: str) -> None:
    file = write(tmp_path, f'secret_key = "{KEY}"')
    assert "begin with X-" in problems(file, {"NEWSLETTER_SMTP__CAMPAIGN_HEADERS": text})
