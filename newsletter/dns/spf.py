"""Check the SPF record of a domain (RFC 7208) and count the DNS look-ups it causes."""

from __future__ import annotations

from dataclasses import dataclass, field
from ipaddress import ip_network

from newsletter.dns.resolver import RecordKind, Resolver
from newsletter.i18n import Text

LOOKUPS_AT_MOST = 10
"""DNS look-ups that an SPF record and its includes may cause (RFC 7208 section 4.6.4)."""
VOIDS_AT_MOST = 2
"""DNS look-ups of an SPF record that may find nothing (RFC 7208 section 4.6.4)."""
HOSTS_AT_MOST = 10
"""MX hosts that one term of an SPF record may look up (RFC 7208 section 4.6.4)."""
_ASKING = ("include", "a", "mx", "ptr", "exists", "redirect")


@dataclass(slots=True)
class Spf:
    """The SPF record of a domain; `record` is empty if there is none.

    `lookups` counts the DNS look-ups of it and its includes, `voids` those without an answer;
    `ending` is its last mechanism, such as ``-all``. `problems` make receivers reject the record,
    or protect nobody; `notes` are advice.
    """

    record: str = ""
    lookups: int = 0
    voids: int = 0
    ending: str = ""
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def examine(domain: str, ask: Resolver) -> Spf:
    """Look up a domain's SPF record and check it.

    Raises `CouldNotAsk`.
    """
    spf = Spf()
    records = _read_records(domain, ask)
    if len(records) > 1:
        spf.problems.append(
            Text(
                "there are %(count)s SPF records, and receivers reject them all (section 4.5)",
                count=len(records),
            )
        )
    if records:
        spf.record = records[0]
        _walk(spf, domain, records[0], ask, path=[domain])
        _judge(spf)
    return spf


def _read_records(domain: str, ask: Resolver) -> list[str]:
    return [
        text
        for text in ask(domain, RecordKind.TXT)
        if text.lower() == "v=spf1" or text.lower().startswith("v=spf1 ")
    ]


def _walk(
    spf: Spf, domain: str, record: str, ask: Resolver, *, path: list[str], included: bool = False
) -> None:
    """Count the DNS look-ups of an SPF record and of those it includes.

    Stops where a receiver does: at ``all`` (RFC 7208 section 5.1).
    """
    redirect = ""
    for term in record.lower().split()[1:]:
        name, target = _split_term(term)
        if name == "all":
            spf.ending = spf.ending if included else term if term[0] in "+-~?" else f"+{term}"
            return
        if why := _describe_fault(term, name, target):
            spf.problems.append(
                Text(
                    "%(term)s in the record of %(domain)s %(why)s; receivers reject the whole "
                    "record",
                    term=term,
                    domain=domain,
                    why=why,
                )
            )
        if name not in _ASKING:
            continue
        spf.lookups += name != "redirect" or not _has_all(record)
        if spf.lookups > LOOKUPS_AT_MOST * 3:
            return
        redirect = target if name == "redirect" else redirect
        _count(spf, domain, name, target, ask, path)
    if redirect and not _has_all(record):
        _follow(spf, redirect, ask, path, included=included)


def _count(spf: Spf, domain: str, name: str, target: str, ask: Resolver, path: list[str]) -> None:
    """Count the DNS look-ups of one term of an SPF record."""
    if name == "include":
        _follow(spf, target, ask, path, included=True)
    elif name == "ptr":
        spf.notes.append(
            Text(
                "ptr in the record of %(domain)s is slow and should not be used (section 5.5)",
                domain=domain,
            )
        )
    elif name in ("a", "mx"):
        _count_hosts(spf, target or domain, name, ask)


def _count_hosts(spf: Spf, domain: str, name: str, ask: Resolver) -> None:
    """Count the DNS look-ups of a term "a" or "mx" of an SPF record."""
    answers = _look_up_hosts(domain, name, ask)
    spf.voids += not answers
    if name == "mx" and len(answers) > HOSTS_AT_MOST:
        spf.problems.append(
            Text(
                "%(value)s has %(count)s MX; more than %(most)s are an error",
                value=domain,
                count=len(answers),
                most=HOSTS_AT_MOST,
            )
        )


def _describe_fault(term: str, name: str, target: str) -> str:
    """Return the reason why a term of an SPF record is invalid, or ""."""
    if name in ("ip4", "ip6"):
        try:
            right = ip_network(term.lstrip("+-~?")[4:], strict=False).version == int(name[2])
        except ValueError:
            right = False
        return "" if right else Text("is no address")
    if "=" in term.partition(":")[0]:  # a modifier: unknown ones are ignored (section 6)
        return ""
    if name not in _ASKING:
        return Text("is no mechanism")
    return Text("names no domain") if name in ("include", "exists") and not target else ""


def _split_term(term: str) -> tuple[str, str]:
    """Split a term ``+include:x`` into name and target, without qualifier and prefix length."""
    bare = term.lstrip("+-~?")
    for mark in (":", "="):
        name, sign, target = bare.partition(mark)
        if sign and "/" not in name:
            return name, target.partition("/")[0]
    return bare.partition("/")[0], ""


def _has_all(record: str) -> bool:
    return any(_split_term(term)[0] == "all" for term in record.lower().split()[1:])


def _look_up_hosts(target: str, kind: str, ask: Resolver) -> list[str]:
    if "%" in target:
        return [target]  # a macro: only a receiver can fill it in
    if kind == "mx":
        return ask(target, RecordKind.MX)
    return ask(target, RecordKind.A) or ask(target, RecordKind.AAAA)


def _follow(spf: Spf, target: str, ask: Resolver, path: list[str], *, included: bool) -> None:
    if not target or "%" in target:
        return
    if target in path:
        spf.problems.append(
            Text("%(target)s includes itself, or is redirected to itself", target=target)
        )
        return
    records = _read_records(target, ask)
    if not records:
        spf.voids += not ask(target, RecordKind.TXT)
        spf.problems.append(
            Text(
                "%(target)s is included and has no SPF record; receivers reject the whole record",
                target=target,
            )
        )
        return
    _walk(spf, target, records[0], ask, path=[*path, target], included=included)


def _judge(spf: Spf) -> None:
    if spf.lookups > LOOKUPS_AT_MOST:
        lookups = spf.lookups
        spf.problems.append(
            Text(
                "it takes more than %(lookups)s look-ups, and receivers stop after %(most)s",
                lookups=lookups,
                most=LOOKUPS_AT_MOST,
            )
            if lookups > LOOKUPS_AT_MOST * 3
            else Text(
                "it takes %(lookups)s look-ups, and receivers stop after %(most)s",
                lookups=lookups,
                most=LOOKUPS_AT_MOST,
            )
        )
    if spf.voids > VOIDS_AT_MOST:
        spf.problems.append(
            Text(
                "%(voids)s of its look-ups have no answer; more than %(most)s are an error",
                voids=spf.voids,
                most=VOIDS_AT_MOST,
            )
        )
    if spf.ending.startswith("+"):
        spf.problems.append(Text("it ends in +all: anybody may send as this domain"))
    if spf.ending.startswith("?"):
        spf.notes.append(Text("it ends in ?all, which protects nobody: end it with ~all"))
    if not spf.ending and "redirect=" not in spf.record.lower():
        spf.notes.append(Text("it has no final mechanism: end it with ~all"))
