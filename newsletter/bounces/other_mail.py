"""Classify mail other than bounces: automatic replies, receipts, unsubscribes, replies.

Pure.
"""

from __future__ import annotations

import re

from newsletter.bounces.addresses import find_address
from newsletter.bounces.meaning import join_lines
from newsletter.bounces.mime import Part
from newsletter.bounces.types import BounceClass, BounceResult, ReportEvidence

RECEIPT_TYPE = "message/disposition-notification"

_AUTO_SUBJECT = re.compile(
    r"(?:auto(?:matic|mated|matische|matique)?[ :-]{0,3}(?:reply|response|respon|antwort|answer)|"
    r"out of (?:the )?office|\booo\b|away from|on (?:vacation|holiday|leave)|vacation|abwesen|"
    r"urlaub|automatische antwort|nicht im b.{1,2}ro|automātisk|atvaļin|fraværs|"
    r"(?:ikke|ikkje) p. kontoret|fuori (?:sede|ufficio)|自动答复|自動回覆|"
    r"r.{1,2}ponse automatique|absen(?:t|ce)|respuesta autom|fuera "
    r"de|risposta autom|assente|afwezig|autoreply|autorespon|automatisch|fraværende|frånvaro|"
    r"poissa|nieobecn|resposta autom|estou ausente|autosvar|automatisk svar|odpowied. autom|"
    r"automatyczna odp|r.spuns automat|"
    r"automaattinen|automatick|automatikus|otomatik (?:yan.t|cevap)|"
    r"автоответ|автоматическ|автоматична відповідь|automatiskt svar|"
    r"αυτόματη|自動応答|自動返信|不在|自动回复|자동 ?회신|자동 ?응답|"
    r"رد (?:تلقائي|آلي)|מענה אוטומטי)",
    re.I,
)
_CHALLENGE = re.compile(
    r"(?:confirm|verify) (?:your|that you|you are|the) .{0,40}(?:message|mail|sender|human|sent|"
    r"address)|challenge|anti-?spam (?:confirm|verif)|spamarrest|boxbe|waiting list|sender "
    r"verification|please (?:click|reply).{0,60}(?:deliver|release|approve)|your message "
    r".{0,30}(?:held|awaiting|quarantine)",
    re.I,
)
_UNSUBSCRIBE_TO = re.compile(r"^(?:unsub|unsubscribe)[+=_-]|^unsubscribe@", re.I)
_UNSUBSCRIBE = re.compile(
    r"^\W{0,8}(?:(?:re|aw|fwd?|sv)\s{0,2}:\s{0,2})?(?:please )?(?:unsubscribe|opt.?out|remove(?: "
    r"me)?|abmelden|abbestellen|d.sabonner|se d.sabonner|d.sinscription|baja|darse de baja|"
    r"cancelar suscripci.n|dezabonare|disiscriviti|cancellami|afmelden|"
    r"إلغاء (?:ال)?اشتراك)(?: me)?\W{0,8}$",
    re.I,
)
_REPLY_SUBJECT = re.compile(
    r"^\s{0,8}(?:re|aw|antw|sv|vs|odp|r|res|rif)(?:\[\d{1,3}\])?\s{0,2}:", re.I
)


_QUOTE_BEGINS = re.compile(
    r"\s{0,8}(?:>|\|?-{3,}|_{6,}|\*{0,2}(?:from|von|de|da|van)\s{0,2}:|"
    r"(?:on|am|le|el|il|op|pe|în) .{4,120}(?:wrote|schrieb|a .crit|escribi.|ha scritto|schreef|"
    r"a scris).{0,80}:?$)",
    re.I,
)
_ASKS = re.compile(
    r"\bunsubscri|\b(?:take|remove) (?:me|my (?:e-?mail|address|name)) (?:off|from)\b|"
    r"\bstop (?:sending|e-?mailing|mailing|writing)|\bno (?:more|"
    r"longer) .{0,20}(?:e-?mails?|mails?|"
    r"newsletters?)\b|\bopt.?out\b|\babmelde|\babzumelden|\bmelde(?:n sie mich)? .{0,30}\bab\b|"
    r"\baustrag|\babbestell|"
    r"\bkeine .{0,20}(?:mails?|newsletter) mehr|d.sabonn|d.sinscri|"
    r"\bne plus (?:recevoir|m.envoyer)|"
    r"\bdar(?:me|se)? de baja|\bd[eé]me de baja|\bcancelar? .{0,20}suscripci|"
    r"\bno (?:quiero )?recibir "
    r"m.s|\bdezabon|\bnu mai (?:vreau|doresc)|\bdisiscriv|\bcancell(?:ami|atemi)|"
    r"\bafmelden|\buitschrijven|"
    r"إلغاء (?:ال)?اشتراك|الغاء (?:ال)?اشتراك|إيقاف (?:ال)?رسائل",
    re.I,
)
OWN_LINES_AT_MOST = 30
"""Lines of a reply that are searched for a wish to unsubscribe, which comes at its beginning."""


def asks_to_leave(message: Part) -> bool:
    """Tell whether a reply asks to be unsubscribed in its own words, before any quotation."""
    part = next(
        (
            part
            for part in message.walk()
            if not part.parts and part.content_type.startswith("text/")
        ),
        None,
    )
    lines = part.text().splitlines()[:OWN_LINES_AT_MOST] if part else []
    for line in lines:
        if _QUOTE_BEGINS.match(line[:300]):
            return False
        if _ASKS.search(line[:1_000]):
            return True
    return False


def read_other_mail(message: Part, evidence: ReportEvidence) -> list[BounceResult]:
    """Classify mail that is not a bounce report."""
    writer = find_address(message.get("from"))
    reason = join_lines(message.get("subject"))
    if is_receipt(message) or is_foreign_bulk(message):
        return [BounceResult("", BounceClass.IGNORE, "", reason, evidence)]
    if is_automatic(message):
        return [BounceResult(writer, BounceClass.AUTO_REPLY, "", reason, evidence)]
    if is_unsubscribe(message, evidence):
        return [BounceResult(writer, BounceClass.UNSUBSCRIBE, "", reason, evidence)]
    if message.get("in-reply-to") or message.get("references") or is_answer(message):
        return [BounceResult(writer, BounceClass.REPLY, "", reason, evidence)]
    return [BounceResult("", BounceClass.IGNORE, "", reason, evidence)]


def is_answer(message: Part) -> bool:
    """Tell whether a message's subject begins like that of a reply."""
    return bool(_REPLY_SUBJECT.match(message.get("subject")))


def is_receipt(message: Part) -> bool:
    """Tell whether a message is a read receipt (RFC 8098)."""
    kinds = [part.content_type for part in message.walk()]
    return RECEIPT_TYPE in kinds or (
        message.param("report-type").lower() == "disposition-notification"
    )


def is_foreign_bulk(message: Part) -> bool:
    """Tell whether a message is marked as spam, or is bulk mail, even our own returned whole."""
    if message.get("x-spam-flag").strip().lower() == "yes":
        return True
    return bool(
        message.get("list-unsubscribe") or message.get("list-id") or message.get("feedback-id")
    )


def is_automatic(message: Part) -> bool:
    """Tell whether a message is an automatic reply (RFC 3834 section 5) or a challenge."""
    submitted = message.get("auto-submitted").partition(";")[0].strip().lower()
    if submitted not in ("", "no"):
        return True
    if any(
        message.get(name)
        for name in ("x-autoreply", "x-autorespond", "x-autogenerated", "x-autoresponse")
    ):
        return True
    if message.get("precedence").strip().lower() in ("auto_reply", "auto-reply", "bulk", "junk"):
        return True
    subject = message.get("subject")
    return bool(_AUTO_SUBJECT.search(subject) or _CHALLENGE.search(subject))


def is_unsubscribe(message: Part, evidence: ReportEvidence) -> bool:
    """Tell whether a message is an unsubscribe request by mail (RFC 2369 section 3.2)."""
    if any(_UNSUBSCRIBE_TO.search(address) for address in evidence.sent_to):
        return True
    return bool(_UNSUBSCRIBE.match(message.get("subject")))
