"""A checker of RFC 8058 and RFC 2369, run on the bytes of every mail to a list, and on what its
links do when a mail program, a scanner, a scanner that runs scripts, or somebody with a pair of
scissors gets hold of them.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from datetime import timedelta
from email.message import EmailMessage
from urllib.parse import urlsplit

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import inspect, text

from newsletter import outbox
from newsletter.access_vocabulary import AuthorRole
from newsletter.db.session import db, transaction
from newsletter.link_purposes import PATHS, LinkPurpose
from newsletter.models import Subscription
from newsletter.services.authors import authors, log_in
from newsletter.services.letters import send as letters
from newsletter.services.runtime import EXTENSION
from newsletter.services.sending import run as sending
from newsletter.services.subscribers import reconfirmation
from newsletter.tokens import Tokens
from tests.conftest import SECRET
from tests.fakes import Clock, Sink, body
from tests.people import add_list, add_reader

BASE = "https://news.example.com"
PAGES = [purpose for purpose in LinkPurpose if purpose is not LinkPurpose.FORM]
SCANNERS = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/125.0 Safari/537.36",
    "Mozilla/5.0 (compatible; BarracudaCentral)",
    "SafeLinks",
    "Proofpoint URL Defense",
    "curl/8.5.0",
    "",
)
SINGLE = {
    "confirm": {"round": 1},
    "already": None,
    "goodbye": None,
    "link": None,
    "export": None,
    "erase": None,
    "address": {"to": "new@example.com", "mark": "x"},
    "moved": {"to": "old@example.com", "change": "a-change"},
    "resource": {"resource": "guide"},
    "welcome": None,
}


@pytest.fixture
def handles(app: Flask) -> list[str]:
    """Ana, active; Bob, who has not confirmed."""
    with app.app_context(), transaction() as session:
        mailing_list = add_list(session)
        return [
            add_reader(session, mailing_list, "ana@example.com", name="Ana").handle,
            add_reader(session, mailing_list, "bob@example.com", status="pending").handle,
        ]


@pytest.fixture
def letter(app: Flask, sink: Sink, handles: list[str]) -> bytes:
    """Return a letter as Ana's mail program gets it."""
    with app.app_context():
        env = app.extensions[EXTENSION]
        letters.send_letter(
            env,
            letters.parse(
                "---\nsubject: Going slowly\n---\nDear reader, [read](https://blog.example/).\n"
            ),
        )
        sending.send_due(env)
    [message] = sink.accepted
    return message.data


def header(message: bytes, name: str) -> list[str]:
    """Every field of that name, unfolded, undecoded: as it stands on the wire."""
    head = message.split(b"\r\n\r\n", 1)[0].decode("ascii")
    unfolded = re.sub(r"\r\n[ \t]+", " ", head)
    return [
        line.split(":", 1)[1].strip()
        for line in unfolded.split("\r\n")
        if line.lower().startswith(f"{name}:".lower())
    ]


def state(app: Flask) -> dict[str, list[str]]:
    """Everything in the database but counters of how often somebody asked."""
    with app.app_context():
        tables = [
            name
            for name in inspect(db.engine).get_table_names()
            if name not in ("counters", "workers")
        ]
        return {
            name: sorted(map(str, db.session.execute(text(f'SELECT * FROM "{name}"')).all()))
            for name in tables
        }


# ── the header, and what a mail program does with it
# ───────────────────────────────────────────────


def test_rfc8058_section_3_1_the_header(letter: bytes) -> None:
    [unsubscribe] = header(letter, "List-Unsubscribe")
    uris = re.findall(r"<([^<>\s]+)>", unsubscribe)
    assert re.sub(r"<[^<>\s]+>|,| ", "", unsubscribe) == "", (
        "nothing stands outside the brackets (RFC 2369 §2)"
    )
    assert uris[0].startswith("https://"), "the first is the one that is preferred"
    assert len([uri for uri in uris if uri.startswith("https:")]) == 1
    assert header(letter, "List-Unsubscribe-Post") == ["List-Unsubscribe=One-Click"]
    assert uris[0].isascii()
    assert "=?" not in unsubscribe
    assert len(uris[0]) < 900
    assert uris[0] in body_of(letter), "the same link stands in the mail itself"


def body_of(letter: bytes) -> str:
    from tests.fakes import parsed

    return body(parsed(letter))


@pytest.mark.parametrize(
    "content_type", ["application/x-www-form-urlencoded", "multipart/form-data"]
)
def test_rfc8058_section_3_2_the_post(
    app: Flask, client: FlaskClient, letter: bytes, content_type: str
) -> None:
    """No cookie, no Referer, no Origin; no redirect; at once; as often as it comes."""
    url = re.findall(r"<(https:[^<>]+)>", header(letter, "List-Unsubscribe")[0])[0]
    for _ in range(2):
        answer = client.post(
            urlsplit(url).path,
            data={"List-Unsubscribe": "One-Click"},
            content_type=content_type,
            headers={"User-Agent": "GoogleImageProxy", "Cookie": ""},
        )
        assert answer.status_code == 200
        assert not {"Location", "Set-Cookie", "WWW-Authenticate"} & set(answer.headers.keys())
    with app.app_context():
        ana = db.session.query(Subscription).order_by(Subscription.id).first()
        assert ana is not None
        assert ana.status == "unsubscribed"


@pytest.mark.any_database
def test_a_get_of_the_same_address_asks(app: Flask, client: FlaskClient, letter: bytes) -> None:
    url = re.findall(r"<(https:[^<>]+)>", header(letter, "List-Unsubscribe")[0])[0]
    before = state(app)
    page = client.get(urlsplit(url).path).get_data(as_text=True)
    assert page.count("<button") == 1
    assert state(app) == before


@pytest.mark.any_database
def test_mails_of_no_list_carry_no_one_click(app: Flask, sink: Sink, handles: list[str]) -> None:
    for message in every_mail(app, sink):
        subject = str(message["Subject"])
        assert (message["List-Unsubscribe-Post"] is not None) == subject.startswith("Welcome"), (
            subject
        )


# ── scanners
# ───────────────────────────────────────────────────────────────────────────────────────


def every_mail(app: Flask, sink: Sink) -> list[EmailMessage]:
    with app.app_context():
        env = app.extensions[EXTENSION]
        with transaction() as session:
            active, pending = session.query(Subscription).order_by(Subscription.id)
            for mail, context in SINGLE.items():
                reader = pending if mail == "confirm" else active
                outbox.enqueue(
                    session, mail=mail, subscription_id=reader.id, now=env.now, context=context
                )
        sending.send_due(env)
    assert len(sink.accepted) >= len(SINGLE)
    return sink.messages


def links(app: Flask, sink: Sink) -> Iterator[str]:
    """Every link of ours in every mail."""
    paths = set()
    every_mail(app, sink)
    with app.app_context():
        env = app.extensions[EXTENSION]
        reconfirmation.send(env, None)
        authors.add_author(env, "coach@example.org", role=AuthorRole.OWNER)
        log_in.request_link(env, "coach@example.org", browser="b", ip="192.0.2.1", language="en")
        sending.send_due(env)
    for message in sink.messages:
        for kind in ("plain", "html"):
            paths |= set(re.findall(re.escape(BASE) + r"(/[^\s\"<>)]*)", body(message, kind)))
        paths |= set(
            re.findall(re.escape(BASE) + r"(/[^\s<>]*)", str(message["List-Unsubscribe"] or ""))
        )
    missing = {path for path in PATHS if not any(link.startswith(f"/{path}/") for link in paths)}
    assert missing == {"review", "answer"}, "test_reviews.py and test_answers.py scan theirs"
    yield from sorted(paths)


@pytest.mark.any_database
def test_t09_scanners_that_get_and_head_every_link_change_nothing(
    app: Flask, client: FlaskClient, handles: list[str], sink: Sink
) -> None:
    everywhere = list(links(app, sink))
    before = state(app)
    for link in everywhere:
        for agent in SCANNERS:
            for method in ("get", "head", "options"):
                answer = getattr(client, method)(link, headers={"User-Agent": agent}, buffered=True)
                assert answer.status_code < 500, link
                if method == "get":
                    page = answer.get_data(as_text=True)
                    assert "<script" not in page or 'class="signup"' in page, (
                        "only the form of strangers has one"
                    )
                    assert 'http-equiv="refresh"' not in page.lower()
                    assert "ana@example.com" not in page, link
                    assert answer.headers["Referrer-Policy"] in ("same-origin", "no-referrer")
    assert state(app) == before


# ── scissors
# ───────────────────────────────────────────────────────────────────────────────────────


def mutilated(token: str, chance: random.Random) -> str:
    """`token` as line breaks, mail programs and curious people leave it."""
    at = chance.randrange(len(token))
    other = chance.choice("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.=~%é ")
    return chance.choice(
        (
            token[:at],
            token[at:],
            token[:at] + token[at + 1 :],
            token[:at] + other + token[at:],
            token[:at] + other + token[at + 1 :],
            token.swapcase(),
            token.upper(),
            token[::-1],
            token + token,
            token + "=",
            token + "/",
            token[:at] + "/" + token[at:],
            token.replace(".", "", 1),
            token.replace(".", "..", 1),
            token[:at] + "%00" + token[at:],
            token[:at] + "\u202e" + token[at:],
        )
    )


@pytest.mark.any_database
def test_t01_t02_t03_cut_crossed_and_swapped_tokens_open_nothing(
    app: Flask, client: FlaskClient, handles: list[str], clock: Clock
) -> None:
    chance = random.Random(8058)
    tokens = Tokens([SECRET])
    payloads = {
        "confirm": f"{handles[1]}.1",
        "never": f"{handles[1]}.1",
        "address": f"{handles[0]}.mark",
        "resources": f"{handles[0]}.guide",
    }
    good = {
        kind: tokens.sign(kind, payloads.get(kind, handles[0]), clock.now) for kind in LinkPurpose
    }
    theirs = {kind: tokens.sign(kind, handles[1], clock.now) for kind in LinkPurpose}
    before = state(app)
    for kind in PAGES:
        bad = {mutilated(good[kind], chance) for _ in range(60)}
        bad |= {good[other] for other in LinkPurpose if other.path != kind.path}
        bad |= {
            mine + "." + other
            for mine, other in zip(good[kind].split("."), theirs[kind].split("."), strict=False)
        }
        bad |= {".".join([*good[kind].split(".")[:-1], theirs[kind].split(".")[-1]])}
        bad |= {Tokens(["another key that is long enough"]).sign(kind, handles[0], clock.now)}
        for token in sorted(bad - {good[kind]}):
            for answer in (
                client.get(f"/{kind.path}/{token}"),
                client.post(
                    f"/{kind.path}/{token}",
                    data={"List-Unsubscribe": "One-Click", "undo": "1", "name": "x"},
                ),
                client.post("/link", data={"token": token, "purpose": kind}),
            ):
                assert 400 <= answer.status_code < 500, (kind, token, answer.status_code)
                assert "example.com" not in answer.get_data(as_text=True)
    assert state(app) == before


@pytest.mark.any_database
def test_t05_expired_tokens_are_gone_and_change_nothing(
    app: Flask, client: FlaskClient, handles: list[str], clock: Clock
) -> None:
    tokens = Tokens([SECRET])
    signed_at = clock.now
    before = state(app)
    for kind in PAGES:
        lifetime = kind.lifetime
        if lifetime is None:
            continue
        payload = {
            "confirm": f"{handles[1]}.1",
            "never": f"{handles[1]}.1",
            "address": f"{handles[0]}.mark",
        }.get(kind, handles[0])
        old = tokens.sign(kind, payload, signed_at)
        clock.now = signed_at + lifetime + timedelta(minutes=11)
        for answer in (
            client.get(f"/{kind.path}/{old}"),
            client.post(f"/{kind.path}/{old}", data={"export": "1"}),
        ):
            # The author's forms are bound to a browser that has opened one.
            refused = (400, 410) if kind is LinkPurpose.LOG_IN else (405, 410)
            assert answer.status_code in refused, kind
            assert "example.com" not in answer.get_data(as_text=True)
        clock.now = signed_at - timedelta(minutes=11)
        assert client.get(f"/{kind.path}/{old}").status_code == 410, "nor is one made tomorrow"
        clock.now = signed_at
    assert state(app) == before
