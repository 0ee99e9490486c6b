"""Check by DNS whether receivers will accept a list's mail: SPF, DKIM, DMARC, MX, host name."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

from newsletter.dns import dkim, dmarc, spf
from newsletter.dns.mx import is_null_mx, is_reserved
from newsletter.dns.resolver import CouldNotAsk, RecordKind, Resolver
from newsletter.i18n import Text
from newsletter.services.checks import BAD, GOOD, UNKNOWN, WARN, Check
from newsletter.services.operations.signing_checks import check_signing
from newsletter.services.runtime import Environment
from newsletter.stored_texts import Stored

FREE_MAIL = frozenset(
    {
        "gmail.com",
        "googlemail.com",
        "yahoo.com",
        "outlook.com",
        "hotmail.com",
        "live.com",
        "gmx.de",
        "gmx.net",
        "web.de",
        "icloud.com",
        "me.com",
        "aol.com",
        "proton.me",
        "protonmail.com",
    }
)
LOCAL_HOSTS = ("localhost", "127.0.0.1", "::1")
WHY_SPF = Text(
    "Gmail, Yahoo and Microsoft refuse mail from domains that neither SPF nor DKIM vouches for"
)
WHY_DMARC = Text("Gmail, Yahoo and Microsoft refuse bulk mail from a domain without a policy")
WHY_MX = Text("receivers doubt a sender who cannot be answered, and bounces get lost")
WHY_RDNS = Text("Gmail and others refuse mail from an address whose name does not lead back to it")
INCLUDES = {
    "amazonaws.com": "amazonses.com",
    "mailgun.org": "mailgun.org",
    "sendgrid.net": "sendgrid.net",
    "postmarkapp.com": "spf.mtasv.net",
    "mailjet.com": "spf.mailjet.com",
    "brevo.com": "spf.brevo.com",
    "sendinblue.com": "spf.brevo.com",
    "gmail.com": "_spf.google.com",
    "google.com": "_spf.google.com",
    "office365.com": "spf.protection.outlook.com",
    "fastmail.com": "spf.messagingengine.com",
    "migadu.com": "spf.migadu.com",
    "mailbox.org": "mailbox.org",
    "zoho.com": "zoho.com",
    "zoho.eu": "zoho.eu",
    "mandrillapp.com": "spf.mandrillapp.com",
    "sparkpostmail.com": "_spf.sparkpostmail.com",
}
"""The SPF include of each provider, by the suffix of its SMTP host."""


def check_sender(
    env: Environment, domain: str, *, selector: str = "", sample: dkim.Sample | None = None
) -> Iterator[Check]:
    """Yield every DNS check of a sender's domain."""
    if domain in FREE_MAIL:
        hint = Text("write from an address of a domain of your own")
        why = Text("its owner tells receivers to refuse such mail from anywhere else (DMARC)")
        yield Check("from", BAD, Text("mail is sent from %(domain)s", domain=domain), hint, why)
        return
    if is_reserved(domain):
        yield Check(
            "from",
            WARN,
            Text("%(domain)s is a name for examples; nobody can answer it", domain=domain),
            Text("use a domain of your own"),
        )
        return
    ask = env.resolver
    yield from run_checks("spf", domain, lambda: _check_spf(env, domain, ask))
    if selector or sample or not env.settings.dkim.selectors:  # else dkim_checks.py knows the keys
        yield from run_checks("dkim", domain, lambda: check_signing(domain, selector, sample, ask))
    yield from run_checks("dmarc", domain, lambda: _check_dmarc(domain, ask))
    yield from run_checks("mx", domain, lambda: check_mx(domain, ask))


def run_checks(id_: str, domain: str, look: Callable[[], Iterator[Check]]) -> Iterator[Check]:
    """Yield the checks of `look`, or one reporting that the DNS did not answer."""
    try:
        yield from list(look())
    except CouldNotAsk as error:
        yield Check(
            id_,
            UNKNOWN,
            Text("%(domain)s: could not ask: %(why)s", domain=domain, why=Stored(error.message)),
            Text("look again with a network"),
        )


def list_smtp_hosts(env: Environment) -> list[str]:
    """Return the hosts of the SMTP servers in the settings."""
    return [urlsplit(url.get_secret_value()).hostname or "" for url in env.settings.smtp.url]


def _check_spf(env: Environment, domain: str, ask: Resolver) -> Iterator[Check]:
    policy = spf.examine(domain, ask)
    if not policy.record:
        record = f'{domain}. TXT "v=spf1 {_list_spf_terms(env)} ~all"'
        hint = Text(
            "publish a record that names who sends for you; your provider says what to include"
        )
        yield Check(
            "spf", BAD, Text("%(domain)s has no SPF record", domain=domain), hint, WHY_SPF, record
        )
        return
    problems = policy.problems + policy.notes
    text = "; ".join(problems) or Text(
        "%(record)s (%(lookups)s of %(most)s look-ups)",
        record=policy.record,
        lookups=policy.lookups,
        most=spf.LOOKUPS_AT_MOST,
    )
    if problems:
        verdict = BAD if policy.problems else WARN
        yield Check(
            "spf",
            verdict,
            f"{domain}: {text}",
            Text("mend %(record)s", record=policy.record),
            WHY_SPF,
        )
    else:
        yield Check("spf", GOOD, f"{domain}: {text}")


def _list_spf_terms(env: Environment) -> str:
    terms = []
    for host in list_smtp_hosts(env):
        known = next(
            (
                include
                for end, include in INCLUDES.items()
                if host == end or host.endswith(f".{end}")
            ),
            None,
        )
        terms.append(f"include:{known}" if known else "mx" if host in LOCAL_HOSTS else f"a:{host}")
    return " ".join(dict.fromkeys(terms))


def _check_dmarc(domain: str, ask: Resolver) -> Iterator[Check]:
    policy = dmarc.examine(domain, ask)
    record = f'_dmarc.{domain}. TXT "v=DMARC1; p=none; rua=mailto:dmarc@{domain}"'
    if not policy.record:
        text = "; ".join(policy.problems) or Text("%(domain)s has no DMARC policy", domain=domain)
        yield Check(
            "dmarc",
            BAD,
            text,
            Text("publish one; p=none is enough to begin with"),
            WHY_DMARC,
            record,
        )
    elif policy.problems:
        place = f"_dmarc.{policy.domain}"
        yield Check(
            "dmarc",
            WARN,
            f"{place}: {'; '.join(policy.problems)}",
            Text("mend %(record)s", record=policy.record),
            WHY_DMARC,
        )
    else:
        yield Check(
            "dmarc",
            GOOD,
            Text(
                "_dmarc.%(domain)s: p=%(policy)s holds for %(sender)s",
                domain=policy.domain,
                policy=policy.policy,
                sender=domain,
            ),
        )


def check_mx(domain: str, ask: Resolver, *, id_: str = "mx") -> Iterator[Check]:
    """Check that mail to a domain can be delivered: MX, A or AAAA records."""
    records = ask(domain, RecordKind.MX)
    if records and all(is_null_mx(entry) for entry in records):
        yield Check(
            id_,
            BAD,
            Text("%(domain)s says that it takes no mail (null MX)", domain=domain),
            Text("use an address that is read"),
            WHY_MX,
        )
    elif records:
        yield Check(
            id_,
            GOOD,
            Text("%(domain)s: mail goes to %(host)s", domain=domain, host=records[0].split()[-1]),
        )
    elif ask(domain, RecordKind.A) or ask(domain, RecordKind.AAAA):
        yield Check(
            id_,
            WARN,
            Text("%(domain)s has no MX record; mail goes to the host itself", domain=domain),
            Text("publish one"),
            WHY_MX,
        )
    else:
        record = f"{domain}. MX 10 mail.{domain}."
        yield Check(
            id_,
            BAD,
            Text("mail to %(domain)s goes nowhere", domain=domain),
            Text("publish where it goes"),
            WHY_MX,
            record,
        )


def check_host_name(env: Environment, host: str) -> Iterator[Check]:
    """Check that this host's name and IP address resolve to each other."""
    if host in LOCAL_HOSTS or not env.settings.smtp.url:
        return
    if not any(server in LOCAL_HOSTS for server in list_smtp_hosts(env)):
        yield Check(
            "rdns",
            GOOD,
            Text("your provider's servers carry the mail; their names are the provider's business"),
        )
        return
    yield from run_checks("rdns", host, lambda: _check_rdns(host, env.resolver))


def _check_rdns(host: str, ask: Resolver) -> Iterator[Check]:
    addresses = [*ask(host, RecordKind.A), *ask(host, RecordKind.AAAA)]
    if not addresses:
        text = Text("%(host)s has no address", host=host)
        hint = Text("the server on this machine greets others with this name: publish its address")
        record = f"{host}. A (this machine's address)"
        yield Check("helo", BAD, text, hint, WHY_RDNS, record)
    for address in addresses:
        yield _check_name_of(address, host, ask)


def _check_name_of(address: str, host: str, ask: Resolver) -> Check:
    back = ask(address, RecordKind.PTR)
    if not back:
        text = Text("%(address)s has no name", address=address)
        hint = Text(
            "ask whoever owns %(address)s (your hosting provider) to name it %(host)s",
            address=address,
            host=host,
        )
        return Check("rdns", BAD, text, hint, WHY_RDNS)
    kind = RecordKind.AAAA if ":" in address else RecordKind.A
    both = {"address": address, "back": back[0]}
    if any(address in ask(name, kind) for name in back):
        text = Text("%(address)s and %(back)s lead to each other", **both)
        return Check("rdns", GOOD, text)
    text = Text("%(address)s is named %(back)s, which leads elsewhere", **both)
    hint = Text(
        "publish %(address)s for %(back)s, or have the address named %(host)s", host=host, **both
    )
    return Check("rdns", BAD, text, hint, WHY_RDNS)
