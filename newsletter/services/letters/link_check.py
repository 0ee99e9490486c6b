"""Where a letter's links and pictures lead: part of its preflight.

Every finding has its line in the author's file.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from urllib.parse import unquote, urlsplit

from newsletter.addresses import parse_address
from newsletter.authoring.letter_file import Letter
from newsletter.errors import FeedError, FeedUnavailable, InvalidInput
from newsletter.mail.templating.placeholders import is_field
from newsletter.services.checks import Check, Verdict
from newsletter.services.letters.drafts import LetterDraft
from newsletter.services.runtime import Environment

LINKS_AT_MOST = 100
AT_ONCE = 8
ASK_FOR = 60.0
"""Seconds for all links together."""
SAID_AT_MOST = 10
HEAVY = 3_000_000
"""Bytes of pictures in one letter that somebody on a train waits for."""
NOT_FOUND = 404
_WHOLE = ("http://", "https://", "mailto:", "tel:")
_CODE = re.compile(
    r"(?<!`)(`+)(?!`).{0,20000}?(?<!`)\1(?!`)", re.S
)  # bounded: a run without an end costs little
_HTML = re.compile(
    r"<(?:!--|(?:a|b|i|p|u|h[1-6]|br|hr|div|img|span|font|center|table|t[rdh]|ul|ol|li|strong|em|iframe|script|"
    r"style|video|button|blockquote)(?=[\s/>]))[^>\n]{0,40}>?",
    re.I,
)
_LEFT_OVER = re.compile(r"\]\([^)\n]{0,80}\)?")

Progress = Callable[[int, int], None]
"""Told how many of how many links have answered."""


def check_pictures(env: Environment, draft: LetterDraft) -> Iterator[Check]:
    """Pictures nobody can see or hear described, or that tell others who looks."""
    said, shown = _Saying(draft.prepared.letter), draft.prepared.shown
    bare = [one.written for one in shown if not one.alt.strip()]
    yield from said(
        "alt",
        "warn",
        bare,
        "has no description",
        "write ![what it shows](…): many never see pictures",
    )
    lost = [one.written for one in shown if not one.url]
    yield from said(
        "pictures",
        "bad",
        lost,
        "is left out: no mail can show it",
        "use a file, or an https address",
    )
    given = [one for one in shown if one.url and one.written not in draft.prepared.names]
    guessed = {
        one.written: f" → {one.url}" for one in given if not one.written.lower().startswith(_WHOLE)
    }
    yield from said(
        "pictures",
        "warn",
        guessed,
        "is no whole address",
        "use a file beside the letter, or https://…",
    )
    own = {urlsplit(url).hostname for url in (env.settings.base_url, draft.prepared.list.site_url)}
    foreign = [one.written for one in shown if one.url and urlsplit(one.url).hostname not in own]
    hint = "its server sees who opens the letter; put the file beside it instead"
    yield from said("pictures", "warn", foreign, "is a picture of others", hint)
    weight = sum(len(one.data) for one in draft.prepared.fresh)
    if weight > HEAVY:
        hint = "on a train that takes a while; fewer pictures, or still ones"
        yield Check("pictures", "warn", f"the pictures weigh {weight / 1_000_000:.0f} MB", hint)


def check_links(env: Environment, draft: LetterDraft) -> Iterator[Check]:
    """Link that lead nowhere, or not surely where they should, and what looks like one and is none."""
    said = _Saying(draft.prepared.letter)
    links = {link.written: link for link in draft.prepared.links if not is_field(link.url)}.values()
    lost = [link.written for link in links if not link.url]
    hint = "write an address that begins with https:// or mailto:"
    yield from said(
        "links",
        "bad",
        lost,
        "is no address a mail can carry: its words stay, the link does not",
        hint,
    )
    given = [link for link in links if link.url and not link.written.lower().startswith(_WHOLE)]
    relative = {link.written: f" → {link.url}" for link in given}
    yield from said(
        "links",
        "warn",
        relative,
        "is no whole address",
        "write https://…, so that it is as you mean it",
    )
    broken = [link.written for link in links if not _writable(link.url)]
    yield from said("links", "bad", broken, "is no mail address", "write mailto:you@example.org")
    yield from _not_understood(draft.prepared.letter)


class _Saying:
    """Makes checks of addresses in a letter: each once, with its line, up to a number that can be
    read.
    """

    def __init__(self, letter: Letter) -> None:
        self._letter = letter

    def __call__(
        self,
        id_: str,
        verdict: Verdict,
        found: Mapping[str, str] | Iterable[str],
        what: str,
        hint: str,
    ) -> Iterator[Check]:
        """`found` are addresses as written; as a mapping, with what is said behind each."""
        each = dict(found) if isinstance(found, Mapping) else dict.fromkeys(found, "")
        for written in list(each)[:SAID_AT_MOST]:
            yield Check(
                id_, verdict, f"{self._letter.where(written)}{each[written]} {what}".strip(), hint
            )
        if (more := len(each) - SAID_AT_MOST) > 0:
            yield Check(id_, verdict, f"… and {more} more", hint)


def _writable(url: str) -> bool:
    """Tell whether a mailto link names addresses; any other is not asked here."""
    if not url.lower().startswith("mailto:"):
        return True
    try:
        for address in unquote(url[7:].partition("?")[0]).split(","):
            parse_address(address)
    except InvalidInput:
        return False
    return True


def _not_understood(letter: Letter) -> Iterator[Check]:
    """HTML, which readers would see as it is written.

    Code may show it.
    """
    source = _CODE.sub(lambda found: "\n" * found[0].count("\n"), letter.markdown)
    found = list(_HTML.finditer(source))
    for one in found[:SAID_AT_MOST]:
        line = letter.line + source.count("\n", 0, one.start())
        hint = "write Markdown: **bold**, [words](https://…), ![picture](tree.jpg)"
        what = f"line {line}: {one[0].strip()} is shown to readers as it stands: HTML is no part of letters"
        yield Check("html", "warn", what, hint)
    if (more := len(found) - SAID_AT_MOST) > 0:
        yield Check("html", "warn", f"… and {more} more")


def check_leftovers(env: Environment, draft: LetterDraft) -> Iterator[Check]:
    """Markdown's signs that are still there in the finished text."""
    letter, text = draft.prepared.letter, draft.prepared.content.text
    code = " ".join(found[0] for found in _CODE.finditer(letter.markdown))
    found = [one[0] for one in _LEFT_OVER.finditer(text) if one[0] not in code]
    hint = "no blank may stand before ( or inside an address: [words](https://example.org/a%20b)"
    yield from _Saying(letter)("links", "warn", found, "is not understood as a link", hint)


# ── asking
# ─────────────────────────────────────────────────────────────────────────────────────────


def request_links(env: Environment, draft: LetterDraft, progress: Progress) -> Iterator[Check]:
    """Ask for every address once, as the feeds' fetcher asks: bounded, and never a private network."""
    written = {
        link.url.partition("#")[0]: link.written
        for link in draft.prepared.links
        if not is_field(link.url)
    }
    written |= {
        one.url: one.written
        for one in draft.prepared.shown
        if one.written not in draft.prepared.names
    }
    # Our own pages may not be served yet, or not to this machine.
    own = f"{env.settings.base_url}/"
    wanted = [url for url in written if url.startswith("http") and not url.startswith(own)]
    said = _ask_all(env, wanted[:LINKS_AT_MOST], progress)
    saying = _Saying(draft.prepared.letter)
    dead = {
        written[url]: f" is dead: {why}"
        for url, (verdict, why) in said.items()
        if verdict == "dead"
    }
    yield from saying("links", "warn", dead, "", "mend it, or take it out")
    unsure = {
        written[url]: f" could not be checked: {why}"
        for url, (verdict, why) in said.items()
        if verdict == "unsure"
    }
    yield from saying("links", "warn", unsure, "", "open it yourself")
    if len(wanted) > LINKS_AT_MOST:
        yield Check(
            "links",
            "warn",
            f"only {LINKS_AT_MOST} of {len(wanted)} links were asked",
            "open the others yourself",
        )
    if said and not dead and not unsure:
        yield Check(
            "links", "good", f"{len(said)} links answer" if len(said) > 1 else "the link answers"
        )


def _ask_all(env: Environment, wanted: list[str], progress: Progress) -> dict[str, tuple[str, str]]:
    if not wanted:
        return {}
    said = dict.fromkeys(wanted, ("unsure", "there was no time left"))
    pool = ThreadPoolExecutor(AT_ONCE)
    asked = {pool.submit(_asked, env, url): url for url in wanted}
    try:
        for number, answer in enumerate(as_completed(asked, timeout=ASK_FOR), 1):
            said[asked[answer]] = answer.result()
            progress(number, len(wanted))
    except TimeoutError:
        progress(len(wanted), len(wanted))
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
    return said


def _asked(env: Environment, url: str) -> tuple[str, str]:
    """Tell whether an address is alive, dead, or will not tell a program."""
    try:
        env.fetch(url)
    except FeedUnavailable as error:
        if "larger than" in error.reason:
            return "alive", ""
        unsure = error.status not in (0, NOT_FOUND) or "too long" in error.reason
        return "unsure" if unsure else "dead", error.reason
    except FeedError as error:  # gone, or where nobody on the internet could follow it
        return "dead", error.reason
    return "alive", ""
