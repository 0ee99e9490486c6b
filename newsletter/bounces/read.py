"""Decide what kind of message a returned one is, and judge each recipient it names.

Pure.
"""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass
from email import message_from_bytes
from email.policy import compat32

from flufl.bounce import all_failures

from newsletter.bounces.addresses import find_address, find_addresses, is_role, normalize_address
from newsletter.bounces.complaints import find_returned_recipients, read_complaint
from newsletter.bounces.dsn import STATUS_TYPES, find_status_part, read_dsn, read_groups
from newsletter.bounces.evidence import collect_evidence
from newsletter.bounces.meaning import join_lines, judge_reason
from newsletter.bounces.mime import Part, parse_message
from newsletter.bounces.notice import cut_original, find_reason, find_recipients
from newsletter.bounces.other_mail import (
    asks_to_leave,
    is_answer,
    is_foreign_bulk,
    is_receipt,
    read_other_mail,
)
from newsletter.bounces.types import BounceClass, BounceResult, ReportEvidence

FLUFL_BYTES_AT_MOST = 32 * 1024
"""Bytes of a message that flufl.bounce is given; a notice stands at the beginning."""

FLUFL_LINES_AT_MOST = 400
"""Lines that flufl.bounce is given: its detectors take a second for a hundred thousand lines."""

logging.getLogger("flufl.bounce").setLevel(logging.CRITICAL)  # a traceback for each odd header

_SYSTEM = re.compile(
    r"mailer-?daemon|mail-?daemon|maildaemon|postmaster|mail delivery|delivery (?:sub)?system|"
    r"mdaemon|microsoft ?exchange|system administrator|mail administrator|mail system|bounce|"
    r"mailsystem|mmdf|delivery service|zustellsystem|internet mail|inet_mail|mail server",
    re.I,
)
_DAEMON = re.compile(r"mail(?:er)?-?daemon@", re.I)
_SUBJECT = re.compile(
    r"undeliver|non[- ]?deliver|deliver\w{0,5} (?:status|fail|error|problem|report|notif|has "
    r"fail|unsuccess|delay|warning)|return(?:ed|ing) (?:mail|message|to sender)|failure notice|"
    r"mail (?:delivery|failure|error)|could not be delivered|couldn.t be delivered|not delivered|"
    r"delivery to .{0,60}(?:fail|delay)|unzustellbar|nicht zugestellt|zustellung|zustellbar|"
    r"unbestellbar|non remis|non d.livr|chec de|message (?:status|not delivered|undelivered|"
    r"delayed)|mail could not|rejected|bounced|no entregado|mancato recapito|onbestelbaar|"
    r"niepowodzenie|warning: (?:message|could not|mail)|user unknown|unknown user|nondeliverable|"
    r"mail system error|unable to deliver|delivery failure|failed delivery|problem delivering|"
    r"error sending|delivery notification|poss.vel entregar|falha na entrega|"
    r"no se (?:ha )?pu(?:do|ede) "
    r"entregar|consegna non riuscita|impossib\w{0,3} (?:de remettre|recapitare|la livrare)|"
    r"recapitabile|"
    r"kan (?:inte|ikke) lever|nelivra|niedostarcz|nedoru|teslim edil|ei voi\w{0,2} toimit|"
    r"niet bezorgd|"
    r"не (?:удается|удалось) доставить|не доставлен|недоставлен|配信不能|配信できません|"
    r"送信できません|未送达|退信|无法投递|"
    r"k.zbes.thet|n.o entregue|mancata consegna|kunde inte levereras|niet (?:afge|be)leverd|"
    r"zustellfehler|nie zosta.a dostarczona|nu a putut fi livrat|반송|발송 ?실패|"
    r"يتعذر التسليم|تعذر تسليم",
    re.I,
)
_SERVER_WORDS = re.compile(
    r"(?<![\w.])#?[45]\d\d[ -]#?[45]\.\d{1,3}\.\d{1,3}(?!\d)|said:? {1,4}[45]\d\d[ -]|RCPT TO:",
    re.I,
)
"""What only a mail server writes, in whatever language the rest is."""

_BODY = re.compile(
    r"(?:could|can) ?not be delivered|couldn.t be delivered|qmail-send|unable to deliver|"
    r"undeliverable|undelivered|permanent (?:fatal )?errors?|did not reach the following|"
    r"delivery to the following|failed to deliver|was not delivered|delivery (?:has )?failed|"
    r"konnte nicht zugestellt|nicht zugestellt werden|n.a (?:pas )?pu .tre|not been delivered|"
    r"returned to sender|have delivery problems|no se (?:ha )?pud|following (?:address|"
    r"recipient)",
    re.I,
)
_DELAY_SUBJECT = re.compile(
    r"delay|warning|verz.{1,2}ger|retard|still (?:trying|being)|deferred|not yet", re.I
)
_DELAY = re.compile(
    r"will (?:continue|keep)(?: to)? (?:try|be)|will be (?:re)?(?:tried|attempted|sent)|"
    r"re-?attempted later|not yet been delivered|has been delayed|delivery (?:is |was )?delayed|"
    r"you do not need to|warning message only|could not send message for (?:the )?past|still "
    r"being (?:tried|retried)|no action is required|will retry|temporary error|next attempt|noch "
    r"nicht zugestellt|weiterhin versuch",
    re.I,
)
_CONDITION = re.compile(
    r"\b(?:if|falls|wenn|si|should) [^.\n]{0,100}(?:permanent|fail|endg|d.finitiv)\w{0,12}", re.I
)
"""What a delay says of the time after it."""

_DELAYED = re.compile(r"\(delay(?:ed)?\)|^(?:delayed|delivery delayed)\b", re.I)
_SUCCESS = re.compile(
    r"\((?:success|relay|relayed|expanded|delivered)\)|successful mail delivery|"
    r"^(?:delivered|relayed|expanded)\b",
    re.I,
)
_DELIVERED = re.compile(
    r"(?:was|were|been|is) (?:successfully )?(?:delivered|relayed|expanded)|successfully "
    r"(?:delivered|relayed)|erfolgreich zugestellt",
    re.I,
)
"""A report of success; words about what "could not be delivered" are a failure's."""

_REPLY = re.compile(r"(?<![\w.:-])[45]\d\d[ -][^\n\]]{3,300}")
"""A server's reply anywhere in a line."""

_FINAL = re.compile(
    r"giving up|permanent|has been returned|could not be delivered after|delivery has failed|"
    r"(?<!not )(?<!not been )\bfailed permanently|will not be (?:re)?tried|no longer be|"
    r"undeliverable|(?<!non-)fatal error|\b5\d\d[ -]\d\.\d|retry timeout exceeded|too long",
    re.I,
)


@dataclass(frozen=True, slots=True)
class Report:
    """A returned message: its own Message-ID, its results and its evidence.

    `results` is empty where it reports a failure that is not understood; `from_system` tells that a
    mail system wrote it, `asks_to_leave` that a person asks in a reply to be unsubscribed.
    """

    message_id: str
    results: list[BounceResult]
    evidence: ReportEvidence
    from_system: bool
    asks_to_leave: bool = False


def read_bounce(data: bytes) -> list[BounceResult]:
    """Read a returned message; empty where it reports a failure that is not understood.

    Takes any bytes. Looks at the first `mime.BYTES_AT_MOST` of them, in bounded time.
    """
    return read_message(data).results


def read_message(data: bytes) -> Report:
    """Read a returned message with what identifies and proves it, in bounded time."""
    message = parse_message(data)
    evidence = collect_evidence(message)
    results = _read_results(message, evidence, data)
    is_reply = any(result.bounce_class is BounceClass.REPLY for result in results)
    return Report(
        message.get("message-id").strip("<> ")[:300],
        results,
        evidence,
        _is_bounce(message),
        is_reply and asks_to_leave(message),
    )


def _read_results(message: Part, evidence: ReportEvidence, data: bytes) -> list[BounceResult]:
    complaint = read_complaint(message, evidence)
    if complaint is not None:
        return complaint
    if is_receipt(message):
        return read_other_mail(message, evidence)
    return list(
        dict.fromkeys(
            _read_report(message, evidence)
            or _read_plain(message, evidence, data)
            or ([] if _is_bounce(message) else read_other_mail(message, evidence))
        )
    )


def _read_report(message: Part, evidence: ReportEvidence) -> list[BounceResult]:
    """Read a machine-readable report, also where it stands in plain text."""
    part = find_status_part(message)
    if part is None and not _is_bounce(message):
        return []
    text = part.text() if part else _find_fields(message)
    _, groups = read_groups(text)
    notice = _read_notice(message)
    results = read_dsn(groups, notice, evidence)
    named = [result for result in results if result.recipient]
    if named or not results:
        return named
    recipients = _guess_recipients(message, notice, evidence)
    return [_with_recipient(results[0], address) for address in recipients[:1] or [""]]


def _find_fields(message: Part) -> str:
    """Return the text of a report that lost its MIME structure, "" where there is none."""
    for part in message.walk():
        if not part.parts and part.content_type == "text/plain":
            text = part.text()
            if (place := text.lower().find("final-recipient:")) >= 0:
                return text[max(0, text.rfind("\n\n", 0, place)) :]
    return ""


def _with_recipient(result: BounceResult, recipient: str) -> BounceResult:
    return BounceResult(
        recipient, result.bounce_class, result.status, result.reason, result.evidence
    )


def _read_notice(message: Part) -> str:
    """Return what a report says to people: its text parts before the report and the original."""
    texts = []
    for part in message.walk():
        if part.content_type in (*STATUS_TYPES, "message/rfc822", "text/rfc822-headers"):
            break
        if not part.parts and part.content_type in ("text/plain", "text/html"):
            texts.append(cut_original(part.text()))
    return "\n".join(texts) or cut_original(
        "\n".join(line.decode("latin-1") for line in message.body[:400])
    )


def _is_bounce(message: Part) -> bool:
    """Tell whether a mail system wrote to report a failure."""
    if (
        message.get("x-failed-recipients")
        or message.param("report-type").lower() == "delivery-status"
    ):
        return True
    named = bool(_SYSTEM.search(message.get("from")))
    system = named or message.get("return-path").strip() == "<>"
    if not system and (
        message.get("in-reply-to") or is_answer(message) or is_foreign_bulk(message)
    ):
        return False  # somebody quotes a bounce, or sells something
    about = bool(_SUBJECT.search(message.get("subject")))
    if system and about:
        return True
    notice = _read_notice(message)[:6_000]
    if _is_daemon(message) and find_recipients(notice, not_these=set()):
        return True  # in a language that no pattern knows
    if named and _SERVER_WORDS.search(notice):
        return True
    return (system or about) and bool(_BODY.search(notice))


def _is_daemon(message: Part) -> bool:
    """Tell whether a mail comes from an address that writes nothing but reports."""
    paths = message.get_all("return-path")
    return bool(_DAEMON.match(find_address(message.get("from")))) and all(
        path.strip() == "<>" for path in paths
    )


def _read_plain(message: Part, evidence: ReportEvidence, data: bytes) -> list[BounceResult]:
    """Read a bounce that was written for people."""
    if not _is_bounce(message):
        return []
    notice = _read_notice(message)
    recipients = _guess_recipients(message, notice, evidence) or _ask_flufl(data, evidence)
    subject = message.get("subject")
    if _is_delay(subject, notice) or _is_success(subject, notice):
        return [
            BounceResult(address, BounceClass.IGNORE, "", join_lines(subject), evidence)
            for address in recipients or [""]
        ]
    return [_judge_notice(notice, address, evidence) for address in recipients]


def _judge_notice(notice: str, address: str, evidence: ReportEvidence) -> BounceResult:
    reason = find_reason(notice, address)
    judged = judge_reason(reason)
    if not judged.known:
        replies = (judge_reason(words) for words in _REPLY.findall(notice[:20_000])[:5])
        others = (judge_reason(notice, judged.status), *replies)
        judged = next((other for other in others if other.known), judged)
    return BounceResult(address, judged.bounce_class, judged.status, join_lines(reason), evidence)


def _guess_recipients(message: Part, notice: str, evidence: ReportEvidence) -> list[str]:
    """List who failed: by header, by the words of the notice, by whom the original was sent to."""
    header = find_addresses(" ".join(message.get_all("x-failed-recipients")))
    if header:
        return header
    not_these = {address.lower() for address in evidence.sent_to} | {
        find_address(part.get("from")).lower() for part in message.walk()
    }
    return find_recipients(notice, not_these=not_these) or find_returned_recipients(message)


def _is_delay(subject: str, notice: str) -> bool:
    """Tell whether a mail system says that it goes on trying."""
    if _DELAYED.search(subject):
        return True
    if _FINAL.search(_CONDITION.sub(" ", notice)):
        return False
    return bool(_DELAY_SUBJECT.search(subject) or _DELAY.search(notice))


def _is_success(subject: str, notice: str) -> bool:
    """Tell whether a mail system says that a message has arrived."""
    return bool(_SUCCESS.search(subject) and _DELIVERED.search(notice))


def _ask_flufl(data: bytes, evidence: ReportEvidence) -> list[str]:
    """Ask flufl.bounce, which knows the notices of many old mail systems."""
    lines = [line[:500] for line in data[:FLUFL_BYTES_AT_MOST].splitlines()[:FLUFL_LINES_AT_MOST]]
    try:
        temporary, permanent = all_failures(message_from_bytes(b"\n".join(lines), policy=compat32))
    except Exception:  # its detectors raise what they like on odd input
        return []
    ours = {address.lower() for address in evidence.sent_to}
    addresses = [
        normalize_address(raw.decode("utf-8", "replace")) for raw in sorted(temporary | permanent)
    ]
    return [
        address
        for address in addresses
        if find_address(address) and address.lower() not in ours and not is_role(address)
    ]
