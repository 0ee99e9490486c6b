"""`newsletter init`: create the settings, the database, the first list and its feed."""

from __future__ import annotations

import os
import re
import sys
import unicodedata
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from email.utils import parseaddr
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import click
from click.core import ParameterSource

from newsletter import settings, settings_loader
from newsletter.cli.context import may_fetch_private
from newsletter.cli.output import say
from newsletter.cli.setup_questions import (
    ask_base_url,
    ask_login,
    ask_smtp,
    ask_timezone,
    ask_until,
    say_records,
)
from newsletter.errors import FeedError, InvalidInput
from newsletter.services.operations import setup

if TYPE_CHECKING:
    from newsletter.feeds.discover import Discovered
    from newsletter.services.runtime import Environment


@click.command(epilog='Example: newsletter init https://your.blog --from "Ana <ana@your.blog>"')
@click.argument("blog_url", required=False)
@click.option("--slug", help="The list's name in links (default: made from its title).")
@click.option("--title", help="The list's title (default: that of your blog).")
@click.option("--from", "sender", metavar='"ANA <ana@x.org>"', help="The sender of your mails.")
@click.option(
    "--address", default="", metavar="TEXT", help="Your postal address, for the foot of every mail."
)
@click.option(
    "--smtp",
    default="smtp://localhost:25",
    show_default=True,
    metavar="URL|PROVIDER",
    help="The SMTP server that sends your mail, or a provider: ses:eu-west-1, postmark, "
    "mailgun:eu, brevo, resend, fastmail, gmail, office365.",
)
@click.option(
    "--base-url",
    default="http://localhost:8025",
    show_default=True,
    help="The public address of this program.",
)
@click.option(
    "--database",
    default="sqlite:///newsletter.db",
    show_default=True,
    metavar="URL",
    help="Where data is stored; also postgresql+psycopg://...",
)
@click.option(
    "--timezone", default="UTC", show_default=True, metavar="TZ", help="Such as Europe/Berlin."
)
@click.option("--yes", "-y", is_flag=True, help="Ask nothing.")
@click.pass_context
def init(
    ctx: click.Context,
    blog_url: str | None,
    slug: str | None,
    title: str | None,
    sender: str | None,
    address: str,
    smtp: str,
    base_url: str,
    database: str,
    timezone: str,
    *,
    yes: bool,
) -> None:
    """Set up: find the blog's feed, write newsletter.toml, make the database and a list.

    Nothing is written if an answer is wrong or the blog cannot be read.
    """
    file = ctx.find_root().obj or Path(os.environ.get("NEWSLETTER_CONFIG") or settings.DEFAULT_FILE)
    setup.require_new(file)
    asking = sys.stdin.isatty() and not yes
    if not sender and not asking:
        raise click.UsageError('give the sender: --from "Ana <ana@your.blog>"')
    discover = partial(_discover_feed, allow_private=may_fetch_private(ctx))
    question = "Your blog's address (empty: none yet)"
    ask_blog = asking and not blog_url
    discovered = ask_until(question, discover, default="") if ask_blog else discover(blog_url or "")
    if asking and not sender:
        sender = ask_until('The sender, such as "Ana <ana@your.blog>"', _check_sender)
    if asking and not address:
        question = "Your postal address (the law wants it in every mail)"
        address = click.prompt(question, default="", show_default=False)
    if asking and not _is_given(ctx, "timezone"):
        timezone = ask_timezone()
    _check_settings(checked := {"from": sender, "timezone": timezone, "address": address})
    if asking and not _is_given(ctx, "base_url"):
        base_url = ask_base_url(base_url)
    if asking and not _is_given(ctx, "smtp"):
        new_smtp = ask_smtp(smtp, base_url)
    else:
        new_smtp = ask_login(setup.parse_smtp(smtp), asking=asking)
    setup.write_settings(file, setup.NewSettings(base_url, database, new_smtp))
    say_records(new_smtp)
    try:
        _make_installation(file, discovered, slug, {"title": title, **checked})
    except BaseException:  # Ctrl-C as well: the command can be given again
        file.unlink(missing_ok=True)
        raise
    if asking:
        _offer_test_mail(file, sender)


def _discover_feed(blog_url: str, *, allow_private: bool) -> Discovered | None:
    """Find the feed of a blog; None if no blog is given.

    Raises `FeedError`.
    """
    if not blog_url:
        return None
    from newsletter.feeds.discover import discover
    from newsletter.feeds.fetch import Fetcher

    try:
        return discover(blog_url, Fetcher(user_agent="newsletter", allow_private=allow_private))
    except FeedError as error:
        error.hint = error.hint or (
            "nothing was written; leave the address out to add it later with `newsletter feed add`"
        )
        raise


def _name_blog(discovered: Discovered) -> str:
    return discovered.title or urlsplit(discovered.feed_url).hostname or "Newsletter"


def _check_sender(text: str) -> str:
    """Return a sender if a list accepts it.

    Raises `InvalidInput`.
    """
    _check_settings({"from": text})
    return text


def _check_settings(values: Mapping[str, object]) -> None:
    """Raise `InvalidInput` if a list would refuse these settings."""
    from newsletter.services.lists.list_options import parse_settings

    parse_settings(values)


def _make_installation(
    file: Path,
    discovered: Discovered | None,
    slug: str | None,
    values: dict[str, str | None],
) -> None:
    from newsletter.services import installation
    from newsletter.services.operations import database

    database.upgrade(settings_loader.load_settings(file, os.environ).database_url)
    with _open_installation(file) as env:
        installation.record_key(env)
        _make_list(env, file, discovered, slug, values)


@contextmanager
def _open_installation(file: Path) -> Iterator[Environment]:
    """Open the installation of a settings file; close its database at the end."""
    from newsletter.app import create_app
    from newsletter.services.operations import database
    from newsletter.services.runtime import environment

    loaded = settings_loader.load_settings(file, os.environ)
    with create_app(loaded, with_pages=False).app_context():
        try:
            yield environment()
        finally:
            database.close()


def _make_list(
    env: Environment,
    file: Path,
    discovered: Discovered | None,
    slug: str | None,
    values: dict[str, str | None],
) -> None:
    from newsletter.services.lists import lists

    title = values["title"] or (_name_blog(discovered) if discovered else "Newsletter")
    mailing_list = lists.add(
        env,
        slug or _make_slug(title),
        {**values, "title": title, "site_url": discovered.site_url if discovered else ""},
    )
    say(f"Written: {file} and the database.")
    say(f"List: {mailing_list.title}, at {env.links.mailing_list(mailing_list.slug)}")
    if discovered:
        _add_feed(env, discovered, mailing_list.slug)
    say("Next: `newsletter embed` prints the form for your blog,")
    say("      `newsletter serve` runs it all, and `newsletter doctor` looks it over.")


def _add_feed(env: Environment, discovered: Discovered, slug: str) -> None:
    from newsletter.services.polling import feeds

    added = feeds.add(env, discovered.feed_url, slug)
    say(f"Feed: {added.url}")
    say(f"Its {added.entries:,} entries will not be mailed; new ones will.")


def _offer_test_mail(file: Path, sender: str | None) -> None:
    """Offer to mail a test message to the author, and print the server's reply."""
    from newsletter.services.operations.mail_proof import check_arrival

    to = parseaddr(sender or "")[1]
    if click.confirm(f"Send a test mail to {to}?", default=True):
        with _open_installation(file) as env:
            check = check_arrival(env, to)
        say(f"{check.what}{f' ({check.hint})' if check.hint else ''}")


def _is_given(ctx: click.Context, option: str) -> bool:
    return ctx.get_parameter_source(option) is ParameterSource.COMMANDLINE


def _make_slug(title: str) -> str:
    """Derive a list's slug from its title."""
    plain = unicodedata.normalize("NFKD", title).encode("ascii", "ignore").decode().lower()
    slug = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:60].strip("-")
    if not slug:
        raise InvalidInput({"slug": "none can be made from the title; give one with --slug"})
    return slug
