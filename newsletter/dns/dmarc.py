"""DMARC (RFC 9989): what a domain asks receivers to do with mail that is not its own, found by
walking up the tree.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from newsletter.dns.resolver import Resolver

POLICIES = ("none", "quarantine", "reject")
_REMOVED = ("pct", "rf", "ri")


@dataclass(slots=True)
class Dmarc:
    """The policy that holds for a domain: found `at` this name, with what it says for it
    (`policy`).
    """

    at: str = ""
    record: str = ""
    policy: str = ""
    tags: dict[str, str] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)


def examine(domain: str, ask: Resolver) -> Dmarc:
    """The policy for mail from `domain`.

    Raises `CouldNotAsk`.
    """
    found = Dmarc()
    for name in dict.fromkeys([domain, find_organization(domain, ask), _suffix(domain, ask)]):
        records = _records(name, ask)
        if len(records) > 1:
            found.problems.append(
                f"_dmarc.{name} has {len(records)} DMARC records, and receivers take none of them"
            )
        if len(records) == 1:
            found.at, found.record, found.tags = name, records[0], parse_tags(records[0])
            _judge(found, domain)
            _judge_reports(found, ask)
            break
    return found


def find_organization(domain: str, ask: Resolver) -> str:
    """The domain that speaks for `domain` (§4.10.2): the one furthest up with a record, as far as a
    record that says where a registry begins (``psd=y``) or ends (``psd=n``).
    """
    highest, below = domain, domain
    for name in _up(domain):
        records = _records(name, ask)
        if len(records) == 1:
            psd = parse_tags(records[0]).get("psd", "u").lower()
            if psd == "n":
                return name
            if psd == "y":
                return name if name == domain else below
            highest = name
        below = name
    return highest


def _suffix(domain: str, ask: Resolver) -> str:
    """The public suffix above a domain, if it has a policy for those below it (``psd=y``, §4.10.1)."""
    for name in _up(domain):
        records = _records(name, ask)
        if len(records) == 1 and parse_tags(records[0]).get("psd", "u").lower() == "y":
            return name
    return domain


def is_aligned(first: str, second: str, ask: Resolver) -> bool:
    """Tell whether two domains belong together, as DMARC's relaxed alignment has it."""
    return first == second or find_organization(first, ask) == find_organization(second, ask)


def _up(domain: str) -> list[str]:
    """A domain and those above it, at most eight: a longer one goes on with its last seven labels
    (§4.10).
    """
    labels = domain.lower().rstrip(".").split(".")
    start = [labels] if len(labels) <= 8 else [labels, labels[-7:]]
    rest = start[-1]
    return [".".join(each) for each in start] + [".".join(rest[at:]) for at in range(1, len(rest))]


def _records(name: str, ask: Resolver) -> list[str]:
    texts = ask(f"_dmarc.{name}", "TXT")
    return [text for text in texts if text.replace(" ", "").partition(";")[0] == "v=DMARC1"]


def parse_tags(record: str) -> dict[str, str]:
    """The tags of a DMARC or DKIM record, by name in lower case; the first of a name counts."""
    found: dict[str, str] = {}
    for part in record.split(";"):
        name, sign, value = part.partition("=")
        if sign:
            found.setdefault(name.strip().lower(), value.strip())
    return found


def _judge_reports(found: Dmarc, ask: Resolver) -> None:
    """Tell whether reports arrive: at a mail address, which another organisation has agreed to (RFC
    9990 §4).
    """
    for uri in filter(
        None, (part.strip().partition("!")[0] for part in found.tags.get("rua", "").split(","))
    ):
        there = uri.rpartition("@")[2].lower()
        if not uri.lower().startswith("mailto:") or not there:
            found.problems.append(f"rua={uri} is no mailto: address")
        elif not is_aligned(there, found.at, ask) and not ask(
            f"{found.at}._report._dmarc.{there}", "TXT"
        ):
            found.problems.append(
                f"{there} has not agreed to take reports about {found.at}, so none are sent there"
            )


def _judge(found: Dmarc, domain: str) -> None:
    said = found.tags.get("p", "").lower()
    if said not in POLICIES:
        found.problems.append(f"p={said or '(missing)'} is no policy; receivers take it for none")
        said = "none"
    below = found.tags.get("sp", said).lower()
    found.policy = said if found.at == domain else below if below in POLICIES else said
    removed = [tag for tag in _REMOVED if tag in found.tags]
    if removed:
        found.problems.append(
            f"{', '.join(removed)} mean nothing any more (RFC 9989): take them out"
        )
    if found.tags.get("t", "n").lower() == "y" and found.policy != "none":
        found.problems.append("t=y: receivers are asked not to act on it yet")
    if found.policy == "none" and not found.tags.get("rua"):
        found.problems.append("p=none without rua= neither protects you nor tells you anything")
