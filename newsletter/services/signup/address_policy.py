"""Decide which addresses are accepted, for forms, JSON, commands and imports alike.

Asks no DNS.
"""

from __future__ import annotations

from functools import cache

from newsletter.addresses import Address, parse_address
from newsletter.errors import InvalidInput
from newsletter.i18n import Text
from newsletter.services.runtime import Environment

ROLES = frozenset(
    {
        "abuse",
        "abuse-report",
        "bounce",
        "bounces",
        "devnull",
        "do-not-reply",
        "donotreply",
        "fbl",
        "honeypot",
        "hostmaster",
        "mailer-daemon",
        "no-reply",
        "nobody",
        "noc",
        "noreply",
        "postmaster",
        "security",
        "spam",
        "spamtrap",
        "spam-trap",
        "usenet",
        "uucp",
    }
)
"""Role addresses (RFC 2142), which have no owner who could consent; some feed block lists.

`info@` and the like are not among them: they are many a small firm's only address.
"""


def accept_address(env: Environment, typed: object, *, field: str = "email") -> Address:
    """Parse an address and check that this installation accepts it.

    Raises `InvalidInput` under `field`.
    """
    address = parse_address(typed, field=field)
    if why := find_refusal(env, address):
        raise InvalidInput({field: why})
    return address


def find_refusal(env: Environment, address: Address) -> str:
    """Return the reason why the settings refuse an address, empty if they accept it."""
    settings = env.settings.signup
    local, _, domain = address.key.rpartition("@")
    if settings.refuse_role_addresses and local.partition("+")[0] in ROLES:
        return Text(
            "This address belongs to a role, not to one subscriber. Please use one of your own."
        )
    if settings.refuse_disposable and _is_within(domain, _load_disposable()):
        return Text(
            "This is an address for a few minutes. Please use one that you will still read "
            "next month."
        )
    if _is_within(domain, settings.refuse_domains):
        return Text("Addresses of this domain are not taken here. Please use another one.")
    return ""


def _is_within(domain: str, listed: frozenset[str] | tuple[str, ...]) -> bool:
    """Tell whether a domain or one of its parents is listed."""
    labels = domain.split(".")
    return any(".".join(labels[at:]) in listed for at in range(len(labels) - 1))


@cache
def _load_disposable() -> frozenset[str]:
    """Load the domains of disposable addresses, a large set, at first use."""
    from disposable_email_domains import blocklist

    return frozenset(blocklist)
