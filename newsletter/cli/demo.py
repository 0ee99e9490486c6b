"""`newsletter demo`: play a newsletter from sign-up to unsubscribe on sample data."""

from __future__ import annotations

import logging

import click

from newsletter.cli.serve import PORT
from newsletter.cli.stop_signals import make_stop_event
from newsletter.errors import NewsletterError


@click.command(epilog="Example: newsletter demo --once")
@click.option("--once", is_flag=True, help="End after the steps; exit 0 only if each one worked.")
@click.option(
    "--practice",
    is_flag=True,
    help="Only a blog and a mailbox to practise on, as in docs/tutorial.md.",
)
@click.option(
    "--port",
    type=PORT,
    help="The port of the newsletter's pages (any free one), or of the practice blog (8026).",
)
@click.option(
    "--smtp-port",
    type=PORT,
    default=2525,
    show_default=True,
    help="The port of the practice mailbox.",
)
def demo(*, once: bool, practice: bool, port: int | None, smtp_port: int) -> int:
    """Play every step from sign-up to unsubscribe, in a scratch folder, on real HTTP and SMTP.

    Then a sample blog with the form and a mailbox are served for you to try.
    """
    logging.disable(logging.INFO)
    return (
        _practise(8026 if port is None else port, smtp_port)
        if practice
        else _play(port or 0, once=once)
    )


def _practise(port: int, smtp_port: int) -> int:
    from newsletter.demo import practice

    stop = make_stop_event()
    try:
        with practice.run_practice(click.echo, port=port, smtp_port=smtp_port) as publish:
            practice.publish_until(stop, publish, click.echo)
    except OSError as error:
        hint = "choose others with --port and --smtp-port"
        raise NewsletterError(
            f"the practice blog cannot start: {error.strerror or error}", hint=hint
        ) from None
    return 0


def _play(port: int, *, once: bool) -> int:
    from newsletter import demo as story

    try:
        with story.open_stage(port=port) as scene:
            story.run_steps(scene, click.echo)
            click.echo("Every step held.")
            if once:
                return 0
            stop = make_stop_event()
            click.echo(
                f"\nNow try it yourself:\n"
                f"  the blog, with the form   {scene.blog.url}/blog/\n"
                f"  the mailbox               {scene.blog.url}/mailbox/\n"
                f"  the newsletter's pages    {scene.url}/\n"
                f"Ctrl-C ends it, and leaves nothing behind."
            )
            story.run_worker(scene, stop)
            return 0
    except story.StepFailed as error:
        raise NewsletterError(f"this step failed: {error}") from None
    except OSError as error:
        raise NewsletterError(
            f"the demo cannot start: {error.strerror or error}", hint="try another --port"
        ) from None
