"""Query DNS with short time-outs; tell "no such record" from "no name server answered"."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

from newsletter.errors import NewsletterError
from newsletter.i18n import Text

if TYPE_CHECKING:
    import dns.resolver


class RecordKind(StrEnum):
    """The kind of a DNS record."""

    A = "A"
    AAAA = "AAAA"
    MX = "MX"
    NS = "NS"
    PTR = "PTR"
    TXT = "TXT"


SECONDS = 3.0
"""Seconds to wait for an answer of a name server."""
SILENCES = 2
"""Queries without an answer after which no more are sent, because there is no network."""


class CouldNotAsk(NewsletterError):
    """No name server answered a query."""


class Resolver(Protocol):
    """A source of DNS records as text; an empty list means no such record or no such name.

    TXT: the strings joined. MX: ``10 mx.example.com``. PTR takes an IP address. Raises
    `CouldNotAsk`.
    """

    def __call__(self, name: str, kind: RecordKind) -> list[str]:
        """Return the records of `kind` at `name`."""
        ...


class DnsResolver:
    """A resolver that uses the system's name servers (dnspython) and caches every answer."""

    def __init__(
        self, *, seconds: float = SECONDS, nameservers: list[str] | None = None, port: int = 53
    ) -> None:
        self._seconds = seconds
        self._nameservers = nameservers
        self._port = port
        self._known: dict[tuple[str, RecordKind], list[str]] = {}
        self._silent = 0

    def __call__(self, name: str, kind: RecordKind) -> list[str]:
        """Return the records of `kind` at `name`. Raises `CouldNotAsk`."""
        question = (name.lower().rstrip("."), kind)
        if question not in self._known:
            self._known[question] = self._ask(*question)
        return self._known[question]

    def _ask(self, name: str, kind: RecordKind) -> list[str]:
        from dns import exception, resolver, reversename  # importing it takes half a second

        if self._silent >= SILENCES:
            raise CouldNotAsk(Text("the name servers do not answer"))
        try:
            question = reversename.from_address(name) if kind is RecordKind.PTR else name
            answer = self._resolver().resolve(question, kind, lifetime=self._seconds, search=False)
        except (resolver.NXDOMAIN, resolver.NoAnswer):
            return []
        except (
            exception.Timeout,
            resolver.NoNameservers,
            resolver.NoResolverConfiguration,
            OSError,
        ) as error:
            self._silent += isinstance(
                error, exception.Timeout | resolver.NoResolverConfiguration | OSError
            )
            raise CouldNotAsk(Text("no name server answered for %(name)s", name=name)) from None
        except (exception.DNSException, ValueError):
            return []
        return [_text(record, kind) for record in answer]

    def _resolver(self) -> dns.resolver.Resolver:
        from dns import resolver

        system = resolver.Resolver(configure=self._nameservers is None)
        if self._nameservers is not None:
            system.nameservers = self._nameservers
            system.port = self._port
        return system


def _text(record: object, kind: RecordKind) -> str:
    if kind is RecordKind.TXT:
        text = b"".join(record.strings).decode("utf-8", "replace")  # type: ignore[attr-defined]
        # It is printed on a terminal.
        return "".join(letter if letter.isprintable() else "\ufffd" for letter in text)
    if kind is RecordKind.MX:
        host = str(record.exchange).rstrip(".").lower()  # type: ignore[attr-defined]
        return f"{record.preference} {host}"  # type: ignore[attr-defined]
    return str(record).rstrip(".").lower()
