"""List the causes that SMTP codes and enhanced status codes mean if the text tells none.

Data only.
"""

from __future__ import annotations

from newsletter.mail.smtp.causes import Cause

STATUSES: dict[str, Cause] = {
    # IANA's registry of enhanced status codes (RFC 3463, RFC 5248), without the class digit.
    "1.1": Cause.MAILBOX,
    "1.2": Cause.DOMAIN,
    "1.3": Cause.MAILBOX,
    "1.6": Cause.MAILBOX,
    "1.7": Cause.SENDER,
    "1.8": Cause.SENDER,
    "1.10": Cause.DOMAIN,  # RFC 7505 section 4.2
    "1.90": Cause.QUOTA,  # Exchange Online: daily limit for message recipients
    "2": Cause.MAILBOX_FULL,
    "2.1": Cause.MAILBOX,
    "2.3": Cause.TOO_LARGE,
    "3": Cause.TEMPORARY,
    "3.4": Cause.TOO_LARGE,
    "4": Cause.TEMPORARY,
    "4.4": Cause.DOMAIN,
    "4.310": Cause.DOMAIN,  # Exchange Online: the domain does not exist
    "5": Cause.PROTOCOL,
    "5.3": Cause.PACE,  # too many recipients, of one
    "6": Cause.FORMAT,
    "7": Cause.POLICY,
    "7.2": Cause.RECIPIENT_POLICY,
    "7.8": Cause.ACCOUNT,
    "7.9": Cause.ACCOUNT,
    "7.10": Cause.AUTHENTICATION,
    "7.11": Cause.ACCOUNT,
    "7.12": Cause.RECIPIENT_POLICY,  # Exchange Online: sender not authenticated by organization
    "7.13": Cause.ACCOUNT,
    "7.14": Cause.ACCOUNT,
    "7.15": Cause.PACE,  # RFC 6710: priority level too low
    "7.20": Cause.AUTHENTICATION,  # RFC 7372, and Gmail's own numbers from here to 7.40
    "7.21": Cause.AUTHENTICATION,
    "7.22": Cause.AUTHENTICATION,
    "7.23": Cause.AUTHENTICATION,
    "7.24": Cause.AUTHENTICATION,
    "7.25": Cause.AUTHENTICATION,
    "7.26": Cause.AUTHENTICATION,
    "7.27": Cause.AUTHENTICATION,
    "7.28": Cause.PACE,
    "7.29": Cause.AUTHENTICATION,
    "7.30": Cause.AUTHENTICATION,
    "7.31": Cause.AUTHENTICATION,
    "7.32": Cause.AUTHENTICATION,
    "7.40": Cause.AUTHENTICATION,
    "7.57": Cause.ACCOUNT,  # Exchange Online's own numbers from here on
    "7.60": Cause.ACCOUNT,
    "7.64": Cause.ACCOUNT,
    "7.124": Cause.RECIPIENT_POLICY,
    "7.133": Cause.RECIPIENT_POLICY,
    "7.134": Cause.RECIPIENT_POLICY,
    "7.135": Cause.RECIPIENT_POLICY,
    "7.136": Cause.RECIPIENT_POLICY,
    "7.193": Cause.RECIPIENT_POLICY,
    "7.194": Cause.RECIPIENT_POLICY,
    "7.232": Cause.QUOTA,
    "7.233": Cause.QUOTA,
    "7.500": Cause.PACE,
    "7.501": Cause.ACCOUNT,
    "7.502": Cause.ACCOUNT,
    "7.503": Cause.ACCOUNT,
    "7.508": Cause.PACE,
    "7.509": Cause.AUTHENTICATION,
    "7.511": Cause.REPUTATION,
    "7.515": Cause.AUTHENTICATION,
    "7.705": Cause.QUOTA,
    "7.708": Cause.REPUTATION,
    "7.750": Cause.SENDER,
}
"""Causes by enhanced status code without its class; the longest prefix of a status is used."""

CODES: dict[int, Cause] = {
    432: Cause.ACCOUNT,  # RFC 4954 section 6
    454: Cause.ACCOUNT,
    500: Cause.PROTOCOL,
    501: Cause.PROTOCOL,
    502: Cause.PROTOCOL,
    503: Cause.PROTOCOL,
    504: Cause.PROTOCOL,
    521: Cause.DOMAIN,  # RFC 7504 section 3
    551: Cause.MAILBOX,  # RFC 5321 section 3.4
    555: Cause.PROTOCOL,
    556: Cause.DOMAIN,  # RFC 7504 section 4
}

ACCOUNT_CODES = frozenset({525, 530, 534, 535, 538})
"""Codes of replies to AUTH, or for lack of it (RFC 4954 section 6, RFC 5248): always about our
account."""
