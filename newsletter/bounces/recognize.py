"""Recognise reports of mail systems: failure, delay, success.

Pure.
"""

from __future__ import annotations

import re

from newsletter.bounces.addresses import find_address
from newsletter.bounces.dsn import STATUS_TYPES
from newsletter.bounces.mime import Part
from newsletter.bounces.notice import cut_original, find_recipients
from newsletter.bounces.other_mail import is_answer, is_foreign_bulk

_SYSTEM = re.compile(
    r"mailer-?daemon|mail-?daemon|maildaemon|post_?master|mail delivery|delivery (?:sub)?system|"
    r"mdaemon|microsoft ?exchange|system administrator|mail administrator|mail system|bounce|"
    r"mailsystem|mmdf|delivery service|zustellsystem|internet mail|inet_mail|mail server",
    re.I,
)
_PARCEL = re.compile(
    r"\bparcels?\b|\bpackage\b|\bpaket|\bcolis\b|\bpaquete\b|\bpacco\b|\bpakket", re.I
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
    r"送信できません|メールエラー|未送达|退信|无法投递|"
    r"k.zbes.thet|n.o entregue|mancata consegna|kunde inte levereras|niet (?:afge|be)leverd|"
    r"zustellfehler|nie zosta.a dostarczona|nu a putut fi livrat|반송|발송 ?실패|"
    r"يتعذر التسليم|تعذر تسليم",
    re.I,
)
_SERVER_WORDS = re.compile(
    r"(?<![\w.])#?[45]\d\d[ -]#?[45]\.\d{1,3}\.\d{1,3}(?!\d)|said:? {1,4}[45]\d\d[ -]|RCPT TO:",
    re.I,
)
"""Pattern of text that only mail servers write, whatever the language of the rest."""

_BODY = re.compile(
    r"(?:could|can) ?not be delivered|couldn.t be delivered|qmail-send|unable to deliver|"
    r"undeliverable|undelivered|permanent (?:fatal )?errors?|did not reach the following|"
    r"delivery to the following|failed to deliver|was not delivered|delivery (?:has )?failed|"
    r"konnte nicht zugestellt|nicht zugestellt werden|n.a (?:pas )?pu .tre|not been delivered|"
    r"has not (?:been )?delivered|returned to sender|have delivery problems|"
    r"no se (?:ha )?pud|following (?:address|recipient)|failed recipients?\b|"
    r"has been returned because",
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
_STILL_TRYING = re.compile(
    r"will (?:keep trying|(?:re)?try) for \d{1,3} more|notified if the delivery fails perm|"
    r"not a permanent error",
    re.I,
)
"""Pattern of phrases which say that a mail system goes on trying, whatever else it quotes."""

_CONDITION = re.compile(
    r"\b(?:if|falls|wenn|si|should) [^.\n]{0,100}(?:permanent|fail|endg|d.finitiv)\w{0,12}", re.I
)
"""Pattern of sentences in which a report of a delay mentions a later failure."""

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
"""Pattern of a report of success; "could not be delivered" is a failure."""

_PASSED_ON = re.compile(r"(?:relayed to mailer|delivered to mailbox)\b", re.I)
_FAILED = re.compile(r"fail|\b[45]\d\d[ -]", re.I)

_FINAL = re.compile(
    r"giving up|permanent|has been returned|could not be delivered after|delivery has failed|"
    r"(?<!not )(?<!not been )\bfailed permanently|will not be (?:re)?tried|no longer be|"
    r"undeliverable|(?<!non-)fatal error|\b5\d\d[ -]\d\.\d|(?:^|\n)(?:<<< )?5[05]\d[ -]|"
    r"retry timeout exceeded|too long",
    re.I,
)


def read_notice(message: Part) -> str:
    """Return the human-readable text of a report: its text parts before fields and original.

    A part that lost its MIME structure counts as text.
    """
    texts = []
    for part in message.walk():
        if part.content_type in (*STATUS_TYPES, "message/rfc822", "text/rfc822-headers"):
            break
        kind = part.content_type
        if not part.parts and (
            kind in ("text/plain", "text/html") or kind.startswith("multipart/")
        ):
            texts.append(cut_original(part.text()))
    return "\n".join(texts) or cut_original(
        "\n".join(line.decode("latin-1") for line in message.body[:400])
    )


def is_bounce(message: Part) -> bool:
    """Tell whether a message is a mail system's report of a failure."""
    if (
        message.get("x-failed-recipients")
        or message.param("report-type").lower() == "delivery-status"
    ):
        return True
    named = bool(_SYSTEM.search(message.get("from")))
    system = named or message.get("return-path").strip() == "<>"
    if not system and (
        message.get("in-reply-to")
        or is_answer(message)
        or is_foreign_bulk(message)
        or _PARCEL.search(read_notice(message)[:1_000])
    ):
        return False  # somebody quotes a bounce, sells something, or cannot deliver a parcel
    about = bool(_SUBJECT.search(message.get("subject")))
    if system and about:
        return True
    notice = read_notice(message)[:6_000]
    if _is_daemon(message) and find_recipients(notice, not_these=set()):
        return True  # in a language that no pattern knows
    if named and _SERVER_WORDS.search(notice):
        return True
    return (system or about) and bool(_BODY.search(notice))


def _is_daemon(message: Part) -> bool:
    """Tell whether a message comes from an address that sends only reports."""
    paths = message.get_all("return-path")
    return bool(_DAEMON.match(find_address(message.get("from")))) and all(
        path.strip() == "<>" for path in paths
    )


def is_delay(subject: str, notice: str) -> bool:
    """Tell whether a message reports a delay and further attempts."""
    if _DELAYED.search(subject) or _STILL_TRYING.search(notice):
        return True
    if _FINAL.search(_CONDITION.sub(" ", notice)):
        return False
    return bool(_DELAY_SUBJECT.search(subject) or _DELAY.search(notice))


def is_success(subject: str, notice: str) -> bool:
    """Tell whether a message reports a successful delivery."""
    if _PASSED_ON.search(notice) and not _FAILED.search(notice):
        return True
    return bool(_SUCCESS.search(subject) and _DELIVERED.search(notice))
