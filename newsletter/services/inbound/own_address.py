"""Tell whether mail for an address belongs to the bounce address."""

from __future__ import annotations

import re


def is_own_address(address: str, recipient: str) -> bool:
    """Tell whether mail for `recipient` belongs to the bounce address or to an extension of it."""
    local, _, domain = address.lower().rpartition("@")
    pattern = rf"{re.escape(local)}(?:\+[^@]{{0,200}})?@{re.escape(domain)}"
    return bool(local) and re.fullmatch(pattern, recipient[:320].lower()) is not None
