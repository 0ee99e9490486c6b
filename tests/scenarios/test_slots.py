"""Only a template or the author's own fields make a place for something personal; whatever a feed
writes is text.
"""

from __future__ import annotations

import ast
import re
from email.message import EmailMessage
from html import escape
from pathlib import Path

import pytest
from sqlalchemy import select, update

from newsletter import outbox
from newsletter.db.session import db, transaction
from newsletter.mail.slots import SLOT_PATTERN
from newsletter.models import Edition, Feed, MailingList, Subscription
from newsletter.services import resources
from newsletter.services.campaigns import archive
from newsletter.services.digests import due as digests
from newsletter.services.letters import send as letters
from newsletter.services.polling import feeds
from newsletter.services.polling import poll as polling
from newsletter.services.runtime import Environment
from newsletter.services.sending import run as sending
from tests.fakes import Clock, FakeFetch, Sink, body
from tests.people import add_list, add_reader
from tests.test_kinds import FINISHED, trees

BASE = "https://news.example.com"
URL = "https://blog.example.com/feed.xml"
SLOTS = (
    "name",
    "email",
    "date",
    "message_id",
    "report_id",
    "unsubscribe_url",
    "preferences_url",
    "why_url",
    "stay_url",
    "web_url",
    "text_a",
    "html_a",
    "subject_a",
    "resource:guide",
)
IMITATIONS = (
    *(f"\ue000{name}\ue001" for name in SLOTS),
    *(f"&#xE000;{name}&#57345;" for name in SLOTS),
    *(f"&amp;#xE000;{name}&amp;#xE001;" for name in SLOTS),
    "{{ subscriber.unsubscribe_url }}",
    "{{ resource('guide') }}",
    "{% if true %}x{% endif %}",
    "{{ part[0] }}",
    "{email}",
    "%(email)s",
    "$email",
    "*|EMAIL|*",
    "z0123456789abv0x",
    "https://field.invalid/z0123456789abu0x",
    "\x1e",
    "\n--\n",
    "<!-- content -->",
    "<!-- /content -->",
    f"{BASE}/resources/guide",
    f'<a href="{BASE}/resources/guide">x</a>',
    f'<img src="https://spy.example/p.gif?who={BASE}/resources/guide" width="600" height="400">',
    f'<a href="https://spy.example/{BASE}/resources/guide">x</a>',
    f"{BASE}/unsubscribe/x",
    f"{BASE}/preferences/x",
)


def feed_that_says(text: str) -> bytes:
    """Return a feed with `text` in everything of it that is text, raw and as CDATA."""
    quoted = escape(text)
    entry = []
    for number in (1, 2):
        entry.append(
            f"<item><title>{quoted} {number}</title><link>"
            f"https://blog.example.com/{number}?{quoted}</link>"
            f"<guid isPermaLink='false'>{number} "
            f"{quoted}</guid><author>{quoted}</author><category>{quoted}</category>"
            f"<description><![CDATA[<p>{text.replace(']]>', '')} {number}</p>]]></description>"
            f"<content:encoded><![CDATA[<p title='{quoted}'>{text} <a "
            f"href='https://blog.example.com/?{text}'>x</a>"
            f"<img src='https://blog.example.com/p.jpg?{text}' "
            f"alt='{quoted}'></p>]]></content:encoded></item>"
        )
    head = "<rss version='2.0' xmlns:content='http://purl.org/rss/1.0/modules/content/'><channel>"
    xml = f"{head}<title>{quoted}</title>{''.join(entry)}</channel></rss>"
    return re.sub("[\x00-\x08\x0e-\x1f]", "", xml).encode()


@pytest.fixture
def handles(env: Environment, tmp_path: Path) -> dict[str, str]:
    """Two subscribers of a list whose digests have headings; a guide; the handles by address."""
    (tmp_path / "guide.pdf").write_bytes(b"%PDF-1.7")
    resources.add_resource(env, tmp_path / "guide.pdf", name="guide")
    with transaction() as session:
        mailing_list = add_list(session, digest_show="full", digest_sections="feed")
        return {
            email: add_reader(session, mailing_list, email, name=name, cadence="instant").handle
            for name, email in (("Ana", "ana@example.com"), ("Ben", "ben@example.com"))
        }


def personal(message: EmailMessage, email: str, handle: str) -> dict[str, int]:
    """Return how often something of a subscriber stands in a mail, by part."""
    parts = {kind: body(message, kind) for kind in ("plain", "html")}
    return {
        kind: len(re.findall(f"{re.escape(email)}|{re.escape(handle)}", text))
        for kind, text in parts.items()
    }


def digest_of(
    env: Environment, fetch: FakeFetch, clock: Clock, sink: Sink, text: str
) -> dict[str, EmailMessage]:
    """Return the digest that a feed comes to which says `text` everywhere, by address."""
    url = f"{URL}?{len(fetch.pages)}"
    fetch.pages[url] = b"<rss version='2.0'><channel><title>x</title></channel></rss>"
    feeds.add(env, url)
    fetch.pages[url] = feed_that_says(text)
    with transaction() as session:
        session.execute(update(Feed).where(Feed.url == url).values(next_poll_at=clock.now))
    polling.poll_due(env)
    sink.accepted.clear()
    digests.send_now(env)
    sending.send_due(env)
    return {
        outgoing.recipient: message
        for outgoing, message in zip(sink.accepted, sink.messages, strict=True)
    }


@pytest.mark.any_database
def test_nothing_in_a_feed_becomes_a_place_for_something_personal(
    env: Environment, handles: dict[str, str], fake_fetch: FakeFetch, clock: Clock, sink: Sink
) -> None:
    usual = digest_of(env, fake_fetch, clock, sink, "nothing special")
    assert set(usual) == set(handles)
    expected = {email: personal(message, email, handles[email]) for email, message in usual.items()}
    assert all(count > 0 for parts in expected.values() for count in parts.values())
    slots = {
        slot
        for edition in db.session.scalars(select(Edition))
        for slot in SLOT_PATTERN.findall(edition.html)
    }
    db.session.rollback()
    for text in IMITATIONS:
        hostile = digest_of(env, fake_fetch, clock, sink, text)
        assert set(hostile) == set(handles), text
        for email, message in hostile.items():
            assert personal(message, email, handles[email]) == expected[email], text
            assert not re.search(
                r"resources/[^\s\"<>]*\.guide\.", body(message) + body(message, "html")
            ), text
    editions = db.session.scalars(select(Edition)).all()
    assert len(editions) > len(IMITATIONS)
    assert {
        slot for edition in editions for slot in SLOT_PATTERN.findall(edition.html + edition.text)
    } == slots
    assert all(not re.search("[\ue000\ue001]", edition.subject) for edition in editions)
    db.session.rollback()
    assert not re.search(
        r"\.guide\.|\ue000",
        "".join(row.html for row in archive.list_newest(env, "blog", limit=100)),
    )


def program_words() -> list[str]:
    """Return each text that a module which handles mails could look for, also in an address."""
    words = set()
    for module, tree in trees().items():
        if module.startswith((*FINISHED, "urls.py", "link_purposes.py", "services/resources.py")):
            for node in ast.walk(tree):
                if isinstance(node, ast.Constant) and isinstance(node.value, str):
                    words.add(node.value)
                elif isinstance(node, ast.Constant) and isinstance(node.value, bytes):
                    words.add(node.value.decode("ascii", "replace"))
    words = {word for word in words if 3 <= len(word) <= 60 and "\n" not in word}
    return sorted(words | {f"{BASE}/{word.strip('/')}/x" for word in words if word.isprintable()})


@pytest.mark.any_database
def test_no_word_of_the_program_becomes_something_personal(
    env: Environment, handles: dict[str, str], fake_fetch: FakeFetch, clock: Clock, sink: Sink
) -> None:
    """Whatever a second pass over the finished text looks for stands in a module as a text."""
    usual = digest_of(env, fake_fetch, clock, sink, "nothing special")
    expected = {email: personal(message, email, handles[email]) for email, message in usual.items()}
    words = program_words()
    assert "/unsubscribe" in " ".join(words) and len(words) > 300
    for start in range(0, len(words), 120):
        text = " , ".join(words[start : start + 120])
        hostile = digest_of(env, fake_fetch, clock, sink, text.replace("]]>", ""))
        for email, message in hostile.items():
            assert personal(message, email, handles[email]) == expected[email], text


@pytest.mark.any_database
def test_an_address_is_replaced_in_no_kind_of_mail(
    env: Environment, handles: dict[str, str], sink: Sink, tmp_path: Path
) -> None:
    """Text that the author wrote as an address stays one; what they wrote as a field becomes the
    subscriber's own link.
    """
    address = f"{BASE}/resources/guide"
    templates = env.settings.folder / "templates" / "emails" / "welcome"
    templates.mkdir(parents=True)
    (templates / "text.txt").write_text(f'{address} {{{{ resource("guide") }}}}\n')
    (templates / "html.html").write_text(f'<p>{address} {{{{ resource("guide") }}}}</p>\n')
    with transaction() as session:
        subscriptions = session.scalars(select(Subscription)).all()
        session.scalars(select(MailingList)).one().postal_address = address
        for mail in ("welcome", "already", "goodbye", "link"):
            outbox.enqueue(session, mail=mail, subscription_id=subscriptions[0].id, now=env.now)
    letters.send_letter(
        env, letters.parse(f"---\nsubject: See {address}\n---\n<{address}> and {address}\n")
    )
    sending.send_due(env)
    assert len(sink.messages) == 6
    for message in sink.messages:
        for part in (body(message), body(message, "html"), str(message["Subject"])):
            matches = re.findall(r"/resources/[\w-]+\.guide\.", part)
            assert len(matches) == (
                1 if "welcome" in str(message["Feedback-ID"]) and part != message["Subject"] else 0
            )
    assert all(address in body(message) for message in sink.messages if message["Feedback-ID"])
