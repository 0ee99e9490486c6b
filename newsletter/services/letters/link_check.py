"""Check a letter's links and pictures for its preflight.

Every problem is reported with its line in the author's file.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from enum import StrEnum
from http import HTTPStatus
from urllib.parse import unquote, urlsplit

from newsletter.addresses import parse_address
from newsletter.authoring.letter_file import Letter
from newsletter.errors import FeedError, FeedUnavailable, InvalidInput
from newsletter.i18n import Text
from newsletter.mail.templating.placeholders import is_field
from newsletter.services.checks import BAD, GOOD, WARN, Check
from newsletter.services.letters.drafts import LetterDraft
from newsletter.services.runtime import Environment
from newsletter.setup_vocabulary import CheckVerdict

LINKS_AT_MOST = 100
"""The most links of a letter that are requested."""
AT_ONCE = 8
"""Concurrent requests: few enough for any server."""
REQUESTS_AT_MOST = 60.0
"""Seconds for all requests together, since an author waits for the result."""
REPORTED_AT_MOST = 10
"""Problems of one kind that are reported one by one; the rest is counted."""
HEAVY = 3_000_000
"""Bytes of pictures in one letter above which a check warns: slow connections need a minute."""
_ABSOLUTE = ("http://", "https://", "mailto:", "tel:")
# Bounded, so that a run without an end costs little time.
_CODE = re.compile(r"(?<!`)(`+)(?!`).{0,20000}?(?<!`)\1(?!`)", re.S)
_HTML = re.compile(
    r"<(?:!--|(?:a|b|i|p|u|h[1-6]|br|hr|div|img|span|font|center|table|t[rdh]|ul|ol|li|strong|em|"
    r"iframe|script|style|video|button|blockquote)(?=[\s/>]))[^>\n]{0,40}>?",
    re.I,
)
_LEFT_OVER = re.compile(r"\]\([^)\n]{0,80}\)?")

Progress = Callable[[int, int], None]
"""A callback with the numbers of links checked and of all links."""


class LinkState(StrEnum):
    """The result of requesting a URL."""

    ALIVE = "alive"
    DEAD = "dead"
    UNREACHABLE = "unreachable"
    """No server answered: the host, or this machine's network, is down."""
    UNSURE = "unsure"
    """The server refuses programs, or the time was over."""


def check_pictures(env: Environment, draft: LetterDraft) -> Iterator[Check]:
    """Check for pictures without a description, without a URL, or from other hosts."""
    pictures = draft.prepared.shown_pictures
    report = _Reporter(draft.prepared.letter)
    undescribed = [picture.written for picture in pictures if not picture.alt.strip()]
    hint = Text("write ![what it shows](…): many never see pictures")
    yield from report(
        "alt", WARN, undescribed, lambda at, _: Text("%(at)s has no description", at=at), hint
    )
    lost = [picture.written for picture in pictures if not picture.url]
    hint = Text("use a file, or an https address")
    yield from report(
        "pictures",
        BAD,
        lost,
        lambda at, _: Text("%(at)s is left out: no mail can show it", at=at),
        hint,
    )
    guessed = {
        picture.written: picture.url
        for picture in pictures
        if picture.url
        and picture.written not in draft.prepared.names
        and not picture.written.lower().startswith(_ABSOLUTE)
    }
    hint = Text("use a file beside the letter, or https://…")
    yield from report("pictures", WARN, guessed, _say_relative, hint)
    own_hosts = {
        urlsplit(url).hostname for url in (env.settings.base_url, draft.prepared.list.site_url)
    }
    foreign = [
        picture.written
        for picture in pictures
        if picture.url and urlsplit(picture.url).hostname not in own_hosts
    ]
    hint = Text("its server sees who opens the letter; put the file beside it instead")
    yield from report(
        "pictures",
        WARN,
        foreign,
        lambda at, _: Text("%(at)s is a picture of others", at=at),
        hint,
    )
    weight = sum(len(picture.data) for picture in draft.prepared.fresh)
    if weight > HEAVY:
        hint = Text("on a train that takes a while; fewer pictures, or still ones")
        problem = Text("the pictures weigh %(weight)s MB", weight=f"{weight / 1_000_000:.0f}")
        yield Check("pictures", WARN, problem, hint)


def check_links(env: Environment, draft: LetterDraft) -> Iterator[Check]:
    """Check for links with unusable URLs, and for HTML tags, which are shown as text."""
    report = _Reporter(draft.prepared.letter)
    links = {link.written: link for link in draft.prepared.links if not is_field(link.url)}.values()
    lost = [link.written for link in links if not link.url]
    hint = Text("write an address that begins with https:// or mailto:")
    yield from report(
        "links",
        BAD,
        lost,
        lambda at, _: Text(
            "%(at)s is no address a mail can carry: its words stay, the link does not", at=at
        ),
        hint,
    )
    relative = {
        link.written: link.url
        for link in links
        if link.url and not link.written.lower().startswith(_ABSOLUTE)
    }
    hint = Text("write https://…, so that it is as you mean it")
    yield from report("links", WARN, relative, _say_relative, hint)
    broken = [link.written for link in links if not _is_valid_mailto(link.url)]
    hint = Text("write mailto:you@example.org")
    yield from report(
        "links", BAD, broken, lambda at, _: Text("%(at)s is no mail address", at=at), hint
    )
    yield from _check_html(draft.prepared.letter)


class _Reporter:
    """Reports problems with URLs: each URL once, with its line, up to `REPORTED_AT_MOST`."""

    def __init__(self, letter: Letter) -> None:
        self._letter = letter

    def __call__(
        self,
        id_: str,
        verdict: CheckVerdict,
        addresses: Mapping[str, str] | Iterable[str],
        say: Callable[[str, str], Text],
        hint: str,
    ) -> Iterator[Check]:
        """Report `addresses` as written, each described by `say`.

        That is called with the place of an address, and with its note if `addresses` is a mapping.
        """
        notes = dict(addresses) if isinstance(addresses, Mapping) else dict.fromkeys(addresses, "")
        for written in list(notes)[:REPORTED_AT_MOST]:
            yield Check(id_, verdict, say(self._letter.where(written), notes[written]), hint)
        if (more := len(notes) - REPORTED_AT_MOST) > 0:
            yield Check(id_, verdict, Text("… and %(more)s more", more=more), hint)


def _say_relative(at: str, url: str) -> Text:
    return Text("%(at)s → %(url)s is a relative link", at=at, url=url)


def _say_dead(at: str, reason: str) -> Text:
    return Text("%(at)s is dead: %(reason)s", at=at, reason=reason)


def _say_unsure(at: str, reason: str) -> Text:
    return Text("%(at)s could not be checked: %(reason)s", at=at, reason=reason)


def _is_valid_mailto(url: str) -> bool:
    """Tell whether a link is valid as far as it is a mailto link."""
    if not url.lower().startswith("mailto:"):
        return True
    try:
        for address in unquote(url[7:].partition("?")[0]).split(","):
            parse_address(address)
    except InvalidInput:
        return False
    return True


def _check_html(letter: Letter) -> Iterator[Check]:
    """Yield a check for each HTML tag outside of code, which is shown as text."""
    source = _CODE.sub(lambda code: "\n" * code[0].count("\n"), letter.markdown)
    tags = list(_HTML.finditer(source))
    for tag in tags[:REPORTED_AT_MOST]:
        line = letter.line + source.count("\n", 0, tag.start())
        hint = Text("write Markdown: **bold**, [words](https://…), ![picture](tree.jpg)")
        problem = Text(
            "line %(line)s: %(tag)s is shown as it is written: HTML is no part of letters",
            line=line,
            tag=tag[0].strip(),
        )
        yield Check("html", WARN, problem, hint)
    if (more := len(tags) - REPORTED_AT_MOST) > 0:
        yield Check("html", WARN, Text("… and %(more)s more", more=more))


def check_leftovers(env: Environment, draft: LetterDraft) -> Iterator[Check]:
    """Check for Markdown syntax left in the rendered text."""
    letter = draft.prepared.letter
    code = " ".join(match[0] for match in _CODE.finditer(letter.markdown))
    matches = _LEFT_OVER.finditer(draft.prepared.content.text)
    leftovers = [match[0] for match in matches if match[0] not in code]
    hint = Text(
        "no blank may stand before ( or inside an address: [words](https://example.org/a%20b)"
    )
    yield from _Reporter(letter)(
        "links",
        WARN,
        leftovers,
        lambda at, _: Text("%(at)s is not understood as a link", at=at),
        hint,
    )


def request_links(env: Environment, draft: LetterDraft, progress: Progress) -> Iterator[Check]:
    """Request every URL once, within the limits of the feeds' fetcher and never privately."""
    written = {
        link.url.partition("#")[0]: link.written
        for link in draft.prepared.links
        if not is_field(link.url)
    }
    written |= {
        picture.url: picture.written
        for picture in draft.prepared.shown_pictures
        if picture.written not in draft.prepared.names
    }
    # Our own pages may not be served yet, or not to this machine.
    own_prefix = f"{env.settings.base_url}/"
    urls = [url for url in written if url.startswith("http") and not url.startswith(own_prefix)]
    states = _request_all(env, urls[:LINKS_AT_MOST], progress)
    report = _Reporter(draft.prepared.letter)
    if states and all(state is LinkState.UNREACHABLE for state, _ in states.values()):
        [*_, (_, reason)] = states.values()
        hint = Text("this machine may be offline; try again, or leave them out with --offline")
        yield Check(
            "links", WARN, Text("no link could be checked: %(reason)s", reason=reason), hint
        )
        return
    dead = {
        written[url]: reason
        for url, (state, reason) in states.items()
        if state in (LinkState.DEAD, LinkState.UNREACHABLE)
    }
    yield from report("links", WARN, dead, _say_dead, Text("mend it, or take it out"))
    unsure = {
        written[url]: reason for url, (state, reason) in states.items() if state is LinkState.UNSURE
    }
    yield from report("links", WARN, unsure, _say_unsure, Text("open it yourself"))
    if len(urls) > LINKS_AT_MOST:
        problem = Text(
            "only %(most)s of %(urls)s links were asked",
            most=LINKS_AT_MOST,
            urls=len(urls),
        )
        yield Check("links", WARN, problem, Text("open the others yourself"))
    if states and not dead and not unsure:
        answer = (
            Text("%(count)s links answer", count=len(states))
            if len(states) > 1
            else Text("the link answers")
        )
        yield Check("links", GOOD, answer)


def _request_all(
    env: Environment, urls: list[str], progress: Progress
) -> dict[str, tuple[LinkState, str]]:
    if not urls:
        return {}
    states: dict[str, tuple[LinkState, str]] = dict.fromkeys(
        urls, (LinkState.UNSURE, Text("there was no time left"))
    )
    pool = ThreadPoolExecutor(AT_ONCE)
    requests = {pool.submit(_request, env, url): url for url in urls}
    try:
        for number, request in enumerate(as_completed(requests, timeout=REQUESTS_AT_MOST), 1):
            states[requests[request]] = request.result()
            progress(number, len(urls))
    except TimeoutError:
        progress(len(urls), len(urls))
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
    return states


def _request(env: Environment, url: str) -> tuple[LinkState, str]:
    """Request a URL and return its state, with the reason for a failure."""
    try:
        env.fetch(url)
    except FeedUnavailable as error:
        if "larger than" in error.reason:
            return LinkState.ALIVE, ""
        return _judge_failure(error), error.reason
    except FeedError as error:  # gone, or where nobody on the internet could follow it
        return LinkState.DEAD, error.reason
    return LinkState.ALIVE, ""


def _judge_failure(error: FeedUnavailable) -> LinkState:
    if error.status == HTTPStatus.NOT_FOUND:
        return LinkState.DEAD
    silent = error.status == 0 and "too long" not in error.reason
    return LinkState.UNREACHABLE if silent else LinkState.UNSURE
