"""A key signs only when it is named in the settings and `doctor` has seen its record in the DNS."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

import dkim
import pytest
from flask import Flask
from sqlalchemy import select

from newsletter.db.session import reading, transaction
from newsletter.errors import InvalidInput, NotFound, Refused
from newsletter.files import is_exposed
from newsletter.models import SeenDkimKey
from newsletter.services.letters import send as letters
from newsletter.services.lookup import get_list
from newsletter.services.operations import doctor
from newsletter.services.runtime import Environment
from newsletter.services.sending import dkim_keys
from newsletter.services.sending import run as sending
from newsletter.settings import Dkim
from newsletter.setup_vocabulary import KeyKind
from tests.fakes import FakeDns, Sink
from tests.people import add_list, add_reader


@pytest.fixture
def signing(env: Environment) -> Iterator[Environment]:
    """Make an installation whose settings name s1 and s2, and a list of another domain."""
    with transaction() as session:
        add_list(session, from_email="ana@slow-letters.net")
        add_list(session, "other", from_email="eva@other-letters.net")
        add_reader(session, get_list(session, "blog"), "a@example.com")
        add_reader(session, get_list(session, "other"), "b@example.com")
    settings = env.settings.model_copy(update={"dkim": Dkim(selectors=("s1", "s2"))})
    yield replace(env, settings=settings)


def publish(dns: FakeDns, key: dkim_keys.DkimKey, domain: str) -> None:
    [record] = [record for record in key.records if f".{domain}. " in record]
    name = record.partition(". TXT ")[0]
    dns.records[name, "TXT"] = ["".join(re.findall('"([^"]*)"', record))]


def send(env: Environment, slug: str = "blog") -> None:
    letters.send_letter(
        env, letters.parse(f"---\nlist: {slug}\nsubject: x\n---\n\nA letter.\n"), again=True
    )
    sending.send_due(env)


def signatures(data: bytes) -> list[str]:
    return [f"{s}/{d}" for d, s in re.findall(r"d=(\S+);\s+s=(\w+);", data.decode())]


def checks(env: Environment) -> dict[str, str]:
    return {check.what: check.verdict for check in doctor.examine(env) if check.id == "dkim_key"}


def test_signing_begins_when_doctor_has_seen_the_key(
    signing: Environment, sink: Sink, fake_dns: FakeDns
) -> None:
    key = dkim_keys.create_key(signing, "s1")
    publish(fake_dns, key, "slow-letters.net")
    send(signing)
    assert signatures(sink.accepted[-1].data) == [], "nobody has looked yet"
    verdicts = checks(signing)
    assert verdicts["s1._domainkey.slow-letters.net is published and signs"] == "good"
    assert verdicts["s1._domainkey.other-letters.net is not published: mail goes unsigned"] == "bad"
    send(signing)
    assert signatures(sink.accepted[-1].data) == ["s1/slow-letters.net"]
    data = sink.accepted[-1].data
    records = {name: text[0] for (name, kind), text in fake_dns.records.items() if kind == "TXT"}
    assert dkim.verify(data, dnsfunc=lambda name, timeout=5: records[name.decode()[:-1]].encode())
    send(signing, "other")
    assert signatures(sink.accepted[-1].data) == [], "its record was not seen"


def test_two_keys_sign_while_one_replaces_the_other(
    signing: Environment, sink: Sink, fake_dns: FakeDns
) -> None:
    for selector, kind in (("s1", KeyKind.RSA), ("s2", KeyKind.ED25519), ("s3", KeyKind.RSA)):
        key = dkim_keys.create_key(signing, selector, kind=kind)
        publish(fake_dns, key, "slow-letters.net")
    assert checks(signing)["s3._domainkey.slow-letters.net is published"] == "good"
    send(signing)
    assert signatures(sink.accepted[-1].data) == ["s1/slow-letters.net", "s2/slow-letters.net"]


def test_another_key_of_the_same_name_was_not_seen(
    signing: Environment, sink: Sink, fake_dns: FakeDns
) -> None:
    publish(fake_dns, dkim_keys.create_key(signing, "s1"), "slow-letters.net")
    checks(signing)
    file = dkim_keys.find_file(signing, "s1")
    file.unlink()
    dkim_keys.create_key(signing, "s1")
    send(signing)
    assert signatures(sink.accepted[-1].data) == []
    assert checks(signing)["s1._domainkey.slow-letters.net publishes another key"] == "bad"


def test_a_missing_or_broken_key_stops_no_mail(
    signing: Environment, sink: Sink, fake_dns: FakeDns, caplog: pytest.LogCaptureFixture
) -> None:
    dkim_keys.create_key(signing, "s2")
    dkim_keys.find_file(signing, "s2").write_text("nonsense")
    send(signing)
    assert len(sink.accepted) == 1
    assert "the DKIM key s1 cannot be read" in caplog.text
    assert "the DKIM key s2 cannot be read" in caplog.text
    assert [verdict for what, verdict in checks(signing).items() if "s2.pem" in what] == ["bad"]


def test_key_files_are_their_owners(signing: Environment) -> None:
    key = dkim_keys.create_key(signing, "s1")
    assert not is_exposed(key.file)
    assert not is_exposed(key.file.parent)
    key.file.chmod(0o644)
    assert checks(signing)[f"others can read {key.file}"] == "bad"
    assert b"PRIVATE" not in repr(key).encode()


def test_a_key_is_made_once_and_removed_when_it_signs_no_more(
    signing: Environment, fake_dns: FakeDns
) -> None:
    old = dkim_keys.create_key(signing, "s1")
    with pytest.raises(Refused):
        dkim_keys.create_key(signing, "s1")
    with pytest.raises(Refused):
        dkim_keys.remove_key(signing, "s1")
    key = dkim_keys.create_key(signing, "old")
    publish(fake_dns, key, "slow-letters.net")
    publish(fake_dns, old, "slow-letters.net")
    checks(signing)
    dkim_keys.remove_key(signing, "old")
    assert [key.selector for key in dkim_keys.list_keys(signing)] == ["s1"]
    with reading() as session:
        assert session.scalars(select(SeenDkimKey.selector)).all() == ["s1"]
    for name in ("old", "../s1", "S1"):
        with pytest.raises(NotFound):
            dkim_keys.remove_key(signing, name)


@pytest.mark.any_database
@pytest.mark.parametrize("selector", ["", "../x", "S1", "a.b", "-a", "a" * 64])
def test_a_selector_is_one_label(signing: Environment, selector: str) -> None:
    with pytest.raises(InvalidInput):
        dkim_keys.create_key(signing, selector)


def test_the_same_files_of_another_folder_are_not_read(signing: Environment, app: Flask) -> None:
    dkim_keys.create_key(signing, "s1")
    elsewhere = signing.settings.model_copy(update={"folder": signing.settings.folder / "x"})
    assert dkim_keys.list_keys(replace(signing, settings=elsewhere)) == []
