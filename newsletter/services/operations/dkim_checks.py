"""Check for `doctor` whether the DNS publishes the keys that sign mail, and note those it does."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from newsletter.dns import dkim
from newsletter.files import is_exposed
from newsletter.mail.dkim.keys import PrivateKey, encode_public, write_record
from newsletter.services.checks import Check
from newsletter.services.operations.dns_checks import WHY_DKIM, run_checks
from newsletter.services.runtime import Environment
from newsletter.services.sending import dkim_keys


def check_keys(env: Environment, domain: str) -> Iterator[Check]:
    """Check each key of this installation for a domain that a list is sent from."""
    named = env.settings.dkim.selectors
    stored = [key.selector for key in dkim_keys.list_keys(env)]
    for selector in dict.fromkeys((*named, *stored)):
        key = dkim_keys.read_key(env, selector)
        if key is None:
            text = f"{dkim_keys.find_file(env, selector)} is no key that can be read"
            hint = f"newsletter dkim new --selector {selector}, or take it out of dkim.selectors"
            yield Check("dkim_key", "bad", text, hint, "mail is not signed with it")
            continue
        if is_exposed(dkim_keys.find_file(env, selector)):
            text = f"others can read {dkim_keys.find_file(env, selector)}"
            yield Check("dkim_key", "bad", text, "chmod 600 it", "they can sign as you")
        yield from run_checks(
            "dkim_key", domain, partial(_check_record, env, domain, selector, key)
        )


def _check_record(env: Environment, domain: str, selector: str, key: PrivateKey) -> Iterator[Check]:
    published = dkim.examine(domain, selector, env.resolver)
    name = f"{selector}._domainkey.{domain}"
    record = write_record(key, selector, domain)
    signs = selector in env.settings.dkim.selectors
    if not published.record:
        text = f"{name} is not published" + (": mail goes unsigned" if signs else "")
        yield Check("dkim_key", "bad" if signs else "warn", text, "publish it", WHY_DKIM, record)
    elif published.key != encode_public(key):
        text = f"{name} publishes another key"
        yield Check("dkim_key", "bad", text, "publish this one", WHY_DKIM, record)
    elif published.problems:
        text = f"{name}: {'; '.join(published.problems)}"
        yield Check("dkim_key", "bad", text, "publish it as it is here", WHY_DKIM, record)
    else:
        dkim_keys.note_seen(env, domain, selector, key)
        text = f"{name} is published" + (" and signs" if signs else "")
        hint = "" if signs else f'to sign with it: dkim.selectors = "{selector}"'
        yield Check("dkim_key", "good", text, hint)
