"""Serve a blog and a mailbox to practise on (docs/tutorial.md), over local HTTP and SMTP."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

from newsletter.demo.blog import POSTS, Blog, Post, publish_old_posts
from newsletter.demo.mailbox import DemoMail, DemoMailbox
from newsletter.demo.server import serve

Say = Callable[[str], None]
FORM = "form.html"

_MORE = (
    Post(
        "one-thing-by-candlelight",
        "One thing by candlelight",
        "<p>Once a week, when it is dark, do one thing by the light of a candle. It does not "
        "matter which. The rest of "
        "the room goes away, and with it everything that is not this one thing.</p>",
        ((60, 42, 33), (240, 180, 90)),
    ),
    Post(
        "the-second-cup",
        "The second cup",
        "<p>The first cup of tea is for waking up. The second is the one you drink. How seldom "
        "there is one.</p>",
        ((33, 70, 60), (220, 210, 160)),
    ),
)


@contextmanager
def run_practice(say: Say, *, port: int, smtp_port: int) -> Iterator[Callable[[], str]]:
    """Serve the blog and the mailbox of the tutorial.

    Yields a function that publishes the next post and returns its title.
    """
    blog = Blog()
    mailbox = DemoMailbox(
        port=smtp_port,
        heard=lambda mail, number: say(_describe_mail(mail, f"{blog.url}/mailbox/{number}/text")),
    )
    posts = _posts()
    smtp = mailbox.start()
    try:
        site = serve(lambda path: _with_form(blog).answer(path) or mailbox.answer(path), port=port)
    except OSError:
        mailbox.stop()
        raise
    blog.url = f"http://127.0.0.1:{site.server_address[1]}"
    publish_old_posts(blog)
    say(f"The blog to practise on   {blog.url}/blog/")
    say(f"The mailbox               {blog.url}/mailbox/")
    say(f"It takes mail at          {smtp}")
    say("Press Enter to publish a post. Ctrl-C ends it.")
    try:
        yield lambda: _publish(blog, posts)
    finally:
        site.shutdown()
        site.server_close()
        mailbox.stop()


def _with_form(blog: Blog) -> Blog:
    """Put the content of form.html on the blog, if the current folder has that file."""
    file = Path(FORM)
    blog.form = file.read_text("utf-8") if file.is_file() else "<p>(Here the form will be.)</p>"
    return blog


def _posts() -> Iterator[Post]:
    yield from (*POSTS[2:], *_MORE)
    for number in count(1):
        yield Post(
            f"practice-{number}", f"Practice, part {number}", "<p>Once more.</p>", POSTS[0].colors
        )


def _publish(blog: Blog, posts: Iterator[Post]) -> str:
    post = next(posts)
    blog.publish(post)
    return post.title


def _describe_mail(mail: DemoMail, address: str) -> str:
    link = mail.link("confirm")
    return f"Mail for {mail.message['To']}: “{mail.message['Subject']}”\n  {address}" + (
        f"\n{link}" if link else ""
    )


def publish_until(stop: threading.Event, publish: Callable[[], str], say: Say) -> None:
    """Publish a post for each line on standard input, until the event is set."""

    def listen() -> None:
        for _ in sys.stdin:
            say(f"Published: “{publish()}”")

    threading.Thread(target=listen, daemon=True).start()
    while not stop.wait(1.0):  # a signal may come just before a wait and not end it
        pass
