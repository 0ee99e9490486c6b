"""Parse the values of settings: durations, ceilings, keys, addresses.

Pure. A value that cannot be used raises `ValueError` with an example of the right form.
"""

from __future__ import annotations

import re
from datetime import timedelta
from itertools import pairwise
from typing import NamedTuple
from urllib.parse import urlsplit, urlunsplit

import idna
from pydantic import SecretStr

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_DURATION = re.compile(r"(\d+)\s*([smhd])")
_WORDS_OF_EXAMPLES = re.compile(
    "newsletter|change|default|development|example|insert|placeholder|replace|production|password|"
    "passwort|secret|"
    "insecure|admin|letmein|qwerty|random|string|please|dev|test|your|here|with|this|key|me"
)
"""Placeholder words of keys in example configurations."""
_KEY_AT_LEAST = 16
"""The least number of characters of a key."""
_DISTINCT_AT_LEAST = 8
"""The least number of different characters of a key."""
_RANDOM_AT_LEAST = 6
"""The least number of characters of a key without placeholder words."""
SELECTORS_AT_MOST = 4
"""The most DKIM keys that sign: an RSA and an Ed25519 key, and their replacements."""
_RUN_AT_MOST = 0.7
"""The largest share of characters that may repeat or follow the previous one, as in 1234."""


def parse_duration(value: object) -> timedelta:
    """Parse ``60``, ``"90 s"``, ``"15m"``, ``"48h"`` or ``"4d"``.

    Raises `ValueError`.
    """
    if isinstance(value, timedelta):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return timedelta(seconds=value)
    text = str(value).strip().lower()
    try:
        if match := _DURATION.fullmatch(text):
            return timedelta(seconds=int(match[1]) * _UNITS[match[2]])
        if text.isdecimal():
            return timedelta(seconds=int(text))
    except OverflowError:
        raise ValueError("this length of time is too long") from None
    raise ValueError('a length of time is a number with s, m, h or d, like "90s" or "48h"')


def parse_durations(value: object) -> tuple[timedelta, ...]:
    """Parse several durations, separated by spaces or commas."""
    if isinstance(value, str):
        return tuple(parse_duration(word) for word in value.replace(",", " ").split())
    if isinstance(value, list | tuple) and value:
        return tuple(parse_duration(item) for item in value)
    raise ValueError('a row of lengths of time, like "1m 5m 15m 1h"')


def split_words(value: object) -> object:
    """Split a text at spaces and commas into a tuple; return anything else unchanged."""
    return (
        tuple(re.split(r"[,\s]+", value.strip()))
        if isinstance(value, str) and value.strip()
        else value
    )


def require_strong_secret(value: SecretStr) -> SecretStr:
    """Return the key, or raise `ValueError` if it is easy to guess.

    Raises `ValueError`.
    """
    if _is_guessable(value.get_secret_value().strip().lower()):
        raise ValueError(
            "too easy to guess; put 32 random characters there (`newsletter init` makes one)"
        )
    return value


def _is_guessable(text: str) -> bool:
    """Tell whether a key is short, repetitive, sequential, or made of placeholder words."""
    letters = re.sub(r"[\W_]", "", text)
    if len(text) < _KEY_AT_LEAST or len(set(text)) < _DISTINCT_AT_LEAST or not letters:
        return True
    repeats = any(_consists_of(letters[:size], letters) for size in range(1, _KEY_AT_LEAST))
    unusual = re.sub(r"\d{1,4}$", "", _WORDS_OF_EXAMPLES.sub("", letters))
    steps = sum(abs(ord(after) - ord(before)) <= 1 for before, after in pairwise(letters))
    counts = len(letters) < 2 * _KEY_AT_LEAST and steps > _RUN_AT_MOST * len(letters)
    return repeats or counts or len(unusual) < _RANDOM_AT_LEAST


def _consists_of(unit: str, text: str) -> bool:
    return 2 * len(unit) <= len(text) and text == (unit * len(text))[: len(text)]


def encode_host(host: str) -> str:
    """Normalise a host: its A-label in lower case (RFC 5890), or its IP address.

    Raises `ValueError` if `host` cannot be the name of a host.
    """
    if host.isascii():
        return host.lower()
    try:
        return idna.encode(host, uts46=True).decode("ascii")
    except idna.IDNAError:
        raise ValueError(
            f"{host} cannot be the name of a host; write it as it is registered"
        ) from None


def encode_url(url: str) -> str:
    """Return `url` with its host as an A-label, otherwise unchanged."""
    parts = urlsplit(url)
    host = parts.hostname
    if host is None or host.isascii():
        return url
    before, sign, place = parts.netloc.rpartition("@")
    _, colon, port = place.partition(":")
    return urlunsplit(parts._replace(netloc=f"{before}{sign}{encode_host(host)}{colon}{port}"))


def clean_base_url(value: str) -> str:
    """Return a web address without a slash at its end, its host as an A-label."""
    value = encode_url(value)
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("must be a full address like https://news.example.com")
    if parts.query or parts.fragment or parts.username:
        raise ValueError("must be a plain address without user, query or fragment")
    if not value.isascii():
        raise ValueError("its path has letters beyond ASCII; write them percent-encoded")
    return value.rstrip("/")


def clean_database_url(value: str) -> str:
    """Return the URL of a database with the driver that this program uses."""
    if not re.match(r"(sqlite|postgres|postgresql(\+psycopg)?)://", value):
        raise ValueError("must start with sqlite:/// or postgresql+psycopg://")
    return re.sub(r"^postgres(?:ql)?://", "postgresql+psycopg://", value)


def clean_smtp_urls(value: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
    """Return the URLs of one or more SMTP servers, their hosts as A-labels."""
    value = tuple(SecretStr(encode_url(url.get_secret_value())) for url in value)
    for url in value:
        parts = urlsplit(url.get_secret_value())
        try:
            usable = (
                parts.scheme in ("smtp", "smtp+starttls", "smtps")
                and parts.hostname
                and (parts.port or 1)
            )
        except ValueError:
            usable = False
        if not usable:
            raise ValueError(
                "must look like smtp://user:password@host:587, smtp+starttls://… or smtps://…"
            )
    if not value:
        raise ValueError("names no server")
    return value


_EXTRA_HEADER = re.compile(r"(X-[A-Za-z0-9-]{1,60}):\s*([!-~](?:[ -~]{0,198}[!-~])?)")


def parse_extra_headers(value: object) -> object:
    """Parse ``X-PM-Message-Stream: broadcast``, several with line breaks between them."""
    lines = value.strip().splitlines() if isinstance(value, str) else value
    if not isinstance(lines, list | tuple):
        raise ValueError('a header like "X-PM-Message-Stream: broadcast"')
    matches = [_EXTRA_HEADER.fullmatch(str(line).strip()) for line in lines]
    if not all(matches):
        raise ValueError(
            'headers of your provider begin with X-, like "X-PM-Message-Stream: broadcast"'
        )
    return tuple((match[1], match[2]) for match in matches if match)


class Ceiling(NamedTuple):
    """A rate limit: at most `most` in any `seconds`."""

    most: int
    seconds: int


_PERIODS = {"second": 1, "minute": 60, "hour": 3600, "day": 86_400}
_CEILING = re.compile(r"([1-9]\d*)/(second|minute|hour|day)")


def parse_ceiling(text: str) -> Ceiling:
    """Parse a ceiling such as ``500/hour``.

    Raises `ValueError`.
    """
    if not (match := _CEILING.fullmatch(text.strip())):
        raise ValueError('a ceiling is a number a second, minute, hour or day, like "500/hour"')
    return Ceiling(int(match[1]), _PERIODS[match[2]])


def parse_domain_ceilings(value: object) -> object:
    """Parse ``gmail.com=500/hour *=2000/hour`` into {domain: ceiling}."""
    if not isinstance(value, str):
        return value
    pairs = [word.partition("=") for word in value.replace(",", " ").split()]
    if not all(domain and rate for domain, _, rate in pairs):
        raise ValueError('names domains and their ceilings, like "gmail.com=500/hour *=2000/hour"')
    return {encode_host(domain): parse_ceiling(rate) for domain, _, rate in pairs}


def split_domains(value: object) -> object:
    """Split domains at spaces and commas into A-labels in lower case."""
    listed = split_words(value)
    return (
        tuple(encode_host(str(domain)) for domain in listed)
        if isinstance(listed, list | tuple)
        else listed
    )


def parse_warmup(value: object) -> object:
    """Parse ``50/day doubling`` into 50."""
    if value is None or isinstance(value, int):
        return value
    if not (match := re.fullmatch(r"([1-9]\d*)/day doubling", " ".join(str(value).split()))):
        raise ValueError('is written like "50/day doubling"')
    return int(match[1])


def clean_mailbox_url(value: SecretStr) -> SecretStr:
    """Return the address of a mailbox, its host as an A-label."""
    parts = urlsplit(value.get_secret_value())
    kinds = ("imaps", "imap", "pop3s", "pop3")
    try:
        usable = parts.scheme in kinds and parts.hostname and parts.username and (parts.port or 1)
    except ValueError:
        usable = False
    if not usable or parts.password is None:
        raise ValueError("must look like imaps://user:password@host/INBOX or pop3s://…")
    return SecretStr(encode_url(value.get_secret_value()))


def check_listen_address(value: str) -> str:
    """Validate a listen address: a port, or a host and a port."""
    host, _, port = value.rpartition(":")
    if not (port.isdecimal() and 0 < int(port) < 65_536) or not re.fullmatch(r"[\w.:\[\]-]*", host):
        raise ValueError("must look like 127.0.0.1:8024")
    return value


def clean_return_address(value: str) -> str:
    """Validate a bounce address to which references can be added; return it with an A-label."""
    local, sign, domain = value.rpartition("@")
    value = f"{local}{sign}{encode_host(domain)}"
    # The local part grows by the reference of a message and may have 64 octets then (RFC 5321
    # section 4.5.3.1.1).
    if not re.fullmatch(r"[A-Za-z0-9_.-]{1,24}@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+", value):
        raise ValueError("must be a plain address like bounces@news.example.com")
    return value


_SELECTOR = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")


def is_selector(text: str) -> bool:
    """Tell whether a selector can be one label of a DNS name (RFC 6376 section 3.1)."""
    return _SELECTOR.fullmatch(text) is not None


def check_selectors(value: tuple[str, ...]) -> tuple[str, ...]:
    """Validate the selectors of DKIM keys, and remove duplicates."""
    if not all(is_selector(selector) for selector in value):
        raise ValueError('names keys of `newsletter dkim ls`, like "s1 s2"')
    if len(set(value)) > SELECTORS_AT_MOST:
        raise ValueError(f"names more than {SELECTORS_AT_MOST} keys; each signs every message")
    return tuple(dict.fromkeys(value))


def clean_redis_url(value: SecretStr) -> SecretStr:
    """Return the URL of a Redis server, its host as an A-label."""
    value = SecretStr(encode_url(value.get_secret_value()))
    parts = urlsplit(value.get_secret_value())
    if not (
        (parts.scheme in ("redis", "rediss") and parts.hostname)
        or (parts.scheme == "redis+unix" and parts.path)
    ):
        raise ValueError(
            "must look like redis://user:password@host:6379/0, rediss://… or redis+unix:///path"
        )
    return value
