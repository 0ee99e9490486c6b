"""Run the whole life of a newsletter on sample data, over real HTTP and SMTP, in a scratch folder.

Each step proves something.
"""

from __future__ import annotations

import secrets
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPResponse
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import HTTPRedirectHandler, Request, build_opener

from flask import Flask
from waitress.server import create_server

from newsletter.app import create_app
from newsletter.demo.blog import POSTS, Blog, Post, publish_old_posts
from newsletter.demo.mailbox import DemoMailbox
from newsletter.demo.server import serve
from newsletter.services.digests import due as digests
from newsletter.services.lists import lists
from newsletter.services.operations import database
from newsletter.services.polling import feeds
from newsletter.services.polling import poll as polling
from newsletter.services.runtime import EXTENSION, Environment
from newsletter.services.sending import run as sending
from newsletter.services.subscribers import admin as subscribers
from newsletter.settings import Settings
from newsletter.vocabulary import SubscriptionStatus
from newsletter.web.embed_snippets import embed_form
from newsletter.worker import WorkerProcess

SUBSCRIBER = "subscriber@example.com"
SLUG = "slow-letters"
Say = Callable[[str], None]


class StepFailed(Exception):
    """The condition of a step of the demo does not hold."""


@dataclass(frozen=True, slots=True)
class DemoStage:
    """The running parts of a demo: the application, its pages, the blog, the mailbox."""

    app: Flask
    env: Environment
    url: str
    blog: Blog
    mailbox: DemoMailbox


@contextmanager
def open_stage(*, port: int = 0) -> Iterator[DemoStage]:
    """Start the parts of a demo in a scratch folder; stop them and delete it at the end."""
    mailbox = DemoMailbox()
    blog = Blog()
    with tempfile.TemporaryDirectory(prefix="newsletter-demo-") as folder:
        smtp = mailbox.start()
        sample = serve(lambda path: blog.answer(path) or mailbox.answer(path))
        blog.url = f"http://127.0.0.1:{sample.server_address[1]}"
        publish_old_posts(blog)
        handlers: list[Any] = []
        pages = create_server(
            lambda *args: handlers[0](*args),
            host="127.0.0.1",
            port=port,
            threads=4,
            ident=None,
            asyncore_use_poll=True,  # `poll` bears that another thread closes what it waits for
        )
        url = f"http://127.0.0.1:{pages.effective_port}"
        app = create_app(_settings(Path(folder), url, smtp))
        handlers.append(app)
        threading.Thread(target=pages.run, daemon=True).start()
        database.upgrade(app.config["SQLALCHEMY_DATABASE_URI"])
        try:
            yield DemoStage(app, app.extensions[EXTENSION], url, blog, mailbox)
        finally:
            pages.close()
            sample.shutdown()
            sample.server_close()
            mailbox.stop()


def _settings(folder: Path, url: str, smtp: str) -> Settings:
    return Settings.model_validate(
        {
            "secret_key": secrets.token_urlsafe(32),
            "base_url": url,
            "database_url": f"sqlite:///{folder}/newsletter.db",
            "smtp": {"url": smtp},
            "feeds": {"allow_private_addresses": True},
            "signup": {"check_domains": False},
            "folder": folder,
        }
    )


class _Stay(HTTPRedirectHandler):
    """A handler that follows no redirect, so that the response itself can be checked."""

    def redirect_request(self, *args: Any, **kwargs: Any) -> None:
        return None


def request_page(url: str, fields: dict[str, str] | None = None) -> tuple[int, str]:
    """Send a GET, or a POST of a form with `fields`, over real HTTP.

    Returns status and body.
    """
    data = urlencode(fields).encode() if fields is not None else None
    # The address is one of ours, on the loopback.
    request = Request(url, data=data, headers={"User-Agent": "newsletter demo"})  # noqa: S310
    try:
        response: HTTPResponse = build_opener(_Stay).open(request, timeout=10)
    except HTTPError as error:
        with error:
            return error.code, error.read().decode("utf-8", "replace")
    with response:
        return response.status, response.read().decode("utf-8", "replace")


def require(condition: object, otherwise: str) -> None:
    """Raise `StepFailed` with the message `otherwise` unless a condition of a step holds."""
    if not condition:
        raise StepFailed(otherwise)


def run_steps(scene: DemoStage, say: Say) -> None:
    """Run every step of the demo in order and report each.

    Raises `StepFailed` at the first that does not hold.
    """
    for number, step in enumerate(
        (_set_up, _sign_up, _confirm, _publish, _never_twice, _leave, _silence), 1
    ):
        with scene.app.app_context():
            say(f"{number}. {step(scene)}")


def _set_up(scene: DemoStage) -> str:
    values = {
        "title": "Slow Letters",
        "from": "Ana Coach <ana@news.example.com>",
        "cadence": "instant",
        "grace": "0",
        "address": "1 Main Street, 10115 Berlin",
        "site_url": f"{scene.blog.url}/blog/",
        "description": "A letter now and then, on going slowly.",
    }
    lists.add(scene.env, SLUG, values)
    scene.blog.form = embed_form(scene.env, SLUG)
    added = feeds.add(scene.env, f"{scene.blog.url}/blog/", SLUG)
    require(added.url.endswith("/blog/feed.xml"), "the blog's feed was not found")
    require(added.entries == 2, "the posts that are there were not read")
    return (
        f"The blog's feed was found at {added.url}; the 2 posts that are there already will not be "
        "mailed."
    )


def _sign_up(scene: DemoStage) -> str:
    require(
        "/subscribe" in request_page(f"{scene.blog.url}/blog/")[1], "the form is not on the blog"
    )
    status, _ = request_page(
        f"{scene.url}/{SLUG}/subscribe", {"email": SUBSCRIBER, "cadence": "instant"}
    )
    require(status == 303, f"the form answered {status}")
    sending.send_due(scene.env)
    [mail] = scene.mailbox.wait_for(1)
    require(mail.link("confirm"), "the confirmation has no link")
    require("List-Unsubscribe" not in mail.message, "a confirmation is no list mail")
    return (
        "A visitor signed up with the form on the blog and received one mail that asks to confirm."
    )


def _confirm(scene: DemoStage) -> str:
    link = scene.mailbox.mails[-1].link("confirm")
    request_page(link)
    require(_standing() == SubscriptionStatus.PENDING, "looking at the link confirmed it")
    status, _ = request_page(link, {})
    require(
        status == 200 and _standing() == SubscriptionStatus.ACTIVE, f"confirming answered {status}"
    )
    sending.send_due(scene.env)
    require(len(scene.mailbox.wait_for(2)) == 2, "no welcome came")
    return (
        "Opening the link, as a mail scanner does, changed nothing; pressing its button confirmed. "
        "A welcome came."
    )


def _standing() -> str:
    [subscriber] = subscribers.iterate_subscribers()
    return subscriber.subscriptions[0].status


def _digest(scene: DemoStage) -> None:
    """Do once what the worker does repeatedly: poll feeds, compose digests, send mail."""
    for feed in feeds.list_feeds():
        polling.poll_feed(scene.env, feed.id)
    digests.compose_due(scene.env)
    sending.send_due(scene.env)


def _publish(scene: DemoStage) -> str:
    address = scene.blog.publish(POSTS[2])
    _digest(scene)
    mails = scene.mailbox.wait_for(3)
    require(len(mails) == 3, "the new post was not mailed")
    mail = mails[-1]
    require(mail.message["Subject"] == POSTS[2].title, "the subject is not the post's title")
    require(
        address in mail.body("plain") and address in mail.body("html"),
        "the post is not linked in both parts",
    )
    require(
        b"\nList-Unsubscribe: <http" in mail.raw,
        "the link to unsubscribe is not as RFC 8058 wants it",
    )
    require(
        mail.message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click",
        "one-click is missing",
    )
    return (
        f"A new post, “{POSTS[2].title}”, was found and mailed, with text, HTML and one-click "
        "unsubscribe."
    )


def _never_twice(scene: DemoStage) -> str:
    for _ in range(3):
        _digest(scene)
    require(len(scene.mailbox.mails) == 3, "something was mailed twice")
    return "The worker ran three times more: nothing new, nothing sent."


def _leave(scene: DemoStage) -> str:
    header = str(scene.mailbox.mails[-1].message["List-Unsubscribe"]).strip("<>")
    request_page(header)
    require(_standing() == SubscriptionStatus.ACTIVE, "opening the link unsubscribed")
    status, _ = request_page(header, {"List-Unsubscribe": "One-Click"})
    require(
        status == 200 and _standing() == SubscriptionStatus.UNSUBSCRIBED,
        f"one-click answered {status}",
    )
    sending.send_due(scene.env)
    require(len(scene.mailbox.wait_for(4)) == 4, "no goodbye came")
    return "The mail program's one-click button unsubscribed at once; a goodbye came."


def _silence(scene: DemoStage) -> str:
    scene.blog.publish(Post("a-fourth-post", "A post after the end", "<p>…</p>", POSTS[0].colors))
    _digest(scene)
    require(len(scene.mailbox.mails) == 4, "mail was sent after the subscription had ended")
    return "Another post came out, and nothing was sent."


def run_worker(scene: DemoStage, until: threading.Event) -> None:
    """Run the demo's worker beside its pages until the event is set."""
    worker = WorkerProcess(scene.app)
    worker.start()
    until.wait()
    worker.stop()
