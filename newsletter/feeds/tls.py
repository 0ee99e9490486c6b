"""Build the TLS context for requests to URLs that a stranger chose."""

from __future__ import annotations

import ssl
from functools import cache

from urllib3.util.ssl_ import create_urllib3_context


@cache
def build_tls_context(ca_certs: str | None) -> ssl.SSLContext:
    """Return a context that verifies servers by a certificate file, or by the system's store.

    The context is cached for the process, because reading the system's certificates takes longer
    than polling a feed.
    """
    context = create_urllib3_context(cert_reqs=ssl.CERT_REQUIRED)
    if ca_certs:
        context.load_verify_locations(ca_certs)
    else:
        context.load_default_certs()
    return context
