"""Write the settings file of a new installation; never overwrite one."""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass
from pathlib import Path

from newsletter.errors import Refused
from newsletter.files import open_private

TEMPLATE = """\
# Settings of newsletter. The whole list: docs/settings.md. The environment wins:
# NEWSLETTER_SMTP__URL and so on.

secret_key = {secret_key}    # signs every link in every mail: keep it, and keep it to yourself
base_url = {base_url}    # how subscribers reach you; https in production
database_url = {database_url}

[smtp]
url = {smtp_url}    # smtp://user:password@host:587 or smtps://…
"""


@dataclass(frozen=True, slots=True)
class NewSettings:
    """The values that go into a new settings file."""

    base_url: str
    database_url: str
    smtp_url: str


def write_settings(file: Path, values: NewSettings) -> None:
    """Make the settings file, readable by its owner only.

    Raises `Refused` where it exists.
    """
    text = TEMPLATE.format(
        secret_key=json.dumps(secrets.token_urlsafe(32)),
        base_url=json.dumps(values.base_url, ensure_ascii=False),
        database_url=json.dumps(values.database_url, ensure_ascii=False),
        smtp_url=json.dumps(values.smtp_url, ensure_ascii=False),
    )
    try:
        with open_private(file, "x") as out:
            out.write(text)
    except FileExistsError:
        raise Refused(
            f"{file} exists already", hint="nothing was changed; work in another folder"
        ) from None
    except OSError as error:
        raise Refused(f"{file} cannot be written: {error.strerror}") from None
