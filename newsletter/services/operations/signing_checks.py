"""Check by DNS that a domain publishes the DKIM keys that sign its mail."""

from __future__ import annotations

from collections.abc import Iterator

from newsletter.dns import dkim, dmarc
from newsletter.dns.resolver import Resolver
from newsletter.i18n import Text
from newsletter.services.checks import BAD, GOOD, UNKNOWN, WARN, Check

WHY_DKIM = Text(
    "Gmail, Yahoo and Microsoft want bulk mail signed by its domain; DMARC and one-click rest on it"
)


def check_signing(
    domain: str, selector: str, sample: dkim.Sample | None, ask: Resolver
) -> Iterator[Check]:
    """Yield the checks of a domain's DKIM keys, or of those that signed a sample of its mail."""
    if sample is not None:
        yield from _check_sample(domain, sample, ask)
        return
    keys = [dkim.examine(domain, selector, ask)] if selector else dkim.find_usual_keys(domain, ask)
    keys = [key for key in keys if key.record] or keys
    if not keys:
        hint = Text(
            "say which it is: --selector NAME; or --sample MAIL.eml, a mail of yours as it arrived"
        )
        yield Check(
            "dkim",
            UNKNOWN,
            Text("%(domain)s: no key at a usual selector", domain=domain),
            hint,
            WHY_DKIM,
        )
    for key in keys:
        yield _check_key(domain, key)


def _check_key(domain: str, key: dkim.Key) -> Check:
    name = f"{key.selector}._domainkey.{domain}"
    if not key.record:
        record = f'{name}. TXT "v=DKIM1; k=rsa; p=(the public key of your mail server or provider)"'
        return Check(
            "dkim",
            BAD,
            Text("there is no key at %(name)s", name=name),
            Text("publish what your server signs with"),
            WHY_DKIM,
            record,
        )
    if wrong := key.problems + key.notes:
        verdict = BAD if key.problems else WARN
        return Check(
            "dkim", verdict, f"{name}: {'; '.join(wrong)}", Text("make a new key"), WHY_DKIM
        )
    size = Text("RSA, %(bits)s bits", bits=key.bits) if key.bits else Text("a key")
    return Check("dkim", GOOD, f"{name}: {size}")


def _check_sample(domain: str, sample: dkim.Sample, ask: Resolver) -> Iterator[Check]:
    """Check the signatures of a mail that was sent.

    It must be signed for this domain, with a published key, and over the one-click headers.
    """
    ours = [
        signature
        for signature in sample.signatures
        if signature.domain and dmarc.is_aligned(signature.domain, domain, ask)
    ]
    if not ours:
        others = ", ".join(signature.domain for signature in sample.signatures) or "nobody"
        hint = Text("have your server or provider sign as %(domain)s", domain=domain)
        yield Check(
            "dkim",
            BAD,
            Text(
                "the sample is signed by %(others)s, not by %(domain)s",
                others=others,
                domain=domain,
            ),
            hint,
            WHY_DKIM,
        )
    for signature in ours:
        yield _check_key(signature.domain, dkim.examine(signature.domain, signature.selector, ask))
        missing = [name for name in dkim.MUST_SIGN if name not in signature.signed]
        if missing:
            hint = Text("tell the signer to cover both List-Unsubscribe headers")
            why = Text(
                "without it Gmail shows no unsubscribe button, and subscribers report spam "
                "(RFC 8058 section 3.1)"
            )
            yield Check(
                "dkim_headers",
                BAD,
                Text("the sample's signature leaves out %(names)s", names=", ".join(missing)),
                hint,
                why,
            )
