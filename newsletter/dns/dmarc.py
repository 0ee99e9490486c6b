"""Find and check the DMARC policy of a domain (RFC 9989), by walking up the DNS tree."""

from __future__ import annotations

from dataclasses import dataclass, field

from newsletter.dns.resolver import RecordKind, Resolver
from newsletter.i18n import Text

POLICIES = ("none", "quarantine", "reject")
_REMOVED = ("pct", "rf", "ri")


@dataclass(slots=True)
class Dmarc:
    """The DMARC record that applies to a domain.

    `domain` is where the record was found; `policy` is what it asks for the examined domain.
    """

    domain: str = ""
    record: str = ""
    policy: str = ""
    tags: dict[str, str] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)


def examine(domain: str, ask: Resolver) -> Dmarc:
    """Find the DMARC policy for mail from `domain`, and check it.

    Raises `CouldNotAsk`.
    """
    dmarc = Dmarc()
    for name in dict.fromkeys([domain, find_organization(domain, ask), _find_suffix(domain, ask)]):
        records = _read_records(name, ask)
        if len(records) > 1:
            dmarc.problems.append(
                Text(
                    "_dmarc.%(name)s has %(count)s DMARC records, and receivers ignore them all",
                    name=name,
                    count=len(records),
                )
            )
        if len(records) == 1:
            dmarc.domain = name
            dmarc.record = records[0]
            dmarc.tags = parse_tags(records[0])
            _judge(dmarc, domain)
            _judge_reports(dmarc, ask)
            break
    return dmarc


def find_organization(domain: str, ask: Resolver) -> str:
    """Return the organizational domain of `domain` (RFC 9989 section 4.10.2).

    It is the highest one with a record, up to a record that marks the end of the organization
    (``psd=n``) or a public suffix (``psd=y``).
    """
    highest = domain
    below = domain
    for name in _list_parents(domain):
        records = _read_records(name, ask)
        if len(records) == 1:
            psd = parse_tags(records[0]).get("psd", "u").lower()
            if psd == "n":
                return name
            if psd == "y":
                return name if name == domain else below
            highest = name
        below = name
    return highest


def _find_suffix(domain: str, ask: Resolver) -> str:
    """Return the public suffix of a domain if it has a policy (``psd=y``, RFC 9989 4.10.1)."""
    for name in _list_parents(domain):
        records = _read_records(name, ask)
        if len(records) == 1 and parse_tags(records[0]).get("psd", "u").lower() == "y":
            return name
    return domain


def is_aligned(first: str, second: str, ask: Resolver) -> bool:
    """Tell whether two domains share an organizational domain (relaxed alignment, RFC 9989)."""
    return first == second or find_organization(first, ask) == find_organization(second, ask)


def _list_parents(domain: str) -> list[str]:
    """Return a domain and its parents, at most eight names (RFC 9989 section 4.10).

    A domain of more than eight labels continues with its last seven.
    """
    labels = domain.lower().rstrip(".").split(".")
    start = [labels] if len(labels) <= 8 else [labels, labels[-7:]]
    upper = start[-1]
    return [".".join(names) for names in start] + [
        ".".join(upper[depth:]) for depth in range(1, len(upper))
    ]


def _read_records(name: str, ask: Resolver) -> list[str]:
    texts = ask(f"_dmarc.{name}", RecordKind.TXT)
    return [text for text in texts if text.replace(" ", "").partition(";")[0] == "v=DMARC1"]


def parse_tags(record: str) -> dict[str, str]:
    """Return the tags of a DMARC or DKIM record by name; of repeated tags, the first counts."""
    tags: dict[str, str] = {}
    for part in record.split(";"):
        name, sign, value = part.partition("=")
        if sign:
            tags.setdefault(name.strip().lower(), value.strip())
    return tags


def _judge_reports(dmarc: Dmarc, ask: Resolver) -> None:
    """Check that reports go to mail addresses whose domains accept them (RFC 9990 section 4)."""
    for uri in filter(
        None, (part.strip().partition("!")[0] for part in dmarc.tags.get("rua", "").split(","))
    ):
        receiver = uri.rpartition("@")[2].lower()
        if not uri.lower().startswith("mailto:") or not receiver:
            dmarc.problems.append(Text("rua=%(uri)s is no mailto: address", uri=uri))
        elif not is_aligned(receiver, dmarc.domain, ask) and not ask(
            f"{dmarc.domain}._report._dmarc.{receiver}", RecordKind.TXT
        ):
            dmarc.problems.append(
                Text(
                    "%(receiver)s does not accept reports about %(domain)s, so none are sent to it",
                    receiver=receiver,
                    domain=dmarc.domain,
                )
            )


def _judge(dmarc: Dmarc, domain: str) -> None:
    policy = dmarc.tags.get("p", "").lower()
    if policy not in POLICIES:
        dmarc.problems.append(
            Text("p=%(value)s is no policy; receivers read p=none", value=policy or "(missing)")
        )
        policy = "none"
    below = dmarc.tags.get("sp", policy).lower()
    dmarc.policy = policy if dmarc.domain == domain or below not in POLICIES else below
    removed = [tag for tag in _REMOVED if tag in dmarc.tags]
    if removed:
        dmarc.problems.append(
            Text("%(names)s are obsolete (RFC 9989): remove them", names=", ".join(removed))
        )
    if dmarc.tags.get("t", "n").lower() == "y" and dmarc.policy != "none":
        dmarc.problems.append(Text("t=y: receivers are asked not to apply it yet"))
    if dmarc.policy == "none" and not dmarc.tags.get("rua"):
        dmarc.problems.append(
            Text("p=none without rua= neither protects the domain nor reports anything")
        )
