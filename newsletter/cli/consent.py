"""`newsletter subscriber proof`: print the consent record of an address."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from newsletter.cli.context import with_environment
from newsletter.cli.output import format_moment, json_option, print_json, say
from newsletter.services import consent
from newsletter.vocabulary import ConsentKind

if TYPE_CHECKING:
    from newsletter.services.consent import Proof, ProofEvent, ProofMail
    from newsletter.services.runtime import Environment

KINDS = {
    ConsentKind.REQUESTED: "asked to subscribe",
    ConsentKind.AGREED: "agreed to a field of the form",
    ConsentKind.ASKED: "was asked to confirm",
    ConsentKind.CONFIRMED: "confirmed, from the mail",
    ConsentKind.REAFFIRMED: "confirmed again, when asked anew",
    ConsentKind.LAPSED: "let go: did not confirm when asked anew",
    ConsentKind.UNSUBSCRIBED: "unsubscribed",
    ConsentKind.RESUBSCRIBED: "took the unsubscription back",
    ConsentKind.CHANGED: "changed the subscription",
    ConsentKind.ADDED: "was added by the author",
    ConsentKind.IMPORTED: "was imported by the author",
    ConsentKind.MOVED: "changed the address",
    ConsentKind.REASON: "said why they left",
    ConsentKind.RELEASED: "the author lifted the suppression",
}


@click.command(epilog="Example: newsletter subscriber proof ana@example.org > ana.txt")
@click.argument("address")
@json_option
@with_environment
def proof(env: Environment, address: str, *, json_: bool) -> None:
    """Print the consent record of an address, to hand to whoever asks.

    It says who agreed to what, when and where, and which mails belong to it.
    """
    record = consent.get_proof(env, address)
    if json_:
        return print_json({"made_at": env.now, **asdict(record)})
    say(f"Consent record of {record.email}, made {format_moment(env.now)}")
    _print_status(record)
    say("\nWhat happened")
    for event in record.events:
        _print_event(event)
    _print_wordings(record)
    say("\nMails that belong to it")
    for mail in record.mails:
        _print_mail(mail)
    if not record.mails:
        say("  none")
    return None


def _print_status(record: Proof) -> None:
    for slug, status in record.standing.items():
        say(f"  {slug}: {status}{' (suppressed: never mailed)' if record.suppressed else ''}")
    for slug, answers in record.answers.items():
        for name, answer in answers.items():
            say(f"  {slug}, {name}: {answer}")


def _print_event(event: ProofEvent) -> None:
    say(f"\n  {format_moment(event.at)}  {event.list}: {KINDS.get(event.kind, event.kind)}")
    for name, value in (
        ("through", event.source + (f", form “{event.form}”" if event.form else "")),
        ("page", event.page),
        ("from", event.ip),
        ("browser", event.user_agent),
        ("Message-ID", event.message_id),
        ("wording", event.wording_version[:12]),
        ("note", event.note),
    ):
        if value:
            say(f"    {name}: {value}")


def _print_wordings(record: Proof) -> None:
    texts = {event.wording_version: event.wording for event in record.events if event.wording}
    if texts:
        say("\nWordings (SHA-256 of the text)")
    for version, text in texts.items():
        say(f"\n  {version}\n    {text}")


def _print_mail(mail: ProofMail) -> None:
    when = format_moment(mail.at) if mail.at else "not yet"
    reply = f": {mail.reply}" if mail.reply else ""
    say(f"  {when}  {mail.list}: {mail.mail}, {mail.status}{reply}")
