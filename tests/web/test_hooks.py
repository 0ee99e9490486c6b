"""Providers' reports: each by its own scheme, once, and nothing without proof."""

from __future__ import annotations

import base64
import hmac
import json
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.x509.oid import NameOID
from flask import Flask
from flask.testing import FlaskClient
from pydantic import SecretStr
from sqlalchemy import select

from newsletter.db.session import db, transaction
from newsletter.errors import SettingsError
from newsletter.mail.smtp.types import Outgoing
from newsletter.models import Subscriber, Subscription
from newsletter.services.inbound import hooks
from newsletter.services.operations import cleanup
from newsletter.services.runtime import EXTENSION
from newsletter.services.sending import run as sending
from newsletter.settings import Settings
from newsletter.settings_loader import load_settings
from tests.fakes import Clock, FakeFetch, Sink
from tests.people import add_list
from tests.services.inbound.returned import bounce_events, message_id_of, suppressed
from tests.services.sending.test_run import make_campaign

SECRET = "hook-secret-0123456789"
EC_KEY = ec.generate_private_key(ec.SECP256R1())
EC_PUBLIC = base64.b64encode(
    EC_KEY.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
).decode()
RSA_KEY = rsa.generate_private_key(65537, 2048)
SVIX = base64.b64encode(b"0123456789abcdef01234567").decode()
CERTIFICATE_URL = (
    f"https://sns.eu-central-1.amazonaws.com/SimpleNotificationService-{'a1' * 16}.pem"
)


@cache
def foreign_key() -> rsa.RSAPrivateKey:
    """Return a key that is not the provider's. Making one costs more than a test."""
    return rsa.generate_private_key(65537, 2048)


def certificate(key: rsa.RSAPrivateKey) -> bytes:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sns.amazonaws.com")])
    day = datetime(2026, 1, 1, tzinfo=UTC)
    result = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    )
    result = (
        result.serial_number(1).not_valid_before(day).not_valid_after(day + timedelta(days=999))
    )
    return result.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


@pytest.fixture
def settings(settings: Settings) -> Settings:
    values = {
        name: {"secret": SECRET} for name in ("ses", "postmark", "brevo", "mailjet", "mailgun")
    }
    values["mailgun"]["key"] = "mailgun-signing-key"
    values |= {"sendgrid": {"key": EC_PUBLIC}, "resend": {"key": f"whsec_{SVIX}"}}
    bounces = {"address": "bounces@news.example.com", "hooks": values}
    return Settings.model_validate({**settings.model_dump(exclude={"bounces"}), "bounces": bounces})


@pytest.fixture
def outgoing(app: Flask, sink: Sink) -> list[Outgoing]:
    """Messages to r0 … r3, that somebody reports about."""
    with app.app_context():
        make_campaign(4)
        sending.send_due(app.extensions[EXTENSION])
        db.session.remove()
    return sorted(sink.accepted, key=lambda message: message.recipient)


@pytest.fixture(autouse=True)
def _fetched(fake_fetch: FakeFetch) -> None:
    hooks._certificates.clear()
    fake_fetch.pages[CERTIFICATE_URL] = certificate(RSA_KEY)


def sns(
    row: dict[str, Any],
    clock: Clock,
    *,
    key: rsa.RSAPrivateKey = RSA_KEY,
    version: str = "2",
    **changes: str,
) -> bytes:
    """Return a message of SNS, signed."""
    body = {
        "Type": "Notification",
        "MessageId": "m-1",
        "TopicArn": "arn:aws:sns:eu-central-1:1:bounces",
        "Message": json.dumps(row),
        "Timestamp": clock().strftime("%Y-%m-%dT%H:%M:%S.000Z"),
        "SignatureVersion": version,
        "SigningCertURL": CERTIFICATE_URL,
        **changes,
    }
    names = [
        "Message",
        "MessageId",
        "SubscribeURL",
        "Subject",
        "Timestamp",
        "Token",
        "TopicArn",
        "Type",
    ]
    text = "".join(f"{name}\n{body[name]}\n" for name in names if name in body)
    kind = hashes.SHA1() if version == "1" else hashes.SHA256()
    body["Signature"] = base64.b64encode(key.sign(text.encode(), padding.PKCS1v15(), kind)).decode()
    return json.dumps(body).encode()


def ses_bounce(message: Outgoing) -> dict[str, Any]:
    """https://docs.aws.amazon.com/ses/latest/dg/notification-examples.html"""
    return {
        "notificationType": "Bounce",
        "bounce": {
            "bounceType": "Permanent",
            "bounceSubType": "General",
            "feedbackId": "f-1",
            "bouncedRecipients": [
                {
                    "emailAddress": message.recipient,
                    "action": "failed",
                    "status": "5.1.1",
                    "diagnosticCode": "smtp; 550 5.1.1 user unknown",
                }
            ],
        },
        "mail": {
            "source": message.sender,
            "messageId": "ses-1",
            "destination": [message.recipient],
        },
    }


def post(
    client: FlaskClient,
    provider: str,
    body: bytes,
    headers: dict[str, str] | None = None,
    *,
    secret: str = SECRET,
) -> int:
    return client.post(
        f"/hooks/bounces/{provider}/{secret}", data=body, headers=headers or {}
    ).status_code


def sendgrid(rows: list[dict[str, Any]], clock: Clock) -> tuple[bytes, dict[str, str]]:
    body = json.dumps(rows).encode()
    timestamp = str(int(clock().timestamp()))
    signature = EC_KEY.sign(timestamp.encode() + body, ec.ECDSA(hashes.SHA256()))
    name = "X-Twilio-Email-Event-Webhook-"
    return body, {
        f"{name}Signature": base64.b64encode(signature).decode(),
        f"{name}Timestamp": timestamp,
    }


def mailgun(data: dict[str, Any], clock: Clock, token: str = "t1") -> tuple[bytes, dict[str, str]]:
    timestamp = str(int(clock().timestamp()))
    mac = hmac.new(b"mailgun-signing-key", f"{timestamp}{token}".encode(), "sha256").hexdigest()
    body = {
        "signature": {"timestamp": timestamp, "token": token, "signature": mac},
        "event-data": data,
    }
    return json.dumps(body).encode(), {}


def mailgun_message(outgoing: Outgoing) -> dict[str, Any]:
    """Return what an event of Mailgun says of the message that it is about."""
    return {"message": {"headers": {"message-id": message_id_of(outgoing).strip("<>")}}}


def resend(row: dict[str, Any], clock: Clock) -> tuple[bytes, dict[str, str]]:
    body = json.dumps(row).encode()
    timestamp = str(int(clock().timestamp()))
    mac = hmac.digest(
        base64.b64decode(SVIX), b"msg_1." + timestamp.encode() + b"." + body, "sha256"
    )
    signature = f"v1,{base64.b64encode(mac).decode()}"
    return body, {"svix-id": "msg_1", "svix-timestamp": timestamp, "svix-signature": signature}


Report = tuple[bytes, dict[str, str]]
HARD: dict[str, Callable[[Outgoing, Clock], Report]] = {
    "ses": lambda o, c: (sns(ses_bounce(o), c), {}),
    "postmark": lambda o, c: (
        json.dumps(
            {
                "RecordType": "Bounce",
                "ID": 42,
                "Type": "HardBounce",
                "Email": o.recipient,
                "Details": (
                    "smtp;550 5.1.1 The email account that you tried to reach does not exist."
                ),
            }
        ).encode(),
        {},
    ),
    "sendgrid": lambda o, c: sendgrid(
        [
            {
                "email": o.recipient,
                "event": "bounce",
                "type": "bounce",
                "status": "5.1.1",
                "sg_event_id": "e1",
                "reason": "550 5.1.1 user unknown",
                "smtp-id": message_id_of(o),
            }
        ],
        c,
    ),
    "mailgun": lambda o, c: mailgun(
        {
            "event": "failed",
            "severity": "permanent",
            "reason": "bounce",
            "recipient": o.recipient,
            "delivery-status": {"code": 550, "message": "5.1.1 The email account does not exist"},
            **mailgun_message(o),
        },
        c,
    ),
    "resend": lambda o, c: resend(
        {
            "type": "email.bounced",
            "data": {
                "to": [o.recipient],
                "bounce": {"type": "Permanent", "message": "user unknown"},
            },
        },
        c,
    ),
    "brevo": lambda o, c: (
        json.dumps(
            {
                "event": "hard_bounce",
                "email": o.recipient,
                "message-id": message_id_of(o),
                "ts_event": 1,
                "reason": "user unknown",
            }
        ).encode(),
        {},
    ),
    "mailjet": lambda o, c: (
        json.dumps(
            [
                {
                    "event": "bounce",
                    "email": o.recipient,
                    "MessageID": 7,
                    "time": 1,
                    "hard_bounce": True,
                    "error": "user unknown",
                }
            ]
        ).encode(),
        {},
    ),
}
COMPLAINT: dict[str, Callable[[Outgoing, Clock], Report]] = {
    "ses": lambda o, c: (
        sns(
            {
                "notificationType": "Complaint",
                "mail": {"source": o.sender},
                "complaint": {
                    "complainedRecipients": [{"emailAddress": o.recipient}],
                    "complaintFeedbackType": "abuse",
                },
            },
            c,
            version="1",
            MessageId="m-2",
        ),
        {},
    ),
    "postmark": lambda o, c: (
        json.dumps({"RecordType": "SpamComplaint", "ID": 43, "Email": o.recipient}).encode(),
        {},
    ),
    "sendgrid": lambda o, c: sendgrid(
        [{"email": o.recipient, "event": "spamreport", "sg_event_id": "e2"}], c
    ),
    "mailgun": lambda o, c: mailgun(
        {"event": "complained", "recipient": o.recipient, **mailgun_message(o)}, c, "t2"
    ),
    "resend": lambda o, c: resend({"type": "email.complained", "data": {"to": [o.recipient]}}, c),
    "brevo": lambda o, c: (
        json.dumps({"event": "spam", "email": o.recipient, "ts_event": 2}).encode(),
        {},
    ),
    "mailjet": lambda o, c: (
        json.dumps([{"event": "spam", "email": o.recipient, "MessageID": 8, "time": 1}]).encode(),
        {},
    ),
}
NOTHING: dict[str, Callable[[Outgoing, Clock], Report]] = {
    "ses": lambda o, c: (sns({"notificationType": "Delivery", "mail": {}}, c), {}),
    "postmark": lambda o, c: (
        json.dumps(
            {"RecordType": "Bounce", "ID": 1, "Type": "Transient", "Email": o.recipient}
        ).encode(),
        {},
    ),
    "sendgrid": lambda o, c: sendgrid(
        [{"email": o.recipient, "event": "deferred", "sg_event_id": "e3"}], c
    ),
    "mailgun": lambda o, c: mailgun(
        {"event": "failed", "severity": "temporary", "recipient": o.recipient}, c, "t3"
    ),
    "resend": lambda o, c: resend({"type": "email.delivered", "data": {"to": [o.recipient]}}, c),
    "brevo": lambda o, c: (json.dumps({"event": "opened", "email": o.recipient}).encode(), {}),
    "mailjet": lambda o, c: (json.dumps([{"event": "open", "email": o.recipient}]).encode(), {}),
}


@pytest.mark.parametrize("provider", HARD)
def test_each_providers_events_have_their_effect_once(
    app: Flask, client: FlaskClient, outgoing: list[Outgoing], clock: Clock, provider: str
) -> None:
    for report in (
        HARD[provider](outgoing[0], clock),
        COMPLAINT[provider](outgoing[1], clock),
        NOTHING[provider](outgoing[2], clock),
    ):
        assert post(client, provider, *report) == 200
        assert post(client, provider, *report) == 200
    with app.app_context():
        assert suppressed() == {outgoing[0].recipient: "bounce", outgoing[1].recipient: "complaint"}
        assert len(bounce_events()) == 2


@pytest.mark.parametrize("provider", HARD)
def test_a_wrong_secret_or_signature_changes_nothing(
    app: Flask, client: FlaskClient, outgoing: list[Outgoing], clock: Clock, provider: str
) -> None:
    body, headers = HARD[provider](outgoing[0], clock)
    if provider not in ("sendgrid", "resend"):
        assert post(client, provider, body, headers, secret=SECRET + "x") == 404
    if provider not in ("postmark", "brevo", "mailjet"):
        other = (
            HARD[provider](outgoing[3], clock)[0]
            if provider != "mailgun"
            else body.replace(b'"t1"', b'"t9"')
        )
        swapped = (
            json.dumps({**json.loads(other), "Signature": json.loads(body)["Signature"]}).encode()
            if provider == "ses"
            else other
        )
        assert post(client, provider, swapped, headers) == 403
        if provider in ("sendgrid", "resend"):
            assert post(client, provider, body, {}) == 403
        clock.forward(timedelta(days=2))
        assert post(client, provider, body, headers) == 403, "a replay"
    assert post(client, "nobody", body, headers) == 404
    assert client.get(f"/hooks/bounces/{provider}/{SECRET}").status_code == 405
    with app.app_context():
        assert suppressed() == {}
        assert bounce_events() == []


@pytest.mark.any_database
@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example/SimpleNotificationService-" + "a1" * 16 + ".pem",
        "http://sns.eu-central-1.amazonaws.com/SimpleNotificationService-" + "a1" * 16 + ".pem",
        "https://sns.eu-central-1.amazonaws.com.evil.example/SimpleNotificationService-"
        + "a1" * 16
        + ".pem",
        "https://sns.eu-central-1.amazonaws.com@evil.example/SimpleNotificationService-"
        + "a1" * 16
        + ".pem",
        "https://bucket.s3.amazonaws.com/SimpleNotificationService-" + "a1" * 16 + ".pem",
        "https://sns.eu-central-1.amazonaws.com/x/../../SimpleNotificationService-"
        + "a1" * 16
        + ".pem",
        "https://sns.eu-central-1.amazonaws.com:8443/SimpleNotificationService-"
        + "a1" * 16
        + ".pem",
        "https://[",
        "",
        "file:///etc/passwd",
    ],
)
def test_no_certificate_comes_from_a_foreign_host(
    app: Flask,
    client: FlaskClient,
    outgoing: list[Outgoing],
    clock: Clock,
    fake_fetch: FakeFetch,
    url: str,
) -> None:
    mine = foreign_key()
    fake_fetch.pages[url] = certificate(mine)
    fake_fetch.requests.clear()
    assert (
        post(client, "ses", sns(ses_bounce(outgoing[0]), clock, key=mine, SigningCertURL=url))
        == 403
    )
    assert fake_fetch.requests == []
    with app.app_context():
        assert suppressed() == {}


def test_another_topic_is_refused_before_anything_is_fetched(
    app: Flask, outgoing: list[Outgoing], clock: Clock, fake_fetch: FakeFetch
) -> None:
    env = app.extensions[EXTENSION]
    ses = env.settings.bounces.hooks.ses.model_copy(
        update={"key": SecretStr("arn:aws:sns:eu-central-1:1:bounces")}
    )
    hooks_ = env.settings.bounces.hooks.model_copy(update={"ses": ses})
    bounces = env.settings.bounces.model_copy(update={"hooks": hooks_})
    object.__setattr__(env, "settings", env.settings.model_copy(update={"bounces": bounces}))
    client = app.test_client()
    fake_fetch.requests.clear()
    other = sns(ses_bounce(outgoing[0]), clock, TopicArn="arn:aws:sns:eu-central-1:666:bounces")
    assert post(client, "ses", other) == 403
    assert fake_fetch.requests == []
    assert post(client, "ses", sns(ses_bounce(outgoing[1]), clock)) == 200
    with app.app_context():
        assert suppressed() == {outgoing[1].recipient: "bounce"}


def of_whom(app: Flask) -> tuple[dict[str, str], list[str]]:
    """Return who is suppressed, and who subscribes."""
    with app.app_context():
        query = select(Subscriber.email).join(Subscription).where(Subscription.status == "active")
        return suppressed(), sorted(db.session.scalars(query))


@pytest.mark.parametrize("origin", ["hard", "delivered", "nobody's"])
def test_a_signature_of_mailgun_says_one_thing_only(
    app: Flask,
    client: FlaskClient,
    outgoing: list[Outgoing],
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
    origin: str,
) -> None:
    """It covers the token alone: whoever has seen one could put other words behind it.

    Nor does a token come back that said nothing, or whose event has given way to others.
    """
    monkeypatch.setattr("newsletter.services.inbound.apply.UNPROVED_AT_MOST", 1)
    first = {
        "hard": HARD["mailgun"](outgoing[0], clock),
        "delivered": mailgun({"event": "delivered", **mailgun_message(outgoing[0])}, clock),
        "nobody's": mailgun({"event": "complained", "recipient": "x@elsewhere.example"}, clock),
    }[origin]
    assert post(client, "mailgun", *first) == 200
    for number in range(3):
        other = {"event": "complained", "recipient": f"x{number}@elsewhere.example"}
        assert post(client, "mailgun", *mailgun(other, clock, f"other{number}")) == 200
    before = of_whom(app)
    replay = {"recipient": outgoing[1].recipient, **mailgun_message(outgoing[1])}
    for event in ("complained", "unsubscribed"):
        clock.forward(timedelta(hours=1))
        timestamp = json.loads(first[0])["signature"]
        body = {"signature": timestamp, "event-data": {**replay, "event": event}}
        assert post(client, "mailgun", json.dumps(body).encode()) == 200
    assert of_whom(app) == before
    with app.app_context():
        cleanup.clean_up(app.extensions[EXTENSION])
    assert post(client, "mailgun", json.dumps(body).encode()) == 200
    clock.forward(timedelta(days=3))
    with app.app_context():
        cleanup.clean_up(app.extensions[EXTENSION])
    assert post(client, "mailgun", json.dumps(body).encode()) == 403, "too old by itself"
    assert of_whom(app) == before


@pytest.mark.parametrize("digits", ["", "e0", "e00"])
def test_a_signature_of_mailgun_has_one_reading(
    app: Flask, client: FlaskClient, outgoing: list[Outgoing], clock: Clock, digits: str
) -> None:
    """It covers time and token joined: the first letters of a token are no part of the time."""
    signed = mailgun({"event": "delivered"}, clock, f"{digits}51{'a' * 46}")
    assert post(client, "mailgun", *signed) == 200
    before = of_whom(app)
    body = json.loads(signed[0])
    signature = body["signature"]
    for moved in ("", "e0", "e00", "5", "51"):
        if signature["token"].startswith(moved):
            other = {
                **signature,
                "timestamp": signature["timestamp"] + moved,
                "token": signature["token"].removeprefix(moved),
            }
            replay = {"recipient": outgoing[1].recipient, **mailgun_message(outgoing[1])}
            body = {"signature": other, "event-data": {**replay, "event": "complained"}}
            assert post(client, "mailgun", json.dumps(body).encode()) == (403 if moved else 200)
    assert of_whom(app) == before


def test_an_unused_signature_of_mailgun_reaches_whom_it_names_by_our_message_id(
    app: Flask, client: FlaskClient, outgoing: list[Outgoing], clock: Clock
) -> None:
    """An address, which anybody knows, is no name: only the one whose message it is."""
    everybody = sorted(one.recipient for one in outgoing)
    for number, event in enumerate(("complained", "unsubscribed")):
        data = {"event": event, "recipient": outgoing[1].recipient}
        forged = {"message": {"headers": {"message-id": "123.456@mailgun.example"}}}
        for more in ({}, forged):
            body = mailgun({**data, **more}, clock, f"a{number}{len(more)}")
            assert post(client, "mailgun", *body) == 200
    assert of_whom(app) == ({}, everybody)
    crossed = {"event": "complained", "recipient": outgoing[1].recipient}
    crossed |= mailgun_message(outgoing[0])  # type: ignore[arg-type]
    assert post(client, "mailgun", *mailgun(crossed, clock, "b")) == 200
    assert of_whom(app)[0] == {outgoing[0].recipient: "complaint"}


def test_a_report_of_mailgun_needs_the_secret_beside_its_signature(
    app: Flask, client: FlaskClient, outgoing: list[Outgoing], clock: Clock
) -> None:
    env = app.extensions[EXTENSION]
    hook = env.settings.bounces.hooks.mailgun
    report = HARD["mailgun"](outgoing[0], clock)
    for update in ({"secret": None}, {"key": None}):
        hooks_ = env.settings.bounces.hooks.model_copy(
            update={"mailgun": hook.model_copy(update=update)}
        )
        bounces = env.settings.bounces.model_copy(update={"hooks": hooks_})
        object.__setattr__(env, "settings", env.settings.model_copy(update={"bounces": bounces}))
        assert post(app.test_client(), "mailgun", *report) in (403, 404)
    assert of_whom(app)[0] == {}


def test_a_key_of_mailgun_without_a_secret_is_named(tmp_path: Any) -> None:
    (tmp_path / "newsletter.toml").write_text('[bounces.hooks.mailgun]\nkey = "k"\n')
    environ = {"NEWSLETTER_SECRET_KEY": "a-key-for-tests-only-0123456789abcdef"}
    with pytest.raises(SettingsError) as error:
        load_settings(tmp_path / "newsletter.toml", environ)
    assert "bounces.hooks: mailgun.key and mailgun.secret go together" in str(error.value)


def test_bad_events_of_a_report_keep_no_good_ones_waiting(
    app: Flask, client: FlaskClient, outgoing: list[Outgoing], clock: Clock
) -> None:
    [good] = json.loads(HARD["sendgrid"](outgoing[0], clock)[0])
    strange = [
        None,
        7,
        "x",
        [good],
        {"event": "bounce"},
        {**good, "sg_event_id": None},
        {**good, "sg_event_id": "e8", "email": {"a": 1}, "smtp-id": None},
        {
            **good,
            "sg_event_id": "e9",
            "email": "\ud800\0@" + "x" * 9_000,
            "smtp-id": [1],
            "reason": 5,
        },
    ]
    complaint = {"email": outgoing[1].recipient, "event": "spamreport", "sg_event_id": "e2"}
    rows = [*strange, good, good, complaint, *strange, complaint]
    assert post(client, "sendgrid", *sendgrid(rows, clock)) == 200
    with app.app_context():
        assert suppressed() == {outgoing[0].recipient: "bounce", outgoing[1].recipient: "complaint"}
        assert len([event for event in bounce_events() if event[1] != "none"]) == 2


def test_who_leaves_at_the_provider_leaves_the_list(
    app: Flask, client: FlaskClient, outgoing: list[Outgoing], clock: Clock
) -> None:
    """Also where it names no message of ours, if there is only one list to leave."""
    gone = {
        "event": "unsubscribed",
        "recipient": "forwarded@elsewhere.example",
        "message": {"headers": {"message-id": message_id_of(outgoing[0]).strip("<>")}},
    }
    assert post(client, "mailgun", *mailgun(gone, clock)) == 200
    brevo = {"event": "unsubscribed", "ts_event": 1}
    for address in (outgoing[1].recipient, "stranger@example.org"):
        assert post(client, "brevo", json.dumps({**brevo, "email": address}).encode()) == 200
    with app.app_context(), transaction() as session:
        second = add_list(session, "second")
        who = select(Subscriber).where(Subscriber.email == outgoing[2].recipient)
        [first] = session.scalars(who).one().subscriptions
        session.add(
            Subscription(
                handle="another",
                list_id=second.id,
                subscriber_id=first.subscriber_id,
                status="active",
                cadence=first.cadence,
                created_at=first.created_at,
            )
        )
    email = outgoing[2].recipient
    assert post(client, "brevo", json.dumps({**brevo, "email": email}).encode()) == 200
    with app.app_context():
        rows = db.session.execute(select(Subscriber.email, Subscription.status).join(Subscription))
        ended = sorted(email for email, status in rows if status == "unsubscribed")
        assert ended == sorted([outgoing[0].recipient, outgoing[1].recipient]), (
            "nobody guesses which of two lists is meant"
        )
        assert suppressed() == {}


def test_a_subscription_is_confirmed_at_amazon_only(
    client: FlaskClient, clock: Clock, fake_fetch: FakeFetch
) -> None:
    good = "https://sns.eu-central-1.amazonaws.com/?Action=ConfirmSubscription&Token=t"
    fake_fetch.pages[good] = b"<ok/>"
    kind = {"Type": "SubscriptionConfirmation", "Token": "t"}
    assert post(client, "ses", sns({}, clock, SubscribeURL=good, **kind)) == 200
    assert good in [url for url, _, _ in fake_fetch.requests]
    fake_fetch.requests.clear()
    assert post(client, "ses", sns({}, clock, SubscribeURL="https://evil.example/", **kind)) == 403
    forged = sns({}, clock, key=foreign_key(), SubscribeURL=good, **kind)
    assert post(client, "ses", forged) == 403
    assert "evil" not in str(fake_fetch.requests)
    assert good not in [url for url, _, _ in fake_fetch.requests]


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b"null", b"[[[" * 30_000, b"\xff\xfe", b'{"Type": 1}', b'{"signature": 3}'],
)
@pytest.mark.parametrize("provider", HARD)
def test_a_hostile_report_is_refused_and_no_error_of_ours(
    client: FlaskClient, provider: str, body: bytes
) -> None:
    assert post(client, provider, body) in (200, 400, 403)
    assert post(client, provider, b"x" * 1_100_000) == 413


def test_an_answer_does_not_tell_who_subscribes(
    client: FlaskClient, outgoing: list[Outgoing], clock: Clock
) -> None:
    report = {"RecordType": "Bounce", "Type": "HardBounce"}
    answers = [
        client.post(
            f"/hooks/bounces/postmark/{SECRET}", json={**report, "ID": number, "Email": email}
        )
        for number, email in enumerate([outgoing[0].recipient, "stranger@example.org"])
    ]
    assert answers[0].data == answers[1].data
    assert dict(answers[0].headers) == dict(answers[1].headers)
    assert time.monotonic() > 0


def test_hooks_are_set_in_the_environment_and_mistakes_named(tmp_path: Any) -> None:
    environ = {
        "NEWSLETTER_SECRET_KEY": "a-key-for-tests-only-0123456789abcdef",
        "NEWSLETTER_BOUNCES__HOOKS__SES__SECRET": SECRET,
    }
    text = f'[bounces.hooks.mailgun]\nkey = "k"\nsecret = "{SECRET}"\n'
    (tmp_path / "newsletter.toml").write_text(text)
    loaded = load_settings(tmp_path / "newsletter.toml", environ).bounces.hooks
    assert loaded.ses.secret and loaded.ses.secret.get_secret_value() == SECRET
    assert loaded.mailgun.key and loaded.mailgun.key.get_secret_value() == "k"
