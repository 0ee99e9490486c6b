"""Check by DNS whether receivers will accept a list's mail: SPF, DKIM, DMARC, MX, host name."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

from newsletter.dns import dkim, dmarc, spf
from newsletter.dns.mx import is_null_mx, is_reserved
from newsletter.dns.resolver import CouldNotAsk, Resolver
from newsletter.services.checks import Check, Verdict
from newsletter.services.runtime import Environment

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
WHY_SPF = (
    "Gmail, Yahoo and Microsoft refuse mail from domains that neither SPF nor DKIM vouches for"
)
WHY_DKIM = (
    "Gmail, Yahoo and Microsoft want bulk mail signed by its domain; DMARC and one-click rest on it"
)
WHY_DMARC = "Gmail, Yahoo and Microsoft refuse bulk mail from a domain without a policy"
WHY_MX = "receivers doubt a sender who cannot be answered, and bounces get lost"
WHY_RDNS = "Gmail and others refuse mail from an address whose name does not lead back to it"
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
"""The domain that a provider asks to be included in SPF, by the end of its SMTP host's name."""


def check_sender(
    env: Environment, domain: str, *, selector: str = "", sample: dkim.Sample | None = None
) -> Iterator[Check]:
    """Yield every check of a domain that a list is sent from."""
    if domain in FREE_MAIL:
        hint = "write from an address of a domain of your own"
        why = "its owner tells receivers to refuse such mail from anywhere else (DMARC)"
        yield Check("from", "bad", f"mail is sent from {domain}", hint, why)
        return
    if is_reserved(domain):
        yield Check(
            "from",
            "warn",
            f"{domain} is a name for examples; nobody can answer it",
            "use a domain of your own",
        )
        return
    ask = env.resolver
    yield from run_checks("spf", domain, lambda: _spf(env, domain, ask))
    if selector or sample or not env.settings.dkim.selectors:  # else dkim_checks.py knows the keys
        yield from run_checks("dkim", domain, lambda: _dkim(domain, selector, sample, ask))
    yield from run_checks("dmarc", domain, lambda: _dmarc(domain, ask))
    yield from run_checks("mx", domain, lambda: check_mx(domain, ask))


def run_checks(id_: str, domain: str, look: Callable[[], Iterator[Check]]) -> Iterator[Check]:
    """Yield the checks of `look`, or one that says that DNS did not answer."""
    try:
        yield from list(look())
    except CouldNotAsk as error:
        yield Check(
            id_, "unknown", f"{domain}: could not ask: {error.message}", "look again with a network"
        )


def list_smtp_hosts(env: Environment) -> list[str]:
    """Return the hosts of the SMTP servers in the settings."""
    return [urlsplit(url.get_secret_value()).hostname or "" for url in env.settings.smtp.url]


def _spf(env: Environment, domain: str, ask: Resolver) -> Iterator[Check]:
    policy = spf.examine(domain, ask)
    if not policy.record:
        record = f'{domain}. TXT "v=spf1 {_spf_terms(env)} ~all"'
        hint = "publish a record that names who sends for you; your provider says what to include"
        yield Check("spf", "bad", f"{domain} has no SPF record", hint, WHY_SPF, record)
        return
    problems = policy.problems + policy.notes
    text = (
        "; ".join(problems)
        or f"{policy.record} ({policy.lookups} of {spf.LOOKUPS_AT_MOST} look-ups)"
    )
    if problems:
        verdict: Verdict = "bad" if policy.problems else "warn"
        yield Check("spf", verdict, f"{domain}: {text}", f"mend {policy.record}", WHY_SPF)
    else:
        yield Check("spf", "good", f"{domain}: {text}")


def _spf_terms(env: Environment) -> str:
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


def _dkim(domain: str, selector: str, sample: dkim.Sample | None, ask: Resolver) -> Iterator[Check]:
    if sample is not None:
        yield from _check_sample(domain, sample, ask)
        return
    keys = [dkim.examine(domain, selector, ask)] if selector else dkim.find_usual_keys(domain, ask)
    keys = [key for key in keys if key.record] or keys
    if not keys:
        hint = (
            "say which it is: --selector NAME; or --sample MAIL.eml, a mail of yours as it arrived"
        )
        yield Check("dkim", "unknown", f"{domain}: no key at a usual selector", hint, WHY_DKIM)
    for key in keys:
        yield _key(domain, key)


def _key(domain: str, key: dkim.Key) -> Check:
    name = f"{key.selector}._domainkey.{domain}"
    if not key.record:
        record = f'{name}. TXT "v=DKIM1; k=rsa; p=(the public key of your mail server or provider)"'
        return Check(
            "dkim",
            "bad",
            f"there is no key at {name}",
            "publish what your server signs with",
            WHY_DKIM,
            record,
        )
    if wrong := key.problems + key.notes:
        verdict: Verdict = "bad" if key.problems else "warn"
        return Check("dkim", verdict, f"{name}: {'; '.join(wrong)}", "make a new key", WHY_DKIM)
    return Check("dkim", "good", f"{name}: {f'RSA, {key.bits} bits' if key.bits else 'a key'}")


def _check_sample(domain: str, sample: dkim.Sample, ask: Resolver) -> Iterator[Check]:
    """Check a mail that was sent.

    It must be signed for this domain, with a published key, and over the one-click headers.
    """
    ours = [
        signature
        for signature in sample.signatures
        if signature.domain and dmarc.is_aligned(signature.domain, domain, ask)
    ]
    if not ours:
        others = ", ".join(signature.domain for signature in sample.signatures) or "nobody"
        hint = f"have your server or provider sign as {domain}"
        yield Check(
            "dkim", "bad", f"the sample is signed by {others}, not by {domain}", hint, WHY_DKIM
        )
    for signature in ours:
        yield _key(signature.domain, dkim.examine(signature.domain, signature.selector, ask))
        missing = [name for name in dkim.MUST_SIGN if name not in signature.signed]
        if missing:
            hint = "tell the signer to cover both List-Unsubscribe headers"
            why = (
                "without it Gmail shows no unsubscribe button, and subscribers report spam "
                "(RFC 8058 section 3.1)"
            )
            yield Check(
                "dkim_headers",
                "bad",
                f"the sample's signature leaves out {', '.join(missing)}",
                hint,
                why,
            )


def _dmarc(domain: str, ask: Resolver) -> Iterator[Check]:
    policy = dmarc.examine(domain, ask)
    record = f'_dmarc.{domain}. TXT "v=DMARC1; p=none; rua=mailto:dmarc@{domain}"'
    if not policy.record:
        text = "; ".join(policy.problems) or f"{domain} has no DMARC policy"
        yield Check(
            "dmarc", "bad", text, "publish one; p=none is enough to begin with", WHY_DMARC, record
        )
    elif policy.problems:
        yield Check(
            "dmarc",
            "warn",
            f"_dmarc.{policy.domain}: {'; '.join(policy.problems)}",
            f"mend {policy.record}",
            WHY_DMARC,
        )
    else:
        yield Check(
            "dmarc", "good", f"_dmarc.{policy.domain}: p={policy.policy} holds for {domain}"
        )


def check_mx(domain: str, ask: Resolver, *, id_: str = "mx") -> Iterator[Check]:
    """Tell whether mail to a domain can arrive."""
    records = ask(domain, "MX")
    if records and all(is_null_mx(entry) for entry in records):
        yield Check(
            id_,
            "bad",
            f"{domain} says that it takes no mail (null MX)",
            "use an address that is read",
            WHY_MX,
        )
    elif records:
        yield Check(id_, "good", f"{domain}: mail goes to {records[0].split()[-1]}")
    elif ask(domain, "A") or ask(domain, "AAAA"):
        yield Check(
            id_,
            "warn",
            f"{domain} has no MX record; mail goes to the host itself",
            "publish one",
            WHY_MX,
        )
    else:
        record = f"{domain}. MX 10 mail.{domain}."
        yield Check(
            id_, "bad", f"mail to {domain} goes nowhere", "publish where it goes", WHY_MX, record
        )


def check_host_name(env: Environment, host: str) -> Iterator[Check]:
    """Check that the name of this host and its address lead to each other."""
    if host in LOCAL_HOSTS or not env.settings.smtp.url:
        return
    if not any(server in LOCAL_HOSTS for server in list_smtp_hosts(env)):
        yield Check(
            "rdns",
            "good",
            "your provider's servers carry the mail; their names are the provider's business",
        )
        return
    yield from run_checks("rdns", host, lambda: _rdns(host, env.resolver))


def _rdns(host: str, ask: Resolver) -> Iterator[Check]:
    addresses = [*ask(host, "A"), *ask(host, "AAAA")]
    if not addresses:
        hint = "the server on this machine greets others with this name: publish its address"
        yield Check(
            "helo",
            "bad",
            f"{host} has no address",
            hint,
            WHY_RDNS,
            f"{host}. A (this machine's address)",
        )
        return
    for address in addresses:
        back = ask(address, "PTR")
        if not back:
            hint = f"ask whoever owns {address} (your hosting provider) to name it {host}"
            yield Check("rdns", "bad", f"{address} has no name", hint, WHY_RDNS)
        elif not any(address in ask(name, "AAAA" if ":" in address else "A") for name in back):
            hint = f"publish {address} for {back[0]}, or have the address named {host}"
            yield Check(
                "rdns",
                "bad",
                f"{address} is named {back[0]}, which leads elsewhere",
                hint,
                WHY_RDNS,
            )
        else:
            yield Check("rdns", "good", f"{address} and {back[0]} lead to each other")
