"""Check for `doctor` that the DNS publishes the signing keys, and record those it does."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from newsletter.dns import dkim
from newsletter.files import is_exposed
from newsletter.i18n import Text
from newsletter.mail.dkim.keys import PrivateKey, encode_public, write_record
from newsletter.services.checks import BAD, GOOD, WARN, Check
from newsletter.services.operations.dns_checks import run_checks
from newsletter.services.operations.signing_checks import WHY_DKIM
from newsletter.services.runtime import Environment
from newsletter.services.sending import dkim_keys


def check_keys(env: Environment, domain: str) -> Iterator[Check]:
    """Check each DKIM key of this installation for a sender's domain."""
    named = env.settings.dkim.selectors
    stored = [key.selector for key in dkim_keys.list_keys(env)]
    for selector in dict.fromkeys((*named, *stored)):
        key = dkim_keys.read_key(env, selector)
        file = dkim_keys.find_file(env, selector)
        if key is None:
            text = Text("%(file)s is no key that can be read", file=file)
            hint = Text(
                "newsletter dkim new --selector %(selector)s, or take it out of dkim.selectors",
                selector=selector,
            )
            yield Check("dkim_key", BAD, text, hint, Text("mail is not signed with it"))
            continue
        if is_exposed(file):
            text = Text("others can read %(files)s", files=file)
            yield Check("dkim_key", BAD, text, f"chmod 600 {file}", Text("they can sign as you"))
        yield from run_checks(
            "dkim_key", domain, partial(_check_record, env, domain, selector, key)
        )


def _check_record(env: Environment, domain: str, selector: str, key: PrivateKey) -> Iterator[Check]:
    published = dkim.examine(domain, selector, env.resolver)
    name = f"{selector}._domainkey.{domain}"
    record = write_record(key, selector, domain)
    signs = selector in env.settings.dkim.selectors
    if not published.record:
        text = (
            Text("%(name)s is not published: mail goes unsigned", name=name)
            if signs
            else Text("%(name)s is not published", name=name)
        )
        yield Check("dkim_key", BAD if signs else WARN, text, Text("publish it"), WHY_DKIM, record)
    elif published.key != encode_public(key):
        text = Text("%(name)s publishes another key", name=name)
        yield Check("dkim_key", BAD, text, Text("publish this one"), WHY_DKIM, record)
    elif published.problems:
        problems = f"{name}: {'; '.join(published.problems)}"
        yield Check("dkim_key", BAD, problems, Text("publish it as it is here"), WHY_DKIM, record)
    else:
        dkim_keys.note_seen(domain, selector, key)
        text = (
            Text("%(name)s is published and signs", name=name)
            if signs
            else Text("%(name)s is published", name=name)
        )
        hint = (
            ""
            if signs
            else Text('to sign with it: dkim.selectors = "%(selector)s"', selector=selector)
        )
        yield Check("dkim_key", GOOD, text, hint)
