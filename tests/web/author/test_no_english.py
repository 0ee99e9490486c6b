"""Test that no author's page says anything in English to somebody who reads another language.

Only what others said, such as a mail server's reply, stays as it was, and is marked as English.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest
from werkzeug.exceptions import HTTPException
from werkzeug.routing import MapAdapter

from newsletter import demo
from newsletter.authoring.letter_fields import LetterFields
from newsletter.db.session import transaction
from newsletter.demo import SLUG
from newsletter.models import Campaign, Entry, Feed, ImportFile, SenderState, Subscriber
from newsletter.services.letters import manuscripts
from tests.desk import OPEN, PAGES, Desk
from tests.web.author.conftest import BrowserOf

ROOT = Path(__file__).parents[3]
REPLY = "550 5.7.1 go away"
SAME = frozenset(
    {
        "in Markdown",
        "Text",
        "Computer",
        "Name",
        "Shorts",
        "Passkeys",
        "Mails",
        "newsletter",
        "Slow Letters",
        "Deutsch",
        "English",
        "Français",
        "Español",
        "Română",
    }
)
"""What German calls as English does, and names of languages."""
PROGRAMS = frozenset(
    [
        "Buttondown",
        "Substack",
        "Medium",
        "Curated",
        "Kit",
        "beehiiv",
        "Mautic",
        "Ghost",
        "Mailchimp",
        "MailPoet",
        "Keila",
        "listmonk",
    ]
) | {"Tiny News"}
COMMAND = re.compile(r"newsletter (backup|feed check|serve)\b")
"""How what a check says to type begins: which checks there are depends on the day."""
OWN = frozenset({"A pause", "people.csv", "Email", "Shoe size", "talks", "Long Talks", SLUG})


class Said(HTMLParser):
    """The words of a page, and those marked as English; what is the author's is left out."""

    EMPTY = frozenset({"meta", "link", "br", "img", "input", "hr", "wbr", "rect", "line"})
    FOREIGN = frozenset({"style", "script", "code", "svg", "textarea", "iframe"})

    def __init__(self, page: str) -> None:
        super().__init__()
        self.words: set[str] = set()
        self.english: set[str] = set()
        self._open: list[tuple[str, bool, bool]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in self.EMPTY or tag == "html":
            return
        names = dict(attrs)
        foreign = tag in self.FOREIGN or names.get("dir") in ("auto", "ltr")
        self._open.append((tag, foreign, names.get("lang") == "en"))

    def handle_endtag(self, tag: str) -> None:
        if self._open and self._open[-1][0] == tag:
            self._open.pop()

    def handle_data(self, data: str) -> None:
        words = " ".join(data.split())
        if not re.search(r"[A-Za-z]{2}", words):
            return
        if any(english for _, _, english in self._open):
            self.english.add(words)
        elif not any(foreign for _, foreign, _ in self._open):
            self.words.add(words)


@pytest.fixture(scope="module")
def desk() -> Iterator[Desk]:
    with demo.open_stage() as scene:
        demo.run_steps(scene, lambda line: None)
        yield Desk(scene)


@pytest.fixture(scope="module")
def browser(desk: Desk) -> BrowserOf:
    browser = BrowserOf(desk.scene.app.test_client(), url=desk.scene.url)
    path = f"/author/{desk.link()}"
    assert browser.post(path, page=path).status_code == 303
    return browser


@pytest.mark.parametrize("name", PAGES)
def test_what_a_page_says_in_german_is_german(desk: Desk, browser: BrowserOf, name: str) -> None:
    _fill(desk)
    pages = {}
    for language in ("en", "de"):
        headers = {"Accept-Language": language}
        path = f"/author/{PAGES[name](desk)}"
        pages[language] = Said(browser.get(path, headers=headers).text)
    german = pages["de"]
    titles = _titles(desk)
    alike = german.words & pages["en"].words - SAME - PROGRAMS - OWN - titles
    assert {words for words in alike if "@" not in words and "://" not in words} == set()
    assert {words for words in german.english if REPLY not in words} == set()


def test_what_the_checks_say_in_german_is_german(desk: Desk, browser: BrowserOf) -> None:
    page = "/author/health"
    pages = {
        language: Said(browser.post(page, page=page, headers={"Accept-Language": language}).text)
        for language in ("en", "de")
    }
    assert len(pages["de"].words) > len(Said(browser.get(page).text).words) + 10
    alike = pages["de"].words & pages["en"].words - SAME
    sentences = {words for words in alike if " " in words and "://" not in words}
    english = sentences | pages["de"].english
    assert {words for words in english if not COMMAND.match(words)} == set()


PARTS = {
    "author_campaigns.html",
    "author_campaigns.text",
    "author_digests.html",
    "author_forms.html",
    "author_letter_preview.html",
    "author_letter_preview.text",
    "author_settings.look_html",
    "author_digests.recipients",
    "author_letter_preview.checks",
    "author_letter_preview.recipients",
    "author_newcomers.count",
    "author_log_in.challenge",
    "author_passkeys.challenge",
}
"""What pages show in a frame (a mail, a form), fetch as a part of themselves, or as JSON."""


def test_every_page_of_the_author_is_opened(desk: Desk) -> None:
    """By this file and by the browser tests, which open what `PAGES` and `OPEN` name."""
    url_map = desk.scene.app.url_map
    adapter = url_map.bind("localhost")
    opened = {
        _find_endpoint(adapter, f"/author/{place(desk)}".partition("?")[0])
        for place in (PAGES | OPEN).values()
    }
    pages = {
        rule.endpoint
        for rule in url_map.iter_rules()
        if rule.rule.startswith("/author/") and "GET" in (rule.methods or ())
    }
    assert pages - PARTS == opened & pages


def _find_endpoint(adapter: MapAdapter, path: str) -> str:
    try:
        return adapter.match(path)[0]
    except HTTPException:
        return ""  # a page that is not there, on purpose, or one of subscribers


def _titles(desk: Desk) -> frozenset[str]:
    with desk.scene.app.app_context(), transaction() as session:
        names = [title for (title,) in session.query(Entry.title)]
        names += [title for (title,) in session.query(Feed.title)]
        names += [subject for (subject,) in session.query(Campaign.subject)]
        names += [name for (name,) in session.query(Subscriber.name)]
    return frozenset(names)


def _fill(desk: Desk) -> None:
    """Let everything that can be wrong be wrong, so that pages say so."""
    scene = desk.scene
    with scene.app.app_context(), transaction() as session:
        if session.get(SenderState, "quota") is not None:
            return
        now = scene.env.now
        session.add(
            SenderState(
                cause="quota",
                until=now.replace(year=now.year + 1),
                why=REPLY,
                server="mx",
                since=now,
                seconds=900,
            )
        )
        campaign = session.get_one(Campaign, desk.campaign)
        campaign.reason = f"5 messages in a row were refused: {REPLY}"
        whys = (
            "held by hand",
            "this feed leaves out titles that match sponsored",
            "shown in the post 3, which embeds it",
        )
        for entry, why in zip(session.query(Entry).order_by(Entry.id.desc()), whys, strict=False):
            entry.why = why
        feed = session.get_one(Feed, desk.feed)
        feed.error = "its certificate cannot be trusted: it has expired"
        file = session.get_one(ImportFile, desk.imported)
        file.problem = (
            "people.csv holds no table with a column of addresses (export the subscribers as CSV)"
        )
    with scene.app.app_context():
        manuscripts.save_draft(
            desk.draft,
            LetterFields(
                subject="RE: FREE MONEY!!",
                body="<b>x</b> [a](b.html) [c](mailto:x) ![](lost.jpg) ![y](https://other.example/y.png)",
                segment="tags = x",
            ),
            manuscripts.get_manuscript(desk.draft).revision,
        )


def test_no_template_marks_a_sentence_of_ours_as_english() -> None:
    """`|said` says a sentence in the reader's language, and marks it only where it cannot."""
    marked = {
        f"{file.name}: {sentence}"
        for file in (ROOT / "templates/pages/author").glob("*.html")
        for sentence in re.findall(r'lang="en"[^>]*>(.{0,40})', file.read_text())
    }
    assert marked == {"proof.html: {{ mail.reply }}</span>"}


RAISED = frozenset(
    [
        "Check",
        "FeedForbidden",
        "FeedGone",
        "FeedUnavailable",
        "NotAFeed",
        "Refused",
        "ChangedMeanwhile",
        "InvalidInput",
    ]
)
"""What carries a sentence to a page."""


def test_what_pages_show_of_checks_and_refusals_is_a_text() -> None:
    """A sentence that is raised or found where a page can show it is a `Text`, whole."""
    faults = [
        f"{file.relative_to(ROOT)}:{line}: {words}"
        for folder in SHOWN
        for file in sorted((ROOT / "newsletter").glob(folder))
        if file.name not in COMMANDS_ONLY
        for line, words in _plain_sentences(file)
    ]
    assert faults == []


COMMANDS_ONLY = frozenset({"letter_files.py", "series.py"})
"""What only commands call: letters in files, and series."""
SHOWN = (
    "feeds/*.py",
    "authoring/*.py",
    "import_formats/*.py",
    "services/polling/*.py",
    "services/letters/*.py",
    "services/digests/*.py",
    "services/transfer/*.py",
    "services/operations/doctor.py",
    "services/operations/watch.py",
    "services/operations/[adms]*_checks.py",
    "services/inbound/reading_checks.py",
    "services/proxy_headers.py",
    "dns/*.py",
    "web/author/*.py",
)


def _plain_sentences(file: Path) -> Iterator[tuple[int, str]]:
    for node in ast.walk(ast.parse(file.read_text())):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
            continue
        if node.func.id not in RAISED:
            continue
        arguments = [*node.args, *(word.value for word in node.keywords if word.arg != "id")]
        for value in arguments:
            parts = value.values if isinstance(value, ast.Dict) else [value]
            for part in parts:
                if _is_sentence(part):
                    yield part.lineno, ast.unparse(part)[:80]


def _is_sentence(part: ast.expr) -> bool:
    """Tell whether an expression has words of its own; a command to type is not one."""
    pieces = part.values if isinstance(part, ast.JoinedStr) else [part]
    words = "".join(
        piece.value
        for piece in pieces
        if isinstance(piece, ast.Constant) and isinstance(piece.value, str)
    )
    if words.startswith(("newsletter ", "chmod ")):
        return False
    return " " in words.strip() or (
        isinstance(part, ast.JoinedStr) and re.search(r"[a-z]{2}", words) is not None
    )
