"""The guard that watches the suite's log finds what it is there for, and nothing else."""

from __future__ import annotations

import logging
import subprocess
import sys
from datetime import timedelta

import pytest

from newsletter.models import Campaign
from newsletter.services.runtime import Environment
from tests.log_guard import LogGuard, find_private
from tests.processes import inherited_environment


@pytest.mark.any_database
def test_links_of_mails_are_found(env: Environment) -> None:
    unsubscribe = env.links.unsubscribe("aaaabbbb1111", env.now).rpartition("/")[2]
    assert find_private(f"a line about {unsubscribe}", set()) == unsubscribe
    dated = env.links.confirm("aaaabbbb1111", 1, env.now + timedelta(days=1)).rpartition("/")[2]
    assert find_private(f"token={dated}.", set())


def test_addresses_and_subjects_are_found_and_masked_ones_pass() -> None:
    subjects = {"A very private subject"}
    assert find_private("to ana@tiny.example: gone", subjects) == "ana@tiny.example"
    assert find_private('{"message": "A very private subject"}', subjects)
    for harmless in (
        "a…@tiny.example was asked",
        "campaign 3: 12 sent",
        "newsletter.services.operations.restore_installation.prepare",
    ):
        assert not find_private(harmless, subjects)


def test_a_line_of_the_program_is_looked_at(log_guard: LogGuard) -> None:
    log = logging.getLogger("newsletter.worker")
    Campaign(subject="Our merger, in confidence")
    log.info("campaign %s is composed", "Our merger, in confidence")
    log.info("mail to %s", "ana@tiny.example")
    [first, second] = log_guard.take()
    assert "Our merger" in first
    assert "Our merger" in second, "in both formats; the address was masked"


def test_lines_of_a_process_that_the_tests_started_are_looked_at(log_guard: LogGuard) -> None:
    Campaign(subject="Our merger, in confidence")
    code = (
        "import logging; from newsletter import logs; logs.log_to_stderr();"
        "log = logging.getLogger('newsletter.worker');"
        "log.info('campaign %s is composed', 'Our merger, in confidence');"
        "log.info('mail to %s', 'ana@tiny.example')"
    )
    command = [sys.executable, "-c", code]
    ended = subprocess.run(command, env=inherited_environment(), check=True, capture_output=True)
    assert ended.stderr.count(b"\n") == 2, "it logs as it does without the guard"
    [first, second] = log_guard.take()
    assert "Our merger" in first
    assert "Our merger" in second, "in both formats; the address was masked"
    assert not log_guard.take(), "each line is looked at once"
