"""Build the TLS context of requests to addresses that a stranger chose."""

from __future__ import annotations

import ssl
from functools import cache

from urllib3.util.ssl_ import create_urllib3_context


@cache
def build_tls_context(ca_certs: str | None) -> ssl.SSLContext:
    """Return the context that verifies servers by a file of certificates, or by the machine's.

    It is the process's own: to read the machine's certificates costs more than a poll.
    """
    context = create_urllib3_context(cert_reqs=ssl.CERT_REQUIRED)
    if ca_certs:
        context.load_verify_locations(ca_certs)
    else:
        context.load_default_certs()
    return context
