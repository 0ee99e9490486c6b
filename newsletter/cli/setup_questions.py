"""Questions of `newsletter init` on a terminal, about the machine and its mail server."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar
from zoneinfo import ZoneInfo

import click

from newsletter.cli.output import say, warn
from newsletter.errors import InvalidInput, NewsletterError
from newsletter.services.operations import setup

if TYPE_CHECKING:
    from newsletter.services.operations.setup import NewSmtp

LOCAL_TIME = Path("/etc/localtime")
PROVIDERS = "ses:eu-west-1, postmark, mailgun:eu, brevo, resend, fastmail, gmail or office365"


Answer = TypeVar("Answer")


def ask_until(
    question: str, check: Callable[[str], Answer], *, default: str | None = None
) -> Answer:
    """Ask until `check` accepts the answer, and return its result."""
    while True:
        answer = click.prompt(question, default=default, show_default=bool(default))
        try:
            return check(answer.strip())
        except NewsletterError as error:
            warn(str(error))


def ask_base_url(default: str) -> str:
    """Ask for the program's public URL until a valid one is given."""
    from newsletter.setting_types import clean_base_url

    while True:
        try:
            return clean_base_url(
                click.prompt("The public address of this program", default=default)
            )
        except ValueError as error:
            warn(f"base_url: {error}")


def ask_timezone() -> str:
    """Ask for a list's time zone until a valid one is given."""
    while True:
        name: str = click.prompt("Your time zone", default=_read_machine_zone())
        if _is_zone(name):
            return name
        warn(f"{name!r} is not a time zone; use a name like Europe/Berlin")


def _read_machine_zone() -> str:
    """Return the time zone of this machine, or UTC if it is not known."""
    try:
        name = str(LOCAL_TIME.readlink()).partition("zoneinfo/")[2]
    except OSError:
        return "UTC"
    return name if name and _is_zone(name) else "UTC"


def _is_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return False
    return True


def ask_smtp(default: str, base_url: str) -> NewSmtp:
    """Ask for the mail server and try it, until it works or is accepted as it is."""
    while True:
        say(f"Your mail server: {PROVIDERS}; or smtp://host:587")
        try:
            smtp = ask_login(setup.parse_smtp(click.prompt("Mail server", default=default)))
        except InvalidInput as error:
            warn(str(error))
            continue
        problem = setup.find_smtp_problem(smtp, base_url)
        if not problem:
            say("It connects" + (", and takes the user and password." if smtp.user else "."))
            return smtp
        warn(problem)
        if not click.confirm("Give another server or password?", default=True):
            return smtp


def ask_login(smtp: NewSmtp, *, asking: bool = True) -> NewSmtp:
    """Ask for user and password if the server will need them; the password is not displayed."""
    if not asking or not smtp.needs_login:
        return smtp
    if smtp.preset:
        say(f"{smtp.preset.title}: {smtp.preset.account}.")
    user = smtp.user or click.prompt("User (empty: none)", default="", show_default=False)
    if not user:
        return smtp
    return replace(smtp, user=user, password=click.prompt("Password", hide_input=True))


def say_records(smtp: NewSmtp) -> None:
    """Print what the mail provider requires of an account and in the DNS."""
    if preset := smtp.preset:
        say(f"{preset.title}: {preset.account}. It wants in the DNS: {preset.records}.")
