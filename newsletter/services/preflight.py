"""A last look at a letter before it goes: what would go wrong, what would look bad, whom it would reach."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

from newsletter.domains import dmarc, spf
from newsletter.domains.ask import CouldNotAsk
from newsletter.errors import FeedError, FeedUnavailable
from newsletter.mail.marking import is_field
from newsletter.mail.message import SLOT_PATTERN
from newsletter.mail.render import HTML_BUDGET
from newsletter.services import readers
from newsletter.services.checks import Check
from newsletter.services.environment import Environment
from newsletter.services.writing import Draft

CUT_AT = 102 * 1024
"""Bytes. Gmail shows that much of a mail's HTML, and hides the rest with its link to unsubscribe."""
LINKS_AT_MOST = 100
AT_ONCE = 8
FEW_WORDS = 20
SUBJECT_AT_MOST = 70
_LOUD = re.compile(
    r"\b(act now|buy now|click here|cash|casino|earn money|free money|guaranteed?|limited time|lottery|no obligation|"
    r"risk[- ]free|urgent|winner|100 ?%)(?!\w)",
    re.I,
)
NOT_FOUND = 404
RESERVED = ("test", "example", "invalid", "localhost", "example.com", "example.net", "example.org")


def examine(env: Environment, draft: Draft, *, offline: bool = False) -> list[Check]:
    """Every check of a letter, in the order in which they matter. `offline`: nobody else's server is asked."""
    parts: list[Callable[[Environment, Draft], Iterator[Check]]] = [
        _recipients, _fields, _again, _subject, _text, _size, _pictures, _written_links,
    ]  # fmt: skip
    if not offline:
        parts += [_live_links, _sender]
    return [*(check for part in parts for check in part(env, draft)), *_notes(draft)]


def _recipients(env: Environment, draft: Draft) -> Iterator[Check]:
    if draft.status == "series":
        return
    segment = draft.prepared.letter.segment
    whom = f"{draft.recipients} readers of {draft.slug}" + (f" with {segment}" if segment else "")
    if draft.recipients:
        yield Check("recipients", "good", whom)
    else:
        yield Check("recipients", "bad", whom, "nobody would get it")
    if not draft.prepared.list.postal_address:
        hint = f"newsletter list edit {draft.slug} --address …; the law of many countries asks for it"
        yield Check("address", "warn", "the list has no postal address", hint)


def _fields(env: Environment, draft: Draft) -> Iterator[Check]:
    for version in draft.prepared.versions:
        segment = draft.prepared.letter.segment
        problem = readers.unfillable(env, draft.prepared.list.id, segment, version.personal)
        if problem:
            what = f"{problem.count} of {draft.recipients} readers cannot get it: {problem.why}"
            yield Check("fields", "bad", what, f"one of them is {problem.example}")
            return
    if draft.prepared.personal:
        yield Check("fields", "good", "every personal field can be filled in for every reader")


def _again(env: Environment, draft: Draft) -> Iterator[Check]:
    if draft.twin is not None:
        yield Check("again", "bad", f"this letter is campaign {draft.twin} already", "change it, or say --again")
    file = Path(draft.file)
    if draft.campaign_id is None or draft.status != "draft" or not draft.file or not file.is_file():
        return
    if file.read_text("utf-8-sig", errors="replace").replace("\r\n", "\n") != draft.prepared.letter.text:
        hint = f"newsletter campaign new {file} takes it up"
        yield Check("file", "warn", f"{file.name} has changed since this draft was made", hint)


def _subject(env: Environment, draft: Draft) -> Iterator[Check]:
    letter = draft.prepared.letter
    found = [what for subject in filter(None, (letter.subject, letter.subject_b)) for what in _loud(subject)]
    for what in dict.fromkeys(found):
        yield Check("subject", "warn", what, "spam filters and readers take it amiss")
    if not letter.preheader:
        hint = "a line `preheader: …` says what inboxes show behind the subject"
        yield Check("preheader", "warn", "there is no preheader", hint)
    if not found:
        yield Check("subject", "good", f"“{letter.subject}”")


def _loud(subject: str) -> Iterator[str]:
    """What makes a subject look like spam."""
    letters = [character for character in subject if character.isalpha()]
    if len(letters) > 5 and sum(character.isupper() for character in letters) > 0.7 * len(letters):
        yield "the subject is in capitals"
    if subject.count("!") > 1 or re.search(r"[$€£]{2}", subject):
        yield "the subject shouts (!!, $$)"
    if found := _LOUD.search(subject):
        yield f"the subject says “{found[0]}”"
    if re.match(r"(re|fwd?|aw|wg)\s*:", subject, re.I):
        yield "the subject pretends to be an answer"
    if len(subject) > SUBJECT_AT_MOST:
        yield f"the subject has {len(subject)} characters; a telephone shows about 40"


def _text(env: Environment, draft: Draft) -> Iterator[Check]:
    words = len(re.findall(r"\w{2,}", re.sub(r"\[[^\]]*\]|https?://\S+", "", _body(draft))))
    if not words:
        yield Check(
            "text", "bad", "the letter has no text", "pictures alone are spam to filters and nothing to the blind"
        )
    elif words < FEW_WORDS and draft.prepared.shown:
        yield Check("text", "warn", f"{words} words beside pictures", "say in words what the pictures say")


def _body(draft: Draft) -> str:
    """The letter's own text, without the foot that every mail has."""
    return SLOT_PATTERN.sub("", draft.prepared.content.text.rpartition("\n--\n")[0] or draft.prepared.content.text)


def _size(env: Environment, draft: Draft) -> Iterator[Check]:
    size = max(len(version.content.html.encode()) for version in draft.prepared.versions)
    what = f"{size / 1024:.0f} KB of HTML"
    if size >= CUT_AT:
        yield Check("size", "bad", what, "Gmail cuts it off at 102 KB, and the link to unsubscribe with it: shorten it")
    elif size > HTML_BUDGET:
        yield Check("size", "warn", what, "close to the 102 KB at which Gmail cuts a mail off")
    else:
        yield Check("size", "good", f"{what}; Gmail cuts at 102")


def _pictures(env: Environment, draft: Draft) -> Iterator[Check]:
    shown = draft.prepared.shown
    bare = [one.written for one in shown if not one.alt.strip()]
    if bare:
        hint = "write ![what it shows](…): many readers never see pictures"
        yield Check("alt", "warn", f"no description: {_some(bare)}", hint)
    lost = [one.written for one in shown if not one.url]
    if lost:
        yield Check("pictures", "bad", f"no address a mail can show: {_some(lost)}", "use a file, or an https address")
    own = {urlsplit(url).hostname for url in (env.settings.base_url, draft.prepared.list.site_url)}
    foreign = [one.url for one in shown if one.url and urlsplit(one.url).hostname not in own]
    if foreign:
        hint = "their servers see who opens the letter; put the files beside it instead"
        yield Check("pictures", "warn", f"pictures of others: {_some(foreign)}", hint)


def _written_links(env: Environment, draft: Draft) -> Iterator[Check]:
    relative = [
        f"{link.written} → {link.url}" if link.url else link.written
        for link in draft.prepared.links
        if not link.url or not link.written.lower().startswith(("http://", "https://", "mailto:"))
        if not is_field(link.url)
    ]
    if relative:
        yield Check(
            "links", "warn", f"not whole addresses: {_some(relative)}", "write https://…, so that it is as you mean it"
        )


def _live_links(env: Environment, draft: Draft) -> Iterator[Check]:
    """Asks for every address once, as the feeds' fetcher asks: bounded, and never a private network."""
    links = [link.url for link in draft.prepared.links if link.url.startswith("http") and not is_field(link.url)]
    pictures = [one.url for one in draft.prepared.shown if one.url and one.written not in draft.prepared.names]
    wanted = list(dict.fromkeys(url.partition("#")[0] for url in links + pictures))
    # Our own pages may not be served yet, or not to this machine.
    wanted = [url for url in wanted if not url.startswith(f"{env.settings.base_url}/")][:LINKS_AT_MOST]
    if not wanted:
        return
    with ThreadPoolExecutor(AT_ONCE) as pool:
        said = dict(zip(wanted, pool.map(lambda url: _asked(env, url), wanted), strict=True))
    dead = [f"{url} ({why})" for url, (verdict, why) in said.items() if verdict == "dead"]
    unsure = [f"{url} ({why})" for url, (verdict, why) in said.items() if verdict == "unsure"]
    if dead:
        yield Check("links", "warn", f"dead: {_some(dead)}", "mend them, or take them out")
    if unsure:
        yield Check("links", "warn", f"could not be checked: {_some(unsure)}", "open them yourself")
    if not dead and not unsure:
        yield Check("links", "good", f"{len(wanted)} links answer")


def _asked(env: Environment, url: str) -> tuple[str, str]:
    """Whether an address is alive, dead, or will not tell a program."""
    try:
        env.fetch(url)
    except FeedUnavailable as error:
        if "larger than" in error.reason:
            return "alive", ""
        unsure = error.status not in (0, NOT_FOUND) or "too long" in error.reason
        return "unsure" if unsure else "dead", error.reason
    except FeedError as error:  # gone, or where nobody on the internet could follow it
        return "dead", error.reason
    return "alive", ""


def _sender(env: Environment, draft: Draft) -> Iterator[Check]:
    """Whether the domain in From says who may send for it. `doctor` looks at the rest."""
    domain = draft.prepared.list.from_email.rpartition("@")[2]
    if _reserved(domain):
        return
    try:
        policy, senders = dmarc.examine(domain, env.resolver).record, spf.examine(domain, env.resolver).record
    except CouldNotAsk as error:
        yield Check("from", "warn", f"{domain} could not be checked: {error.message}", "ask again later")
        return
    if not senders:
        hint = f'publish TXT {domain} "v=spf1 … -all"; `newsletter doctor` says more'
        yield Check("from", "warn", f"{domain} has no SPF record: nobody vouches for your server", hint)
    if not policy:
        hint = f'publish TXT _dmarc.{domain} "v=DMARC1; p=none; rua=mailto:{draft.prepared.list.from_email}"'
        yield Check("from", "warn", f"{domain} has no DMARC record: Gmail and Yahoo ask for one", hint)
    if senders and policy:
        yield Check("from", "good", f"{domain} has SPF and DMARC; `newsletter doctor` looks closer")


def _reserved(domain: str) -> bool:
    """Whether a domain is one of those kept for examples and tests (RFC 2606, RFC 6761): no DNS knows it."""
    return any(domain == name or domain.endswith(f".{name}") for name in RESERVED)


def _notes(draft: Draft) -> Iterator[Check]:
    for note in draft.prepared.notes:
        yield Check("video", "warn", note, "it works all the same")


def _some(found: Sequence[str]) -> str:
    return ", ".join(found[:3]) + (f" and {len(found) - 3} more" if len(found) > 3 else "")
