"""Check that `base_url`, the beginning of every link in mails, leads to this program."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

from newsletter.errors import FeedError
from newsletter.i18n import Text
from newsletter.services.checks import BAD, GOOD, WARN, Check
from newsletter.services.operations.dns_checks import LOCAL_HOSTS
from newsletter.services.runtime import Environment
from newsletter.stored_texts import Stored


def check_base_url(env: Environment) -> Iterator[Check]:
    """Check that `base_url` is public, uses https, and leads to this program."""
    url = env.settings.base_url
    parts = urlsplit(url)
    why = Text("mail programs offer their button to unsubscribe only for https (RFC 8058 §3.1)")
    if parts.hostname in LOCAL_HOSTS:
        yield Check(
            "base_url",
            WARN,
            Text("subscribers cannot open localhost"),
            Text("set base_url to your public https address"),
            why,
        )
        return
    if parts.scheme != "https":
        yield Check(
            "base_url",
            BAD,
            Text("links in mails are not https"),
            Text("set base_url to https://…"),
            why,
        )
        return
    yield Check("base_url", GOOD, url)
    yield from _check_reachable(env, url)


def _check_reachable(env: Environment, url: str) -> Iterator[Check]:
    """Check that `base_url` leads to this program, as far as this machine can tell."""
    why = Text(
        "every link in every mail begins with it, and one-click unsubscription must not be "
        "redirected (RFC 8058 section 3.2)"
    )
    hint = Text(
        "check that the name leads to this machine, that its certificate is valid, and that "
        "`newsletter serve` runs behind it"
    )
    try:
        answer = env.fetch(f"{url}/robots.txt")
    except FeedError as error:
        yield Check(
            "one_click",
            BAD,
            Text("%(url)s cannot be reached: %(reason)s", url=url, reason=Stored(error.reason)),
            hint,
            why,
        )
        return
    if answer.url != f"{url}/robots.txt":
        yield Check(
            "one_click",
            BAD,
            Text("%(url)s redirects to %(end)s", url=url, end=answer.url),
            Text("set base_url to where it ends"),
            why,
        )
    elif b"Disallow: /unsubscribe/" not in answer.body:
        yield Check(
            "one_click",
            BAD,
            Text("%(url)s answers, but it is not this program", url=url),
            hint,
            why,
        )
    else:
        yield Check("one_click", GOOD, Text("%(url)s leads here, without a redirect", url=url))
