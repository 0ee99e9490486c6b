"""Match recipients against the bounce address."""

from __future__ import annotations

import re


def is_own_address(address: str, recipient: str) -> bool:
    """Tell whether mail for `recipient` belongs to the bounce address or to an extension of it."""
    local, _, domain = address.lower().rpartition("@")
    pattern = rf"{re.escape(local)}(?:\+[^@]{{0,200}})?@{re.escape(domain)}"
    return bool(local) and re.fullmatch(pattern, read_plus(recipient[:320]).lower()) is not None


def read_plus(address: str) -> str:
    """Restore the plus sign of an address that a program has escaped from a mailto link."""
    return address.replace("%2B", "+").replace("%2b", "+")
