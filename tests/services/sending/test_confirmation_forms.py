"""A list's confirmation is compiled once, and each mail is as if it were rendered by itself."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import select

from newsletter.db.session import db, transaction
from newsletter.mail.render import Renderer
from newsletter.models import MailingList
from newsletter.services.consent import Evidence
from newsletter.services.mail_context import (
    ListContext,
    SubscriberContext,
    compile_single,
    make_list_context,
)
from newsletter.services.runtime import Environment
from newsletter.services.sending import run as sending
from newsletter.services.sending.confirmation_forms import compile_confirmation
from newsletter.services.signup.subscribe import Submission, subscribe
from newsletter.vocabulary import Cadence, EvidenceSource, MailKind
from tests.fakes import Sink, body
from tests.people import add_list

SHIPPED = Path(__file__).parents[3] / "templates" / "emails"
VALUES = {"name": "", "email": "ana@example.com", "date": "today", "message_id": "1@example.com"}


@pytest.fixture(autouse=True)
def lists(env: Environment) -> None:
    with transaction() as session:
        add_list(session)
        add_list(session, "talks", title="Long Talks")


def confirm(env: Environment, slug: str, email: str, language: str = "") -> None:
    """Sign an address up, which queues its confirmation."""
    subscribe(env, slug, Submission(email, language=language), Evidence(EvidenceSource.FORM))


def send(env: Environment, sink: Sink) -> dict[str, str]:
    """Send what waits; return subject and bodies by address."""
    before = len(sink.messages)
    sending.send_due(env)
    return {
        str(message["To"]): f"{message['Subject']}\n{body(message)}\n{body(message, 'html')}"
        for message in sink.messages[before:]
    }


def test_each_mail_has_its_own_list_language_and_links(env: Environment, sink: Sink) -> None:
    confirm(env, "blog", "ana@example.com")
    confirm(env, "blog", "bob@example.com")
    confirm(env, "talks", "eve@example.com")
    confirm(env, "blog", "kim@example.com", "de")
    mails = send(env, sink)
    assert "Please confirm: Slow Letters" in mails["ana@example.com"]
    assert "Please confirm: Long Talks" in mails["eve@example.com"]
    assert "Bitte" in mails["kim@example.com"]
    links = {
        email: {word.strip('"<>') for word in text.split() if "/confirm/" in word}
        for email, text in mails.items()
    }
    for email, links_of_mail in links.items():
        assert links_of_mail
        others = set().union(*(links[other] for other in links if other != email))
        assert not links_of_mail & others


def test_a_changed_list_shows_at_once(env: Environment, sink: Sink) -> None:
    confirm(env, "blog", "ana@example.com")
    send(env, sink)
    with transaction() as session:
        blog = session.scalars(select(MailingList).where(MailingList.slug == "blog")).one()
        blog.title = "Quick Letters"
    confirm(env, "blog", "bob@example.com")
    assert "Quick Letters" in send(env, sink)["bob@example.com"]


def make_variables(links: str, cadence: str = "") -> dict[str, object]:
    subscriber = SubscriberContext("", f"{links}/p", f"{links}/u", f"{links}/w")
    return {
        "subscriber": subscriber,
        "confirm_url": f"{links}/confirm",
        "never_url": f"{links}/never",
        "expires_days": 3,
        "cadence_text": cadence,
        "action_url": "",
    }


def build(renderer: Renderer, blog: ListContext, variables: dict[str, object]) -> bytes:
    """Build a message of the compiled form, without the mark between its parts."""
    message, links = compile_confirmation(renderer, blog, {**variables, "list": blog})
    subscriber = variables["subscriber"]
    assert isinstance(subscriber, SubscriberContext)
    own_links = {
        "preferences_url": subscriber.preferences_url,
        "unsubscribe_url": subscriber.unsubscribe_url,
        "why_url": subscriber.why_url,
    }
    return message.build({**VALUES, **own_links, **links})


def render(renderer: Renderer, blog: ListContext, variables: dict[str, object]) -> bytes:
    """Build the same message from a rendering of its own."""
    content = renderer.render(MailKind.CONFIRM, {**variables, "list": blog})
    return compile_single(blog, content).build(VALUES)


def read(data: bytes) -> tuple[str, str]:
    import email
    import email.policy

    message = email.message_from_bytes(data, policy=email.policy.default)
    return body(message), body(message, "html")


@pytest.fixture
def blog(env: Environment) -> ListContext:
    row = db.session.scalars(select(MailingList).where(MailingList.slug == "blog")).one()
    return make_list_context(env, row)


@pytest.mark.parametrize("language", ["en", "de", "ar"])
def test_the_compiled_form_is_the_rendered_mail(
    env: Environment, blog: ListContext, language: str
) -> None:
    blog = blog.in_language(language)
    for links in ("https://a.example", "https://b.example/" + "x" * 200):
        variables = make_variables(links)
        built = read(build(env.renderer, blog, variables))
        assert built == read(render(env.renderer, blog, variables))
        assert f"{links}/confirm" in built[0]
    first, _ = compile_confirmation(env.renderer, blog, {**make_variables("a"), "list": blog})
    again, _ = compile_confirmation(env.renderer, blog, {**make_variables("b"), "list": blog})
    assert first is again, "compiled once"
    weekly = make_variables("a", Cadence.WEEKLY)
    other, _ = compile_confirmation(env.renderer, blog, {**weekly, "list": blog})
    assert other is not first


def test_a_changed_template_shows_at_once(blog: ListContext, tmp_path: Path) -> None:
    folder = tmp_path / "own"
    renderer = Renderer([folder, SHIPPED])
    variables = make_variables("https://a.example")
    assert "subscribed" in read(build(renderer, blog, variables))[0]
    text = folder / "confirm" / "text.txt"
    text.parent.mkdir(parents=True)
    for number, words in enumerate(("The first words", "The second words")):
        text.write_text(words + " {{ confirm_url }}")
        os.utime(text, (number + 1, number + 1))
        assert read(build(renderer, blog, variables))[0].startswith(words)
    foot = folder / "parts.html"
    foot.write_text((SHIPPED / "parts.html").read_text().replace("<a ", "<a data-new ", 1))
    assert read(build(renderer, blog, variables)) == read(render(renderer, blog, variables))
    text.unlink()
    assert "subscribed" in read(build(renderer, blog, variables))[0]


def test_a_template_may_do_more_than_show_a_link(blog: ListContext, tmp_path: Path) -> None:
    text = tmp_path / "confirm" / "text.txt"
    text.parent.mkdir(parents=True)
    text.write_text("{{ confirm_url|length }} {{ confirm_url|urlencode }} {{ list.title }}")
    renderer = Renderer([tmp_path, SHIPPED])
    for links in ("https://a.example", "https://b.example/longer"):
        built = read(build(renderer, blog, make_variables(links)))
        link = f"{links}/confirm"
        assert built[0].split()[:2] == [str(len(link)), link.replace(":", "%3A")]
    other = replace(blog, title="Another")
    assert "Another" in read(build(renderer, other, make_variables("https://a.example")))[0]
