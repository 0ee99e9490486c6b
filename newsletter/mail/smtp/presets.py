"""The settings of well-known mail providers for sending over SMTP, filled in by name.

Rates and connections are what a provider allows by default; if an account may do more, change them
in the settings file.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

_REGION = re.compile(r"[a-z0-9]{2,}(?:-[a-z0-9]+){0,3}")


@dataclass(frozen=True, slots=True)
class Preset:
    """The settings for sending through a mail provider.

    `user` is empty if each account has its own. `account` tells where to find user and password,
    and `records` which DNS records the sender's domain needs. `campaign_headers` are added to mail
    to a list.
    """

    title: str
    url: str
    account: str
    records: str
    user: str = ""
    connections: int = 4
    max_per_second: float | None = None
    max_per_day: int | None = None
    campaign_headers: str = ""


_DKIM = "the DKIM records that it shows for your domain, and a DMARC record"
_SPF = "SPF with include:{include}, " + _DKIM

PRESETS = {
    "ses": Preset(
        "Amazon SES",
        "smtp+starttls://email-smtp.{region}.amazonaws.com:587",
        "SMTP credentials made in the SES console (not an access key)",
        "its three DKIM CNAMEs, a MAIL FROM domain (MX, and SPF with include:amazonses.com), and "
        "a DMARC record",
        max_per_second=14,
    ),
    "postmark": Preset(
        "Postmark",
        "smtp+starttls://smtp.postmarkapp.com:587",
        "user and password are both the server token",
        "its DKIM record, the Return-Path CNAME, and a DMARC record",
        campaign_headers="X-PM-Message-Stream: broadcast",
    ),
    "mailgun": Preset(
        "Mailgun",
        "smtp+starttls://smtp.{region}mailgun.org:587",
        "the SMTP user of your domain, such as postmaster@mg.your.blog, and its password",
        _SPF.format(include="mailgun.org"),
    ),
    "brevo": Preset(
        "Brevo",
        "smtp+starttls://smtp-relay.brevo.com:587",
        "the SMTP login and an SMTP key, from SMTP & API",
        "its brevo-code TXT record, " + _DKIM,
    ),
    "resend": Preset(
        "Resend",
        "smtps://smtp.resend.com:465",
        "the password is an API key",
        "its MX and SPF records for send.your.domain, " + _DKIM,
        user="resend",
        connections=2,
        max_per_second=2,
    ),
    "fastmail": Preset(
        "Fastmail",
        "smtps://smtp.fastmail.com:465",
        "your address, and an app password that may use SMTP",
        _SPF.format(include="spf.messagingengine.com"),
        connections=2,
    ),
    "gmail": Preset(
        "Gmail",
        "smtp+starttls://smtp.gmail.com:587",
        "your address, and an app password (needs 2-step verification)",
        _SPF.format(include="_spf.google.com") + ", for a domain of your own",
        connections=2,
        max_per_day=500,
    ),
    "office365": Preset(
        "Microsoft 365",
        "smtp+starttls://smtp.office365.com:587",
        "a mailbox whose authenticated SMTP is switched on, and its password; where passwords are "
        "switched off, add ?auth=xoauth2 to smtp.url, and the password is an access token",
        _SPF.format(include="spf.protection.outlook.com"),
        connections=3,
        max_per_second=0.5,
        max_per_day=10_000,
    ),
}
"""Mail providers by the name that `--smtp` accepts."""


def find_preset(text: str) -> Preset | None:
    """Return the preset that `text` names, such as ``ses:eu-west-1``; None for a URL.

    Raises `ValueError` for an unknown name, and for a region that is missing or cannot be one.
    """
    name, colon, region = text.strip().partition(":")
    if region.startswith("//"):
        return None
    preset = PRESETS.get(name.lower())
    if preset is None:
        raise ValueError(
            f"{name} is no provider known here; give one of {', '.join(PRESETS)}, or "
            "smtp://host:587"
        )
    return _in_region(preset, name.lower(), region.lower()) if colon else _cut_region(preset)


def _cut_region(preset: Preset) -> Preset:
    if preset.title == "Amazon SES":
        raise ValueError("Amazon SES needs its region: ses:eu-west-1")
    return replace(preset, url=preset.url.replace("{region}", ""))


def _in_region(preset: Preset, name: str, region: str) -> Preset:
    if "{region}" not in preset.url:
        raise ValueError(f"{preset.title} has no regions: give {name}")
    if not _REGION.fullmatch(region) or (name == "mailgun" and region not in ("us", "eu")):
        example = "mailgun:eu" if name == "mailgun" else "ses:eu-west-1"
        raise ValueError(f"{region or 'nothing'} is no region of {preset.title}, like {example}")
    part = {"us": "", "eu": "eu."}[region] if name == "mailgun" else region
    return replace(preset, url=preset.url.replace("{region}", part))
