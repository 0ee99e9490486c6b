"""A large list's active subscribers are not counted for a page: the last hour's count is shown."""

from __future__ import annotations

import pytest

from newsletter.db.session import transaction
from newsletter.services.runtime import Environment
from newsletter.services.statistics import gather, read
from tests.people import add_list, add_reader


@pytest.mark.any_database
def test_a_large_list_is_counted_by_the_worker(
    env: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    with transaction() as session:
        blog = add_list(session)
        other = add_list(session, "other")
        ids = blog.id, other.id
        for number in range(3):
            add_reader(session, blog, f"{number}@example.com")
        add_reader(session, other, "else@example.com")
    gather.gather(env)
    with transaction() as session:
        add_reader(session, blog, "late@example.com")
    assert [row.active for row in read.read_lists(env, ids)] == [4, 1]
    monkeypatch.setattr(read, "LARGE", 2)
    assert [row.active for row in read.read_lists(env, ids)] == [3, 1]
