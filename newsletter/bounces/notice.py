"""Parse the human-readable text of a bounce: failed addresses and reasons.

Pure.

Mail systems that write no machine-readable part (qmail, old Exim, Exchange 5, Notes, Yahoo) name an
address and put the reason on its line or on those below.
"""

from __future__ import annotations

import re

from newsletter.bounces.addresses import ADDRESS, find_address, find_addresses, is_role
from newsletter.bounces.meaning import find_code

LINES_AT_MOST = 400
"""Lines of a bounce's text that are read."""

LINES_BELOW = 8
"""Lines below an address that can contain the reason for its failure."""

_CUT = re.compile(
    r"\s{0,8}(?:[-=_*>#]{2,80}.{0,40}(?:original|copy of|returned message|below|unsent|"
    r"undelivered|message (?:header|follows|text|body)|headers? follow|forwarded|urspr|nachricht|"
    r"d'origine).{0,80}|(?:the |your )?(?:original message|message) (?:headers?|follows|is "
    r"attached|was|text|body)?:?\s{0,8}$|(?:received|return-path|x-originating-ip|dkim-signature|"
    r"mime-version|x-mailer)\s{0,4}:)",
    re.I,
)
_QUOTED = re.compile(
    r"\s{0,8}[>|]?\s{0,8}(?:mail from|from|to|cc|reply-to|subject|date|sent|message-id|sender|"
    r"original-envelope-id|"
    r"von|an|de|betreff|objet|in-reply-to|references|x-[a-z-]{1,40})\s{0,4}:",
    re.I,
)
_CONTACT = re.compile(
    r"(?:contact|write to|reply to|mail us|questions|assistance|help|send mail to|(?:via|"
    r"by) e-?mail) ",
    re.I,
)
_WORDS_OF_SERVER = re.compile(r"(?<![\w.:\[-])[45]\d\d[ -]|said:|RCPT TO", re.I)
_SENDER = re.compile(
    r"MAIL FROM:?\s{0,4}<[^<>]{0,320}>|\b(?:(?:e-?)?mails?|messages?|nachrichten?) (?:from|von|de) "
    r"<?[^\s<>@]{1,64}@[^\s<>@]{1,255}",
    re.I,
)
_BEHIND = re.compile(
    r"[(\[](?:(?:ultimately )?generated|expanded|aliased|forwarded|"
    r"redirected) from:?\s{1,4}<?([^\s<>()]{3,320})",
    re.I,
)
"""Pattern of a forwarding server's note that names the original address after the one it forwarded
to."""

_VERDICT = re.compile(r"[45]\d\d (?:[45]\.\d{1,3}\.\d{1,3} )?<[^<>]{3,320}>\.\.\. ")
"""Pattern of sendmail's result for an address in a transcript."""

_FAILED = "following addresses had"
"""Text before the list of failed addresses in newer sendmail bounces, which names original
addresses."""

_TO = re.compile(r"\s{0,8}[>|]?\s{0,8}(?:to|an|rcpt to)\s{0,4}:", re.I)
_HEADER = re.compile(r"(?:message-id|subject|date)\s{0,4}:", re.I)
_URL = re.compile(r"https?://\S{1,1000}", re.I)
_WORD = re.compile(r"[^\W\d_]{3,}")


def cut_original(text: str) -> str:
    """Return the text of a bounce before the returned message."""
    lines = text.splitlines()[:LINES_AT_MOST]
    for number, line in enumerate(lines):
        if number > 1 and _CUT.match(line[:300]):
            return "\n".join(lines[:number])
    return "\n".join(lines)


def find_quoted_recipients(text: str) -> list[str]:
    """Return the recipient of a returned message that is quoted in a bounce's text, as a list."""
    lines = text.splitlines()[:LINES_AT_MOST]
    cuts = (number for number, line in enumerate(lines) if number > 1 and _CUT.match(line[:300]))
    quoted = lines[next(cuts, len(lines)) :]
    if not any(_HEADER.match(line[:300]) for line in quoted):
        return []
    to = next((line for line in quoted if _TO.match(line[:300])), "")
    return [address for address in find_addresses(to[:2_000]) if not is_role(address)][:1]


def measure_indent(line: str) -> int:
    """Return the number of spaces at the start of a line."""
    return len(line) - len(line.lstrip())


def find_recipients(notice: str, *, not_these: set[str]) -> list[str]:
    """List the addresses that a bounce's text names as failed, except contacts and `not_these`.

    An address inside a server's reply (to which a forwarder sent the mail on) counts only if no
    other is named, and one in a quoted To header only if there is neither.
    """
    named: dict[str, None] = {}
    spoken: dict[str, None] = {}
    quoted: dict[str, None] = {}
    passed_on: set[str] = set()
    last: list[str] = []
    listed = _FAILED in notice
    begun: int | None = None  # blanks before the address whose lines these are
    speaks = False
    for line in notice.splitlines()[:LINES_AT_MOST]:
        indent = measure_indent(line)
        if begun is not None and (not line.strip() or indent <= begun):
            begun = None
            speaks = False
        header = _QUOTED.match(line)
        if "envelope-from" in line or (header and not _TO.match(line)):
            continue
        if "http" in line and not ADDRESS.match(line.strip(" <")):
            continue  # an advertisement, or where to ask
        line = _SENDER.sub(" ", _URL.sub(" ", line[:2_000]))
        if behind := _BEHIND.search(line):
            passed_on |= {*find_addresses(line[: behind.start()]), *last}
        before_words = "" if speaks and not behind else _WORDS_OF_SERVER.split(line, maxsplit=1)[0]
        addresses = find_addresses(line)
        if begun is None and addresses:
            begun = indent
        goes_on = speaks
        speaks = speaks or (begun is not None and before_words != line)
        last = addresses or (last if line.strip() else [])
        for address in addresses:
            if address.lower() in not_these or is_role(address) or _is_contact(line, address):
                continue
            is_named = address in before_words or (
                _VERDICT.match(line) and not listed and not goes_on
            )
            place = quoted if header else named if is_named else spoken
            place[address] = None
    for address in passed_on:
        if len(named) > 1:
            named.pop(address, None)
    return list(named or spoken or quoted)


def find_origin(notice: str, address: str) -> str:
    """Return the original address that was forwarded to `address`, or ""."""
    last: list[str] = []
    for line in notice.splitlines()[:LINES_AT_MOST]:
        behind = _BEHIND.search(line[:2_000])
        addresses = find_addresses(line[: behind.start()] if behind else line[:2_000])
        if behind and address in (addresses or last):
            return find_address(behind[1])
        last = addresses or (last if line.strip() else [])
    return ""


def _is_contact(line: str, address: str) -> bool:
    """Tell whether a line names an address as one to contact for help."""
    before = line.partition(address)[0][-60:]
    return bool(_CONTACT.search(before))


def find_reason(notice: str, address: str) -> str:
    """Return the lines of a bounce's text that say why `address` failed, or else all lines."""
    lines = notice.splitlines()[:LINES_AT_MOST]
    address_key = address.lower()
    reasons: list[str] = []
    for number, line in enumerate(lines):
        if address_key and address_key in line.lower():
            reasons.append(_read_below(lines, number, address_key))
    reason = " ".join(dict.fromkeys(reasons)).strip()
    without = re.sub(re.escape(address_key), " ", reason, flags=re.I)
    if _WORD.search(without) or find_code(without):
        return reason
    return " ".join(line.strip() for line in lines if line.strip())


def _read_below(lines: list[str], number: int, address_key: str) -> str:
    """Join a line and those below it, up to the next address or the end of the reason."""
    first = lines[number]
    block = [first.strip()]
    has_words = bool(_WORD.search(first.lower().replace(address_key, "")))
    for raw in lines[number + 1 : number + 1 + LINES_BELOW]:
        line = raw.strip()
        goes_on = has_words and measure_indent(raw) > measure_indent(first)
        if not line:
            if has_words:
                break
            continue
        if (
            any(other.lower() != address_key for other in find_addresses(line[:500]))
            and not has_words
        ):
            break
        if (
            re.match(r"<?[^\s<>@]{1,64}@[^\s<>@]{1,255}>?:?(?:\s|$)", line)
            and address_key not in line.lower()
            and not goes_on
        ):
            break
        block.append(line)
        has_words = has_words or bool(_WORD.search(line.lower().replace(address_key, "")))
    return " ".join(block)
