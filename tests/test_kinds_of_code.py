"""More kinds of faults that the code shows: counters, keys, merged columns, handlers, loops.

As in test_kinds.py, a new place of a kind says here why it is right.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

import pytest

from newsletter.db.session import Base
from newsletter.import_formats.column_names import normalize_name
from newsletter.import_formats.own_columns import OUR_COLUMNS
from tests.services.operations.test_merge import MERGED
from tests.test_kinds import PACKAGE, find_callers, list_calls, trees

# ── A6: a ceiling counted by what a stranger can spell in many ways ──────────────────────────────

COUNTERS = {
    "services/api_tokens.py:identify_caller": "a token",
    "services/authors/log_in.py:_count_mail": "a hash; another spelling is no author's",
    "services/authors/passkeys.py:_use_up": "an author",
    "services/counters.py:increment": "as its caller says",
    "services/counters.py:add_count": "as its caller says",
    "services/counters.py:increment_shared": "as its caller says",
    "services/inbound/hooks.py:_receive_mailgun.spend": "a token of a signature, hashed",
    "services/operations/metrics.py:write_tally": "a figure",
    "services/polling/ping.py:receive_ping": "a visitor's network",
    "services/polling/ping.py:bring_poll_forward": "a feed",
    "services/proxy_headers.py:record_headerless_proxy": "a constant",
    "services/proxy_headers.py:record_ignored_proxy": "a constant",
    "services/request_limits.py:count_request": "a list, networks, the folded domain",
    "services/request_limits.py:count_change": "a subscription",
    "services/request_limits.py:_count_solution": "a puzzle",
    "services/sending/requested_tests.py:_count": "a folded mailbox, hashed",
    "services/sending/throttle.py:Throttle.take": "a constant",
    "services/sending/throttle.py:Throttle._count": "a window of the sender",
    "services/signup/confirmation_gate.py:_lock": "a constant",
    "services/signup/confirmation_gate.py:_count": "a network, the folded domain",
    "services/signup/confirmation_gate.py:count_confirmed": "a constant",
}
"""Functions that count something for a ceiling, and by what."""


def test_a6_whoever_counts_says_by_what() -> None:
    counting = ("increment", "add_count", "increment_all", "increment_shared")
    assert find_callers(*counting) == set(COUNTERS)


# ── A9: one key for things with different lives ──────────────────────────────────────────────────

SIGNING_KEYS = {
    "app.py": "tokens of links, sessions, and the fingerprint",
    "cli/key.py": "counts them",
    "services/authors/passkey_check.py": "challenges of minutes",
    "services/installation.py": "the fingerprint",
    "services/operations/backup.py": "the fingerprint",
    "services/operations/key_rotation.py": "adds one",
    "services/operations/restore_installation.py": "the fingerprint",
    "services/operations/restore_staged.py": "the fingerprint, and what `merge` gets",
    "services/sending/message_builder.py": "addresses to unsubscribe",
    "settings.py": "puts them together",
    "web/author/browser.py": "tokens of forms, which live as long as a session",
    "settings_loader.py": "reads those that `key rotate` has written since",
}
"""Modules that read the keys that sign: nothing that they make outlives a change of the key, and
none verifies with them, because another process may sign with a newer one (`Tokens.read_keys`).
"""
HASHING = {
    "services/operations/merge.py:Merger._add_suppression": "lasting keys",
    "services/operations/merge.py:Merger._erase": "the keys of the replaced database",
    "services/operations/merge.py:Merger._remember_erased": "lasting keys",
    "services/suppressions.py:hash_address": "lasting keys",
}


def test_a9_what_lasts_is_hashed_with_a_lasting_key() -> None:
    reading = {
        module
        for module, tree in trees().items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and node.attr in ("secret_key", "secret_key_fallbacks", "signing_keys")
        if ast.unparse(node.value) != "self" or module == "settings.py"
    }
    assert reading == set(SIGNING_KEYS)
    assert find_callers("make_keyed_hash") == set(HASHING)


# ── A8: what must only grow, column by column ────────────────────────────────────────────────────

NAMES_THE_ROW = "names the row"
MERGED_COLUMNS: dict[str, dict[str, str]] = {
    "api_tokens": {"token_hash": "removed ones are removed"},
    "author_logins": {},
    "author_passkeys": {"credential_id": "removed ones are removed", "sign_count": "the higher"},
    "author_sessions": {},
    "author_lists": {"author_id": NAMES_THE_ROW, "list_id": "those of both, of a limited author"},
    "authors": {
        "id": NAMES_THE_ROW,
        "email_key": NAMES_THE_ROW,
        "role": "the lesser",
        "limited": "stays limited",
        "revoked_at": "stays revoked",
    },
    "lasting_keys": {"key": "added"},
    "mailboxes": {
        "mailbox_hash": NAMES_THE_ROW,
        "unanswered": "the higher",
        "mails": "those of both",
        "last_at": "the later",
    },
    "retired_handles": {"handle": "added", "subscription_id": "added"},
    "subscribers": {
        "id": NAMES_THE_ROW,
        "created_at": NAMES_THE_ROW,
        "handle": "as in the newer mails",
        "email": "a change of address stays",
        "email_key": "a change of address stays",
        "new_email": "a change of address that was asked for",
        "new_email_key": "a change of address that was asked for",
    },
    "subscriptions": {
        "id": NAMES_THE_ROW,
        "created_at": NAMES_THE_ROW,
        "list_id": NAMES_THE_ROW,
        "subscriber_id": NAMES_THE_ROW,
        "handle": "as in the newer mails",
        "status": "who left stays away",
        "unsubscribed_at": "the moment that a newer yes is compared with",
        "round": "the higher",
        "paused_until": "the later",
        "answers": "consents withdrawn stay withdrawn",
    },
    "suppressions": {
        "email_hash": "added",
        "email_key": "emptied where it was erased",
        "reason": "added",
        "note": "added",
        "created_at": "added",
    },
    "webhooks": {
        "secret": NAMES_THE_ROW,
        "paused_at": "stays paused",
        "paused_because": "stays paused",
    },
}
"""The columns of the tables in which something ends, that a restore takes over, and how."""
MAY_GO_BACK: dict[str, set[str]] = {
    "api_tokens": {
        "id",
        "name",
        "scope",
        "list_ids",
        "created_at",
        "last_used_at",
        "expires_at",
    },
    "author_logins": set(),
    "author_passkeys": {"id", "author_id", "public_key", "name", "created_at", "used_at"},
    "author_sessions": set(),
    "author_lists": set(),
    "authors": {"handle", "email", "created_at"},
    "lasting_keys": {"id", "created_at"},
    "mailboxes": set(),
    "retired_handles": set(),
    "subscribers": {"name", "language"},
    "subscriptions": {
        "cadence",
        "cursor",
        "joined_seq",
        "topics",
        "confirmation_at",
        "confirmed_at",
        "series_at",
        "series_due_at",
    },
    "suppressions": {"id"},
    "webhooks": {"id", "url", "events", "list_ids", "with_address", "failures", "created_at"},
}
"""Their other columns, which are as in the backup: the author's words and preferences, and what
goes on by itself.
"""
DELETED = {"author_logins", "author_sessions"}
"""Tables that a restore empties: every log-in ends."""


def test_a8_every_column_that_ends_something_is_taken_over() -> None:
    assert set(MERGED_COLUMNS) == set(MAY_GO_BACK) == MERGED
    merging = "\n".join(
        ast.unparse(tree)
        for module, tree in trees().items()
        if module.startswith("services/operations/merge")
    )
    for name in MERGED - DELETED:
        columns = set(Base.metadata.tables[name].c.keys())
        merged = set(MERGED_COLUMNS[name])
        assert columns - merged == MAY_GO_BACK[name], f"{name}: does a new column end something?"
        assert not merged & MAY_GO_BACK[name]
        for column in merged:
            assert re.search(rf"['\"]{column}['\"]", merging), f"{name}.{column} is not read"


# ── a failure that nobody hears of ───────────────────────────────────────────────────────────────

BROAD = {
    "authoring/images.py:fit_for_mail": "a picture of the author's: refused",
    "bounces/mime.py:Part.param": "a strange mail: no such parameter",
    "bounces/mime.py:decode_words": "a strange mail: the header as it is",
    "bounces/read.py:_ask_flufl": "a strange mail: the library knows nothing of it",
    "cli/__init__.py:main": "said in one sentence, exit 1",
    "cli/bounces.py:process": "exit 75: the mail server tries again",
    "cli/init.py:init": "raised again",
    "db/session.py:transaction": "raised again",
    "feeds/deadline.py:run_in_thread.run": "raised where the result is asked for",
    "feeds/reader_process.py:_answer_request": "the feed could not be read, as its problem",
    "files.py:open_private": "raised again",
    "import_formats/archive.py:_write_sheets": "a workbook: refused",
    "mail/forward.py:_make_writable": "a strange mail: forwarded as an attachment",
    "mail/smtp/opener.py:Opener._open_one": "the server cannot be used, as its problem",
    "mail/mailbox/imap.py:ImapMailbox.close": "a connection that is over anyway",
    "mail/mailbox/pop3.py:Pop3Mailbox.close": "a connection that is over anyway",
    "services/authors/passkey_check.py:_read_answer": "refused",
    "services/authors/passkey_check.py:verify": "refused",
    "services/authors/passkey_check.py:verify_new": "refused",
    "services/digests/asked.py:send_asked": "that post's problem: logged, in `status`, tried again",
    "services/digests/due.py:compose_due": "that digest's: logged, in `status`, tried again",
    "services/inbound/apply_queue.py:ApplyQueue._apply": "that mail's, which its sender hears of",
    "services/inbound/listener.py:BounceListener.apply": "451: its server tries again",
    "services/inbound/poll.py:_read_batch": "that mail's: logged, and left in the mailbox",
    "services/letters/send.py:_start_or_pause": "that letter is paused, with the reason",
    "services/polling/fetch.py:enrich_entries": "that feed's pictures: logged",
    "services/polling/fetch.py:fetch_feed": "that feed's problem: logged, tried again",
    "services/polling/fetch.py:parse_slowly": "that feed's problem: logged, tried again",
    "services/polling/paging.py:fetch_further_pages": "that feed's further pages: logged",
    "services/sending/run.py:Run._offer": "that message's: logged, in `status`, tried again",
    "services/sending/run.py:Run._run": "the run ends: logged, in `status`",
    "services/sending/run.py:_open_gate": "logged; the gate's own tick says it again",
    "services/transfer/export_subscribers.py:_replace": "raised again",
    "services/transfer/import_files.py:keep_file": "raised again",
    "services/transfer/import_work.py:_work": "that file's problem, on its page",
    "services/unforeseen.py:run_each": "raised at the end",
    "services/webhook_delivery.py:_claim": "that message's problem, tried again",
    "services/webhook_delivery.py:_post": "that message's problem, tried again",
    "web/api/operations.py:_run_and_keep": "raised again",
    "web/request_body.py:BodyStream.readinto": "400",
    "worker.py:WorkerProcess._guard.run": "logged; tried again at the next tick",
}
"""Functions that catch every error, and where it is reported."""
ANY = r"\b(Exception|BaseException)\b"
QUIET = {
    "cli/bounces.py:process": "a mail server's own codes",
    "cli/context.py:may_fetch_private": "asks whether there are settings",
    "cli/entries.py:_decide_each": "said of each; then exit 1",
    "cli/setup_questions.py:ask_smtp": "said, and asked again",
    "cli/setup_questions.py:ask_until": "said, and asked again",
    "cli/__init__.py:main": "the exit code is the error's",
}
"""Commands that catch an error of the program's own and go on, and where it is heard of."""


def list_handlers(tree: ast.AST, within: str = "") -> Iterator[tuple[str, ast.ExceptHandler]]:
    for child in ast.iter_child_nodes(tree):
        inner = within
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            inner = f"{within}.{child.name}".strip(".")
        if isinstance(child, ast.ExceptHandler):
            yield inner, child
        yield from list_handlers(child, inner)


def find_broad(module: str, tree: ast.AST) -> set[str]:
    """Find the functions that catch or suppress every error."""
    broad = {
        f"{module}:{within}"
        for within, handler in list_handlers(tree)
        if handler.type is None or re.search(ANY, ast.unparse(handler.type))
    }
    return broad | {
        f"{module}:{within}"
        for within, name, call in list_calls(tree)
        if name == "suppress" and re.search(ANY, ast.unparse(call))
    }


def find_quiet(module: str, tree: ast.AST) -> set[str]:
    """Find the functions that catch an error of the program's own, and do not raise."""
    ours = {
        name.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module == "newsletter.errors"
        for name in node.names
    } | {"ClickException", "Exit", "Abort"}
    quiet = {
        f"{module}:{within}"
        for within, handler in list_handlers(tree)
        if handler.type is not None
        and set(re.findall(r"\w+", ast.unparse(handler.type))) & ours
        and not any(isinstance(node, ast.Raise) for node in ast.walk(handler))
    }
    return quiet | {
        f"{module}:{within}"
        for within, name, call in list_calls(tree)
        if name == "suppress" and set(re.findall(r"\w+", ast.unparse(call))) & ours
    }


def test_whoever_catches_every_error_says_where_it_is_heard_of() -> None:
    broad = {place for module, tree in trees().items() for place in find_broad(module, tree)}
    assert broad == set(BROAD)


def test_no_command_keeps_an_error_to_itself() -> None:
    quiet = {
        place
        for module, tree in trees().items()
        if module.startswith("cli/")
        for place in find_quiet(module, tree)
    }
    assert quiet == set(QUIET)


@pytest.mark.parametrize(
    "planted",
    [
        "def f():\n try:\n  g()\n except Exception:\n  pass",
        "def f():\n try:\n  g()\n except:\n  return",
        "def f():\n with suppress(Exception):\n  g()",
        "def f():\n try:\n  g()\n except (OSError, BaseException) as error:\n  log(error)",
    ],
)
def test_the_guard_sees_a_broad_handler(planted: str) -> None:
    assert find_broad("x.py", ast.parse(planted)) == {"x.py:f"}


@pytest.mark.parametrize(
    "planted",
    [
        "def f():\n try:\n  g()\n except Refused:\n  pass",
        "def f():\n try:\n  g()\n except (OSError, Refused) as error:\n  click.echo(error)",
        "def f():\n with suppress(Refused):\n  g()",
    ],
)
def test_the_guard_sees_a_command_that_keeps_an_error_to_itself(planted: str) -> None:
    tree = ast.parse("from newsletter.errors import Refused\n" + planted)
    assert find_quiet("x.py", tree) == {"x.py:f"}


# ── A10: loops over strangers' text ──────────────────────────────────────────────────────────────

STRANGERS = ("bounces/", "dns/", "feeds/", "html/", "import_formats/", "mail/mailbox/")
"""Modules that read what strangers wrote."""
LOOPS = {
    "dns/dkim.py:_read_integers": "the position grows by two bytes at least",
    "feeds/failures.py:_walk_causes": "each cause once",
    "feeds/fetch.py:Fetcher._read_body": "`max_bytes`, and the deadline",
    "feeds/isolated.py:FeedReader._end_idle": "waits for the reader's end",
    "feeds/reader_process.py:main": "a request each",
    "html/accessible.py:_Tidier._end_heading": "takes an open element each",
    "html/accessible.py:_Tidier._get_step": "takes an open heading each",
    "html/accessible.py:_Tidier.handle_endtag": "takes an open element each",
    "html/accessible.py:make_accessible": "takes an open element each",
    "html/formulas.py:write_symbols": "takes an open element each",
    "html/reduce.py:_Reducer._write_end": "takes an open element each",
    "html/reduce.py:_Reducer.reduce": "a tag each; takes an open element each",
    "html/shortcodes.py:remove_shortcodes": "a piece of code each",
    "html/tabs.py:_find_parts": "takes an open element each",
    "html/text.py:shorten_text": "as long as one grapheme",
    "html/to_text.py:_TextWriter.handle_endtag": "takes a line each",
    "html/numbering.py:_write_letters": "a letter each",
    "html/truncate.py:_Cutter.handle_endtag": "takes an open element each",
    "import_formats/archive.py:_copy": "a piece each, up to a limit",
    "import_formats/spool.py:_copy": "a piece each, up to a limit",
    "import_formats/table.py:Lines._pass_over": "a piece each",
    "import_formats/table.py:_join_lines": "LINES_AT_MOST",
    "import_formats/table.py:_is_mostly_utf8": "a piece each",
    "import_formats/table.py:_is_western": "a piece each",
    "import_formats/table.py:_choose_western": "a piece each",
    "import_formats/table.py:read_rows": "a line each",
    "mail/mailbox/imap.py:ImapMailbox._watch_responses": "a deadline",
    "mail/mailbox/pop3.py:Pop3Mailbox._read_lines": "the deadline of the mailbox",
    "services/polling/poll.py:_poll": "a feed each",
    "services/polling/poll.py:_poll_slow": "a deadline",
    "services/polling/poll.py:_read_slow": "the end of the work",
}
"""Loops over what strangers wrote, and what ends each: a further one says it here."""


def find_loops() -> set[str]:
    loops: set[str] = set()

    def walk(module: str, node: ast.AST, within: str) -> None:
        for child in ast.iter_child_nodes(node):
            inner = within
            if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                inner = f"{within}.{child.name}".strip(".")
            if isinstance(child, ast.While):
                loops.add(f"{module}:{inner}")
            walk(module, child, inner)

    for module, tree in trees().items():
        if module.startswith((*STRANGERS, "services/polling/")):
            walk(module, tree, "")
    return loops


def test_a10_every_loop_over_strangers_text_says_what_ends_it() -> None:
    assert find_loops() == set(LOOPS)


# ── one outbox ───────────────────────────────────────────────────────────────────────────────────


def test_only_the_outbox_writes_deliveries() -> None:
    """So that a mail to a stranger cannot pass the door by a statement of its own."""
    writing = {
        f"{module}:{within}"
        for module, tree in trees().items()
        if not module.startswith(("outbox/", "models/", "migrations/"))
        for within, name, call in list_calls(tree)
        if name == "Delivery" or (name in ("insert", "Insert") and "Delivery" in ast.unparse(call))
    }
    assert writing == set()
    text = {
        module
        for module in trees()
        if not module.startswith(("outbox/", "migrations/"))
        if re.search(r"INSERT\s+INTO\s+deliveries", (PACKAGE / module).read_text(), re.I)
    }
    assert text == set()


def test_nobody_imports_the_door_of_the_outbox_under_another_name() -> None:
    """tests/web/test_one_door.py looks for `outbox.enqueue(`."""
    importing = {
        module
        for module, tree in trees().items()
        if not module.startswith("outbox/")
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and str(node.module).startswith("newsletter.outbox")
        if "enqueue" in {name.name for name in node.names}
    }
    assert importing == set()


# ── U5: what is written and not read ─────────────────────────────────────────────────────────────

EXPORTED: dict[str, set[str]] = {
    "consent_events": {
        "at",
        "form",
        "ip",
        "kind",
        "message_id",
        "note",
        "page",
        "source",
        "subscription_id",
        "user_agent",
        "wording_hash",
    },
    "subscriber_tags": {"subscriber_id", "tag"},
    "subscribers": {"created_at", "email", "email_key", "language", "name"},
    "subscriptions": {
        "answers",
        "cadence",
        "confirmed_at",
        "created_at",
        "list_id",
        "paused_until",
        "status",
        "subscriber_id",
        "topics",
        "unsubscribed_at",
    },
    "suppressions": {"created_at", "email_hash", "email_key", "note", "reason"},
}
"""Columns that an export holds; `tests/services/transfer/test_round_trip.py` reads it back."""
NOT_EXPORTED: dict[str, set[str]] = {
    "consent_events": {"id"},
    "subscriber_tags": set(),
    "subscribers": {"handle", "id", "new_email", "new_email_key"},
    "subscriptions": {
        "confirmation_at",
        "cursor",
        "handle",
        "id",
        "joined_seq",
        "round",
        "series_at",
        "series_due_at",
    },
    "suppressions": {"id"},
}
"""Columns of one installation: numbers, links, requests that wait, and progress."""


def test_u5_every_column_of_a_subscriber_is_exported_or_says_why_not() -> None:
    for name, exported in EXPORTED.items():
        columns = set(Base.metadata.tables[name].c.keys())
        assert columns - exported == NOT_EXPORTED[name], name


def test_u5_every_column_that_an_export_writes_is_read() -> None:
    reading = {
        node.value
        for node in ast.walk(trees()["import_formats/own_format.py"])
        if isinstance(node, ast.Constant)
    }
    assert {name for name in OUR_COLUMNS if normalize_name(name) not in reading} == set()
