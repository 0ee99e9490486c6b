"""Find the DKIM keys that sign for a sender."""

from __future__ import annotations

from newsletter.mail.dkim.signer import Signer
from newsletter.services.runtime import Environment


def find_signers(env: Environment) -> dict[str, tuple[Signer, ...]]:
    """Map each domain of a sender to the keys that sign for it; empty without DKIM settings."""
    if not env.settings.dkim.selectors:
        return {}
    from newsletter.services.sending import dkim_keys  # it imports cryptography, 8 MB of memory

    return dkim_keys.find_signers(env)
