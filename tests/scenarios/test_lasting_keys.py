"""Suppressions and erasures outlive every change of the key that signs links."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import delete, select, update

from newsletter.app import create_app
from newsletter.db.session import db, reading, transaction
from newsletter.errors import Refused
from newsletter.models import Installation, LastingKey, Subscriber, Subscription, Suppression
from newsletter.services import installation, suppressions
from newsletter.services.consent import Evidence
from newsletter.services.operations.hold import hold_installation
from newsletter.services.runtime import EXTENSION, Environment
from newsletter.services.signup import subscribe as signup
from newsletter.services.signup.subscribe import Submission
from newsletter.services.subscribers import privacy
from newsletter.services.transfer import export_subscribers, import_subscribers
from newsletter.settings import Settings
from newsletter.tokens import make_keyed_hash
from newsletter.vocabulary import EvidenceSource, SuppressionReason
from tests.people import add_list, add_reader

KEYS = [f"{letter}-key-that-signs-0123456789" for letter in ("first", "second", "third")]


def with_key(settings: Settings, key: str, *fallbacks: str) -> Settings:
    values = settings.model_dump() | {"secret_key": key, "secret_key_fallbacks": fallbacks}
    return Settings.model_validate(values)


@pytest.mark.parametrize(
    "keeps_old", [True, False], ids=["old key kept for a while", "old key dropped at once"]
)
def test_a9_what_was_erased_and_suppressed_stays_so_through_two_rotations(
    env: Environment, keeps_old: bool
) -> None:
    with transaction() as session:
        mailing_list = add_list(session)
        for name in ("erased", "complained", "other"):
            add_reader(session, mailing_list, f"{name}@example.com")
    privacy.erase_address(env, "erased@example.com")
    suppressions.suppress(env, "complained@example.com", reason=SuppressionReason.COMPLAINT)
    for number in (1, 2):
        fallbacks = [KEYS[number - 1]] if keeps_old else []
        app = create_app(with_key(env.settings, KEYS[number], *fallbacks), clock=env.clock)
        with app.app_context():
            later: Environment = app.extensions[EXTENSION]
            with reading() as session:
                assert suppressions.is_suppressed(later, session, "erased@example.com")
                assert suppressions.is_suppressed(later, session, "complained@example.com")
                assert not suppressions.is_suppressed(later, session, "other@example.com")
            file = env.settings.folder / "old.csv"
            file.write_text("email\nerased@example.com\ncomplained@example.com\nnew@example.com\n")
            import_subscribers.import_file(later, file, slug="blog", because="they asked me")
            signup.subscribe(
                later,
                "blog",
                Submission("erased@example.com"),
                Evidence(EvidenceSource.FORM, ip="192.0.2.1"),
            )
            assert active() == {"new@example.com", "other@example.com"}
            assert suppressions.suppress(later, "erased@example.com") is False
            db.session.remove()
            db.engine.dispose()
    assert db.session.query(Suppression).count() == 2


def active() -> set[str]:
    query = (
        select(Subscriber.email_key)
        .join(Subscriber.subscriptions)
        .where(Subscription.status == "active")
    )
    return set(db.session.scalars(query)) - {"complained@example.com"}


def test_a_lasting_key_is_made_once_and_never_signs(env: Environment) -> None:
    with transaction() as session:
        session.execute(delete(LastingKey))
    with reading() as session:
        assert suppressions.hash_address(env, "a@example.com") != suppressions.hash_address(
            env, "a@example.com"
        )
    with pytest.raises(ZeroDivisionError), transaction():
        undone = suppressions.hash_address(env, "a@example.com")
        raise ZeroDivisionError
    suppressions.suppress(env, "a@example.com")
    with reading() as session:
        [key] = session.scalars(select(LastingKey.key))
    assert (
        suppressions.hash_address(env, "a@example.com")
        == [make_keyed_hash(key, "a@example.com")]
        != undone
    )
    assert key not in env.settings.signing_keys


def test_hashes_of_every_lasting_key_are_recognised(env: Environment) -> None:
    with transaction() as session:
        session.execute(delete(LastingKey))
        session.add_all([LastingKey(key=key, created_at=env.now) for key in ("older", "newer")])
        for key, name in (("older", "a"), ("newer", "b")):
            digest = make_keyed_hash(key, f"{name}@example.com")
            session.add(Suppression(email_hash=digest, reason="erased", created_at=env.now))
    with reading() as session:
        known = [suppressions.is_suppressed(env, session, f"{name}@example.com") for name in "abc"]
    assert known == [True, True, False]
    with transaction():
        assert suppressions.hash_address(env, "c@example.com")[0] == make_keyed_hash(
            "older", "c@example.com"
        )


def test_u17_a_foreign_key_is_noticed_and_a_rotated_one_is_remembered(env: Environment) -> None:
    assert installation.record_key(env) == "new"
    assert installation.record_key(env) == "same"
    assert (
        installation.find_key_state(replace(env, settings=with_key(env.settings, KEYS[0])))
        == "foreign"
    )
    rotated = replace(env, settings=with_key(env.settings, KEYS[1], env.settings.signing_keys[0]))
    assert installation.record_key(rotated) == "rotated"
    assert installation.find_key_state(rotated) == "same"
    assert installation.find_key_state(env) == "foreign"
    with reading() as session:
        stored = session.get_one(Installation, 1).key_fingerprint
    assert all(stored not in key for key in env.settings.signing_keys)
    assert installation.record_key(env) == "foreign"
    installation.accept_key(env)
    assert installation.find_key_state(env) == "same"


def test_a_hold_is_taken_back_once(env: Environment) -> None:
    assert installation.find_hold() is None
    with pytest.raises(Refused):
        installation.release_mail()
    hold = hold_installation(env, "restored")
    assert (hold.because, hold.at) == ("restored", env.now)
    with pytest.raises(Refused):
        hold_installation(env, "again")
    installation.release_mail()
    assert installation.find_hold() is None


def test_hashes_of_another_installation_are_named_and_those_of_our_own_are_not(
    env: Environment, tmp_path: Path
) -> None:
    """Without its key a hash recognises nobody: the author is told, and nothing is dropped."""
    with transaction() as session:
        mailing_list = add_list(session)
        for name in ("erased1", "erased2", "other"):
            add_reader(session, mailing_list, f"{name}@example.com")
    for name in ("erased1", "erased2"):
        privacy.erase_address(env, f"{name}@example.com")
    file = tmp_path / "ours.csv"
    export_subscribers.export_to_file(file)
    again = import_subscribers.import_file(env, file)
    assert (again.problems, again.duplicate) == ([], 3)
    with transaction() as session:
        session.execute(delete(Suppression).where(Suppression.email_key.is_(None)))
    ours = import_subscribers.import_file(env, file)
    assert (ours.problems, ours.new, ours.suppressed) == ([], 2, 2)
    with transaction() as session:
        session.execute(delete(Suppression))
        session.execute(update(LastingKey).values(key="f" * 64))
    env.lasting_keys.clear()
    foreign = import_subscribers.import_file(env, file)
    assert (foreign.new, foreign.suppressed) == (2, 2)
    assert ["cannot be recognised here" in problem for problem in foreign.problems] == [True, True]
