"""Commands of `newsletter digest` for one digest: hold, release, skip, leave an entry out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from newsletter.cli.context import with_environment
from newsletter.cli.member_choice import MemberChoice
from newsletter.cli.output import ask, list_option, say, yes_option
from newsletter.services.digests import due as digests
from newsletter.services.digests import review_acts
from newsletter.vocabulary import Cadence

if TYPE_CHECKING:
    from newsletter.services.runtime import Environment

cadence_option = click.option("--cadence", type=MemberChoice(Cadence), help="One cadence only.")


def _pick_cadence(slug: str | None, cadence: Cadence | None) -> Cadence:
    """Return the cadence that was given, or the list's usual one."""
    return cadence or digests.get_usual_cadence(slug)


@click.command(epilog="Example: newsletter digest hold --cadence weekly")
@list_option
@cadence_option
@with_environment
def hold(env: Environment, slug: str | None, cadence: Cadence | None) -> None:
    """Hold the next digest until it is released."""
    held = review_acts.hold(env, slug, _pick_cadence(slug, cadence))
    say(f"The next {held.cadence} digest is held; `newsletter digest release` lets it go.")


@click.command(epilog="Example: newsletter digest release --cadence weekly")
@list_option
@cadence_option
@yes_option
@with_environment
def release(env: Environment, slug: str | None, cadence: Cadence | None, *, yes: bool) -> None:
    """Let a digest go that is held or waits for your word: at its time, or now if that is over."""
    word = _pick_cadence(slug, cadence)
    ask(f"Let the {word} digest go out?", yes=yes)
    released = review_acts.release(env, slug, word)
    say(f"The next {released.cadence} digest is released.")


@click.command("leave-out", epilog="Example: newsletter digest leave-out 12 --cadence weekly")
@click.argument("entry", type=int)
@list_option
@cadence_option
@with_environment
def leave_out(env: Environment, entry: int, slug: str | None, cadence: Cadence | None) -> None:
    """Leave an entry out of the digest that is reviewed."""
    review = review_acts.leave_out(env, slug, _pick_cadence(slug, cadence), entry)
    say(f"Entry {entry} is left out of the {review.cadence} digest.")


@click.command(epilog="Example: newsletter digest skip --cadence weekly")
@list_option
@cadence_option
@yes_option
@with_environment
def skip(env: Environment, slug: str | None, cadence: Cadence | None, *, yes: bool) -> None:
    """Skip the next digest; its entries go with the one after it."""
    word = _pick_cadence(slug, cadence)
    ask(f"Skip the next {word} digest?", yes=yes)
    say(f"The {word} digest {review_acts.skip(env, slug, word)} is skipped.")
