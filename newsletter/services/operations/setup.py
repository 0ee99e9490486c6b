"""Write the settings file of a new installation; never overwrite one."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from newsletter.errors import InvalidInput, Refused, TransportError
from newsletter.files import open_private
from newsletter.mail.smtp.presets import Preset, find_preset

TEMPLATE = """\
# Settings of newsletter. The whole list: docs/settings.md. The environment wins:
# NEWSLETTER_SMTP__URL and so on.

secret_key = {secret_key}    # signs every link in every mail: keep it, and keep it to yourself
base_url = {base_url}    # how subscribers reach you; https in production
database_url = {database_url}

[smtp]
url = {smtp_url}    # smtp://host:587, smtp+starttls://… or smtps://…
"""
PROBE_SECONDS = 10.0
"""Seconds to wait for each reply of a mail server that is tested."""


@dataclass(frozen=True, slots=True)
class NewSmtp:
    """The settings of the mail server in a new file; `preset` is the provider they come from."""

    url: str = "smtp://localhost:25"
    user: str = ""
    password: str = ""
    preset: Preset | None = None

    @property
    def needs_login(self) -> bool:
        """Tell whether user and password are probably still missing."""
        parts = urlsplit(self.url)
        local = parts.hostname in ("localhost", "127.0.0.1", "::1")
        return not (self.user and self.password) and not parts.username and not local


@dataclass(frozen=True, slots=True)
class NewSettings:
    """The values that go into a new settings file."""

    base_url: str
    database_url: str
    smtp: NewSmtp


def parse_smtp(text: str) -> NewSmtp:
    """Parse the name of a provider or the URL of a server.

    Raises `InvalidInput`.
    """
    if "://" in text:
        return NewSmtp(text)
    try:
        preset = find_preset(text)
    except ValueError as error:
        raise InvalidInput({"smtp": str(error)}) from None
    assert preset is not None
    return NewSmtp(preset.url, user=preset.user, preset=preset)


def find_smtp_problem(smtp: NewSmtp, base_url: str) -> str:
    """Connect and log in to a mail server; return the problem, "" if there is none."""
    from newsletter.mail.smtp.transport import SmtpTransport, parse_server

    try:
        server = parse_server(smtp.url, user=smtp.user or None, password=smtp.password)
    except ValueError as error:
        return str(error)
    hello = urlsplit(base_url).hostname or "localhost"
    try:
        SmtpTransport([server], timeout=PROBE_SECONDS, hello=hello).probe()
    except TransportError as error:
        return str(error)
    return ""


def require_new(file: Path) -> None:
    """Raise `Refused` if the settings file exists: it is never overwritten."""
    if file.exists():
        raise Refused(f"{file} exists already", hint="nothing was changed; work in another folder")


def write_settings(file: Path, values: NewSettings) -> None:
    """Create the settings file, readable by its owner only.

    Raises `Refused` where it exists.
    """
    text = _fill_template(values)
    try:
        with open_private(file, "x") as out:
            out.write(text)
    except FileExistsError:
        require_new(file)
        raise
    except OSError as error:
        raise Refused(f"{file} cannot be written: {error.strerror}") from None


def _fill_template(values: NewSettings) -> str:
    """Return the text of the settings file, with a new secret key."""
    text = TEMPLATE.format(
        secret_key=_quote(secrets.token_urlsafe(32)),
        base_url=_quote(values.base_url),
        database_url=_quote(values.database_url),
        smtp_url=_quote(values.smtp.url),
    )
    text += "".join(f"{line}\n" for line in _write_smtp_lines(values.smtp))
    if urlsplit(values.base_url).scheme == "https":
        text += (
            "\n[web]\ntrusted_proxies = 1    # the web server in front, which has the certificate\n"
        )
    return text


def _write_smtp_lines(smtp: NewSmtp) -> Iterator[str]:
    if smtp.user and smtp.password:
        yield f"user = {_quote(smtp.user)}"
        yield f"password = {_quote(smtp.password)}"
    elif smtp.preset:
        yield f"# user = {_quote(smtp.user or '…')}    # {smtp.preset.account}"
        yield '# password = "…"'
    if preset := smtp.preset:
        yield f"connections = {preset.connections}"
        if preset.max_per_second:
            yield f"max_per_second = {preset.max_per_second}    # more, where your account may"
        if preset.max_per_day:
            yield f"max_per_day = {preset.max_per_day}"
        if preset.campaign_headers:
            yield f"campaign_headers = {_quote(preset.campaign_headers)}"


def _quote(text: str) -> str:
    """Quote a text as a TOML string, by JSON's rules."""
    return json.dumps(text, ensure_ascii=False)
