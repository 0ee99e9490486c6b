"""SPF (RFC 7208): who may send for a domain, and how many questions it takes a receiver to find
out.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from ipaddress import ip_network

from newsletter.dns.resolver import Resolver

LOOKUPS_AT_MOST = 10
VOIDS_AT_MOST = 2
HOSTS_AT_MOST = 10
_ASKING = ("include", "a", "mx", "ptr", "exists", "redirect")


@dataclass(slots=True)
class Spf:
    """A domain's policy.

    `lookups` counts the questions of every record it leads to (§4.6.4), `voids` those without an
    answer; `ending` is what it says of everybody else: ``-all``, ``~all`` … Empty `record`: there
    is none. `problems` make receivers reject it or protect nobody, `notes` only want to be looked
    at.
    """

    record: str = ""
    lookups: int = 0
    voids: int = 0
    ending: str = ""
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def examine(domain: str, ask: Resolver) -> Spf:
    """A domain's SPF record and what is wrong with it.

    Raises `CouldNotAsk`.
    """
    found = Spf()
    records = _records(domain, ask)
    if len(records) > 1:
        found.problems.append(
            f"there are {len(records)} SPF records, and receivers take none of them (§4.5)"
        )
    if records:
        found.record = records[0]
        _walk(found, domain, records[0], ask, seen=[domain])
        _judge(found)
    return found


def _records(domain: str, ask: Resolver) -> list[str]:
    return [
        text
        for text in ask(domain, "TXT")
        if text.lower() == "v=spf1" or text.lower().startswith("v=spf1 ")
    ]


def _walk(
    found: Spf, domain: str, record: str, ask: Resolver, *, seen: list[str], included: bool = False
) -> None:
    """Count the questions of a record and of those it includes.

    Stops where a receiver would: at ``all`` (§5.1).
    """
    redirect = ""
    for term in record.lower().split()[1:]:
        name, target = _parts(term)
        if name == "all":
            found.ending = found.ending if included else term if term[0] in "+-~?" else f"+{term}"
            return
        if why := _wrong(term, name, target):
            found.problems.append(
                f"{term} in the record of {domain} {why}; receivers take the whole for an error (§4.6)"
            )
        if name not in _ASKING:
            continue
        found.lookups += name != "redirect" or not _has_all(record)
        if found.lookups > LOOKUPS_AT_MOST * 3:
            return
        redirect = target if name == "redirect" else redirect
        _count(found, domain, name, target, ask, seen)
    if redirect and not _has_all(record):
        _follow(found, redirect, ask, seen, included=included)


def _count(found: Spf, domain: str, name: str, target: str, ask: Resolver, seen: list[str]) -> None:
    """What one term costs."""
    if name == "include":
        _follow(found, target, ask, seen, included=True)
    elif name == "ptr":
        found.notes.append(f"ptr in the record of {domain} is slow and not to be used (§5.5)")
    elif name in ("a", "mx"):
        answers = _asked(target or domain, name, ask)
        found.voids += not answers
        if name == "mx" and len(answers) > HOSTS_AT_MOST:
            found.problems.append(
                f"{target or domain} has {len(answers)} MX; more than {HOSTS_AT_MOST} are an error"
            )


def _wrong(term: str, name: str, target: str) -> str:
    """What is wrong with a term, if it is no mechanism at all, or names an address that is none."""
    if name in ("ip4", "ip6"):
        try:
            right = ip_network(term.lstrip("+-~?")[4:], strict=False).version == int(name[2])
        except ValueError:
            right = False
        return "" if right else "is no address"
    if "=" in term.partition(":")[0]:  # a modifier: unknown ones are passed over (§6)
        return ""
    if name not in _ASKING:
        return "is no mechanism"
    return "names no domain" if name in ("include", "exists") and not target else ""


def _parts(term: str) -> tuple[str, str]:
    """``+include:x`` as its name and target, without qualifier and prefix length."""
    bare = term.lstrip("+-~?")
    for mark in (":", "="):
        name, sign, target = bare.partition(mark)
        if sign and "/" not in name:
            return name, target.partition("/")[0]
    return bare.partition("/")[0], ""


def _has_all(record: str) -> bool:
    return any(_parts(term)[0] == "all" for term in record.lower().split()[1:])


def _asked(target: str, kind: str, ask: Resolver) -> list[str]:
    if "%" in target:
        return [target]  # a macro: only a receiver can fill it in
    return ask(target, "MX") if kind == "mx" else (ask(target, "A") or ask(target, "AAAA"))


def _follow(found: Spf, target: str, ask: Resolver, seen: list[str], *, included: bool) -> None:
    if not target or "%" in target:
        return
    if target in seen:
        found.problems.append(f"{target} includes itself, or is redirected to itself")
        return
    records = _records(target, ask)
    if not records:
        found.voids += not ask(target, "TXT")
        found.problems.append(
            f"{target} is included and has no SPF record; receivers take that for an error (§5.2)"
        )
        return
    _walk(found, target, records[0], ask, seen=[*seen, target], included=included)


def _judge(found: Spf) -> None:
    if found.lookups > LOOKUPS_AT_MOST:
        more = "more than " if found.lookups > LOOKUPS_AT_MOST * 3 else ""
        found.problems.append(
            f"it takes {more}{found.lookups} look-ups, and receivers stop after {LOOKUPS_AT_MOST}"
        )
    if found.voids > VOIDS_AT_MOST:
        found.problems.append(
            f"{found.voids} of its look-ups find nothing; more than {VOIDS_AT_MOST} are an error"
        )
    if found.ending.startswith("+"):
        found.problems.append("it ends in +all: anybody may send in your name")
    if found.ending.startswith("?"):
        found.notes.append("it ends in ?all, which protects nobody: end it with ~all")
    if not found.ending and "redirect=" not in found.record.lower():
        found.notes.append("it does not say what holds for everybody else: end it with ~all")
