"""Read the expiry date of a web server's certificate."""

from __future__ import annotations

import socket
import ssl
from datetime import datetime
from urllib.parse import urlsplit

TIMEOUT = 5.0
"""Seconds to wait for the web server."""


def read_certificate_end(url: str) -> datetime | None:
    """Return the expiry date of the certificate of an https URL, or None if it cannot be read.

    The certificate is not verified here; fetching the URL does that.
    """
    from cryptography import x509

    parts = urlsplit(url)
    host = parts.hostname or ""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        with (
            socket.create_connection((host, parts.port or 443), timeout=TIMEOUT) as plain,
            context.wrap_socket(plain, server_hostname=host) as secure,
        ):
            data = secure.getpeercert(binary_form=True)
    except OSError:
        return None
    return x509.load_der_x509_certificate(data).not_valid_after_utc if data else None
