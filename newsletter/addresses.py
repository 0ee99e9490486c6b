"""E-mail addresses: parse, normalise, compare, mask.

Asks no DNS and sends nothing.

An address is kept as it is sent to (domain as A-label, RFC 5890) beside the key it is compared by
(local part case-folded, NFC). Dots and plus-tags are part of the address.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from newsletter.errors import InvalidInput
from newsletter.i18n import Text

if TYPE_CHECKING:
    from email_validator import ValidatedEmail

MAX_LENGTH = 254
GMAIL = ("gmail.com", "googlemail.com")
"""The domains of Gmail's mailboxes, whose local parts may have dots anywhere."""
_SIMPLE = re.compile(r"[A-Za-z0-9_+-]+(?:\.[A-Za-z0-9_+-]+)*@(?P<domain>[A-Za-z0-9.-]+)")
"""An address in plain ASCII whose only possible problems are its domain and length."""
_QUOTED = re.compile(r'"(?P<local>[A-Za-z0-9_+.-]+)"@(?P<domain>[A-Za-z0-9.-]+)')
"""An address whose local part is quoted because of its dots (RFC 5321 section 4.1.2)."""


@dataclass(frozen=True, slots=True)
class Address:
    """An e-mail address: `email` for sending and showing, `key` for comparing."""

    email: str
    key: str


def parse_address(text: object, *, field: str = "email") -> Address:
    """Parse an address that somebody typed.

    Raises `InvalidInput` under `field`.

    Accepts what SMTP without SMTPUTF8 can reach: an internationalised domain becomes its A-label
    (RFC 5891); a local part beyond ASCII is refused with the reason (RFC 6531 needs the whole path
    to support it). A quoted local part may hold dots in any place, which a Japanese provider gives
    away. Names under ``.test`` are names like any other (RFC 6761 §6.2), hence `test_environment`.
    """
    typed = _read_typed(text, field)
    simple = _SIMPLE.fullmatch(typed) or _find_quoted(typed)
    if simple and _is_domain(simple["domain"].lower()):
        return _make_address(typed, field)
    try:
        validated = _validate(typed)
    except ValueError as error:  # EmailNotValidError and UnicodeError are such
        raise InvalidInput({field: _describe_problem(typed, error)}) from None
    if validated.ascii_email is None:
        problem = Text(
            "Addresses with letters beyond a–z before the @ cannot be reached from here yet."
        )
        raise InvalidInput({field: problem})
    return _make_address(validated.ascii_email, field)


def _find_quoted(typed: str) -> re.Match[str] | None:
    """Match an address that needs its quotes, so that one mailbox has one key."""
    quoted = _QUOTED.fullmatch(typed)
    return None if quoted and _SIMPLE.fullmatch(typed.replace('"', "")) else quoted


def _validate(typed: str) -> ValidatedEmail:
    from email_validator import validate_email  # it costs start-up time that few commands need

    return validate_email(
        typed,
        check_deliverability=False,
        allow_smtputf8=True,
        allow_quoted_local=False,
        strict=True,
        test_environment=True,
    )


@lru_cache(maxsize=4096)
def _is_domain(name: str) -> bool:
    """Tell whether `name` is a valid domain in its final form.

    Most subscribers share a few domains, and validating one is a third of the cost of an import:
    hence the cache.
    """
    try:
        return _validate(f"a@{name}").ascii_domain == name
    except ValueError:
        return False


def _read_typed(text: object, field: str) -> str:
    if not isinstance(text, str) or not text.strip():
        raise InvalidInput({field: Text("Please type your e-mail address.")})
    typed = text.strip(" \t")
    if len(typed) > MAX_LENGTH:
        raise InvalidInput({field: Text("This is too long for an e-mail address.")})
    return unicodedata.normalize("NFC", typed)


def _make_address(ascii_email: str, field: str) -> Address:
    local, _, domain = ascii_email.rpartition("@")
    if len(local) > 64 or len(ascii_email) > MAX_LENGTH:
        raise InvalidInput({field: Text("This is too long for an e-mail address.")})
    if "." not in domain:
        raise InvalidInput(
            {field: Text("In an e-mail address, the part after the @ has a dot in it.")}
        )
    # No top-level domain has one letter; a typing error is likely.
    if len(domain.rpartition(".")[2]) < 2:
        detail = "Its ending is too short."
        raise InvalidInput(
            {field: Text("This does not look like an e-mail address.", detail=detail)}
        )
    domain = domain.lower()
    return Address(f"{local}@{domain}", f"{local.lower()}@{domain}")


def _describe_problem(typed: str, error: Exception) -> str:
    if "@" not in typed:
        return Text("An e-mail address has an @ in it.")
    detail = "" if isinstance(error, UnicodeError) else str(error)[:200]
    return Text("This does not look like an e-mail address.", detail=detail)


def fold_address(key: str) -> str:
    """Fold an address key to the mailbox it most likely delivers to.

    Only for ceilings, never for identity.

    What follows a plus in the local part is left out (RFC 5233), and so are dots at Gmail, which
    goes by two domains.
    """
    local, _, domain = key.rpartition("@")
    local = local.strip('"')
    local = local.partition("+")[0] or local
    if domain in GMAIL:
        local = local.replace(".", "") or local
        domain = GMAIL[0]
    return f"{local}@{domain}"


_LOCAL = r"(?:[^\s\x00-\x1f\"(),:;<>@\[\\\]\x7f]{1,64}|\"[^\"\r\n]{1,62}\")"
_LABEL = r"[^\s\x00-,./:-@\[-^`{-\x7f]+"
_IN_TEXT = re.compile(rf"({_LOCAL})(?:@|%40)({_LABEL}(?:\.{_LABEL})+)")
"""An address in a text, also with letters beyond ASCII (RFC 6531), quoted, or in a URL."""
NAME_AT_LEAST = 4
"""Letters of the shortest local part that is masked in texts; shorter ones occur in other words."""


def mask_addresses(text: str) -> str:
    """Mask each address in a text, such as a server's reply."""
    return _IN_TEXT.sub(lambda match: mask(f"{match[1]}@{match[2]}"), text)


def mask_mailboxes(text: str, emails: Iterable[str]) -> str:
    """Mask each address in a text, and the local parts of these mailboxes."""
    text = mask_addresses(text)
    for email in emails:
        local = email.rpartition("@")[0].strip('"')
        for name in (local, local.partition("+")[0]):
            if len(name) >= NAME_AT_LEAST:
                pattern = rf"(?<!\w){re.escape(name)}(?!\w)"
                text = re.sub(pattern, f"{name[0]}…", text, flags=re.I)
    return text


def mask(email: str) -> str:
    """Return an address in the form ``a…@example.com``, which only its owner recognises."""
    local, _, domain = email.rpartition("@")
    local = local.strip('"')
    return f"{local[:1]}…@{domain}" if local else "…"
