"""Asking the DNS: short waits, and an honest "could not ask" instead of an answer that nobody gave."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Protocol

from newsletter.errors import NewsletterError

if TYPE_CHECKING:
    import dns.resolver

Kind = Literal["TXT", "MX", "A", "AAAA", "PTR", "CNAME", "NS"]
SECONDS = 3.0
SILENCES = 2
"""After so many questions without an answer nothing more is asked: there is no network."""


class CouldNotAsk(NewsletterError):
    """No name server answered; nothing is known."""


class Resolver(Protocol):
    """Answers a question with its records as text: none where there are none, or no such name.

    TXT: the strings joined. MX: ``10 mx.example.com``. PTR takes an IP address. Raises
    `CouldNotAsk`.
    """

    def __call__(self, name: str, kind: Kind) -> list[str]:
        """The records of `kind` at `name`."""
        ...


class DnsResolver:
    """The system's name servers, by dnspython, asked once for each question."""

    def __init__(
        self, *, seconds: float = SECONDS, nameservers: list[str] | None = None, port: int = 53
    ) -> None:
        self._seconds = seconds
        self._nameservers = nameservers
        self._port = port
        self._known: dict[tuple[str, Kind], list[str]] = {}
        self._silent = 0

    def __call__(self, name: str, kind: Kind) -> list[str]:
        """See `Resolver`."""
        question = (name.lower().rstrip("."), kind)
        if question not in self._known:
            self._known[question] = self._ask(*question)
        return self._known[question]

    def _ask(self, name: str, kind: Kind) -> list[str]:
        from dns import exception, resolver, reversename  # half a second that only `doctor` needs

        if self._silent >= SILENCES:
            raise CouldNotAsk("the name servers do not answer")
        try:
            asked = reversename.from_address(name) if kind == "PTR" else name
            answer = self._resolver().resolve(asked, kind, lifetime=self._seconds, search=False)
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
            raise CouldNotAsk(f"no name server answered for {name}") from None
        except (exception.DNSException, ValueError):
            return []
        return [_text(record, kind) for record in answer]

    def _resolver(self) -> dns.resolver.Resolver:
        from dns import resolver

        found = resolver.Resolver(configure=self._nameservers is None)
        if self._nameservers is not None:
            found.nameservers, found.port = self._nameservers, self._port
        return found


def _text(record: object, kind: Kind) -> str:
    if kind == "TXT":
        text = b"".join(record.strings).decode("utf-8", "replace")  # type: ignore[attr-defined]
        return "".join(
            letter if letter.isprintable() else "\ufffd" for letter in text
        )  # it is shown on a terminal
    if kind == "MX":
        return f"{record.preference} {str(record.exchange).rstrip('.').lower()}"  # type: ignore[attr-defined]
    return str(record).rstrip(".").lower()
