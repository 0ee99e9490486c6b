"""Kinds of faults, by what the code calls: a new place of a kind says here why it is right."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import click
import pytest

from newsletter import cli
from newsletter.db.session import PRAGMAS, Base
from newsletter.mail.templating import policy
from newsletter.models import SubscriptionRequest

PACKAGE = Path(__file__).parents[1] / "newsletter"
TESTS = Path(__file__).parent


@cache
def trees() -> dict[str, ast.Module]:
    """Every module of the program by its path below `newsletter/`, but for the demo."""
    return {
        str(file.relative_to(PACKAGE)): ast.parse(file.read_text())
        for file in sorted(PACKAGE.rglob("*.py"))
        if "demo" not in file.parts
    }


def list_calls(tree: ast.AST, within: str = "") -> Iterator[tuple[str, str, ast.Call]]:
    """Yield every call with the function it stands in and the name of what is called.

    A name that was imported under another one is the imported name.
    """
    renamed = {
        alias.asname: alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
        if alias.asname
    }

    def walk(node: ast.AST, within: str) -> Iterator[tuple[str, str, ast.Call]]:
        for child in ast.iter_child_nodes(node):
            inner = within
            if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                inner = f"{within}.{child.name}".strip(".")
            if isinstance(child, ast.Call):
                func = child.func
                name = func.attr if isinstance(func, ast.Attribute) else getattr(func, "id", "")
                yield inner, renamed.get(name, name), child
            yield from walk(child, inner)

    yield from walk(tree, within)


def find_callers(*names: str, under: str = "") -> set[str]:
    """Find the functions that call one of `names`, as ``module.py:Class.function``."""
    return {
        f"{module}:{within}"
        for module, within, name in list_all_calls()
        if name in names and module.startswith(under)
    }


@cache
def list_all_calls() -> list[tuple[str, str, str]]:
    """List every call of the program: its module, its function, and what is called."""
    return [
        (module, within, name)
        for module, tree in trees().items()
        for within, name, _ in list_calls(tree)
    ]


def find_importers(*modules: str) -> set[str]:
    """Find the modules that import one of `modules`, wherever the import stands."""
    importers = set()
    for file, tree in trees().items():
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                imported = {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                imported = {str(node.module)} | {
                    f"{node.module}.{name.name}" for name in node.names
                }
            else:
                continue
            if any(
                name == module or name.startswith(f"{module}.")
                for name in imported
                for module in modules
            ):
                importers.add(file)
    return importers


# ── A5: a second pass over finished text ─────────────────────────────────────────────────────────

SECOND_PASSES = {
    "mail/forward.py:_attach": "ends of lines",
    "mail/forward.py:_make_writable": "ends of lines",
    "mail/header_fields.py:_write_phrase": "quotation marks",
    "mail/headers.py:make_identifier_header": "a header's own words",
    "mail/message.py:encode_quoted_printable": "ends of lines",
    "mail/render.py:fill_web_url": "a slot, which no feed's text can hold",
    "mail/slots.py:fill": "slots, which no feed's text can hold",
    "mail/templating/placeholders.py:Marks._close_gaps": "before a feed or a subscriber comes in",
    "mail/templating/placeholders.py:Marks.link": "before a feed or a subscriber comes in",
    "mail/templating/placeholders.py:Marks.loosen": "before a feed or a subscriber comes in",
    "mail/templating/placeholders.py:Marks.take": "before a feed or a subscriber comes in",
    "services/letters/rendering.py:inline_pictures": "a preview; its pictures",
}
"""Functions that replace something in a finished mail, and why it is not a subscriber's."""
REPLACING = ("replace", "sub", "subn", "translate", "format", "format_map", "substitute")
FINISHED = (
    "mail/message.py",
    "mail/slots.py",
    "mail/render.py",
    "mail/headers.py",
    "mail/header_fields.py",
    "mail/forward.py",
    "mail/templating/",
    "services/mail_context.py",
    "services/sending/",
    "services/letters/rendering.py",
    "services/letters/editions.py",
    "services/digests/compose.py",
)
"""Modules through whose hands a mail goes once its text is written."""


def test_a5_nothing_replaces_text_of_a_finished_mail() -> None:
    passes = {
        f"{module}:{within}"
        for module, tree in trees().items()
        if module.startswith(FINISHED)
        for within, name, call in list_calls(tree)
        if name in REPLACING and isinstance(call.func, ast.Attribute)
        if not (isinstance(call.func.value, ast.Name) and call.func.value.id == "self")
    }
    assert passes == set(SECOND_PASSES)


# ── A6: a ceiling counted by spelling ────────────────────────────────────────────────────────────

COUNTED_BY_ADDRESS = {
    "services/authors/log_in.py:request_link": "another spelling is no author's, and mails nobody",
    "services/mailbox_limits.py:forget_unanswered": "folded",
    "services/mailbox_limits.py:start_locking": "folded",
    "services/sending/requested_tests.py:_count": "folded",
}
HASHED_FOR_ITSELF = {
    "services/suppressions.py",
    "services/inbound/apply.py",
    "services/subscribers/address_change.py",
    "services/subscribers/history.py",
    "services/subscribers/privacy.py",
    "services/subscribers/correct.py",
    "services/campaigns/explain_delivery.py",
    "services/digests/review_acts.py",
    "services/transfer/import_batch.py",
    "services/transfer/import_known.py",
}
"""Modules that hash an address as an identity, and count nothing by it."""


def test_a6_what_is_counted_by_an_address_is_counted_by_its_mailbox() -> None:
    """Whoever hashes an address for a count, or names a counter by one, folds it first."""
    hashing = {
        caller
        for caller in find_callers("hash_address", under="services/")
        if caller.partition(":")[0] not in HASHED_FOR_ITSELF
    }
    assert hashing == set(COUNTED_BY_ADDRESS)
    named = set()
    for module, tree in trees().items():
        for node in ast.walk(tree):
            if not isinstance(node, ast.JoinedStr) or not isinstance(node.values[0], ast.Constant):
                continue
            if re.match(r"[a-z-]+/", str(node.values[0].value)):
                words = set(re.findall(r"[a-z_]+", ast.unparse(node)))
                if words & {"email", "email_key", "address", "recipient", "to", "typed", "key"}:
                    named.add(f"{module}: {ast.unparse(node)}")
    assert named == {
        "services/authors/log_in.py: f'log-in/{hash_address(env, typed.key)[0][:40]}'",
        "services/sending/requested_tests.py: f'test/to/{mailbox}'",
    }


# ── A11: a deadline on an object that is not the one in use ──────────────────────────────────────

NETWORK = {
    "feeds/": "tests/unit/feeds/test_deadline.py",
    "mail/smtp/": "tests/smtp/test_smtp.py",
    "mail/mailbox/": "tests/services/inbound/test_mailbox_faults.py",
    "dns/resolver.py": "tests/unit/dns/test_mx.py",
    "services/inbound/listener.py": "tests/services/inbound/test_listener.py",
    "services/workers.py": "",
    "supervisor.py": "",
}
"""Places where the program talks to others, with the test of each deadline; "" opens nothing."""
CLIENTS = (
    "socket",
    "ssl",
    "http.client",
    "urllib.request",
    "urllib3",
    "requests",
    "httpx",
    "smtplib",
    "imaplib",
    "imapclient",
    "poplib",
    "ftplib",
    "asyncio",
    "aiohttp",
    "aiosmtpd",
    "dns",
)


def test_a11_who_talks_to_others_has_a_test_of_the_deadline() -> None:
    outside = {file for file in find_importers(*CLIENTS) if not file.startswith(tuple(NETWORK))}
    assert outside == set()
    assert all((TESTS.parent / test).exists() for test in NETWORK.values() if test)
    openers = find_callers("urlopen", "create_connection", "open_connection")
    assert openers == {"feeds/certificate.py:read_certificate_end"}, "pass the deadline's socket"
    pools = find_callers("build_guarded_pools")
    assert pools == {"feeds/fetch.py:Fetcher.__call__", "feeds/post.py:Poster.__call__"}


# ── W1, U4: what is about to be mailed, and when nothing may be ──────────────────────────────────


COMPOSING = ("compose", "_mail_or_compose")


def test_w1_nothing_is_composed_before_its_feeds_were_looked_at() -> None:
    """Whoever composes, but for `_mail_or_compose`, has looked at the feeds of the list before."""
    callers = find_callers(*COMPOSING, under="services/") - {
        "services/digests/due.py:_mail_or_compose"
    }
    assert callers == {
        "services/digests/asked.py:send_asked",
        "services/digests/due.py:_compose_if_due",
        "services/digests/due.py:send_now",
    }
    assert find_callers("mail_review") == {"services/digests/due.py:_mail_or_compose"}
    for caller in callers:
        module, _, function = caller.partition(":")
        lines: dict[bool, list[int]] = {True: [], False: []}
        for within, name, call in list_calls(trees()[module]):
            if within == function and name in ("refresh_list", *COMPOSING):
                lines[name == "refresh_list"].append(call.lineno)
        assert lines[True] and min(lines[True]) < min(lines[False]), caller


MAIL_LEAVES = {
    "services/operations/doctor.py:_check_smtp": "connects, and sends nothing",
    "services/sending/run.py:send_due": "asks whether mail is held",
    "services/sending/run.py:Run._exchange": "what `send_due` began",
    "services/sending/trial.py:send_test": "asked for by hand, or by `send_tests`, which asks",
    "worker.py:WorkerProcess.send": "`send_due` asks",
}
JOBS_WITHOUT_A_LOOK = {
    "__init__": "says when each job is done",
    "once": "does what the other jobs do, and `send_due` asks",
    "send": "`send_due` asks",
    "tell_webhooks": "`webhook_delivery.send_due` asks",
    "upkeep": "`send_notes` asks",
}
"""Jobs of the worker that do not ask themselves whether mail is held."""
LEAVING = r"(send|compose|open_gate|start_due|advance_due|deliver|enqueue)\w*[(,]"
"""Names that are called, or passed on to be called."""


def test_u4_nothing_leaves_while_mail_is_held_after_a_restore() -> None:
    assert find_callers("deliver", "transport") == set(MAIL_LEAVES)
    worker = trees()["worker.py"]
    jobs = [
        node
        for owner in ast.walk(worker)
        if isinstance(owner, ast.ClassDef) and owner.name == "WorkerProcess"
        for node in owner.body
        if isinstance(node, ast.FunctionDef)
    ]
    careless = {
        job.name
        for job in jobs
        if re.search(LEAVING, text := "\n".join(map(ast.unparse, job.body[1:])))
        if "find_hold" not in text
    }
    assert careless == set(JOBS_WITHOUT_A_LOOK)


# ── F1, U1: the check and the act ────────────────────────────────────────────────────────────────

CHECKS = {
    "backup check": "tests/services/operations/test_backup.py",
    "bounce read": "tests/cli/test_bounces.py",
    "campaign permission --dry-run": "tests/services/subscribers/test_reconfirmation.py",
    "campaign preflight": "tests/cli/test_examples.py",
    "campaign preview": "tests/cli/test_examples.py",
    "campaign test": "tests/cli/test_examples.py",
    "digest explain": "tests/services/digests/test_timing.py",
    "digest preview": "tests/cli/test_examples.py",
    "digest send --dry-run": "tests/cli/test_examples.py",
    "explain campaign": "tests/services/campaigns/test_explain_delivery.py",
    "feed check": "tests/cli/test_commands.py",
    "series preflight": "tests/cli/test_letters.py",
    "series preview": "tests/cli/test_letters.py",
    "series test": "tests/cli/test_letters.py",
    "subscriber import --dry-run": "tests/services/transfer/test_import_subscribers.py",
}
"""Commands that say what another one would do, and the test that holds them against that one."""

CHECKING = r"\b(check|preview|preflight|test|explain|verify|simulate|read|validate)$|^explain"
"""The prefixes of such commands."""


@cache
def commands() -> dict[str, click.Command]:
    """Every command of the program by its words."""

    def walk(command: click.Command, words: str) -> Iterator[tuple[str, click.Command]]:
        if isinstance(command, click.Group):
            context = click.Context(command)
            for name in command.list_commands(context):
                inner = command.get_command(context, name)
                assert inner is not None
                yield from walk(inner, f"{words} {name}".strip())
        else:
            yield words, command

    return dict(walk(cli.cli, ""))


def options(command: click.Command) -> set[str]:
    """Return the long options of a command."""
    return {option for param in command.params for option in param.opts}


def test_u1_every_command_that_checks_is_held_against_the_one_that_acts() -> None:
    by_name = {name for name in commands() if re.search(CHECKING, name)} - {"feed read"}
    by_option = {
        f"{name} {option}"
        for name, command in commands().items()
        for option in options(command) & {"--dry-run", "--check", "--simulate", "--pretend"}
    }
    assert by_name | by_option == set(CHECKS)
    for test in CHECKS.values():
        assert (TESTS.parent / test).exists(), test


def test_u1_a_dry_run_is_the_real_run_rolled_back() -> None:
    """Nothing asks whether it is a rehearsal, but where the transaction is opened."""
    asking = set()
    for module, tree in trees().items():
        for node in ast.walk(tree):
            if isinstance(node, ast.If | ast.IfExp | ast.BoolOp):
                test = node if isinstance(node, ast.BoolOp) else node.test
                if re.search(r"\b(dry_run|rehears\w+|is_check|pretend)\b", ast.unparse(test)):
                    asking.add(module)
    assert asking <= {
        "cli/digests.py",
        "cli/import_export.py",
        "cli/permission.py",
        "services/digests/compose.py",
        "services/digests/due.py",
        "services/transfer/import_subscribers.py",
        "services/transfer/import_work.py",
        "services/transfer/import_known.py",
    }


def test_f1_every_function_of_letters_goes_through_every_command() -> None:
    examples = (TESTS / "cli" / "test_examples.py").read_text()
    for function in policy.FUNCTIONS:
        assert len(re.findall(rf"\b{function}\(", examples)) >= 6, f"add {function} to FIELDS"


# ── W2, U2, U3: commands that cannot be undone ───────────────────────────────────────────────────

CANNOT_BE_UNDONE = {
    "restore": "refuses while the database is in use",
    "db restore": "refuses while the database is in use",
    "database copy": "refuses while a worker runs; the target must be empty",
    "key rotate": "keeps the old key; both open links",
    "db accept-key": "says what dies",
    "db hold": "undone by `db release`",
    "db release": "says what waits",
    "service install": "shows what it writes",
    "init": "never overwrites",
    **dict.fromkeys(
        (
            "list confirmations",
            "entry hold",
            "entry release",
            "entry resend",
            "entry skip",
            "digest release",
            "digest send",
            "digest skip",
            "campaign cancel",
            "campaign permission",
            "campaign pick",
            "campaign retry",
            "campaign send",
        ),
        "a state of a row, compared under its lock",
    ),
    **dict.fromkeys(
        (
            "list remove",
            "feed remove",
            "field remove",
            "topic remove",
            "series remove",
            "subscriber erase",
            "subscriber remove",
            "suppression remove",
            "dkim remove",
            "resource remove",
            "author revoke",
            "token revoke",
            "webhook remove",
        ),
        "deletes in one transaction",
    ),
}
"""Every command that asks first, and what it looks at, or why it need not look."""


def test_w2_every_command_that_asks_first_says_what_it_looks_at() -> None:
    asking = {name for name, command in commands().items() if "--yes" in options(command)}
    assert asking == set(CANNOT_BE_UNDONE)
    about_the_database = {
        name for name in commands() if name.split()[0] in ("db", "database", "restore", "key")
    }
    assert about_the_database - asking == {"db backup", "db upgrade"}


def test_w2_whoever_touches_the_file_of_the_database_asks_who_uses_it() -> None:
    assert find_callers("get_sqlite_file") == {
        "services/operations/database.py:backup",  # reads
        "services/operations/restore.py:restore",  # asks for processes, locks and workers
        "services/operations/upgrade.py:_find_revision",  # reads
    }
    assert find_callers("fill_all") == {
        "services/operations/database_copy.py:fill_new",  # a new file, or an empty database
        "services/operations/restore_postgresql.py:restore_postgresql",  # asks who uses it
        "services/operations/restore_staged.py:_unpack",  # the staged copy
    }
    assert find_callers("drop_all", "downgrade") == set()
    restore = ast.unparse(trees()["services/operations/restore.py"])
    assert restore.index("_require_unused(target)") < restore.index(
        "_replace_database(staged, target)"
    )


# ── B5: what a confirmation confirms ─────────────────────────────────────────────────────────────


def test_b5_everything_that_a_request_holds_is_tried_by_a_strangers_request() -> None:
    """A new column belongs into HERS and THEIRS of tests/web/test_one_door.py."""
    tried = {"cadence", "topics", "name", "language", "answers", "agreed"}
    about_the_mail = {
        "subscription_id",
        "number",
        "wording_hash",
        "delivery_id",
        "message_id",
        "network",
        "proven",
        "created_at",
    }
    assert set(SubscriptionRequest.__table__.columns.keys()) == tried | about_the_mail


# ── B7: a slow reader holds a thread ─────────────────────────────────────────────────────────────


def test_b7_no_answer_to_a_stranger_is_made_while_it_is_read() -> None:
    streaming = find_callers(
        "stream_with_context", "send_file", "send_from_directory", "FileWrapper", "wrap_file"
    )
    assert streaming == {
        "web/author/subscribers.py:export",  # behind a log-in, an hour old at most
        "web/resources.py:resource",  # waitress reads a file itself, and holds no thread
    }
    for module, tree in trees().items():
        if module.startswith("web/"):
            for within, name, call in list_calls(tree):
                generated = [arg for arg in call.args if isinstance(arg, ast.GeneratorExp)]
                assert name != "Response" or not generated, f"{module}:{within}"


# ── B8: what was deleted is still in the file ────────────────────────────────────────────────────

RAW = {
    "services/operations/restore_checks.py": "a staged copy, which is looked at",
    "services/operations/database.py": "a copy is written; nothing is deleted",
    "services/operations/restore.py": "what is replaced is copied and emptied",
    "services/operations/restore_postgresql.py": "a copy is read",
    "services/operations/restore_staged.py": "ends the log of the staged copy",
    "services/operations/shell_completion.py": "reads only",
}
"""Modules that open SQLite past the engine, whose connections overwrite what is deleted."""


def test_b8_every_connection_that_deletes_overwrites() -> None:
    assert "secure_delete=ON" in PRAGMAS
    assert find_importers("sqlite3") - {"db/session.py"} <= {
        *RAW,
        "db/write_lock.py",
        "db/causes.py",
        "db/constraints.py",
        "services/operations/merge.py",
        "services/operations/merge_mailboxes.py",
        "services/operations/replaced_database.py",
        "services/operations/upgrade.py",
        "db/direct.py",
        "db/session.py",
        "errors.py",
        "db/bulk.py",
    }
    raw = {
        module
        for module, tree in trees().items()
        for _, _, call in list_calls(tree)
        if ast.unparse(call.func) in ("sqlite3.connect", "sqlite3.Connection", "connect_sqlite")
    }
    assert raw == set(RAW)
    for module in RAW:
        text = (PACKAGE / module).read_text()
        assert not re.search(r"execute\(\s*[\"']\s*(DELETE|UPDATE|DROP)", text), module
    off = [
        module
        for module in trees()
        if re.search(r"secure_delete\s*=\s*(OFF|0|FAST)", (PACKAGE / module).read_text(), re.I)
    ]
    assert off == []


@pytest.mark.parametrize("pragma", ["journal_mode", "foreign_keys", "synchronous", "secure_delete"])
def test_b8_no_module_changes_the_settings_of_a_connection(pragma: str) -> None:
    changing = {
        module
        for module in trees()
        if re.search(rf"PRAGMA {pragma}\s*=", (PACKAGE / module).read_text(), re.I)
    }
    allowed = {
        "journal_mode": {
            "services/operations/restore.py",
            "services/operations/restore_staged.py",
            "services/operations/database_copy.py",
            "services/operations/database.py",
            "services/operations/restore_checks.py",
            "services/operations/table_copy.py",
        },  # a copy that leaves no side files
        "foreign_keys": {"services/operations/database_copy.py", "migrations/env.py"},
        "synchronous": {"db/direct.py"},
        "secure_delete": set(),
    }[pragma]
    assert changing <= allowed


UNREAD_COLUMNS = {
    "TopicSource.topic_id": "read by the database: the key of the list that `Topic.sources` loads",
}
"""Columns and relationships that no code reads by name, each with the reason why it is kept."""


def test_what_a_model_stores_is_read_somewhere() -> None:
    """A column that is only written is data without a purpose; so is a relationship.

    Told by names, so one that shares its name with something else is not found.
    """
    read = {
        node.attr
        for module, tree in trees().items()
        if not module.startswith(("models/", "migrations/"))
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load)
    }
    for file in (PACKAGE.parent / "templates").rglob("*.*"):
        read |= set(re.findall(r"\.(\w+)", file.read_text()))
    unread = {
        f"{mapper.class_.__name__}.{attribute.key}"
        for mapper in Base.registry.mappers
        for attribute in mapper.attrs
        if attribute.key not in read
    }
    assert unread == UNREAD_COLUMNS.keys()
