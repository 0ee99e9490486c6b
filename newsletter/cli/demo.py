"""`newsletter demo`: the whole life of a newsletter, on sample data."""

from __future__ import annotations

import logging
import signal
import threading

import click

from newsletter.errors import NewsletterError


@click.command(epilog="Example: newsletter demo --once")
@click.option("--once", is_flag=True, help="End after the steps; exit 0 only if every one held.")
@click.option("--port", default=0, help="The port of the newsletter's pages (any free one if not given).")
def demo(*, once: bool, port: int) -> int:
    """Sign up, confirm, poll, digest, read, unsubscribe: in a scratch folder, on real HTTP and real SMTP.

    Then a sample blog with the form and a mailbox are served for clicking.
    """
    from newsletter import demo as story

    logging.disable(logging.INFO)
    try:
        with story.stage(port=port) as scene:
            story.play(scene, click.echo)
            click.echo("Every step held.")
            if once:
                return 0
            told = threading.Event()
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, lambda *_: told.set())
            click.echo(
                f"\nNow try it yourself:\n"
                f"  the blog, with the form   {scene.blog.url}/blog/\n"
                f"  the mailbox               {scene.blog.url}/mailbox/\n"
                f"  the newsletter's pages    {scene.url}/\n"
                f"Ctrl-C ends it, and leaves nothing behind."
            )
            story.stay(scene, told)
            return 0
    except story.Broken as error:
        raise NewsletterError(f"this step did not hold: {error}") from None
    except OSError as error:
        raise NewsletterError(f"the demo cannot start: {error.strerror or error}", hint="try another --port") from None
